"""Scaling of a family's columns: by their pooled variance, without a look at the sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats, Ints
from fingerprint.features.compiled import repays
from fingerprint.features.counted import SQUARE_PARTS, CountedFamily
from fingerprint.features.family import Family, FeatureMatrix

# A column is constant when its pooled variance is below this share of its pooled second moment: rounding, not signal.
CONSTANT = 1e-9
# Rows whose copies in double precision are held at once: they fit the caches.
ROWS_AT_ONCE = 2000
# Entries that are summed, or scaled, in a second without compiled code, and seconds to compile it.
ENTRIES_A_SECOND, COMPILE_SECONDS = 7e7, 1.5


@dataclass(frozen=True)
class FamilyMatrix:
    """Scaled features of the pooled rows in one family.

    Attributes
    ----------
    values : sparse float32 matrix [rows, columns]
        Each column divided by sqrt(pooled variance + ridge); constant columns left out.
    columns : int array [columns]
        The family's own numbers of the columns that are left.
    scale : float array [columns]
        What each column was multiplied by.
    """

    family: Family
    values: sp.csr_matrix
    columns: Ints
    scale: Floats

    @property
    def n_columns(self) -> int:
        return int(self.values.shape[1])


def mean_zero(matrices: Mapping[str, FamilyMatrix]) -> frozenset[str]:
    """Names of the families whose columns have mean zero over rows that the family's model wrote."""
    return frozenset(name for name, matrix in matrices.items() if matrix.family.is_mean_zero)


def family_matrix(family: Family, texts: list[str], name: str) -> FamilyMatrix:
    """Fit a family on pooled rows and scale its columns, without a look at the sides.

    Raises
    ------
    ValueError
        If the family gives another number of rows than there are texts, or values that are not finite.
    """
    matrix = _sparse(family.fit_transform(texts))
    if matrix.shape[0] != len(texts):
        raise ValueError(f"family {name} must give one row per text, got {matrix.shape[0]} rows for {len(texts)} texts")
    if not np.isfinite(matrix.data).all():
        raise ValueError(f"family {name} must give finite values, got nan or infinity; check its transform")
    # Squares of a family's counts are sums of whole parts, as in sums over rows that are not held.
    parts = SQUARE_PARTS if isinstance(family, CountedFamily) and family.squares_shift else None
    columns, scale = scales(family, *column_moments(matrix, parts))
    return FamilyMatrix(family, scaled(matrix, columns, scale), columns, scale)


def scales(family: Family, mean: Floats, square: Floats) -> tuple[Ints, Floats]:
    """Columns of a fitted family that vary, and what each of them is multiplied by.

    Parameters
    ----------
    mean, square : float arrays [columns]
        Mean and mean square of each column over the pooled rows.
    """
    variance = np.maximum(square - mean * mean, 0.0)
    columns = np.flatnonzero(variance > CONSTANT * square)
    ridge = np.broadcast_to(family.ridge, variance.shape)
    scale = 1.0 / np.sqrt(variance[columns] + ridge[columns])
    if family.column_weights is not None:
        scale = scale * np.asarray(family.column_weights, dtype=np.float64)[columns]
    return columns, scale


def column_moments(matrix: sp.csr_matrix, parts: int | None = None) -> tuple[Floats, Floats]:
    """Mean and mean square of every column, in double precision: single would take constant columns for varying.

    Parameters
    ----------
    parts : int, optional
        Squares are rounded down to so many parts of 1; see `fingerprint.features.counted.CountedFamily.squared`.
    """
    rows, width = matrix.shape
    sums, squares = np.zeros((2, width))
    fast = goes_over(matrix)
    for first in range(0, rows, ROWS_AT_ONCE):
        entries = slice(matrix.indptr[first], matrix.indptr[min(first + ROWS_AT_ONCE, rows)])
        data, indices = matrix.data[entries], matrix.indices[entries]
        own = np.zeros((2, width))
        if fast:
            from fingerprint.features.kernels.scaling import add_moments

            add_moments(data, indices, float(parts or 0), *own)
        else:
            exact = data.astype(np.float64)
            own[0] = np.bincount(indices, weights=exact, minlength=width)
            square = exact * exact if parts is None else np.floor(exact * exact * parts) / parts
            own[1] = np.bincount(indices, weights=square, minlength=width)
        sums += own[0]
        squares += own[1]
    return sums / max(rows, 1), squares / max(rows, 1)


def scaled(raw: FeatureMatrix, columns: Ints, scale: Floats) -> sp.csr_matrix:
    """Some columns of a family's raw features, in rising order, each multiplied by its scale, in single precision."""
    matrix = _sparse(raw)
    factor = np.zeros(matrix.shape[1])
    factor[columns] = scale
    place = np.full(matrix.shape[1], -1, dtype=np.int32)
    place[columns] = np.arange(len(columns))
    shape = (matrix.shape[0], len(columns))
    if goes_over(matrix):
        from fingerprint.features.kernels.scaling import scale_rows

        values, indices = np.empty(matrix.nnz, np.float32), np.empty(matrix.nnz, np.int32)
        starts = np.zeros(matrix.shape[0] + 1, np.int32)
        scale_rows(matrix.data, matrix.indices, matrix.indptr, place, factor, values, indices, starts)
        left = int(starts[-1])
        return sp.csr_matrix((values[:left], indices[:left], starts), shape=shape)
    data, numbers, lengths = [np.empty(0, np.float32)], [np.empty(0, np.int32)], [np.zeros(1, np.int64)]
    for first in range(0, matrix.shape[0], ROWS_AT_ONCE):
        starts = matrix.indptr[first : first + ROWS_AT_ONCE + 1]
        entries = slice(starts[0], starts[-1])
        own = matrix.indices[entries]
        kept = place[own] >= 0
        data.append((matrix.data[entries][kept] * factor[own[kept]]).astype(np.float32))
        numbers.append(place[own[kept]])
        lengths.append(np.diff(np.r_[0, np.cumsum(kept)][starts - starts[0]]))
    ends = np.cumsum(np.concatenate(lengths))
    return sp.csr_matrix((np.concatenate(data), np.concatenate(numbers), ends), shape=shape)


def goes_over(matrix: sp.csr_matrix) -> bool:
    """Whether compiled code goes over the entries once: if that repays, and if they are as the built-in families'."""
    is_usual = matrix.data.dtype == np.float32 and matrix.indices.dtype == matrix.indptr.dtype == np.int32
    return is_usual and repays("scaling", matrix.nnz / ENTRIES_A_SECOND, COMPILE_SECONDS)


def _sparse(raw: FeatureMatrix) -> sp.csr_matrix:
    """With every entry once: a transformer of a user may give parts of one."""
    matrix = sp.csr_matrix(raw) if sp.issparse(raw) else sp.csr_matrix(np.asarray(raw, dtype=np.float64))
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix
