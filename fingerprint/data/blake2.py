"""BLAKE2b of many short messages, compiled: the digests that hashlib gives, for millions of rows.

Importing this loads numba: import it where it is used.

References
----------
RFC 7693, The BLAKE2 Cryptographic Hash and Message Authentication Code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit

from fingerprint.data.arrays import Bools, Bytes, Hashes, Ints

F = TypeVar("F", bound=Callable[..., object])


def _kernel(function: F) -> F:
    try:
        return cast("F", njit(nogil=True, cache=True)(function))
    except RuntimeError:  # numba's word for "nowhere to write"
        return cast("F", njit(nogil=True)(function))


_IV = np.array(
    [
        0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
        0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
    ],
    dtype=np.uint64,
)  # fmt: skip
_ORDER = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    ],
    dtype=np.uint64,  # unsigned: the compiler then knows that no place is counted from the end
)


@_kernel
def _turned(value: np.uint64, by: int) -> np.uint64:
    return np.uint64((value >> np.uint64(by)) | (value << np.uint64(64 - by)))


@_kernel
def _mix(
    a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64, x: np.uint64, y: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    a = a + b + x
    d = _turned(d ^ a, 32)
    c = c + d
    b = _turned(b ^ c, 24)
    a = a + b + y
    d = _turned(d ^ a, 16)
    c = c + d
    b = _turned(b ^ c, 63)
    return a, b, c, d


@_kernel
def _compress(h: Hashes, m: Hashes, read: int, is_last: bool, iv: Hashes, order: Hashes) -> None:
    # Sixteen names in place of an array: they stay in registers.
    v0, v1, v2, v3, v4, v5, v6, v7 = h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]
    v8, v9, v10, v11 = iv[0], iv[1], iv[2], iv[3]
    v12, v13, v14, v15 = iv[4] ^ np.uint64(read), iv[5], iv[6], iv[7]
    if is_last:
        v14 = ~v14
    for turn in range(12):
        s = order[turn % 10]
        v0, v4, v8, v12 = _mix(v0, v4, v8, v12, m[s[0]], m[s[1]])
        v1, v5, v9, v13 = _mix(v1, v5, v9, v13, m[s[2]], m[s[3]])
        v2, v6, v10, v14 = _mix(v2, v6, v10, v14, m[s[4]], m[s[5]])
        v3, v7, v11, v15 = _mix(v3, v7, v11, v15, m[s[6]], m[s[7]])
        v0, v5, v10, v15 = _mix(v0, v5, v10, v15, m[s[8]], m[s[9]])
        v1, v6, v11, v12 = _mix(v1, v6, v11, v12, m[s[10]], m[s[11]])
        v2, v7, v8, v13 = _mix(v2, v7, v8, v13, m[s[12]], m[s[13]])
        v3, v4, v9, v14 = _mix(v3, v4, v9, v14, m[s[14]], m[s[15]])
    h[0] ^= v0 ^ v8
    h[1] ^= v1 ^ v9
    h[2] ^= v2 ^ v10
    h[3] ^= v3 ^ v11
    h[4] ^= v4 ^ v12
    h[5] ^= v5 ^ v13
    h[6] ^= v6 ^ v14
    h[7] ^= v7 ^ v15


@_kernel
def _put(block: Bytes, filled: int, piece: Bytes, h: Hashes, read: int, iv: Hashes, order: Hashes) -> int:
    """Add a piece to the message; a full block is worked off once more follows. Bytes read in all."""
    at = 0
    while at < len(piece):
        if filled == 128:
            _compress(h, block.view(np.uint64), read, False, iv, order)
            filled = 0
        more = min(128 - filled, len(piece) - at)
        for i in range(more):
            block[filled + i] = piece[at + i]
        filled += more
        at += more
        read += more
    return read


@_kernel
def _digests(
    pieces: tuple[Bytes, Bytes, Bytes], first: Bytes, at: Ints, second: Bytes, at2: Ints,
    rows: Ints, size: int, iv: Hashes, order: Hashes, out: Hashes,
) -> None:  # fmt: skip
    block, h = np.zeros(128, dtype=np.uint8), np.zeros(8, dtype=np.uint64)
    for number in range(len(rows)):
        row = rows[number]
        h[:] = iv
        h[0] ^= np.uint64(0x01010000 ^ size)
        read = 0
        for k in range(5):
            if k == 1:
                piece = first[at[row] : at[row + 1]]
            elif k == 3:
                piece = second[at2[row] : at2[row + 1]]
            else:
                piece = pieces[k // 2]
            filled = 0 if read == 0 else (read - 1) % 128 + 1
            read = _put(block, filled, piece, h, read, iv, order)
        block[0 if read == 0 else (read - 1) % 128 + 1 :] = 0
        _compress(h, block.view(np.uint64), read, True, iv, order)
        for word in range(size // 8):
            out[number, word] = h[word]


@_kernel
def _plain(values: Bytes, at: Ints, out: Bools) -> None:
    for row in range(len(at) - 1):
        out[row] = True
        for i in range(at[row], at[row + 1]):
            c = values[i]
            if c < 32 or c > 126 or c == 39 or c == 92:
                out[row] = False
                break


def plain(values: Bytes, at: Ints) -> Bools:
    """Which strings [rows] Python's `repr` shows as they are, between single quotes: printable ASCII, no quote.

    Parameters
    ----------
    values : byte array
        Strings one after another.
    at : int array [rows + 1]
        Where each begins, and where the last ends.
    """
    out = np.empty(len(at) - 1, dtype=np.bool_)
    _plain(values, at, out)
    return out


def digests_of_strings(
    pieces: tuple[bytes, bytes, bytes], first: tuple[Bytes, Ints], second: tuple[Bytes, Ints], rows: Ints, size: int
) -> Hashes:
    """Digests, in words of 64 bits as big-endian numbers [rows, size / 8].

    Parameters
    ----------
    pieces : three bytes
        What stands before the first string of a row, between both, and after the second.
    first, second : pairs of byte array and int array [strings + 1]
        As in `plain`.
    rows : int array [rows]
        Which strings to take.
    size : int
        Bytes of a digest: a multiple of 8, at most 64.
    """
    out = np.empty((len(rows), size // 8), dtype=np.uint64)
    before, between, after = (np.frombuffer(piece, dtype=np.uint8) for piece in pieces)
    _digests((before, between, after), *first, *second, rows, size, _IV, _ORDER, out)
    return out.byteswap()
