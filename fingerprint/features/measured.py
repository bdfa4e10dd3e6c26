"""Rows through compiled code, batch by batch: small enough for the processor's caches, whatever a corpus holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from fingerprint.data.arrays import Codes, Floats, Ints

# Code points of some rows, where each row begins in them and the last one ends, and the table [rows, measurements] to
# be filled.
Kernel: TypeAlias = Callable[[Codes, Ints, Floats], None]

# A table of 130 measurements of so many rows takes a megabyte.
BATCH_ROWS = 1024
# Four bytes each, and as much again for room to work in.
BATCH_CHARACTERS = 2**20


def batches(texts: Sequence[str]) -> Iterator[tuple[slice, Ints]]:
    """Neighbouring rows: `BATCH_ROWS` and `BATCH_CHARACTERS` at most, or one row that is longer.

    With each slice of rows comes where they begin among the batch's characters, and where the last one ends.
    """
    starts = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)), out=starts[1:])
    first = 0
    while first < len(texts):
        full = int(np.searchsorted(starts, starts[first] + BATCH_CHARACTERS, "right")) - 1
        last = max(min(first + BATCH_ROWS, full), first + 1)
        yield slice(first, last), starts[first : last + 1] - starts[first]
        first = last


def code_points(texts: Sequence[str]) -> Codes:
    """Code points of all rows, one flat array (lone surrogates pass as they are)."""
    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
