"""Sums of a family's counts by cell, held in the smallest whole numbers that fit: they add up without rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.features import FAMILIES
from fingerprint.features.counted import SQUARE_PARTS

_DTYPES = (np.uint8, np.uint16, np.uint32, np.int64)


def narrow(values: Ints) -> Ints:
    """The same whole numbers in the smallest of four types that holds them: what a fingerprint takes hangs on that."""
    greatest = int(values.max(initial=0))
    return values.astype(next(dtype for dtype in _DTYPES if greatest <= np.iinfo(dtype).max), copy=False)


def total(values: Ints, axis: int) -> Ints:
    """Sums along an axis, added up in the smallest type that holds the greatest possible one: several times faster."""
    greatest = int(values.max(initial=0)) * values.shape[axis]
    dtype = next(dtype for dtype in _DTYPES if greatest <= np.iinfo(dtype).max)
    return np.asarray(values.sum(axis=axis, dtype=dtype), dtype=np.int64)


@dataclass(frozen=True)
class FamilySums:
    """What a fingerprint keeps of a family.

    Attributes
    ----------
    definition : str
        Name and version of what the counts are; see `fingerprint.features.family.Family`.
    sums : int array [cells, counts]
        Counts of the rows of every cell.
    squares : int array [counts]
        Squared counts of all rows; see `fingerprint.features.counted.CountedFamily.squared`.
    """

    definition: str
    sums: Ints
    squares: Ints

    def __add__(self, other: FamilySums) -> FamilySums:
        sums = self.sums.astype(np.int64) + other.sums
        return FamilySums(self.definition, narrow(sums), self.squares + other.squares)

    def coarsened(self, times: int) -> FamilySums:
        """With cells put together, `times` neighbours into one."""
        if times == 1:
            return self
        cells, counts = self.sums.shape
        sums = total(self.sums.reshape(cells // times, times, counts), axis=1)
        return FamilySums(self.definition, narrow(sums), self.squares)

    def least_rows(self, name: str) -> Floats:
        """A number of rows that have a count of the family of this name, at the least [counts].

        By the inequality of Cauchy and Schwarz the squared sum over the sum of squares: the number itself where counts
        are 0 and 1. Where squares are rounded down, by less than one part each, m rows have lost less than m parts, and
        the bound is the least m with m (squares + m parts) at least the squared sum.
        """
        first, second = self._totals(name)
        lost = 1 / SQUARE_PARTS if FAMILIES[name]().squares_shift else 0.0
        root = np.sqrt(second**2 + 4 * lost * first**2)
        found = np.where(first == second, first, 2 * first**2 / np.maximum(second + root, 1e-300))
        return np.asarray(found, dtype=np.float64)

    def evenness(self, name: str, rows: int) -> Floats:
        """Share of so many rows that have a count, at the least, or that have it not, whichever is less [counts].

        Counts that are not 0 and 1 vary among the rows that have them, however many: of these the first.
        """
        share = self.least_rows(name) / max(rows, 1)
        first, second = self._totals(name)
        return np.where(first == second, np.minimum(share, 1 - share), share)

    def _totals(self, name: str) -> tuple[Floats, Floats]:
        """Sums, and sums of squares: equal where counts are 0 and 1 [counts]."""
        family = FAMILIES[name]()
        first = total(self.sums, axis=0) / family.unit
        return first, self.squares / (1 if family.unit == 1 else SQUARE_PARTS)

    def without(self, gone: Ints) -> FamilySums:
        """Without some counts: their sums are 0."""
        sums, squares = self.sums.copy(), self.squares.copy()
        sums[:, gone], squares[gone] = 0, 0
        return FamilySums(self.definition, narrow(sums), squares)
