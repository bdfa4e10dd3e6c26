"""Hashed n-grams over flat arrays: rolling 64-bit hashes, folded to columns, with names looked up on demand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fingerprint.data import digests
from fingerprint.data.arrays import Hashes, Ints
from fingerprint.features.segments import Segments

_MULTIPLIER = np.uint64(0x5851F42D4C957F2D)  # an odd 64-bit multiplier (Knuth's MMIX generator)


def hash_strings(strings: Sequence[str]) -> Hashes:
    """64-bit hash of each string, the same in every process."""
    return digests.numbers(strings)


def mix(values: Hashes) -> Hashes:
    """Spread the bits of 64-bit integers, so that their low bits can serve as a column."""
    mixed = (values ^ (values >> np.uint64(31))) * _MULTIPLIER
    return np.asarray(mixed ^ (mixed >> np.uint64(29)), dtype=np.uint64)


def rolling(segments: Segments, values: Hashes, n: int) -> tuple[Ints, Hashes]:
    """Index of the first item, and hash, of every run of `n` items that stays inside its row."""
    row_end = np.repeat(np.cumsum(segments.counts), segments.counts)
    first = np.flatnonzero(np.arange(len(values)) + n <= row_end)
    hashed = np.zeros(len(first), dtype=np.uint64)
    for step in range(n):
        hashed = mix(hashed + values[first + step] + np.uint64(step + 1))
    return first, hashed


def fold(hashed: Hashes, columns: int) -> NDArray[np.int32]:
    """Column of each hash; `columns` is a power of two."""
    return (hashed & np.uint64(columns - 1)).astype(np.int32)


def count_matrix(rows: Ints, columns: NDArray[np.int32], shape: tuple[int, int]) -> sp.csr_matrix:
    """Sparse counts; entries of the same cell are added."""
    return sp.csr_matrix((np.ones(len(rows), dtype=np.int64), (rows, columns)), shape=shape)


def dominant(columns: NDArray[np.int32], hashed: Hashes, wanted: Ints) -> dict[int, int]:
    """For each wanted column, the position of the first occurrence of its most frequent hash (ties: the earliest)."""
    candidates = np.flatnonzero(np.isin(columns, wanted))
    if not len(candidates):
        return {}
    _, first, counts = np.unique(hashed[candidates], return_index=True, return_counts=True)
    positions = candidates[first]
    best: dict[int, int] = {}
    for position in positions[np.lexsort((positions, -counts))]:
        best.setdefault(int(columns[position]), int(position))
    return best
