"""Arrays of whole numbers as bytes: safetensors in one zstd frame, opened as if a stranger had made them.

Read here, and by no library that decodes tables: the memory that it takes is known before any is taken, every number of
its header is checked against what is there, and nothing in it runs. Who has `safetensors` and `zstd` can read it too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TypedDict

import numpy as np

from fingerprint.data.arrays import Array
from fingerprint.data.quoting import short
from fingerprint.data.typed_json import typed

ENDING = ".safetensors.zst"
# Names of types in safetensors; numbers are little-endian there, on every machine.
_DTYPES: dict[str, np.dtype[np.generic]] = {
    "U8": np.dtype("<u1"), "U16": np.dtype("<u2"), "U32": np.dtype("<u4"),
    "U64": np.dtype("<u8"), "I64": np.dtype("<i8"),
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
# Bytes of the header that a file may have beside its numbers: an array takes 80.
MOST_HEADER = 1 << 16
_LENGTH = 8
# Of level 3, sums of 2,000 rows take a twentieth less and twice as long.
_LEVEL = 1


class _About(TypedDict):
    """What the header of safetensors says of an array."""

    dtype: str
    shape: list[int]
    data_offsets: list[int]


def packed(arrays: Mapping[str, Array]) -> bytes:
    """Named arrays as bytes: the same for equal arrays.

    Parameters
    ----------
    arrays : mapping of name to array
        Of unsigned whole numbers of 8 to 64 bits, or signed ones of 64.
    """
    import zstandard

    about: dict[str, _About] = {}
    parts, end = [], 0
    for name, values in arrays.items():
        dtype = values.dtype.newbyteorder("<")
        begin, end = end, end + values.nbytes
        about[name] = {"dtype": _NAMES[dtype], "shape": list(values.shape), "data_offsets": [begin, end]}
        parts.append(np.ascontiguousarray(values, dtype=dtype).tobytes())
    header = json.dumps(about, separators=(",", ":")).encode()
    header += b" " * (-len(header) % _LENGTH)
    whole = b"".join([len(header).to_bytes(_LENGTH, "little"), header, *parts])
    return zstandard.ZstdCompressor(level=_LEVEL).compress(whole)


def unpacked(content: bytes, most: int, name: str) -> dict[str, Array]:
    """Inverse of `packed`.

    Parameters
    ----------
    most : int
        Bytes that numbers and header may take, unpacked.
    name : str
        What messages call it.

    Returns
    -------
    dict of name to array
        Read-only. Names, types and shapes are what the content says: the caller holds them against what has to be.

    Raises
    ------
    ValueError
        If it is something else, is damaged, or takes more.
    """
    import zstandard

    try:
        size = zstandard.frame_content_size(content)
        if not 0 <= size <= most:
            got = f"{size:,}" if size >= 0 else "an unknown number"
            raise ValueError(f"{name} must unpack to {most:,} bytes at most, got {got}; make it again")
        whole = zstandard.ZstdDecompressor().decompress(content, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(f"{name} must be arrays in a zstd frame, got {short(str(error))}; make it again") from error
    length = int.from_bytes(whole[:_LENGTH], "little")
    start = _LENGTH + length
    if length > MOST_HEADER or start > len(whole):
        raise ValueError(f"{name} must have a header within its {len(whole):,} bytes, got {length:,}; make it again")
    found: dict[str, Array] = {}
    for array, about in typed(whole[_LENGTH:start], dict[str, _About], name).items():
        found[array], start = _array(whole, start, start - _LENGTH - length, about, f"{name}: {array:.60}")
    if start != len(whole):
        raise ValueError(f"{name} must hold the arrays that it names, got more; make it again")
    return found


def _array(whole: bytes, start: int, begin: int, about: _About, name: str) -> tuple[Array, int]:
    """The array that begins here, `begin` bytes behind the header, and where the next one does."""
    dtype, shape, offsets = _DTYPES.get(about["dtype"]), about["shape"], about["data_offsets"]
    if dtype is None or min(shape, default=0) < 0:
        raise ValueError(f"{name} must be whole numbers, got {short(about['dtype'])} of {short(shape)}; make it again")
    size = dtype.itemsize * math.prod(shape)
    if offsets != [begin, begin + size] or start + size > len(whole):
        raise ValueError(f"{name} must be the next {short(size)} bytes, got {short(offsets)}; make it again")
    return np.ndarray(shape, dtype, buffer=whole, offset=start), start + size
