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
        cells, counts = self.sums.shape
        sums = self.sums.reshape(cells // times, times, counts).sum(axis=1, dtype=np.int64)
        return FamilySums(self.definition, narrow(sums), self.squares)

    def least_rows(self, name: str) -> Floats:
        """A number of rows that have a count of the family of this name, at the least [counts].

        By the inequality of Cauchy and Schwarz the squared sum over the sum of squares: the number itself where counts
        are 0 and 1.
        """
        family = FAMILIES[name]()
        first = self.sums.sum(axis=0, dtype=np.int64) / family.unit
        second = self.squares / (1 if family.unit == 1 else SQUARE_PARTS)
        return np.asarray(first**2 / np.maximum(second, 1e-300), dtype=np.float64)

    def without(self, gone: Ints) -> FamilySums:
        """Without some counts: their sums are 0."""
        sums, squares = self.sums.copy(), self.squares.copy()
        sums[:, gone], squares[gone] = 0, 0
        return FamilySums(self.definition, narrow(sums), squares)
