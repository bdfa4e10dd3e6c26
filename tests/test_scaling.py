"""Single passes over sparse entries: compiled or not, the same to the bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from fingerprint.data.arrays import Floats
from fingerprint.detection.feature_differences import _totals
from fingerprint.features import Tokens
from fingerprint.features.compiled import FORCE
from fingerprint.features.scaling import ROWS_AT_ONCE, FamilyMatrix, column_moments, scaled
from fingerprint.statistics.ridge import _Cells

ROWS, COLUMNS = 2 * ROWS_AT_ONCE + 77, 40


def entries() -> sp.csr_matrix:
    """Some rows and columns are empty, some entries are stored zeros."""
    random = np.random.default_rng(4)
    dense = random.standard_normal((ROWS, COLUMNS)) * (random.random((ROWS, COLUMNS)) < 0.2)
    dense[:, 7], dense[1::5] = 0, 0
    matrix = sp.csr_matrix(dense.astype(np.float32))
    matrix.data[::11] = 0
    return matrix


def of_moments(matrix: sp.csr_matrix) -> list[Floats]:
    return [*column_moments(matrix), *column_moments(matrix, 2**16)]


def of_scaled(matrix: sp.csr_matrix) -> list[Floats]:
    found = scaled(matrix, np.arange(1, COLUMNS, 3), np.linspace(0.1, 3, 13))
    return [found.data, found.indices, found.indptr, np.array(found.shape)]


def of_cells(matrix: sp.csr_matrix) -> list[Floats]:
    weights = np.repeat(np.arange(ROWS) % 7, 2).reshape(ROWS, 2) / 7
    return [_Cells.of(weights, weights).sums(matrix)]


def of_rates(matrix: sp.csr_matrix) -> list[Floats]:
    family = FamilyMatrix(Tokens(), matrix, np.arange(COLUMNS), np.linspace(0.1, 3, COLUMNS))
    return [_totals(family, np.arange(3, COLUMNS, 2), np.arange(ROWS) % 3, (3, 19))]


@pytest.mark.parametrize("found", [of_moments, of_scaled, of_cells, of_rates])
def test_passes_over_entries_are_the_same_compiled_or_not(
    found: Callable[[sp.csr_matrix], list[Floats]], monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix, ways = entries(), []
    for compiled in ("0", "1"):
        monkeypatch.setenv(FORCE, compiled)
        ways.append(found(matrix))
    for plain, fast in zip(*ways, strict=True):
        assert np.abs(plain).sum() > 0
        np.testing.assert_array_equal(plain, fast)
        assert plain.dtype == fast.dtype
