"""Rows laid end to end: flat arrays of items (numbers, characters, words) with the row each item is from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingerprint.data.arrays import Array, Bools, Floats, Ints


@dataclass(frozen=True)
class Segments:
    """`counts[i]` items belong to row i; items are stored row after row.

    Sums over rows then are single passes over flat arrays, whatever the lengths of the rows.
    """

    counts: Ints

    @property
    def n_rows(self) -> int:
        return len(self.counts)

    @property
    def row(self) -> Ints:
        """Row of every item."""
        return np.repeat(np.arange(self.n_rows), self.counts)

    @property
    def start(self) -> Ints:
        """Index of each row's first item."""
        return np.concatenate([[0], np.cumsum(self.counts)[:-1]]).astype(np.int64) if self.n_rows else self.counts

    @property
    def position(self) -> Ints:
        """Index of every item inside its row."""
        return np.arange(int(self.counts.sum())) - np.repeat(self.start, self.counts)

    def total(self, values: Array) -> Floats:
        """Sum of the items' values per row (0 for a row without items)."""
        return np.bincount(self.row, weights=values, minlength=self.n_rows).astype(np.float64)

    def reduce(self, ufunc: np.ufunc, values: Array) -> Floats:
        """`ufunc.reduce` per row, nan for a row without items."""
        out = np.full(self.n_rows, np.nan)
        filled = self.counts > 0
        if filled.any():
            out[filled] = ufunc.reduceat(values.astype(np.float64), self.start[filled])
        return out

    def mean(self, values: Array) -> Floats:
        """Mean per row, nan for a row without items."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.total(values) / self.counts

    def distinct(self, values: Array) -> Floats:
        """How many different values each row holds."""
        if not len(values):
            return np.zeros(self.n_rows)
        pairs = np.unique(np.stack([self.row, values]), axis=1)
        return np.bincount(pairs[0], minlength=self.n_rows).astype(np.float64)

    def spread(self, values: Array) -> Floats:
        """Standard deviation per row, nan for a row without items."""
        deviation = values - np.repeat(self.mean(values), self.counts)
        return np.sqrt(self.mean(deviation * deviation))

    def at(self, values: Array, position: int) -> Floats:
        """The item at `position` of each row (negative: from the end), nan where the row is too short."""
        out = np.full(self.n_rows, np.nan)
        wanted = self.start + (position if position >= 0 else self.counts + position)
        long_enough = self.counts > position if position >= 0 else self.counts >= -position
        out[long_enough] = values[wanted[long_enough]]
        return out

    def where(self, keep: Bools) -> Segments:
        """The segments that are left when only some items are kept."""
        return Segments(np.bincount(self.row[keep], minlength=self.n_rows).astype(np.int64))


def characters(texts: Sequence[str]) -> tuple[Segments, NDArray[np.uint32]]:
    """Code points of all rows, one flat array (lone surrogates pass as they are)."""
    counts = np.fromiter((len(text) for text in texts), dtype=np.int64, count=len(texts))
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return Segments(counts), codes


def items(rows: Sequence[Sequence[str]]) -> tuple[Segments, list[str], Ints]:
    """Segments, vocabulary (in order of appearance) and the vocabulary index of every item."""
    vocabulary: dict[str, int] = {}
    index = [vocabulary.setdefault(item, len(vocabulary)) for row in rows for item in row]
    counts = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
    return Segments(counts), list(vocabulary), np.asarray(index, dtype=np.int64)
