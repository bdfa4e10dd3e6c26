"""Single passes over the entries of sparse matrices, compiled: the same values, to the bit, as without."""

from __future__ import annotations

import numpy as np

from fingerprint.data.arrays import Floats, Floats32, Ints, Ints32
from fingerprint.features.kernels import kernel


@kernel
def add_moments(data: Floats32, indices: Ints32, parts: float, sums: Floats, squares: Floats) -> None:
    """Add entries, and their squares, rounded down to so many parts of 1 (0: not at all), to those of their columns."""
    for entry in range(len(data)):
        value, column = np.float64(data[entry]), indices[entry]
        square = value * value
        sums[column] += value
        squares[column] += np.floor(square * parts) / parts if parts > 0 else square


@kernel
def scale_rows(
    data: Floats32,
    indices: Ints32,
    indptr: Ints32,
    place: Ints32,
    factor: Floats,
    scaled: Floats32,
    columns: Ints32,
    starts: Ints32,
) -> None:
    """Rows whose entries are multiplied by their column's factor, without those of a column whose place is below 0.

    Parameters
    ----------
    data, indices, indptr : arrays of a csr matrix
    place : int array [columns]
        New number of each column.
    factor : float array [columns]
    scaled, columns, starts : arrays as long as these
        To be filled; how many entries there are is the last of `starts`.
    """
    filled = 0
    for row in range(len(indptr) - 1):
        for entry in range(indptr[row], indptr[row + 1]):
            column = indices[entry]
            if place[column] >= 0:
                scaled[filled] = np.float32(data[entry] * factor[column])
                columns[filled] = place[column]
                filled += 1
        starts[row + 1] = filled


@kernel
def add_by_cell(data: Floats32, indices: Ints32, indptr: Ints32, cell: Ints, sums: Floats) -> None:
    """Add each row [rows] to the sums of its cell [cells, columns]."""
    for row in range(len(indptr) - 1):
        own = sums[cell[row]]
        for entry in range(indptr[row], indptr[row + 1]):
            own[indices[entry]] += np.float64(data[entry])


@kernel
def add_rates(
    data: Floats32, indices: Ints32, indptr: Ints32, rows: Ints, cell: Ints, place: Ints, scale: Floats, totals: Floats
) -> None:
    """Add some rows' values in their own units, their squares, and whether they are neither 0 nor 1.

    Parameters
    ----------
    rows : int array
    cell : int array [rows of the matrix]
    place, scale : arrays [columns of the matrix]
        Where a column is added, below 0 for one that is left out; what it was multiplied by.
    totals : float array [3, cells, places]
    """
    for row in rows:
        own = totals[:, cell[row]]
        for entry in range(indptr[row], indptr[row + 1]):
            at = place[indices[entry]]
            if at >= 0:
                raw = data[entry] / scale[indices[entry]]
                own[0, at] += raw
                own[1, at] += raw * raw
                # The values were scaled in single precision.
                own[2, at] += np.abs(raw * raw - raw) >= 1e-4
