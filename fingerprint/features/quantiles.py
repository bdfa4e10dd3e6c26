"""From a table of per-row measurements to features: pooled ranks and quantile bins, over fixed grids of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, cast

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats, Ints, Strings
from fingerprint.features.family import Column, FittedState
from fingerprint.features.grids import COUNTS, Grid
from fingerprint.features.transformer import Transformer

# Measured on number rows of three models and on prose (power at 50 to 200 pairs): a rank column sees a shift of the
# whole law, bins see a bump in it; four bins beat eight and sixteen, and both together beat either. The weight makes
# four bins of a measurement count about as much as its rank.
N_BINS = 4
BIN_WEIGHT = 0.5


class QuantileFamily(Transformer):
    """Base of the families that measure rows: `measure` gives a table, this turns it into columns.

    A measurement falls into a bin of a fixed grid: a row's bins hang on that row alone. How many pooled rows each bin
    holds is all that `fit` learns. From these counts come the columns: the pooled mid-rank of the bin in [0, 1], and an
    indicator for each quarter of the pooled rows (for each value, where there are at most `N_BINS`). Both are linear in
    the indicators of the bins, so that sums over rows follow from counts of bins. A missing measurement (nan) has rank
    .5 and an indicator of its own. Nothing depends on which corpus a row is from.
    """

    ridge = 0.02

    def measure(self, texts: Sequence[str]) -> dict[str, Floats]:
        raise NotImplementedError

    def grid(self, measurement: str) -> Grid:
        """The grid of a measurement; `COUNTS` is for whole numbers."""
        return COUNTS

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        table = self.measure(texts)
        grids = [self.grid(name) for name in table]
        counts = [
            np.bincount(grid.bins(values), minlength=grid.n_bins)
            for grid, values in zip(grids, table.values(), strict=True)
        ]
        return self.restore(list(table), counts)

    def restore(self, names: list[str], counts: list[Ints]) -> Self:
        """Become what `fit` would make of pooled rows with these counts [bins] of the named measurements."""
        self.names_, self.counts_ = names, counts
        self.ranks_, self.ends_ = [_ranks(count) for count in counts], [_ends(count) for count in counts]
        self.column_weights = np.concatenate(
            [np.r_[1.0, np.full(len(ends) + 2, BIN_WEIGHT)] for ends in self.ends_]
        ).astype(np.float32)
        return self

    def transform(self, texts: Sequence[str]) -> sp.csr_matrix:
        table, n = self.measure(texts), len(texts)
        data = np.empty((len(self.names_), 2, n), dtype=np.float32)
        columns = np.empty(data.shape, dtype=np.int64)
        first = 0
        for m, (name, ranks, ends) in enumerate(zip(self.names_, self.ranks_, self.ends_, strict=True)):
            bins = self.grid(name).bins(table[name])
            quarter = np.r_[np.searchsorted(ends, np.arange(len(ranks) - 1), "left"), len(ends) + 1]
            data[m, 0], data[m, 1] = ranks[bins], 1.0
            columns[m, 0], columns[m, 1] = first, first + 1 + quarter[bins]
            first += len(ends) + 3
        rows = np.broadcast_to(np.arange(n), data.shape)
        return sp.csr_matrix((data.ravel(), (rows.ravel(), columns.ravel())), shape=(n, first))

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
