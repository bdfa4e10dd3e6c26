"""From measurements to bins of fixed grids, and from bins to sums and columns, compiled."""

from __future__ import annotations

import numpy as np

from fingerprint.data.arrays import Bins, Floats, Floats32, Hashes, Ints, Ints32
from fingerprint.features.kernels import kernel


@kernel
def bin_values(
    values: Floats, bits: Hashes, grids: tuple[Ints, Floats, Ints, Bins, Bins], key: tuple[int, int], out: Bins
) -> None:
    """What `Grid.bins` gives, for a whole table.

    Parameters
    ----------
    values : float array [rows, measurements]
    bits : uint64 array [rows, measurements]
        The same memory.
    grids : see `fingerprint.features.grids.GridTables`
    key : pair of int
        By how much bits are shifted, and what the first of the keys in the table then is.
    out : uint16 array [rows, measurements]
    """
    grid_of, edges, sizes, whole, least = grids
    shift, first, limit = np.uint64(key[0]), np.uint64(key[1]), whole.shape[1] // 2
    for row in range(values.shape[0]):
        for m in range(values.shape[1]):
            value, grid = values[row, m], grid_of[m]
            if -limit <= value < limit:
                number = int(value)
                if number == value:
                    out[row, m] = whole[grid, number + limit]
                    continue
            place = (bits[row, m] >> shift) - first  # of a negative value or a missing one far beyond the table
            if place < np.uint64(least.shape[1]):
                below = int(least[grid, place])
                while edges[grid, below] < value:
                    below += 1
                out[row, m] = below
            else:
                out[row, m] = sizes[grid] + 1 if np.isnan(value) else _edges_below(edges[grid], sizes[grid], value)


@kernel
def _edges_below(edges: Floats, size: int, value: float) -> int:
    """How many of the edges are less than a value, without a branch that hangs on it."""
    half = 1
    while 2 * half <= size:
        half *= 2
    below = 0
    while half:
        below += half * (edges[below + half - 1] < value)
        half //= 2
    return below


@kernel
def add_bins(bins: Bins, offsets: Ints, order: Ints, block: Ints, sums: Ints, squares: Ints) -> None:
    """Count the bins of rows into the sums of their blocks, and into those of all rows.

    Parameters
    ----------
    bins : uint16 array [rows, measurements]
    offsets : int array [measurements]
        First count of each measurement.
    order : int array [rows]
        Rows one block after another, so that a block's sums stay close at hand.
    block : int array [rows]
    sums : int array [blocks, counts]
    squares : int array [counts]
    """
    for row in order:
        for m in range(bins.shape[1]):
            count = offsets[m] + bins[row, m]
            sums[block[row], count] += 1
            squares[count] += 1


@kernel
def count_bins(bins: Bins, offsets: Ints, counts: Ints) -> None:
    """Add the rows of every bin to `counts` [counts]."""
    for row in range(bins.shape[0]):
        for m in range(bins.shape[1]):
            counts[offsets[m] + bins[row, m]] += 1


@kernel
def columns_of_bins(
    bins: Bins, offsets: Ints, ranks: Floats32, rank_column: Ints32, quarter: Ints32, data: Floats32, columns: Ints32
) -> None:
    """Two columns of every measurement: its rank, and 1 for its quarter.

    Parameters
    ----------
    bins : uint16 array [rows, measurements]
    offsets, rank_column : int arrays [measurements]
        First count of a measurement, and the column of its rank.
    ranks, quarter : arrays [counts]
        Rank of each bin, and the column of its quarter.
    data, columns : arrays [rows, measurements, 2]
        To be filled: values, which are 1 before, and where they stand.
    """
    for row in range(bins.shape[0]):
        for m in range(bins.shape[1]):
            count = offsets[m] + bins[row, m]
            columns[row, m, 0], data[row, m, 0] = rank_column[m], ranks[count]
            columns[row, m, 1] = quarter[count]
