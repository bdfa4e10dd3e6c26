"""Family `ngrams`: runs of 1 to 5 characters and of 1 to 3 tokens, hashed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, cast

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Hashes, Ints, Strings
from fingerprint.features.counted import CountedFamily, PooledCounts
from fingerprint.features.family import Column, FittedState
from fingerprint.features.hashing import count_matrix, dominant, fold, hash_strings, mix, rolling
from fingerprint.features.segments import Segments, characters, items
from fingerprint.features.tokens import tokenize

CHARACTER_ORDERS = range(1, 6)
TOKEN_ORDERS = range(1, 4)
HALF = 2**14  # columns of each half: characters first, tokens after
# Occurrences in a row over the square root of its length.
SCALED = "scaled count"


class NGrams(CountedFamily):
    """Character n-grams as counts over the square root of the row's length; token n-grams as presence.

    The square root is between counts (best on number rows, whose lengths say little) and shares (best on prose).
    """

    definition = "ngrams-3"
    unit = 2**12
    RIDGE = 0.3  # of counts in a row of the pooled mean length, and of presence

    @property
    def n_counts(self) -> int:
        return 2 * HALF

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        self._of_length(sum(map(len, texts)), len(texts))
        self.texts_ = tuple(texts)  # names are looked up in them, only for the columns somebody asks about
        return self

    def fit_counts(self, pooled: PooledCounts) -> Self:
        self.texts_ = ()
        return self._of_length(pooled.characters, pooled.rows)

    def _of_length(self, characters: int, rows: int) -> Self:
        return self._scaled_for(max(characters / max(rows, 1), 1.0))

    def _scaled_for(self, mean: float) -> Self:
        """Scale for pooled rows of this mean length: what counts over square roots vary by falls with it."""
        self.mean_length_ = mean
        self.ridge = np.repeat([self.RIDGE / mean, self.RIDGE], HALF)
        return self

    def counts(self, texts: Sequence[str]) -> sp.csr_matrix:
        segments, codes = characters(texts)
        by_character = _counts(segments, mix(codes.astype(np.uint64)), CHARACTER_ORDERS)
        # Whole parts of the unit: sums of them are the same in any order.
        worth = np.rint(self.unit / np.sqrt(np.maximum(segments.counts, 1))).astype(np.int64)
        by_character.data *= np.repeat(worth, np.diff(by_character.indptr))
        token_segments, vocabulary, index = items([tokenize(text) for text in texts])
        by_token = _counts(token_segments, hash_strings(vocabulary)[index], TOKEN_ORDERS)
        by_token.data[:] = self.unit
        return sp.hstack([by_character, by_token], format="csr", dtype=np.int64)

    def transform(self, texts: Sequence[str]) -> sp.csr_matrix:
        counts = self.counts(texts).astype(np.float32)
        counts.data *= np.float32(1 / self.unit)
        return counts

    def get_feature_names_out(self, input_features: object = None) -> Strings:
        """The most frequent n-gram of each column."""
        return np.asarray(self.column_names(np.arange(2 * HALF)), dtype=object)

    def column_names(self, columns: Ints) -> list[str]:
        return [column.name for column in self.describe(columns)]

    def describe(self, columns: Ints) -> list[Column]:
        of_characters = self._character_runs(columns[columns < HALF])
        of_tokens = self._token_runs(columns[columns >= HALF] - HALF)
        found = {c: Column(f"chars {run!r}", run, True, SCALED) for c, run in of_characters.items()}
        found |= {c + HALF: Column(f"tokens {run!r}", run, True) for c, run in of_tokens.items()}
        return [found.get(c) or _unnamed(c) for c in map(int, columns)]

    def state(self) -> FittedState:
        return FittedState({"mean_length": self.mean_length_})

    def restore_state(self, state: FittedState) -> None:
        self._scaled_for(cast("float", state.values["mean_length"]))

    def _character_runs(self, wanted: Ints) -> dict[int, str]:
        joined = "".join(self.texts_)
        segments, codes = characters(self.texts_)
        found = _positions(segments, mix(codes.astype(np.uint64)), CHARACTER_ORDERS, wanted)
        return {column: joined[first : first + n] for column, (first, n) in found.items()}

    def _token_runs(self, wanted: Ints) -> dict[int, str]:
        segments, vocabulary, index = items([tokenize(text) for text in self.texts_])
        found = _positions(segments, hash_strings(vocabulary)[index], TOKEN_ORDERS, wanted)
        return {
            column: "".join(vocabulary[i] for i in index[first : first + n])
            for column, (first, n) in found.items()
        }


def _unnamed(column: int) -> Column:
    name = f"n-gram column {column}"
    return Column(name, name, measure=SCALED)


def _counts(segments: Segments, values: Hashes, orders: range) -> sp.csr_matrix:
    row = segments.row
    runs = [rolling(segments, values, n) for n in orders]
    rows = np.concatenate([row[first] for first, _ in runs])
    columns = np.concatenate([fold(hashed, HALF) for _, hashed in runs])
    return count_matrix(rows, columns, (segments.n_rows, HALF))


def _positions(
    segments: Segments, values: Hashes, orders: range, wanted: Ints
) -> dict[int, tuple[int, int]]:
    """First item and order of the most frequent n-gram of each wanted column."""
    runs = [rolling(segments, values, n) for n in orders]
    first = np.concatenate([f for f, _ in runs])
    order = np.concatenate([np.full(len(f), n) for n, (f, _) in zip(orders, runs, strict=True)])
    hashed = np.concatenate([h for _, h in runs])
    best = dominant(fold(hashed, HALF), hashed, wanted)
    return {column: (int(first[at]), int(order[at])) for column, at in best.items()}
