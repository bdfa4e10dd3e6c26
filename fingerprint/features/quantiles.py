"""From a table of per-row measurements to features: pooled ranks and quantile bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, cast

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats, Ints, Strings
from fingerprint.features.family import Column, FittedState
from fingerprint.features.transformer import Transformer

# Measured on number rows of three models and on prose (power at 50 to 200 pairs): a rank column sees a shift of the
# whole law, bins see a bump in it; four bins beat eight and sixteen, and both together beat either. The weight makes
# four bins of a measurement count about as much as its rank.
N_BINS = 4
BIN_WEIGHT = 0.5


class QuantileFamily(Transformer):
    """Base of the families that measure rows: `measure` gives a table, this turns it into columns.

    Each measurement becomes one column with its pooled mid-rank in [0, 1], and one indicator column a pooled quantile
    bin (a bin a value where it takes at most `N_BINS` values). A missing measurement (nan) has rank .5 and an
    indicator column of its own. Ranks and bins come from the pooled rows that `fit` sees, so nothing depends on which
    corpus a row is from.
    """

    ridge = 0.02

    def measure(self, texts: Sequence[str]) -> dict[str, Floats]:
        raise NotImplementedError

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        table = self.measure(texts)
        known = [np.sort(values[~np.isnan(values)]) for values in table.values()]
        return self.restore(list(table), known, [_edges(values) for values in known])

    def restore(self, names: list[str], known: list[Floats], edges: list[Floats]) -> Self:
        """Become what `fit` would make of these sorted values and edges of the named measurements."""
        self.names_, self.sorted_, self.edges_ = names, known, edges
        self.column_weights = np.concatenate(
            [np.r_[1.0, np.full(len(edges) + 2, BIN_WEIGHT)] for edges in self.edges_]
        ).astype(np.float32)
        return self

    def transform(self, texts: Sequence[str]) -> sp.csr_matrix:
        table, n = self.measure(texts), len(texts)
        data = np.empty((len(self.names_), 2, n), dtype=np.float32)
        columns = np.empty(data.shape, dtype=np.int64)
        first = 0
        for m, (name, values, edges) in enumerate(zip(self.names_, self.sorted_, self.edges_, strict=True)):
            data[m, 0], bins = _rank_and_bin(table[name], values, edges)
            data[m, 1] = 1.0
            columns[m, 0], columns[m, 1] = first, first + 1 + bins
            first += len(edges) + 3
        rows = np.broadcast_to(np.arange(n), data.shape)
        return sp.csr_matrix((data.ravel(), (rows.ravel(), columns.ravel())), shape=(n, first))

    def state(self) -> FittedState:
        distinct = [np.unique(values, return_counts=True) for values in self.sorted_]
        sizes, bins = [len(values) for values, _ in distinct], [len(edges) for edges in self.edges_]
        arrays = {
            "values": np.concatenate([values for values, _ in distinct]),
            "counts": np.concatenate([counts for _, counts in distinct]),
            "edges": np.concatenate(self.edges_),
        }
        return FittedState({"names": self.names_, "sizes": sizes, "bins": bins}, arrays)

    def restore_state(self, state: FittedState) -> None:
        names = cast("list[str]", state.values["names"])
        sizes, bins = (cast("list[int]", state.values[part]) for part in ("sizes", "bins"))
        values, counts = (np.split(state.arrays[part], np.cumsum(sizes)[:-1]) for part in ("values", "counts"))
        edges = np.split(state.arrays["edges"], np.cumsum(bins)[:-1])
        self.restore(names, [np.repeat(v, c) for v, c in zip(values, counts, strict=True)], edges)

    def get_feature_names_out(self, input_features: object = None) -> Strings:
        return np.asarray([column.name for column in self._described()], dtype=object)

    def describe(self, columns: Ints) -> list[Column]:
        described = self._described()
        return [described[column] for column in columns]

    def _described(self) -> list[Column]:
        """All columns, in their order."""
        found: list[Column] = []
        for name, edges in zip(self.names_, self.edges_, strict=True):
            found.append(Column(f"{name} (rank)", name, measure="mean rank"))
            bounds = [f"{edge:g}" for edge in edges]
            bins = [_bin_name(name, bounds, b) for b in range(len(edges) + 1)]
            found += [Column(label, name) for label in (*bins, f"{name} missing")]
        return found


def _edges(values: Floats) -> Floats:
    """Upper ends of all bins but the last."""
    if not len(values):
        return np.empty(0)
    distinct = np.unique(values)
    if len(distinct) <= N_BINS:
        return np.asarray(distinct[:-1], dtype=np.float64)
    quantiles = np.quantile(values, np.arange(1, N_BINS) / N_BINS, method="lower")
    edges = np.unique(quantiles)
    return np.asarray(edges[edges < distinct[-1]], dtype=np.float64)


def _rank_and_bin(values: Floats, reference: Floats, edges: Floats) -> tuple[Floats, Ints]:
    """Pooled mid-rank of each value, in [0, 1], and its bin; the bin after the last is for missing values."""
    missing = np.isnan(values)
    filled = np.where(missing, 0.0, values)
    if len(reference):
        rank = (np.searchsorted(reference, filled, "left") + np.searchsorted(reference, filled, "right")) / 2
        rank = np.where(missing, 0.5, rank / len(reference))
    else:
        rank = np.full(len(values), 0.5)
    which = np.where(missing, len(edges) + 1, np.searchsorted(edges, filled, "left"))
    return rank, which


def _bin_name(name: str, bounds: list[str], b: int) -> str:
    if not bounds:
        return f"{name} present"
    if b == 0:
        return f"{name} <= {bounds[0]}"
    if b == len(bounds):
        return f"{name} > {bounds[-1]}"
    return f"{bounds[b - 1]} < {name} <= {bounds[b]}"
