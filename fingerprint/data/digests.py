"""Digests: the same in every process and on every machine, unlike Python's own `hash`.

BLAKE2b names things and puts them in an order that says nothing about them; SHA-256 finds damaged files. Neither is
proof against forgery: anybody can compute them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from fingerprint.data.arrays import Hashes


def digest(value: str | bytes, size: int = 8, key: bytes = b"") -> bytes:
    """BLAKE2b digest of `size` bytes; lone surrogates of a text count as they are."""
    content = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return hashlib.blake2b(content, digest_size=size, key=key).digest()


def hex_digest(value: str | bytes, size: int = 8) -> str:
    """The digest as `2 * size` hex digits."""
    return digest(value, size).hex()


def hex_digest_of_parts(parts: Iterable[bytes], size: int = 8) -> str:
    """The digest of all parts one after another, without holding them together."""
    state = hashlib.blake2b(digest_size=size)
    for part in parts:
        state.update(part)
    return state.hexdigest()


def number(value: str | bytes, size: int = 8) -> int:
    """The digest as a whole number from 0 to ``256 ** size - 1``."""
    return int.from_bytes(digest(value, size), "big")


def number_of(*parts: object) -> int:
    """The digest of some values, by what `repr` shows of them."""
    return number(repr(parts))


def numbers_of(rows: Iterable[tuple[object, ...]]) -> Hashes:
    """`number_of` many rows [rows]: one loop, for millions of them."""
    blake2b = hashlib.blake2b
    found = [blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=8).digest() for row in rows]
    return np.frombuffer(b"".join(found), dtype=">u8").astype(np.uint64)


def sum_of(rows: Iterable[tuple[object, ...]]) -> int:
    """Sum of the digests of 128 bits of many rows, by what `repr` shows of them."""
    blake2b, whole = hashlib.blake2b, int.from_bytes
    found = (blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=16).digest() for row in rows)
    return sum(whole(value, "big") for value in found)


def numbers(values: Iterable[str | bytes], key: bytes = b"") -> Hashes:
    """Digests of 64 bits [values]."""
    return np.frombuffer(b"".join(digest(value, key=key) for value in values), dtype="<u8").astype(np.uint64)


def checksum(content: bytes) -> str:
    """SHA-256 as hex digits: for finding damage in files."""
    return hashlib.sha256(content).hexdigest()
