"""From a table of per-row measurements to features: pooled ranks and quantile bins, over fixed grids of values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Self, cast

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats, Ints, Strings
from fingerprint.features.counted import CountedFamily, PooledCounts
from fingerprint.features.family import Column, FittedState
from fingerprint.features.grids import COUNTS, Grid

# Measured on number rows of three models and on prose (power at 50 to 200 pairs): a rank column sees a shift of the
# whole law, bins see a bump in it; four bins beat eight and sixteen, and both together beat either. The weight makes
# four bins of a measurement count about as much as its rank.
N_BINS = 4
BIN_WEIGHT = 0.5


class QuantileFamily(CountedFamily):
    """Base of the families that measure rows: `measure` gives a table, this turns it into columns.

    A measurement falls into a bin of a fixed grid: a row's bins hang on that row alone, and are its counts.
    How many pooled rows each bin holds is all that `fit` learns. From these come the columns: the pooled mid-rank of
    the bin in [0, 1], and an indicator for each quarter of the pooled rows (for each value, where there are at most
    `N_BINS`). A missing measurement (nan) has rank .5 and an indicator of its own. Nothing depends on which corpus a
    row is from.
    """

    ridge = 0.02

    def measure(self, texts: Sequence[str]) -> dict[str, Floats]:
        raise NotImplementedError

    def measurements(self) -> tuple[str, ...]:
        """Names of the measurements, in their order."""
        return tuple(self.measure([""]))

    def grid(self, measurement: str) -> Grid:
        """The grid of a measurement; `COUNTS` is for whole numbers."""
        return COUNTS

    @cached_property
    def sizes(self) -> Ints:
        """Bins of each measurement."""
        return np.array([self.grid(name).n_bins for name in self.measurements()], dtype=np.int64)

    @property
    def n_counts(self) -> int:
        return int(self.sizes.sum())

    def bins(self, texts: Sequence[str]) -> Ints:
        """Bin of every measurement [rows, measurements]."""
        table = self.measure(texts)
        return np.stack([self.grid(name).bins(values) for name, values in table.items()], axis=1)

    def counts(self, texts: Sequence[str]) -> sp.csr_matrix:
        return self._indicators(self.bins(texts))

    def _indicators(self, bins: Ints) -> sp.csr_matrix:
        """1 for the bin of every measurement [rows, counts]."""
        n, m = bins.shape
        columns = (bins + (np.cumsum(self.sizes) - self.sizes)).ravel()
        ones = np.ones(n * m, dtype=np.int64)
        return sp.csr_matrix((ones, columns, np.arange(n + 1) * m), shape=(n, self.n_counts))

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        return self._fit_bins(self.bins(texts))

    def _fit_bins(self, bins: Ints) -> Self:
        counts = [np.bincount(column, minlength=size) for column, size in zip(bins.T, self.sizes, strict=True)]
        return self.restore(list(self.measurements()), counts)

    def fit_counts(self, pooled: PooledCounts) -> Self:
        return self.restore(list(self.measurements()), np.split(pooled.sums, np.cumsum(self.sizes)[:-1]))

    def restore(self, names: list[str], counts: list[Ints]) -> Self:
        """Become what `fit` would make of pooled rows with these counts [bins] of the named measurements."""
        self.names_, self.counts_ = names, counts
        self.ranks_, self.ends_ = [_ranks(count) for count in counts], [_ends(count) for count in counts]
        self.column_weights = np.concatenate(
            [np.r_[1.0, np.full(len(ends) + 2, BIN_WEIGHT)] for ends in self.ends_]
        ).astype(np.float32)
        return self

    def transform(self, texts: Sequence[str]) -> sp.csr_matrix:
        return self._columns_of(self.bins(texts))

    def fit_transform(self, texts: Sequence[str], y: object = None) -> sp.csr_matrix:
        bins = self.bins(texts)
        return self._fit_bins(bins)._columns_of(bins)

    def _columns_of(self, bins: Ints) -> sp.csr_matrix:
        """Two columns of every measurement: its rank, and 1 for its quarter."""
        n, m = bins.shape
        data, columns = np.ones((m, n, 2), dtype=np.float32), np.empty((m, n, 2), dtype=np.int64)
        for number, (ranks, quarter, first) in enumerate(self._layout()):
            data[number, :, 0] = ranks[bins[:, number]]
            columns[number, :, 0], columns[number, :, 1] = first, quarter[bins[:, number]]
        width = len(self.column_weights) if self.column_weights is not None else 0
        joined = (x.transpose(1, 0, 2).ravel() for x in (data, columns))
        return sp.csr_matrix((*joined, np.arange(n + 1) * (2 * m)), shape=(n, width))

    def projection(self) -> sp.csr_matrix:
        offset, rows, columns, values = 0, [], [], []
        for (ranks, quarter, first), size in zip(self._layout(), self.sizes, strict=True):
            at = offset + np.arange(size)
            rows += [at, at]
            columns += [np.full(size, first), quarter]
            values += [ranks, np.ones(size)]
            offset += int(size)
        width = len(self.column_weights) if self.column_weights is not None else 0
        where = (np.concatenate(rows), np.concatenate(columns))
        return sp.csr_matrix((np.concatenate(values), where), shape=(offset, width))

    def _layout(self) -> Iterator[tuple[Floats, Ints, int]]:
        """Of each measurement: the rank of every bin, the column of every bin's quarter, and the column of the rank."""
        first = 0
        for ranks, ends in zip(self.ranks_, self.ends_, strict=True):
            quarter = np.r_[np.searchsorted(ends, np.arange(len(ranks) - 1), "left"), len(ends) + 1]
            yield ranks, first + 1 + quarter, first
            first += len(ends) + 3

    def state(self) -> FittedState:
        return FittedState({"names": self.names_}, {"counts": np.concatenate(self.counts_)})

    def restore_state(self, state: FittedState) -> None:
        names = cast("list[str]", state.values["names"])
        sizes = [self.grid(name).n_bins for name in names]
        self.restore(names, np.split(state.arrays["counts"], np.cumsum(sizes)[:-1]))

    def get_feature_names_out(self, input_features: object = None) -> Strings:
        return np.asarray([column.name for column in self._described()], dtype=object)

    def describe(self, columns: Ints) -> list[Column]:
        described = self._described()
        return [described[column] for column in columns]

    def _described(self) -> list[Column]:
        """All columns, in their order."""
        found: list[Column] = []
        for name, ends in zip(self.names_, self.ends_, strict=True):
            found.append(Column(f"{name} (rank)", name, measure="mean rank"))
            grid, amount = self.grid(name), self._amount(name)
            bins = [grid.name(name, ends, b, amount) for b in range(len(ends) + 1)]
            found += [Column(label, name) for label in (*bins, f"{name} missing")]
        return found

    def _amount(self, name: str) -> str | None:
        """What a measurement counts, or is a share of; None if it is neither, or another one's name says the same."""
        counted = name.removeprefix("count of ").removeprefix("share of ")
        is_taken = counted != name and counted in self.names_
        return counted if self.grid(name).is_amount and not is_taken else None


def _ranks(counts: Ints) -> Floats:
    """Pooled mid-rank of each bin, in [0, 1]; .5 for the last bin, of missing values, and where all are missing."""
    known = counts[:-1]
    n = int(known.sum())
    ranks = np.full(len(counts), 0.5)
    if n:
        ranks[:-1] = (np.cumsum(known) - known / 2) / n
    return ranks


def _ends(counts: Ints) -> Ints:
    """Last bin of each quarter of the pooled rows but the uppermost; of each value, where there are few."""
    known = counts[:-1]
    filled, below = np.flatnonzero(known), np.cumsum(known)
    if len(filled) <= N_BINS:
        return filled[:-1]
    places = (np.arange(1, N_BINS) * (below[-1] - 1)) // N_BINS
    ends = np.unique(np.searchsorted(below, places, "right"))
    return np.asarray(ends[ends < filled[-1]], dtype=np.int64)
