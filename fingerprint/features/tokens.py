"""Family `tokens`: which numbers, words, punctuation and whitespace runs a row contains, as written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Ints
from fingerprint.features.family import Column
from fingerprint.features.hashed import HashedFamily, Kernels, Runs, token_rows
from fingerprint.features.hashing import count_matrix, fold

N_COLUMNS = 2**15


def tokenize(text: str) -> list[str]:
    """Numbers, words, punctuation runs, whitespace runs and underscores, in order; joined they are the text again."""
    rows = token_rows([text])
    return [text[start:end] for start, end in zip(rows.start.tolist(), rows.end.tolist(), strict=True)]


class Tokens(HashedFamily):
    """Presence of each token, hashed to `N_COLUMNS` columns.

    Presence, not count: on prose, counts are ruled by the length of a row (power .46 against .83 at 60 pairs).
    The ridge was the best of .01 to 3 that did well on number rows of three models and on prose.
    """

    definition = "tokens-2"
    n_columns = N_COLUMNS
    reference_speed = 15e6
    ridge = 0.3

    def reference(self, texts: Sequence[str]) -> sp.csr_matrix:
        rows = token_rows(texts)
        matrix = count_matrix(rows.tokens.row, fold(rows.hashed, N_COLUMNS), (len(texts), N_COLUMNS))
        matrix.data[:] = self.unit
        return matrix

    def runs(self, texts: Sequence[str]) -> Runs:
        rows = token_rows(texts)
        return Runs(fold(rows.hashed, N_COLUMNS).astype(np.int64), rows.hashed, rows.start, rows.end)

    def kernels(self) -> Kernels:
        from fingerprint.features.kernels.hashed import add_tokens, fill_tokens, find_tokens

        return Kernels(fill_tokens, add_tokens, find_tokens)

    def describe(self, columns: Ints) -> list[Column]:
        tokens = self._pieces(columns)
        return [
            Column(repr(tokens[c]), tokens[c], is_text=True) if c in tokens
            else Column(f"token column {c}", f"token column {c}")
            for c in map(int, columns)
        ]  # fmt: skip
