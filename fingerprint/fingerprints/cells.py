"""Cells: which rows are summed together. A row goes to a cell by the prompt that it answers, in every corpus alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Hashes, Ints
from fingerprint.data.normal_form import normal_form

# Enough for any alpha in use and for a statistic that loses a two-hundredth to the diagonal it leaves out; few enough
# for a file of at most 64 MB.
CELLS = 256
FEWEST, MOST = 16, 4096
_TEXT = b"text"  # rows without a prompt go by their text, under a key of its own


def check_cells(cells: object) -> int:
    """A number of cells that halves down to others.

    Raises
    ------
    ValueError
        If it is no power of two between `FEWEST` and `MOST`.
    """
    if not isinstance(cells, int) or isinstance(cells, bool) or not FEWEST <= cells <= MOST or cells & (cells - 1):
        raise ValueError(f"cells must be a power of two from {FEWEST} to {MOST}, got {cells!r}; {CELLS} is usual")
    return cells


def row_keys(texts: Sequence[str], prompts: Sequence[str | None]) -> Hashes:
    """Digest of 128 bits of each row's prompt, in its normal form; of the text, for a row without one [rows, 2]."""
    content = b"".join(
        digests.digest(text, 16, _TEXT) if prompt is None else digests.digest(normal_form(prompt), 16)
        for text, prompt in zip(texts, prompts, strict=True)
    )
    return np.frombuffer(content, dtype="<u8").reshape(-1, 2).astype(np.uint64)


def cells_of(keys: Hashes, cells: int) -> Ints:
    """Cell of each row [rows], by the leading bits of its key: halving the number puts neighbours together."""
    return (keys[:, 0] >> np.uint64(64 - (cells.bit_length() - 1))).astype(np.int64)
