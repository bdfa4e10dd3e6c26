"""What relabelling permutes, from sums over the rows of each block: rows themselves need not be held."""

from __future__ import annotations

import numpy as np

from fingerprint.data.arrays import Bools, Floats, Floats32, Ints
from fingerprint.statistics.designs import Design
from fingerprint.statistics.parts import PairedPart


def signed_blocks(design: Design) -> Bools:
    """Blocks [blocks] that hold rows of both sides: the suspect's count 1 in their sums, the reference's -1."""
    return np.concatenate([np.full(part.n_blocks, isinstance(part, PairedPart)) for part in design.parts])


def rows_of_blocks(design: Design) -> Ints:
    """Rows of each block [blocks]."""
    block = design.block
    return np.bincount(block[block >= 0], minlength=design.n_blocks)


def units_of_sums(design: Design, sums: Floats) -> Floats32:
    """What relabelling permutes [blocks, columns]: `Design.units` of rows whose columns have these sums by block.

    Parameters
    ----------
    sums : float array [blocks, columns]
        Signed as `signed_blocks` says.
    """
    signed, rows = signed_blocks(design), rows_of_blocks(design)
    units = np.where(signed[:, None], sums, sums / np.maximum(rows, 1)[:, None])
    if not signed.all():
        units[~signed] -= units[~signed].mean(axis=0)
    return units.astype(np.float32)
