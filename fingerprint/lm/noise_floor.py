"""By how much scores move when nothing but the batches they are computed in changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.data.arrays import Bools, Floats
from fingerprint.data.row_errors import RowError

if TYPE_CHECKING:
    from fingerprint.lm.batching import TooLong
    from fingerprint.lm.model import LanguageModel


@dataclass(frozen=True)
class NoiseFloor:
    """By how much scores move when nothing but the batches they are computed in changes.

    Attributes
    ----------
    row_nats, token_nats : float
        Largest difference between two batch sizes of the log-probability of a row, and of a token, in nats.
    n_rows : int
        Rows that were scored again.
    row_quantile_nats, token_quantile_nats : float
        Quantiles at .99 of the differences, in nats; not in reports.
    batch_sizes : tuple of int
        In which batches; not in reports.

    Notes
    -----
    `row_nats` is what to hold a margin between two scores of a row against: a smaller one may be rounding. It is the
    largest difference of a sample, so rows that were not in it may differ by more.
    """

    row_nats: float = field(metadata={"json": "rows"})
    token_nats: float = field(metadata={"json": "tokens"})
    n_rows: int
    row_quantile_nats: float = field(default=math.nan, metadata={"json": None})
    token_quantile_nats: float = field(default=math.nan, metadata={"json": None})
    batch_sizes: tuple[int, ...] = field(default=(), metadata={"json": None})

    def hides(self, margins: Floats) -> Bools:
        """Whether each margin between log-probabilities of rows, in nats, is no larger than the floor."""
        return np.asarray(np.abs(margins) <= self.row_nats)


def noise_floor(
    lm: LanguageModel,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    system: str | None = None,
    n: int = 256,
    batch_sizes: Sequence[int] = (1, 128),
    seed: int = 0,
    too_long: TooLong = "error",
) -> NoiseFloor:
    """Score a random sample of the rows in batches of several sizes, and compare.

    Parameters
    ----------
    lm, prompts, completions, system, too_long
        As for `token_scores`.
    n : int
        Rows in the sample; all of them where there are fewer.
    batch_sizes : sequence of int
        At least two different ones.
    seed : int
        Of the sample.

    Raises
    ------
    ValueError
        If there are no rows, or fewer than two batch sizes; and as `token_scores` does.
    """
    from fingerprint.lm.scoring import check_scoring, token_scores  # reports know floors, and need no model

    sizes = tuple(dict.fromkeys(batch_sizes))
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"batch_sizes must be at least two different ones from 1, got {sizes}; try (1, 128)")
    if n < 1 or not completions:
        raise ValueError(f"n must be at least 1 and rows must be given, got n {n} and {len(completions)} rows")
    check_scoring(lm, prompts, completions, min(sizes), too_long)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(completions))[:n])
    sample_prompts, sample_texts = [prompts[row] for row in chosen], [completions[row] for row in chosen]
    try:
        scored = [
            token_scores(lm, sample_prompts, sample_texts, system=system, batch_size=size, too_long=too_long)
            for size in sizes
        ]
    except RowError as error:
        raise error.moved(int(chosen[error.row])) from error
    tokens = np.array([np.concatenate([row.logprobs for row in rows]) for rows in scored])
    totals = np.array([[row.logprobs.sum() for row in rows] for rows in scored])
    moved = [np.ptp(values, axis=0) for values in (totals, tokens)]
    row, token = (float(values.max()) for values in moved)
    row_quantile, token_quantile = (float(np.quantile(values, 0.99)) for values in moved)
    return NoiseFloor(row, token, len(chosen), row_quantile, token_quantile, sizes)
