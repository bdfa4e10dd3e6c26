"""Scores of all rows, in a file; and the rows at both ends."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl

from fingerprint.data.arrays import Floats
from fingerprint.data.batches import Batch
from fingerprint.data.files import write_atomically

SIDES = ("suspect", "reference")
# Rows that a report keeps of either end of the ranking.
KEPT_ENDS = 100


class ScoredRow(NamedTuple):
    """One row, as `Report.rows` has it."""

    score: float
    corpus: str
    row: int
    text: str
    prompt: str | None


@dataclass
class Ends:
    """The highest and the lowest scores so far, with their rows."""

    highest: list[ScoredRow] = field(default_factory=list)
    lowest: list[ScoredRow] = field(default_factory=list)

    def add(self, batch: Batch, first: int, side: str, scores: Floats) -> None:
        """Rows whose first has this index among all of its side, with their scores; nan for one that is left out."""
        known = np.flatnonzero(np.isfinite(scores))
        order = known[np.argsort(scores[known], kind="stable")]
        for at, kept, sign in ((order[::-1], self.highest, -1), (order, self.lowest, 1)):
            taken = at[:KEPT_ENDS].tolist()
            rows = [ScoredRow(float(scores[i]), side, first + i, batch.texts[i], batch.prompts[i]) for i in taken]
            kept[:] = sorted([*kept, *rows], key=lambda row: (sign * row.score, row.corpus, row.row))[:KEPT_ENDS]

    def merge(self, other: Ends) -> None:
        """Take in what was kept of other rows."""
        for kept, more, sign in ((self.highest, other.highest, -1), (self.lowest, other.lowest, 1)):
            kept[:] = sorted([*kept, *more], key=lambda row: (sign * row.score, row.corpus, row.row))[:KEPT_ENDS]

    def rows(self) -> list[ScoredRow]:
        """Rows at either end, each once."""
        return list(dict.fromkeys([*self.highest, *self.lowest]))


def write_scores(
    path: str | os.PathLike[str], shards: Sequence[Sequence[tuple[str, int]]], scores: Sequence[Floats]
) -> None:
    """Write the score of every row to a Parquet file: side, shard, row and score, side by side and shard by shard.

    Parameters
    ----------
    shards : sequence of sequences of (str, int)
        Of each side, the suspect's first, its shards and how many rows they have. ``row`` is the index among the usable
        rows of the shard.
    scores : sequence of float arrays [rows]
        Of each side; nan, and null in the file, for a row without a score: one that a prior was learnt from.
    """
    parts = []
    for side, of_side, values in zip(SIDES[: len(scores)], shards, scores, strict=True):
        first = 0
        for shard, rows in of_side:
            known = pl.Series(values[first : first + rows]).fill_nan(None)
            part = pl.DataFrame({"row": np.arange(rows), "score": known})
            named = part.with_columns(side=pl.lit(side), shard=pl.lit(shard))
            parts.append(named.select("side", "shard", "row", "score"))
            first += rows
    content = io.BytesIO()
    pl.concat(parts).write_parquet(content)
    write_atomically(path, content.getvalue())
