"""What relabelling permutes, from sums over the rows of each block: rows themselves need not be held."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fingerprint.data.arrays import Bools, Floats, Floats32, Ints
from fingerprint.statistics.designs import Design
from fingerprint.statistics.parts import PairedPart

# Sums that are worked on at a time: 4 MB, which a processor holds near.
SUMS_AT_ONCE = 2**19


def signed_blocks(design: Design) -> Bools:
    """Blocks [blocks] that hold rows of both sides: the suspect's count 1 in their sums, the reference's -1."""
    return np.concatenate([np.full(part.n_blocks, isinstance(part, PairedPart)) for part in design.parts])


def rows_of_blocks(design: Design) -> Ints:
    """Rows of each block [blocks]."""
    block = design.block
    return np.bincount(block[block >= 0], minlength=design.n_blocks)


def units_of_sums(design: Design, n_columns: int, sums: Callable[[slice], Floats]) -> Floats32:
    """What relabelling permutes [blocks, columns]: `Design.units` of rows whose columns have these sums by block.

    Parameters
    ----------
    n_columns : int
    sums : callable
        Sums of some blocks [blocks, columns], signed as `signed_blocks` says; asked for a few blocks at a time, so that
        no second matrix of all blocks is made.
    """
    signed = signed_blocks(design)
    divisor = np.where(signed, 1, np.maximum(rows_of_blocks(design), 1))[:, None]
    few = max(SUMS_AT_ONCE // max(n_columns, 1), 1)
    parts = [slice(first, first + few) for first in range(0, design.n_blocks, few)]
    units = np.empty((design.n_blocks, n_columns), dtype=np.float32)
    if signed.all():
        for part in parts:
            units[part] = sums(part)
        return units
    alone, total = ~signed[:, None], np.zeros(n_columns)
    for part in parts:
        total += (sums(part) / divisor[part]).sum(axis=0, where=alone[part])
    mean = total / alone.sum()
    for part in parts:
        units[part] = sums(part) / divisor[part] - alone[part] * mean
    return units
