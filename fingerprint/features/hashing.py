"""Fixed 64-bit hashes of runs of items, over flat arrays; what compiled kernels do row by row, written plainly.

An item is a code point or the hash of a token. The hash of a run is a polynomial of its mixed items modulo 2^64, so
that runs that begin alike share the work; its column is the highest bits of one more multiplication.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fingerprint.data.arrays import Hashes, Ints
from fingerprint.features.segments import Segments, characters

# SplitMix64's increment and multipliers (Steele, Lea and Flood 2014); a multiplier of the longest period modulo 2^64
# (Steele and Vigna 2022); Knuth's MMIX multiplier.
CONSTANTS = tuple(map(np.uint64, (
    0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD1342543DE82EF95, 0x5851F42D4C957F2D,
)))  # fmt: skip
_INCREMENT, _FIRST, _SECOND, MULTIPLIER, _LAST = CONSTANTS


def mix(values: Hashes) -> Hashes:
    """Spread the bits of 64-bit integers (SplitMix64)."""
    mixed = values + _INCREMENT
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def rolling(segments: Segments, mixed: Hashes, n: int) -> tuple[Ints, Hashes]:
    """Index of the first item, and hash, of every run of `n` items that stays inside its row."""
    row_end = np.repeat(np.cumsum(segments.counts), segments.counts)
    first = np.flatnonzero(np.arange(len(mixed)) + n <= row_end)
    hashed = np.zeros(len(first), dtype=np.uint64)
    for step in range(n):
        hashed = hashed * MULTIPLIER + mixed[first + step]
    return first, hashed


def hash_runs(mixed: Hashes, ends: Ints) -> Hashes:
    """Hash of each of the runs that the items fall into, whatever their lengths.

    The sum of mixed[j] * M^(end - 1 - j) over a run is a difference of running sums of mixed[j] * M^-j, times
    M^(end - 1): an odd multiplier M has an inverse modulo 2^64.
    """
    inverse = np.uint64(pow(int(MULTIPLIER), -1, 2**64))
    powers, inverses = (_powers(base, len(mixed)) for base in (MULTIPLIER, inverse))
    running = np.cumsum(mixed * inverses, dtype=np.uint64)[ends - 1]
    return np.asarray(np.diff(running, prepend=np.uint64(0)) * powers[ends - 1], dtype=np.uint64)


def _powers(base: np.uint64, n: int) -> Hashes:
    factors = np.full(n, base, dtype=np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)


def hash_strings(strings: Sequence[str]) -> Hashes:
    """Hash of each string, none of them empty; that of a token."""
    segments, codes = characters(strings)
    return hash_runs(mix(codes.astype(np.uint64)), np.cumsum(segments.counts))


def fold(hashed: Hashes, columns: int) -> NDArray[np.int32]:
    """Column of each hash; `columns` is a power of two."""
    shift = np.uint64(64 - (columns.bit_length() - 1))
    return (((hashed ^ (hashed >> np.uint64(32))) * _LAST) >> shift).astype(np.int32)


def count_matrix(rows: Ints, columns: NDArray[np.int32] | Ints, shape: tuple[int, int]) -> sp.csr_matrix:
    """Sparse counts; entries of the same cell are added."""
    found = sp.csr_matrix((np.ones(len(rows), dtype=np.int64), (rows, columns)), shape=shape)
    found.sum_duplicates()  # some releases of scipy (1.13.0) leave them
    return found
