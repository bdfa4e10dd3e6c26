"""Family `ngrams`: runs of 1 to 5 characters and of 1 to 3 tokens, hashed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, cast

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Hashes, Ints
from fingerprint.features.counted import PooledCounts
from fingerprint.features.family import Column, FittedState
from fingerprint.features.hashed import HashedFamily, Kernels, Runs, token_rows
from fingerprint.features.hashing import count_matrix, fold, mix, rolling
from fingerprint.features.segments import Segments

CHARACTER_ORDERS = range(1, 6)
TOKEN_ORDERS = range(1, 4)
HALF = 2**14  # columns of each half: characters first, tokens after
# Occurrences in a row over the square root of its length.
SCALED = "scaled count"


class NGrams(HashedFamily):
    """Character n-grams as counts over the square root of the row's length; token n-grams as presence.

    The square root is between counts (best on number rows, whose lengths say little) and shares (best on prose).
    """

    definition = "ngrams-3"
    n_columns = 2 * HALF
    reference_speed = 1.2e6
    unit = 2**12
    RIDGE = 0.3  # of counts in a row of the pooled mean length, and of presence

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        return super().fit(texts)._of_length(sum(map(len, texts)), len(texts))

    def fit_counts(self, pooled: PooledCounts) -> Self:
        return super().fit_counts(pooled)._of_length(pooled.characters, pooled.rows)

    def _of_length(self, characters: int, rows: int) -> Self:
        return self._scaled_for(max(characters / max(rows, 1), 1.0))

    def _scaled_for(self, mean: float) -> Self:
        """Scale for pooled rows of this mean length: what counts over square roots vary by falls with it."""
        self.mean_length_ = mean
        self.ridge = np.repeat([self.RIDGE / mean, self.RIDGE], HALF)
        return self

    def reference(self, texts: Sequence[str]) -> sp.csr_matrix:
        rows = token_rows(texts)
        by_character = _counted(rows.characters, rows.signs, CHARACTER_ORDERS)
        # Whole parts of the unit: sums of them are the same in any order.
        worth = np.rint(self.unit / np.sqrt(np.maximum(rows.characters.counts, 1))).astype(np.int64)
        by_character.data *= np.repeat(worth, np.diff(by_character.indptr))
        by_token = _counted(rows.tokens, mix(rows.hashed), TOKEN_ORDERS)
        by_token.data[:] = self.unit
        return sp.hstack([by_character, by_token], format="csr", dtype=np.int64)

    def runs(self, texts: Sequence[str]) -> Runs:
        rows = token_rows(texts)
        of_characters = _all_orders(rows.characters, rows.signs, CHARACTER_ORDERS)
        of_tokens = _all_orders(rows.tokens, mix(rows.hashed), TOKEN_ORDERS)
        column = np.concatenate([of_characters.column, HALF + of_tokens.column])
        hashed = np.concatenate([of_characters.hashed, of_tokens.hashed])
        start = np.concatenate([of_characters.start, rows.start[of_tokens.start]])
        return Runs(column, hashed, start, np.concatenate([of_characters.end, rows.end[of_tokens.end - 1]]))

    def kernels(self) -> Kernels:
        from fingerprint.features.kernels.hashed import add_ngrams, fill_ngrams, find_ngrams

        return Kernels(fill_ngrams, add_ngrams, find_ngrams)

    def describe(self, columns: Ints) -> list[Column]:
        runs = self._pieces(columns)
        return [_column(c, runs.get(c)) for c in map(int, columns)]

    def state(self) -> FittedState:
        return FittedState({"mean_length": self.mean_length_})

    def restore_state(self, state: FittedState) -> None:
        self._scaled_for(cast("float", state.values["mean_length"]))


def _column(column: int, run: str | None) -> Column:
    if run is None:
        name = f"n-gram column {column}"
        return Column(name, name, measure=SCALED)
    if column < HALF:
        return Column(f"chars {run!r}", run, True, SCALED)
    return Column(f"tokens {run!r}", run, True)


def _all_orders(segments: Segments, mixed: Hashes, orders: range) -> Runs:
    """Runs of some orders, their places counted in items."""
    found = [rolling(segments, mixed, n) for n in orders]
    first, hashed = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    n_items = np.repeat(orders, [len(hashes) for _, hashes in found])
    return Runs(fold(hashed, HALF).astype(np.int64), hashed, first, first + n_items)


def _counted(segments: Segments, mixed: Hashes, orders: range) -> sp.csr_matrix:
    runs = _all_orders(segments, mixed, orders)
    return count_matrix(segments.row[runs.start], runs.column, (segments.n_rows, HALF))
