"""Families of hashed runs of symbols: what rows look like once words that differ from row to row are one symbol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Hashes, Ints
from fingerprint.features.counted import PieceCounts
from fingerprint.features.family import Column
from fingerprint.features.hashing import count_matrix, fold, hash_strings, mix, rolling
from fingerprint.features.segments import Segments

# Runs of some thousand rows fall on fewer; `ngrams` has as many for tokens.
N_COLUMNS = 2**13
ROWS_AT_ONCE = 2048


class Symbols(NamedTuple):
    """Symbols of some rows, row after row, and how many of them make up a run."""

    segments: Segments
    vocabulary: list[str]
    codes: Ints
    orders: range

    def runs(self) -> tuple[Ints, Ints, Hashes]:
        """Of every run: its first symbol, how many symbols it has, and its hash."""
        if not self.vocabulary:
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint64)
        mixed = mix(hash_strings(self.vocabulary))[self.codes]
        found = [rolling(self.segments, mixed, order) for order in self.orders]
        lengths = np.repeat(self.orders, [len(first) for first, _ in found])
        return np.concatenate([first for first, _ in found]), lengths, np.concatenate([hashed for _, hashed in found])


class PieceFamily(PieceCounts):
    """Presence of runs of symbols, hashed to `N_COLUMNS` columns; a subclass brings `symbols`.

    Presence and this ridge, as `Tokens` and `NGrams` have them for runs of tokens.
    """

    n_columns = N_COLUMNS
    ridge = 0.3

    def symbols(self, texts: Sequence[str]) -> list[Symbols]:
        """What rows are made of, in one or several ways; symbols of different ways must differ."""
        raise NotImplementedError

    def counts(self, texts: Sequence[str]) -> sp.csr_matrix:
        parts = [self._counts(texts[first : first + ROWS_AT_ONCE]) for first in range(0, len(texts), ROWS_AT_ONCE)]
        return sp.vstack([sp.csr_matrix((0, N_COLUMNS), dtype=np.int64), *parts], format="csr")

    def _counts(self, texts: Sequence[str]) -> sp.csr_matrix:
        rows, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
        for ways in self.symbols(texts):
            first, _, hashed = ways.runs()
            rows.append(ways.segments.row[first])
            columns.append(fold(hashed, N_COLUMNS))
        matrix = count_matrix(np.concatenate(rows), np.concatenate(columns), (len(texts), N_COLUMNS))
        matrix.data[:] = 1
        return matrix

    def describe(self, columns: Ints) -> list[Column]:
        pieces = self._pieces(columns)
        name = type(self).__name__.lower()
        return [
            Column(f"{name} {pieces[c]!r}", f"{name} {pieces[c]!r}") if c in pieces
            else Column(f"{name} column {c}", f"{name} column {c}")
            for c in map(int, columns)
        ]  # fmt: skip

    def _pieces(self, columns: Ints) -> dict[int, str]:
        """The most frequent run of each column in the pooled rows (ties: the first)."""
        times: dict[tuple[int, str], int] = {}
        for start in range(0, len(self.texts_), ROWS_AT_ONCE):
            for ways in self.symbols(self.texts_[start : start + ROWS_AT_ONCE]):
                first, lengths, hashed = ways.runs()
                folded = fold(hashed, N_COLUMNS)
                for at in np.flatnonzero(np.isin(folded, columns)).tolist():
                    run = ways.codes[first[at] : first[at] + lengths[at]].tolist()
                    key = int(folded[at]), " ".join(ways.vocabulary[place] for place in run)
                    times[key] = times.get(key, 0) + 1
        best: dict[int, str] = {}
        for column, piece in sorted(times, key=lambda key: -times[key]):
            best.setdefault(column, piece)
        return best
