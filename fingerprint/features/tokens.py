"""Family `tokens`: which numbers, words, punctuation and whitespace runs a row contains, as written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Self

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Ints, Strings
from fingerprint.features.counted import CountedFamily, PooledCounts
from fingerprint.features.family import Column
from fingerprint.features.hashing import count_matrix, fold, hash_strings
from fingerprint.features.segments import items

PATTERN = re.compile(r"\d+|[^\W\d_]+|\s+|[^\w\s]+|_+")
N_COLUMNS = 2**15


def tokenize(text: str) -> list[str]:
    """Numbers, words, punctuation runs and whitespace runs, in order; joined they are the text again."""
    return PATTERN.findall(text)


class Tokens(CountedFamily):
    """Presence of each token, hashed to `N_COLUMNS` columns.

    Presence, not count: on prose, counts are ruled by the length of a row (power .46 against .83 at 60 pairs).
    The ridge was the best of .01 to 3 that did well on number rows of three models and on prose.
    """

    definition = "tokens-1"
    ridge = 0.3

    @property
    def n_counts(self) -> int:
        return N_COLUMNS

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        self.texts_ = tuple(texts)  # names are looked up in them, only for the columns somebody asks about
        return self

    def fit_counts(self, pooled: PooledCounts) -> Self:
        self.texts_ = ()
        return self

    def counts(self, texts: Sequence[str]) -> sp.csr_matrix:
        segments, vocabulary, index = items([tokenize(text) for text in texts])
        columns = fold(hash_strings(vocabulary), N_COLUMNS)
        matrix = count_matrix(segments.row, columns[index] if len(index) else columns[:0], (len(texts), N_COLUMNS))
        matrix.data[:] = 1
        return matrix

    def transform(self, texts: Sequence[str]) -> sp.csr_matrix:
        return self.counts(texts).astype(np.float32)

    def get_feature_names_out(self, input_features: object = None) -> Strings:
        """The most frequent token of each column."""
        return np.asarray(self.column_names(np.arange(N_COLUMNS)), dtype=object)

    def column_names(self, columns: Ints) -> list[str]:
        return [column.name for column in self.describe(columns)]

    def describe(self, columns: Ints) -> list[Column]:
        _, vocabulary, index = items([tokenize(text) for text in self.texts_])
        home = fold(hash_strings(vocabulary), N_COLUMNS)
        tokens: dict[int, str] = {}
        for token in np.argsort(-np.bincount(index, minlength=len(vocabulary)), kind="stable"):
            tokens.setdefault(int(home[token]), vocabulary[token])
        return [
            Column(repr(tokens[c]), tokens[c], is_text=True) if c in tokens
            else Column(f"token column {c}", f"token column {c}")
            for c in map(int, columns)
        ]  # fmt: skip
