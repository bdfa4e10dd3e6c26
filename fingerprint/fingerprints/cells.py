"""Cells: which rows are summed together. A row goes to a cell by the prompt that it answers, in every corpus alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Hashes, Ints
from fingerprint.data.normal_form import normal_forms
from fingerprint.data.row_hashes import Strings

# Enough for any alpha in use and for a statistic that loses a two-hundredth to the diagonal it leaves out; few enough
# for a file of at most 64 MB.
CELLS = 256
FEWEST, MOST = 16, 4096
# What is put before a prompt and, for rows without one, a text: equal strings of both kinds are not the same.
_PROMPT, _TEXT = "prompt ", "text "
# Rows that repay loading compiled code; digests are the same either way.
MANY_ROWS = 20_000


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
    found = np.empty((len(texts), 2), dtype=np.uint64)
    known = np.array([prompt is not None for prompt in prompts], dtype=bool)
    for prefix, rows, strings in ((_PROMPT, known, normal_forms(prompts)), (_TEXT, ~known, texts)):
        if rows.any():
            found[rows] = _digests(prefix, strings, np.flatnonzero(rows))
    return found


def _digests(prefix: str, strings: Sequence[str | None], rows: Ints) -> Hashes:
    """Digests of a prefix and the strings of some rows [rows, 2]; compiled where there are many."""
    if len(rows) >= MANY_ROWS:
        from fingerprint.data.blake2 import digests_of_strings  # needs numba, which takes a second to load

        pieces = (prefix.encode(), b"", b"")
        nothing = (np.zeros(1, dtype=np.uint8), np.zeros(len(strings) + 1, dtype=np.int64))
        return digests_of_strings(pieces, Strings(strings).encoded, nothing, rows, 16)
    content = b"".join(digests.digest(f"{prefix}{strings[row]}", 16) for row in rows.tolist())
    return np.frombuffer(content, dtype=">u8").reshape(-1, 2).astype(np.uint64)


def cells_of(keys: Hashes, cells: int) -> Ints:
    """Cell of each row [rows], by the leading bits of its key: halving the number puts neighbours together."""
    return (keys[:, 0] >> np.uint64(64 - (cells.bit_length() - 1))).astype(np.int64)
