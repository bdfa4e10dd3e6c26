"""A language model reads corpora: what it says of their rows, as two feature families, and how noisy that is.

torch loads when a model does, and not before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.data.corpus import Corpus, distinct_rows
from fingerprint.data.row_errors import rows_named
from fingerprint.features.gradients import Gradients
from fingerprint.features.logprobs import LogProbs, RowMeasures, measure, measure_candidate
from fingerprint.lm.noise_floor import NoiseFloor, noise_floor
from fingerprint.report.results import Warning
from fingerprint.statistics.comparison import Comparison

if TYPE_CHECKING:
    from fingerprint.lm.loading import Spec
    from fingerprint.lm.model import LanguageModel

LOGPROBS, GRADIENTS = FAMILIES = ("logprobs", "gradients")
# What the scores of its students are called.
STUDENT = "student"
# A noise floor above this share of the rows' own spread is told as a warning: margins of single rows mean little then.
LOUD = 0.1
READ_ROWS = 20_000


@dataclass(frozen=True)
class ReadCorpora:
    """What a model said of every row of some corpora.

    Attributes
    ----------
    model, digest, preamble : str
        The model, the hash of its weights, vocabulary and template, and the text before a user's words.
    system_prompts : tuple of str
        Those that were tried.
    floor : NoiseFloor
        In nats; ratios of a system prompt carry up to twice as much.
    measures : tuple of RowMeasures
        One a corpus.
    """

    model: str
    digest: str
    preamble: str
    system_prompts: tuple[str, ...]
    floor: NoiseFloor
    measures: tuple[RowMeasures, ...]

    def families(self, comparison: Comparison, sides: tuple[int, int] = (0, 1)) -> dict[str, LogProbs | Gradients]:
        """The families for the rows of a comparison of two of the corpora, the suspect's first."""
        read = self.read(comparison, sides)
        return {LOGPROBS: LogProbs(read.table), GRADIENTS: Gradients(read.gradients)}

    def read(self, comparison: Comparison, sides: tuple[int, int] = (0, 1)) -> RowMeasures:
        """What was said of the rows of a comparison of two of the corpora, in its order."""
        suspect, reference = (self.measures[side] for side in sides)
        which = np.where(comparison.suspect, comparison.origin, len(suspect) + comparison.origin)
        return suspect.then(reference).rows(which)

    def warnings(self) -> Iterator[Warning]:
        """Where the noise floor is a large share of the spread of what it blurs."""
        pooled = self.measures[0].then(self.measures[1]).table
        for name in ("surprisal", *(f"llr of {label}" for label in _labels(self.system_prompts))):
            spread = float(pooled[name].std())
            if spread > 0 and self.floor.row_nats > LOUD * spread:
                yield noise_warning(self.floor.row_nats / spread, f"the {name} of rows under {self.model}")


def noise_warning(share: float, what: str) -> Warning:
    """The warning that batches move a figure by more than a small share of its spread."""
    message = f"batch shape alone moves {what} by this share of its spread: load the model in float32"
    return Warning("noise_floor", share, LOUD, message)


def read_corpora(model: Spec, system_prompts: Sequence[str], corpora: Sequence[Corpus]) -> ReadCorpora:
    """Let a model read corpora.

    Parameters
    ----------
    model : name, folder, or loaded model
        As `fingerprint.lm.loading.load` takes it.
    system_prompts : sequence of str
        To try.
    corpora : sequence of Corpus
        Every row with the prompt it answers.

    Raises
    ------
    ValueError
        If a row has no prompt, or the model cannot read it.

    Notes
    -----
    The system messages of the rows take no part: they would tell the corpora apart by themselves. Every distinct row is
    read once (`fingerprint.data.corpus.distinct_rows`), so that rounding cannot tell them apart either. Scores are held
    token by token for `READ_ROWS` rows at a time, then as 2,048 columns of gradients and some sixty measurements a row.
    """
    for corpus in corpora:
        corpus.every_prompt("model")
    from fingerprint.lm.loading import load

    lm = load(model)
    distinct, rows = distinct_rows(corpora)
    prompts = distinct.every_prompt()
    with rows_named(corpora, rows):
        floor = noise_floor(lm, prompts, distinct.texts)
    parts = []
    for first in range(0, len(distinct), READ_ROWS):
        at = slice(first, first + READ_ROWS)
        with rows_named(corpora, rows, first):
            parts.append(_measures(lm, prompts[at], distinct.texts[at], system_prompts, floor))
    read = reduce(RowMeasures.then, parts)
    return ReadCorpora(
        lm.name, lm.digest, lm.preamble(), tuple(system_prompts), floor, tuple(read.rows(which) for which in rows)
    )


def _measures(
    lm: LanguageModel, prompts: Sequence[str], texts: Sequence[str], system_prompts: Sequence[str], floor: NoiseFloor
) -> RowMeasures:
    """What a model says of some rows, each a prompt and a text."""
    from fingerprint.lm import gradients as score_functions
    from fingerprint.lm.scoring import token_scores

    base = token_scores(lm, prompts, texts)
    table = measure(base)
    own = score_functions.likeliest(lm, prompts, texts) if system_prompts else []
    for label, system in zip(_labels(system_prompts), system_prompts, strict=True):
        scored = token_scores(lm, prompts, texts, system=system)
        theirs = score_functions.likeliest(lm, prompts, texts, system=system)
        table |= measure_candidate(label, base, scored, (own, theirs), 2 * floor.token_nats)
    return RowMeasures(table, score_functions.row_gradients(lm, prompts, texts))


def checked_system_prompts(system_prompts: Sequence[str], model: object) -> tuple[str, ...]:
    """System prompts to try, if there is a model to try them with."""
    given = system_prompts
    if isinstance(given, str):
        raise TypeError(f"system_prompts must be a sequence of texts, got the string {given!r}; put it in []")
    wrong = next((s for s in given if not isinstance(s, str) or not s.strip()), None)
    if wrong is not None or len(set(given)) < len(given):
        raise ValueError(f"system_prompts must be distinct texts, got {list(given)!r:.120}; drop the others")
    if given and model is None:
        raise ValueError(f"system_prompts must come with a model, got {len(given)} without one; pass model=")
    return tuple(given)


def _labels(system_prompts: Sequence[str]) -> list[str]:
    return [f"candidate {number + 1}" for number in range(len(system_prompts))]
