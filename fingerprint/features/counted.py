"""Families whose columns are linear in counts: whole numbers that hang on the row alone, so that sums of them merge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats, Ints, Strings
from fingerprint.features.transformer import Transformer

# Squares of counts that are not 0 and 1 are summed in this many parts of a row's `unit` squared: 10^10 rows of 1,000
# characters stay within 64 bits.
SQUARE_PARTS = 2**16


@dataclass(frozen=True)
class PooledCounts:
    """What scaling a family needs to know of the pooled rows.

    Attributes
    ----------
    rows, characters : int
        Rows, and characters in them.
    sums, squares : int arrays [counts]
        Of every count over the rows; see `CountedFamily.squared`.
    """

    rows: int
    characters: int
    sums: Ints
    squares: Ints

    def __add__(self, other: PooledCounts) -> PooledCounts:
        return PooledCounts(
            self.rows + other.rows,
            self.characters + other.characters,
            self.sums + other.sums,
            self.squares + other.squares,
        )


class CountedFamily(Transformer):
    """A family with a definition: counts first, columns from them.

    A row's counts are whole numbers that hang on that row alone. Each column is a sum over counts of which a row has
    one at most, times a factor: sums and second moments of columns over any rows follow from sums of counts, which are
    whole numbers and so add up to the same total in any order.

    Attributes
    ----------
    unit : int
        What a count is measured in: a count of `unit` means 1. A power of two.
    """

    unit: int = 1

    @property
    def n_counts(self) -> int:
        """How many counts a row has."""
        raise NotImplementedError

    def counts(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Counts of each row, int64 [rows, counts]."""
        raise NotImplementedError

    def single_counts(self, texts: Sequence[str]) -> sp.csr_matrix:
        """The same in single precision."""
        return self.counts(texts).astype(np.float32)

    @property
    def squares_shift(self) -> int:
        """Binary digits that squares of counts lose."""
        return max((self.unit**2 // SQUARE_PARTS).bit_length() - 1, 0)

    def squared(self, counts: Ints) -> Ints:
        """Squares of counts, in parts of the squared unit that keep their sums within 64 bits."""
        return counts if self.unit == 1 else counts * counts >> self.squares_shift

    def fit_counts(self, pooled: PooledCounts) -> Self:
        """Become what `fit` makes of rows with these sums; names of columns that are pieces of text stay unknown."""
        raise NotImplementedError

    def projection(self) -> sp.csr_matrix | None:
        """Columns of a count, float64 [counts, columns]; None where the columns are the counts over `unit`."""
        return None

    def projected(self, sums: Ints | sp.csr_matrix) -> Floats:
        """Sums of the columns [..., columns] that belong to sums of counts [..., counts]."""
        factors = self.projection()
        found = sums / self.unit if factors is None else sums @ factors
        return np.asarray(found if isinstance(found, np.ndarray) else found.toarray(), dtype=np.float64)

    def moments(self, pooled: PooledCounts) -> tuple[Floats, Floats]:
        """Mean and mean square of every column [columns] over the rows."""
        factors, rows = self.projection(), max(pooled.rows, 1)
        squares = pooled.squares / (1 if self.unit == 1 else SQUARE_PARTS)
        second = squares if factors is None else squares @ factors.power(2)
        return self.projected(pooled.sums) / rows, np.asarray(second, dtype=np.float64) / rows

    def pooled(self, counts: sp.csr_matrix, texts: Sequence[str]) -> PooledCounts:
        """Sums over rows with these counts."""
        sums, squares = np.zeros((2, self.n_counts), dtype=np.int64)
        np.add.at(sums, counts.indices, counts.data)
        np.add.at(squares, counts.indices, self.squared(counts.data))
        return PooledCounts(len(texts), sum(map(len, texts)), sums, squares)

    def add_sums(self, texts: Sequence[str], block: Ints, sums: Ints, squares: Ints) -> None:
        """Add the rows' counts to those of their blocks, and their squares to those of all rows.

        Parameters
        ----------
        texts : sequence of str
        block : int array [rows]
            Where each row is added; -1 for a row that is left out.
        sums : int array [blocks, counts]
        squares : int array [counts]
        """
        used = np.flatnonzero(block >= 0)
        self.add_counts(self.counts([texts[row] for row in used.tolist()]), block[used], sums, squares)

    def add_counts(self, counts: sp.csr_matrix, block: Ints, sums: Ints, squares: Ints) -> None:
        """`add_sums` of rows with these counts, all of which have a block."""
        n_rows = counts.shape[0]
        of_block = sp.csr_matrix((np.ones(n_rows, np.int64), (block, np.arange(n_rows))), (len(sums), n_rows))
        totals = (of_block @ counts).tocoo()
        sums[totals.row, totals.col] += totals.data
        np.add.at(squares, counts.indices, self.squared(counts.data))


class PieceCounts(CountedFamily):
    """Counts of pieces of text, each hashed to one of `n_columns` columns: nothing is learnt from rows but names.

    Attributes
    ----------
    n_columns : int
    texts_ : tuple of str
        Pooled rows: names are looked up in them, only for the columns that somebody asks about.
    """

    n_columns: int
    texts_: tuple[str, ...] = ()

    @property
    def n_counts(self) -> int:
        return self.n_columns

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        self.texts_ = tuple(texts)
        return self

    def fit_counts(self, pooled: PooledCounts) -> Self:
        self.texts_ = ()
        return self

    def transform(self, texts: Sequence[str]) -> sp.csr_matrix:
        columns = self.single_counts(texts)
        if self.unit != 1:
            columns.data *= np.float32(1 / self.unit)
        return columns

    def column_names(self, columns: Ints) -> list[str]:
        return [column.name for column in self.describe(columns)]

    def get_feature_names_out(self, input_features: object = None) -> Strings:
        """The most frequent piece of text of each column."""
        return np.asarray(self.column_names(np.arange(self.n_columns)), dtype=object)
