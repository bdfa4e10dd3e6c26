"""Family `logprobs`: what a language model says of each row, given the prompt that the row answers.

No torch here: the scores come from `fingerprint.lm.scoring`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fingerprint.data.arrays import Floats, Floats32, Ints
from fingerprint.features.grids import REALS, Grid
from fingerprint.features.quantiles import QuantileFamily
from fingerprint.features.segments import Segments

# A token counts as surprising above these surprisals (nats): one in 2.7, 7, 20, 150, 3,000.
TAILS = (1.0, 2.0, 3.0, 5.0, 8.0)
RANKS = (1, 2, 5, 20, 100)
THIRDS = ("first", "middle", "last")


class Scores(Protocol):
    """What is read of a row's token scores; see `fingerprint.lm.scoring.TokenScores`."""

    @property
    def logprobs(self) -> Floats: ...

    @property
    def entropies(self) -> Floats: ...

    @property
    def ranks(self) -> Ints: ...


@dataclass(frozen=True)
class RowMeasures:
    """What a model says of some rows.

    Attributes
    ----------
    table : mapping of name to float array [rows]
        Measurements; see `measure` and `measure_candidate`.
    gradients : float32 array [rows, columns]
        See `fingerprint.lm.gradients`.
    """

    table: Mapping[str, Floats]
    gradients: Floats32

    def __len__(self) -> int:
        return len(self.gradients)

    def rows(self, which: Ints) -> RowMeasures:
        """Some of the rows, in this order."""
        return RowMeasures({name: values[which] for name, values in self.table.items()}, self.gradients[which])

    def then(self, other: RowMeasures) -> RowMeasures:
        """These rows and then those of another one."""
        return RowMeasures(
            {name: np.concatenate([values, other.table[name]]) for name, values in self.table.items()},
            np.concatenate([self.gradients, other.gradients]),
        )


def measure(scores: Sequence[Scores]) -> dict[str, Floats]:
    """Measurements [rows] of surprisal, entropy, their gap and ranks, in nats.

    The gap of a token is its surprisal less the entropy of the prediction: zero in the mean when the model wrote the
    row itself, whatever the row says.
    """
    segments, thirds = _segments(scores)
    surprisal = -np.concatenate([s.logprobs for s in scores])
    entropy = np.concatenate([s.entropies for s in scores])
    rank = np.concatenate([s.ranks for s in scores])
    gap, log_rank = surprisal - entropy, np.log(rank)
    table = {
        "tokens": segments.counts.astype(np.float64),
        "surprisal": segments.total(surprisal),
        "surprisal of the first token": segments.at(surprisal, 0),
        "surprisal of the end": segments.at(surprisal, -1),
        "least surprisal": segments.reduce(np.minimum, surprisal),
        "greatest surprisal": segments.reduce(np.maximum, surprisal),
        "greatest log rank": segments.reduce(np.maximum, log_rank),
        "gap": segments.total(gap),
        "squared gap": segments.total(gap * gap),
    }
    for name, values in (("surprisal", surprisal), ("entropy", entropy), ("gap", gap), ("log rank", log_rank)):
        table[f"mean {name}"] = segments.mean(values)
        table[f"spread of {name}"] = segments.spread(values)
        for third, word in enumerate(THIRDS):
            part = thirds == third
            table[f"mean {name}, {word} third"] = segments.where(part).mean(values[part])
    table |= {f"share of surprisals above {limit:g}": segments.mean(surprisal > limit) for limit in TAILS}
    table |= {f"share of ranks up to {limit}": segments.mean(rank <= limit) for limit in RANKS}
    return table


def measure_candidate(
    name: str,
    base: Sequence[Scores],
    candidate: Sequence[Scores],
    likeliest: tuple[Sequence[Ints], Sequence[Ints]],
    floor: float,
) -> dict[str, Floats]:
    """Measurements [rows] of the log-likelihood ratio of a candidate system prompt, in nats.

    Parameters
    ----------
    name : str
        What to call the candidate.
    base, candidate : sequences of scores
        The same rows without and with the system prompt.
    likeliest : two sequences of int arrays [tokens]
        Likeliest token at each position, without and with the system prompt: positions where they differ are where the
        two would have written something else.
    floor : float
        Noise of a token's score: smaller ratios count as neither for nor against.
    """
    segments, thirds = _segments(base)
    ratio = np.concatenate([c.logprobs for c in candidate]) - np.concatenate([b.logprobs for b in base])
    diverges = np.concatenate(likeliest[0]) != np.concatenate(likeliest[1])
    at_divergence = segments.where(diverges)
    table = {
        "llr": segments.total(ratio),
        "llr a token": segments.mean(ratio),
        "spread of llr": segments.spread(ratio),
        "least llr": segments.reduce(np.minimum, ratio),
        "greatest llr": segments.reduce(np.maximum, ratio),
        "share of positive tokens": segments.mean(ratio > floor),
        "share of negative tokens": segments.mean(ratio < -floor),
        "share of divergence positions": segments.mean(diverges),
        "llr at divergence positions": at_divergence.total(ratio[diverges]),
    }
    for third, word in enumerate(THIRDS):
        part = thirds == third
        table[f"llr, {word} third"] = segments.where(part).total(ratio[part])
    return {f"{key} of {name}": values for key, values in table.items()}


def _segments(scores: Sequence[Scores]) -> tuple[Segments, Ints]:
    """The rows' tokens end to end, and which third of its row each token is in."""
    segments = Segments(np.fromiter((len(s.logprobs) for s in scores), dtype=np.int64, count=len(scores)))
    return segments, segments.position * len(THIRDS) // np.repeat(segments.counts, segments.counts)


# Chosen as that of `fingerprint.features.gradients` was: next to the gradients it matters little.
WEIGHT = 2.0


class LogProbs(QuantileFamily):
    """Ranks and quantile bins of the measurements.

    A family of given rows: the model has read them with their prompts, which texts alone do not tell. It is as blind
    to the corpus a row is from as any other, since the model's score of a row depends on that row and its prompt alone.

    Parameters
    ----------
    table : mapping of name to float array [rows]
        Measurements of the rows that `fit` and `transform` are given, in their order.
    """

    def __init__(self, table: Mapping[str, Floats]) -> None:
        self.table = table

    def weight_on(self, kind: str) -> float:
        return WEIGHT

    def grid(self, measurement: str) -> Grid:
        return REALS

    def measurements(self) -> tuple[str, ...]:
        return tuple(self.table)

    def measure(self, texts: Sequence[str]) -> dict[str, Floats]:
        n_rows = len(next(iter(self.table.values())))
        if len(texts) != n_rows:
            raise ValueError(
                f"texts must be the {n_rows} rows that the model has read, got {len(texts)}; "
                "score the others with their prompts first"
            )
        return dict(self.table)
