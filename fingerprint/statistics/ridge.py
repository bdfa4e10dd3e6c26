"""Ridge regressions of the label on sparse columns: many models at once, one a column of row weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Bools, Floats, Floats32, Hashes, Ints
from fingerprint.features.compiled import in_threads
from fingerprint.features.scaling import goes_over

# Share of the label's variance that a row is expected to explain (d_prime about .65). It sets the ridge penalty to
# columns' total variance / (rows * this): one rule, without labels, that was within .005 AUROC of the best penalty for
# bins, tokens and n-grams at 33,000 rows, and turns into the mean-difference classifier at 400.
EXPLAINED = 0.1
# Families this narrow and dense are solved from their moments, or as dense rows where there are few; all others from
# their entries. 2,000 rows of 1,500 columns took .03 s as rows and 1.6 s from moments, whose work grows with the square
# of the columns; with 4 rows a column neither is much slower however many steps are needed.
NARROW = 2500
DENSE = 0.1
ROWS_A_COLUMN = 4
LANES = 4  # models are filled up to a multiple of what a processor adds up at once: 12 take less time than 11
CG_STEPS = 40
CG_TOLERANCE = 0.01
NOTHING = 1e-20  # a right side this small is rounding: arms with equal means
# Least share of an arm's mean that is kept where the mean is expected to be zero: with both arms' means within their
# noise, their difference gives the direction as it always does.
LEAST_KEPT = 0.05


def ridge_scores(values: sp.csr_matrix, suspect: Bools, weights: Floats, *, is_mean_zero: bool = False) -> Floats:
    """Scores [rows, models] of ridge regressions of the label (+1 suspect, -1 reference), one per column of weights."""
    coefficients = ridge_coefficients(values, suspect, weights, is_mean_zero=is_mean_zero)
    return np.asarray(values @ coefficients, dtype=np.float64)


def ridge_coefficients(
    values: sp.csr_matrix, suspect: Bools, weights: Floats, *, is_mean_zero: bool = False
) -> Floats32:
    """Coefficients [columns, models] of the ridge regressions behind `ridge_scores`.

    With `is_mean_zero`, columns are gradients of a model's log-probabilities, of mean zero over rows that it wrote
    (under the conditions in `fingerprint.lm.gradients`): the mean of each arm is shrunk towards zero as far as its
    noise goes (James and Stein 1961, Proceedings of the Fourth Berkeley Symposium 1). A reference that the model wrote
    then adds no noise of its own to the direction; where both arms' means are far from zero little changes.
    """
    kept = _kept(values, suspect, weights) if is_mean_zero else np.ones((2, weights.shape[1]))
    signed = weights * np.where(suspect[:, None], kept[0], -kept[1])
    if values.shape[1] <= NARROW and values.nnz > DENSE * values.shape[0] * values.shape[1]:
        few = values.shape[0] <= ROWS_A_COLUMN * values.shape[1]
        return _solve_rows(values, weights, signed) if few else _solve_moments(values, weights, signed)
    return _solve_gradients(values, weights, signed)


def _kept(values: sp.csr_matrix, suspect: Bools, weights: Floats) -> Floats:
    """Share of each arm's mean [2, models] that is more than noise, and at least `LEAST_KEPT`.

    Both are measured against the noise of the smaller arm: with a noise of its own each, a mean that both arms have
    would be kept more in the one than in the other, and enter the direction though it tells nothing.
    """
    squares = np.asarray(values.multiply(values).sum(axis=1), dtype=np.float64).ravel()
    signals, noises = [], []
    for arm in (suspect, ~suspect):
        w = weights[arm] / np.maximum(weights[arm].sum(axis=0), 1e-300)
        length = (np.asarray(values[arm].T @ w.astype(np.float32), dtype=np.float64) ** 2).sum(axis=0)
        noises.append(np.maximum(squares[arm] @ w - length, 0.0) * (w**2).sum(axis=0))
        signals.append(np.maximum(length - noises[-1], 0.0))
    signal, noise = np.array(signals), np.max(noises, axis=0)
    return np.asarray(np.maximum(signal / np.maximum(signal + noise, 1e-300), LEAST_KEPT), dtype=np.float64)


def mean_difference_coefficients(values: sp.csr_matrix, suspect: Bools, weights: Floats) -> Floats32:
    """Closed form [columns, models]: the difference of the arms' means, what the exact test's statistic is made of."""
    target = np.where(suspect, 1.0, -1.0)[:, None]
    return np.asarray(values.T @ (weights * target * 2).astype(np.float32), dtype=np.float32)


def _penalty(total_variance: Floats, squared_weights: Floats) -> Floats:
    """Ridge penalty [models]: total variance of the columns over (effective rows * `EXPLAINED`)."""
    return np.maximum(total_variance, 1e-12) * squared_weights / EXPLAINED


@dataclass(frozen=True)
class _Cells:
    """Rows of equal weights in every model: of one fold and one arm, say.

    Attributes
    ----------
    rows : list of int arrays
        Of each cell.
    plain, signed : float arrays [cells, models]
        Their weights: plain for the moments, signed for the right side.
    """

    rows: list[Ints]
    plain: Floats
    signed: Floats

    @classmethod
    def of(cls, weights: Floats, signed: Floats) -> _Cells:
        """From the weights of rows [rows, models]; there should be few different ones."""
        table = np.hstack([weights, signed])
        _, first, member = np.unique(_codes(table), return_index=True, return_inverse=True)
        if not np.array_equal(table[first][member], table):  # two weights of one code, once in 2^64
            _, first, member = np.unique(table, axis=0, return_index=True, return_inverse=True)
        member = member.ravel()
        order = np.argsort(member, kind="stable")
        rows = np.split(order, np.cumsum(np.bincount(member))[:-1])
        return cls(rows, weights[first], signed[first])

    @property
    def sizes(self) -> Ints:
        return np.array([len(rows) for rows in self.rows], dtype=np.int64)

    def sums(self, values: sp.csr_matrix) -> Floats:
        """Of the columns over the rows of each cell [cells, columns]."""
        cell = np.empty(values.shape[0], dtype=np.int64)
        for number, rows in enumerate(self.rows):
            cell[rows] = number
        width = values.shape[1]
        if goes_over(values):
            from fingerprint.features.kernels.scaling import add_by_cell

            summed = np.zeros((len(self.rows), width))
            add_by_cell(values.data, values.indices, values.indptr, cell, summed)
            return summed
        place = np.repeat(cell * width, np.diff(values.indptr)) + values.indices
        sums = np.bincount(place, weights=values.data, minlength=len(self.rows) * width)
        return np.asarray(sums.reshape(-1, width), dtype=np.float64)


def _codes(table: Floats) -> Hashes:
    """One number for each row of a table, the same for equal rows."""
    codes = np.zeros(len(table), dtype=np.uint64)
    for column in (table + 0.0).T:  # -0 becomes 0
        codes = codes * np.uint64(0x9E3779B97F4A7C15) + column.astype(np.float64).view(np.uint64)
        codes ^= codes >> np.uint64(29)
    return codes


def _solve_moments(values: sp.csr_matrix, weights: Floats, signed: Floats) -> Floats32:
    """Normal equations from the moments of cells: rows of one arm and one set of weights are added up once.

    Both solvers take the weights of rows [rows, models] twice: plain for the moments, signed for the right side.
    """
    cells = _Cells.of(weights, signed)
    first = np.empty((len(cells.rows), values.shape[1]))
    second = np.empty((len(cells.rows), values.shape[1], values.shape[1]))

    def sum_up(cell: int) -> None:
        block = values[cells.rows[cell]].toarray()
        first[cell], second[cell] = block.sum(axis=0, dtype=np.float64), block.T @ block

    def system(model: int) -> Floats32:
        weight = cells.plain[:, model]
        used = np.flatnonzero(weight)
        mean = weight @ first
        covariance = np.tensordot(weight[used], second[used], 1) - np.outer(mean, mean)
        penalty = _penalty(np.trace(covariance), (cells.sizes * weight**2).sum())
        covariance[np.diag_indices_from(covariance)] += penalty
        return np.asarray(covariance, dtype=np.float32)

    in_threads(sum_up, len(cells.rows))
    covariances = in_threads(system, weights.shape[1])

    def product(b: Floats32, active: Bools) -> Floats32:
        products = (c @ b[:, m] if active[m] else np.zeros_like(b[:, m]) for m, c in enumerate(covariances))
        return np.stack(list(products), axis=1)

    return _conjugate_gradients(product, (first.T @ cells.signed).astype(np.float32))


def _solve_rows(values: sp.csr_matrix, weights: Floats, signed: Floats) -> Floats32:
    """From dense rows. Every product has all models: what is computed for one hangs on no other one's being done."""
    block, w = values.toarray(), weights.astype(np.float32)
    mean, right = (block.T.astype(np.float64) @ table for table in (weights, signed))
    lengths = np.square(block, dtype=np.float64).sum(axis=1)
    penalty = _penalty(lengths @ weights - (mean**2).sum(axis=0), (weights**2).sum(axis=0)).astype(np.float32)

    def product(b: Floats32, active: Bools) -> Floats32:
        z = (block @ b - (mean * b).sum(axis=0).astype(np.float32)) * w
        return np.asarray(block.T @ z + penalty * b, dtype=np.float32)

    return _conjugate_gradients(product, right.astype(np.float32))


def _solve_gradients(values: sp.csr_matrix, weights: Floats, signed: Floats) -> Floats32:
    """All models at once: the loop over the non-zero entries is shared between those that see a row.

    Rows of the same models go together, side by side in threads and summed in a fixed order: the number of threads
    changes no digit.
    """
    cells = _Cells.of(weights, signed)
    sums = cells.sums(values)
    mean, right = (np.asarray(sums.T @ table) for table in (cells.plain, cells.signed))
    squares = np.zeros(values.nnz + 1)  # one more, for rows at the end that have no entries
    np.square(values.data, out=squares[:-1], dtype=np.float64)
    lengths = np.add.reduceat(squares, values.indptr[:-1])
    lengths[np.diff(values.indptr) == 0] = 0.0
    penalty = _penalty(lengths @ weights - (mean**2).sum(axis=0), (weights**2).sum(axis=0)).astype(np.float32)
    sees, member = np.unique(cells.plain != 0, axis=0, return_inverse=True)
    parts = []
    for number, models in enumerate(sees):
        rows = np.sort(np.concatenate([cells.rows[cell] for cell in np.flatnonzero(member.ravel() == number)]))
        part = values[rows]
        parts.append((models, part, part.T, weights[rows].astype(np.float32)))

    def product(b: Floats32, active: Bools) -> Floats32:
        centre = (mean * b).sum(axis=0).astype(np.float32)

        def of_part(number: int) -> tuple[Ints, Floats32]:
            models, part, transposed, w = parts[number]
            seeing = np.flatnonzero(models & active)
            own = np.zeros((len(b), -(-len(seeing) // LANES) * LANES), dtype=np.float32)
            own[:, : len(seeing)] = b[:, seeing]
            z = part @ own
            z[:, : len(seeing)] -= centre[seeing]
            z[:, : len(seeing)] *= w[:, seeing]
            return seeing, np.asarray(transposed @ z)[:, : len(seeing)]

        image = penalty * b
        for seeing, added in in_threads(of_part, len(parts)):
            image[:, seeing] += added
        return np.asarray(image, dtype=np.float32)

    return _conjugate_gradients(product, right.astype(np.float32))


def _conjugate_gradients(product: Callable[[Floats32, Bools], Floats32], right: Floats32) -> Floats32:
    """Solve one symmetric system a column; stopping early only adds a little shrinkage.

    `product` gives the images of columns under their systems, and anything finite for columns that are not active.

    Each column stops at its own goal, so that no model's solution depends on the labels that another one sees.
    """
    residual = right.copy()
    solution = np.zeros_like(residual)
    direction = residual.copy()
    size = (residual**2).sum(axis=0)
    goal = np.maximum(size * CG_TOLERANCE**2, NOTHING)
    for _ in range(CG_STEPS):
        active = size > goal
        if not active.any():
            break
        image = product(direction, active)
        step = active * size / np.maximum((direction * image).sum(axis=0), 1e-30)
        solution += step * direction
        residual -= step * image
        new = active * (residual**2).sum(axis=0)
        direction = residual + new / np.maximum(size, 1e-30) * direction
        size = new
    return solution
