"""Rows through compiled code, batch by batch: small enough for the processor's caches, whatever a corpus holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from fingerprint.data.arrays import Codes, Floats, Ints
from fingerprint.features.segments import characters

# Code points of some rows, where each row begins in them and the last one ends, and the table [rows, measurements] to
# be filled.
Kernel: TypeAlias = Callable[[Codes, Ints, Floats], None]

# A table of 130 measurements of so many rows takes a megabyte.
BATCH_ROWS = 1024
# Four bytes each, and as much again for room to work in.
BATCH_CHARACTERS = 2**20


def batches(texts: Sequence[str]) -> Iterator[slice]:
    """Neighbouring rows: `BATCH_ROWS` and `BATCH_CHARACTERS` at most, or one row that is longer."""
    first, held = 0, 0
    for row, text in enumerate(texts):
        if row > first and (row - first == BATCH_ROWS or held + len(text) > BATCH_CHARACTERS):
            yield slice(first, row)
            first, held = row, 0
        held += len(text)
    if len(texts):
        yield slice(first, len(texts))


def run(kernel: Kernel, texts: Sequence[str], out: Floats) -> None:
    """Fill `out` [rows, measurements]."""
    segments, codes = characters(texts)
    kernel(codes, np.concatenate([[0], np.cumsum(segments.counts)]), out)
