"""From a table of per-row measurements to features: pooled ranks and quantile bins, over fixed grids of values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Self, cast

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Bins, Floats, Ints, Strings
from fingerprint.features.compiled import compiled
from fingerprint.features.counted import CountedFamily, PooledCounts
from fingerprint.features.family import Column, FittedState
from fingerprint.features.grids import COUNTS, Grid, GridTables
from fingerprint.features.measured import BATCH_ROWS, Kernel, batches, code_points

# Measured on number rows of three models and on prose (power at 50 to 200 pairs): a rank column sees a shift of the
# whole law, bins see a bump in it; four bins beat eight and sixteen, and both together beat either. The weight makes
# four bins of a measurement count about as much as its rank.
N_BINS = 4
BIN_WEIGHT = 0.5
# Rows that are added to sums one block after another: dozens a block find its sums in the processor's cache, and the
# bins of so many take 10 megabytes.
SUMMED_ROWS = 2**15


class QuantileFamily(CountedFamily):
    """Base of the families that measure rows: `measure` gives a table, this turns it into columns.

    A measurement falls into a bin of a fixed grid: a row's bins hang on that row alone, and are its counts.
    How many pooled rows each bin holds is all that `fit` learns. From these come the columns: the pooled mid-rank of
    the bin in [0, 1], and an indicator for each quarter of the pooled rows (for each value, where there are at most
    `N_BINS`). A missing measurement (nan) has rank .5 and an indicator of its own. Nothing depends on which corpus a
    row is from.
    """

    ridge = 0.02
    kernels: str | None = None  # the module that `kernel` is from

    def measure(self, texts: Sequence[str]) -> dict[str, Floats]:
        raise NotImplementedError

    def measurements(self) -> tuple[str, ...]:
        """Names of the measurements, in their order."""
        return tuple(self.measure([""]))

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return self.measurements()

    def grid(self, measurement: str) -> Grid:
        """The grid of a measurement; `COUNTS` is for whole numbers."""
        return COUNTS

    def kernel(self) -> Kernel:
        """Compiled code that measures rows as `measure` does, to the bit."""
        raise NotImplementedError

    def _kernel(self, texts: Sequence[str]) -> Kernel | None:
        """Compiled code, if there is any and if these rows repay it."""
        return self.kernel() if self.kernels is not None and compiled(self.kernels, texts) else None

    @cached_property
    def sizes(self) -> Ints:
        """Bins of each measurement."""
        return np.array([self.grid(name).n_bins for name in self._names], dtype=np.int64)

    @property
    def offsets(self) -> Ints:
        """First count of each measurement."""
        return np.cumsum(self.sizes) - self.sizes

    @property
    def n_counts(self) -> int:
        return int(self.sizes.sum())

    @cached_property
    def _tables(self) -> GridTables:
        return GridTables.of([self.grid(name) for name in self._names])

    def measured(self, texts: Sequence[str]) -> Floats:
        """What `measure` says, as one table [rows, measurements]."""
        kernel = self._kernel(texts)
        if kernel is None:
            return np.column_stack(list(self.measure(texts).values()))
        out = np.empty((len(texts), len(self.sizes)))
        for rows, starts in batches(texts):
            kernel(code_points(texts[rows]), starts, out[rows])
        return out

    def bins(self, texts: Sequence[str]) -> Bins:
        """Bin of every measurement [rows, measurements]."""
        kernel = self._kernel(texts)
        if kernel is None:
            table = self.measure(texts)
            columns = [self.grid(name).bins(values).astype(np.uint16) for name, values in table.items()]
            return np.stack(columns, axis=1)
        bins = np.empty((len(texts), len(self.sizes)), dtype=np.uint16)
        values = np.empty((BATCH_ROWS, len(self.sizes)))
        for rows, starts in batches(texts):
            part = values[: rows.stop - rows.start]
            kernel(code_points(texts[rows]), starts, part)
            self._tables.fill(part, bins[rows])
        return bins

    def counts(self, texts: Sequence[str]) -> sp.csr_matrix:
        """1 for the bin of every measurement [rows, counts]."""
        bins = self.bins(texts)
        n, m = bins.shape
        columns = np.add(bins, self.offsets, dtype=np.int32, casting="unsafe").ravel()
        ones = np.ones(n * m, dtype=np.int64)
        return sp.csr_matrix((ones, columns, np.arange(n + 1) * m), shape=(n, self.n_counts))

    def add_sums(self, texts: Sequence[str], block: Ints, sums: Ints, squares: Ints) -> None:
        used = np.flatnonzero(block >= 0)
        chosen = texts if len(used) == len(texts) else [texts[row] for row in used.tolist()]
        if self.kernels is None or not compiled("measured_bins", chosen):
            super().add_sums(texts, block, sums, squares)
            return
        from fingerprint.features.kernels.measured_bins import add_bins

        for first in range(0, len(chosen), SUMMED_ROWS):
            of_rows = block[used[first : first + SUMMED_ROWS]]
            bins = self.bins(chosen[first : first + SUMMED_ROWS])
            add_bins(bins, self.offsets, np.argsort(of_rows, kind="stable"), of_rows, sums, squares)

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        return self._fit_bins(self.bins(texts), compiled("measured_bins", texts))

    def _fit_bins(self, bins: Bins, fast: bool) -> Self:
        if fast:
            from fingerprint.features.kernels.measured_bins import count_bins

            counts = np.zeros(self.n_counts, dtype=np.int64)
            count_bins(bins, self.offsets, counts)
        else:
            counts = np.bincount((bins + self.offsets).ravel(), minlength=self.n_counts)
        return self.restore(list(self._names), np.split(counts, self.offsets[1:]))

    def fit_counts(self, pooled: PooledCounts) -> Self:
        return self.restore(list(self._names), np.split(pooled.sums, self.offsets[1:]))

    def restore(self, names: list[str], counts: list[Ints]) -> Self:
        """Become what `fit` would make of pooled rows with these counts [bins] of the named measurements."""
        self.names_, self.counts_ = names, counts
        self.ranks_, self.ends_ = [_ranks(count) for count in counts], [_ends(count) for count in counts]
        self.column_weights = np.concatenate(
            [np.r_[1.0, np.full(len(ends) + 2, BIN_WEIGHT)] for ends in self.ends_]
        ).astype(np.float32)
        return self

    def transform(self, texts: Sequence[str]) -> sp.csr_matrix:
        return self._columns_of(self.bins(texts), compiled("measured_bins", texts))

    def fit_transform(self, texts: Sequence[str], y: object = None) -> sp.csr_matrix:
        bins, fast = self.bins(texts), compiled("measured_bins", texts)
        return self._fit_bins(bins, fast)._columns_of(bins, fast)

    def _columns_of(self, bins: Bins, fast: bool) -> sp.csr_matrix:
        """Two columns of every measurement: its rank, and 1 for its quarter."""
        n, m = bins.shape
        ranks, quarters, firsts = zip(*self._layout(), strict=True)
        rank = np.concatenate(ranks).astype(np.float32)
        quarter, first = np.concatenate(quarters).astype(np.int32), np.array(firsts, dtype=np.int32)
        data, columns = np.ones((n, m, 2), dtype=np.float32), np.empty((n, m, 2), dtype=np.int32)
        if fast:
            from fingerprint.features.kernels.measured_bins import columns_of_bins

            columns_of_bins(bins, self.offsets, rank, first, quarter, data, columns)
        else:
            count = bins + self.offsets
            data[:, :, 0], columns[:, :, 0], columns[:, :, 1] = rank[count], first, quarter[count]
        width = len(self.column_weights) if self.column_weights is not None else 0
        return sp.csr_matrix((data.ravel(), columns.ravel(), np.arange(n + 1) * (2 * m)), shape=(n, width))

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
