"""Tests one would otherwise reach for, all permuted the same way: both sides of a pair change places, pair by pair.

Rows come in pair order: row i and row n + i (of 2n) answer the same prompt, suspect first. A relabelling is a vector of
n signs; -1 swaps the two sides of a pair. The first relabelling is the observed one, all +1. Every test returns one
statistic a relabelling, higher where the sides differ more; `pvalue` makes the p-value of them.

Kernel tests need one quadratic form of an n x n matrix, whatever the kernel. Logistic regression is refitted for every
relabelling and fold, all relabellings at once.

References
----------
Gretton et al. (2012), JMLR 13: MMD. Szekely and Rizzo (2013), doi 10.1016/j.jspi.2013.03.018: energy distance. Gao,
Liang and Guestrin (2024), "Model Equality Testing: Which Model Is This API Serving?", arXiv 2410.20247: MMD with a
Hamming kernel on padded sequences. Lopez-Paz and Oquab (2017), arXiv 1610.06545: classifiers as two-sample tests.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import rankdata

Floats = NDArray[np.float64]

# Statistics this close, relative to the largest, count as tied: they are sums of a few thousand doubles.
TIE = 1e-9


def pvalue(statistics: Floats) -> float:
    """(1 + #{null >= observed}) / (1 + B); the first statistic is the observed one, near ties count as ties."""
    null = statistics[1:]
    slack = TIE * max(float(np.abs(statistics).max()), 1e-300)
    return float((1 + np.count_nonzero(null >= statistics[0] - slack)) / (1 + len(null)))


# --------------------------------------------------------------------------------------------------------------- inputs


def standardised(values: sp.spmatrix | Floats) -> Floats:
    """Each column centred and divided by its pooled standard deviation; constant columns left out."""
    dense = np.asarray(sp.csr_matrix(values).toarray(), dtype=np.float64)
    spread = dense.std(axis=0)
    kept = spread > 1e-9 * np.maximum(np.abs(dense).max(axis=0), 1e-300)
    return (dense[:, kept] - dense[:, kept].mean(axis=0)) / spread[kept]


def token_counts(token_rows: Sequence[Sequence[str]]) -> Floats:
    """How often each row contains each token [rows, distinct tokens]."""
    vocabulary = {token: column for column, token in enumerate(sorted({t for row in token_rows for t in row}))}
    counts = np.zeros((len(token_rows), len(vocabulary)))
    for i, row in enumerate(token_rows):
        np.add.at(counts[i], [vocabulary[token] for token in row], 1.0)
    return counts


# --------------------------------------------------------------------------------------------------------- kernel tests


def mmd_statistics(kernel: Floats, signs: Floats) -> Floats:
    """Unbiased squared maximum mean discrepancy for every relabelling.

    Parameters
    ----------
    kernel : float array [2n, 2n]
        Of all rows, suspect rows first.
    signs : float array [1 + relabellings, n]

    Notes
    -----
    A swap exchanges the signs of both rows of a pair, so sums within the sides and across them (a pair's own two rows
    left out) add up to the same total for every relabelling, and a pair's own product never changes. The biased and
    the unbiased statistic then order the relabellings alike and give the same p-value.
    """
    n = signs.shape[1]
    xx, yy, xy = kernel[:n, :n], kernel[n:, n:], kernel[:n, n:]
    within, across = xx + yy, xy + xy.T
    np.fill_diagonal(within, 0.0)
    own = float(np.trace(xy))
    np.fill_diagonal(across, 0.0)
    difference = within - across
    quadratic = np.einsum("pn,pn->p", signs @ difference, signs)
    total = float(within.sum() + across.sum())
    return (total + quadratic) / 2 / (n * (n - 1)) - 2 * ((total - quadratic) / 4 + own) / n**2


def energy_statistics(distances: Floats, signs: Floats) -> Floats:
    """Unbiased energy distance, 2 E|x - y| - E|x - x'| - E|y - y'|, for every relabelling."""
    return mmd_statistics(-distances, signs)


def distances(values: Floats) -> Floats:
    """Euclidean distances of all rows."""
    square = (values**2).sum(axis=1)
    squared = np.maximum(square[:, None] + square[None, :] - 2 * values @ values.T, 0.0)
    np.fill_diagonal(squared, 0.0)
    return np.sqrt(squared)


def gaussian_kernel(apart: Floats) -> Floats:
    """exp(-d^2 / (2 m^2)) with m the median distance of two different rows (1 where that is 0)."""
    median = float(np.median(apart[~np.eye(len(apart), dtype=bool)])) or 1.0
    return np.exp(-(apart**2) / (2 * median**2))


def hamming_kernel(sequences: Sequence[Sequence[str]], longest: int = 1000) -> Floats:
    """Share of positions at which two sequences agree, all padded to the longest one (cut at `longest`).

    Notes
    -----
    Padding agrees with padding, so lengths count. Gao et al. compare completions of the same prompt only. With one row
    a prompt and side that leaves nothing a swap could change, so here rows of different prompts are compared too.
    """
    length = max(min(max(map(len, sequences), default=0), longest), 1)
    codes: dict[str, int] = {}
    padded = np.full((len(sequences), length), -1, dtype=np.int32)
    for row, sequence in zip(padded, sequences, strict=True):
        found = [codes.setdefault(item, len(codes)) for item in sequence[:length]]
        row[: len(found)] = found
    agree = np.zeros((len(sequences), len(sequences)))
    for column in padded.T:
        agree += column[:, None] == column[None, :]
    return agree / length


# -------------------------------------------------------------------------------------------------- logistic regression


@dataclass(frozen=True)
class Fit:
    """Minimisers of the penalised loss: weights [columns, problems], intercepts [problems], largest relative error."""

    weights: Floats
    intercepts: Floats
    error: float


def fit_logistic(rows: Floats, labels: Floats, C: float = 1.0, tolerance: float = 1e-5) -> Fit:
    """Logistic regressions on the same rows with many label vectors at once.

    Each minimises sum log(1 + exp(-y f)) + |w|^2 / (2 C) with f = rows w + b, the intercept b free: what
    `sklearn.linear_model.LogisticRegression(C=C)` minimises.

    Parameters
    ----------
    rows : float array [m, columns]
        Best in a basis in which the columns are about orthogonal: they are the preconditioner.
    labels : float array [m, problems]
        0 or 1.
    tolerance : float
        Bound on the distance to the minimiser, relative to the length of the weights. The loss is 1/C-strongly convex,
        so that distance is at most C times the length of the gradient.

    Notes
    -----
    Newton's method, the steps by conjugate gradients, halved until the loss falls.
    """
    design = np.hstack([rows, np.ones((len(rows), 1))])
    penalty = np.r_[np.full(rows.shape[1], 1.0 / C), 0.0][:, None]
    squares = design**2
    weights = np.zeros((design.shape[1], labels.shape[1]))
    error = np.full(labels.shape[1], np.inf)
    active = np.arange(labels.shape[1])
    for _ in range(100):
        w, y = weights[:, active], labels[:, active]
        scores = design @ w
        chance = expit(scores)
        gradient = design.T @ (chance - y) + penalty * w
        size = np.linalg.norm(gradient, axis=0)
        error[active] = C * size / np.maximum(np.linalg.norm(w, axis=0), 1e-8)
        left = error[active] > tolerance
        if not left.any():
            break
        active, w, y = active[left], w[:, left], y[:, left]
        curvature = (chance * (1 - chance))[:, left]
        step = _newton_step(design, squares, penalty, curvature, gradient[:, left], tolerance)
        weights[:, active] = _descended(design, penalty, w, y, scores[:, left], gradient[:, left], step)
    return Fit(weights[:-1], weights[-1], float(error.max()))


def _newton_step(
    design: Floats, squares: Floats, penalty: Floats, curvature: Floats, gradient: Floats, tolerance: float
) -> Floats:
    """Solve (design' diag(curvature) design + penalty) step = -gradient, by preconditioned conjugate gradients."""
    inverse = 1.0 / (squares.T @ curvature + penalty)
    start = np.linalg.norm(gradient, axis=0)
    goal = start * np.maximum(np.minimum(0.1, np.sqrt(start / len(design))), 0.01 * tolerance)
    step, residual = np.zeros_like(gradient), -gradient
    ahead = inverse * residual
    direction, product = ahead, (residual * ahead).sum(axis=0)
    for _ in range(200):
        image = design.T @ (curvature * (design @ direction)) + penalty * direction
        length = product / np.maximum((direction * image).sum(axis=0), 1e-300)
        step = step + length * direction
        residual = residual - length * image
        if (np.linalg.norm(residual, axis=0) <= goal).all():
            break
        ahead = inverse * residual
        fresh = (residual * ahead).sum(axis=0)
        direction = ahead + (fresh / np.maximum(product, 1e-300)) * direction
        product = fresh
    return step


def _descended(
    design: Floats, penalty: Floats, w: Floats, y: Floats, scores: Floats, gradient: Floats, step: Floats
) -> Floats:
    """The weights after a step, halved in each problem until its loss falls as it should (Armijo's rule)."""
    along = design @ step
    slope = (gradient * step).sum(axis=0)
    before = _loss(scores, y, penalty, w)
    size = np.ones(w.shape[1])
    for _ in range(30):
        after = _loss(scores + size * along, y, penalty, w + size * step)
        short = after > before + 1e-4 * size * slope + 1e-10 * np.abs(before)
        if not short.any():
            break
        size[short] /= 2
    return w + size * step


def _loss(scores: Floats, y: Floats, penalty: Floats, w: Floats) -> Floats:
    return (np.logaddexp(0.0, scores) - y * scores).sum(axis=0) + 0.5 * (penalty * w * w).sum(axis=0)


def row_basis(values: Floats) -> Floats:
    """Coordinates of the rows in an orthonormal basis of the space they span [rows, rank].

    A penalised linear model depends on the rows through their inner products only, so it is the same in these
    coordinates, of which there are no more than rows.
    """
    size, directions = np.linalg.eigh(values @ values.T)
    kept = size > 1e-10 * size[-1]
    return directions[:, kept] * np.sqrt(size[kept])


def relabelled(signs: Floats) -> Floats:
    """Labels of all rows, suspect rows first: 1 suspect, 0 reference [2n, relabellings]."""
    return np.vstack([signs.T > 0, signs.T < 0]).astype(np.float64)


def logistic_statistics(values: Floats, signs: Floats, C: float) -> Floats:
    """Minus the least penalised loss of a logistic regression refitted for every relabelling.

    Parameters
    ----------
    values : float array [2n, columns]
        Suspect rows first. Scaling must not look at the sides.
    signs : float array [1 + relabellings, n]
    C : float
        Inverse penalty.
    """
    rows, labels = row_basis(values), relabelled(signs)
    fit = fit_logistic(rows, labels, C)
    scores = rows @ fit.weights + fit.intercepts
    return -_loss(scores, labels, np.full((rows.shape[1], 1), 1.0 / C), fit.weights)


def logistic_aucs(values: Floats, signs: Floats, C: float, folds: int = 5) -> Floats:
    """Cross-validated AUROC, refitted for every relabelling and fold; both rows of a pair are in the same fold.

    The AUROC is taken within each fold and averaged. Pairs come in an order that says nothing about them, so every
    `folds`-th goes to the same fold.
    """
    rows, labels = row_basis(values), relabelled(signs)
    fold = np.tile(np.arange(signs.shape[1]) % folds, 2)
    areas = []
    for f in range(folds):
        held_out = fold == f
        fit = fit_logistic(rows[~held_out], labels[~held_out], C)
        ranks = rankdata(rows[held_out] @ fit.weights, axis=0)
        m = int(held_out.sum()) // 2
        areas.append(((ranks * labels[held_out]).sum(axis=0) - m * (m + 1) / 2) / m**2)
    return np.mean(areas, axis=0)


# ---------------------------------------------------------------------------------------------------------------- hyppo


def hyppo_difference(values: Floats, n: int) -> float:
    """Largest relative difference of our MMD and energy statistic from hyppo's, after hyppo's known scaling.

    Notes
    -----
    hyppo computes both as (co)variances of U-centred distance matrices with the distances L of the labels (0 within a
    side, 1 across). With n rows a side, U-centring L gives -n / (2n - 1) within and (n - 1) / (2n - 1) across, so

        sum of products = n^2 (n - 1) / (2n - 1) * unbiased statistic,
        sum of squares of the centred L = 2 n^2 (n - 1) / (2n - 1).

    `Energy` divides the first by 2n (2n - 3) and multiplies by (2n)^4 / (2 n^4) = 8. `MMD` takes 1 - k / max k for the
    distance, divides by the root of both sums of squares (the scale of the label kernel cancels) and by 8.
    """
    os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # compiling takes a minute, these two statistics a millisecond
    with warnings.catch_warnings():  # hyppo still imports from places that scipy is about to close
        warnings.simplefilter("ignore", DeprecationWarning)
        from hyppo.ksample import MMD, Energy

    observed = np.ones((1, n))
    apart = distances(values)
    kernel = gaussian_kernel(apart)
    share = n**2 * (n - 1) / (2 * n - 1)
    energy = 8 * share * energy_statistics(apart, observed)[0] / (2 * n * (2 * n - 3))
    squares = (_u_centred(1 - kernel / kernel.max()) ** 2).sum()
    mmd = share * mmd_statistics(kernel, observed)[0] / kernel.max() / np.sqrt(squares * 2 * share) / 8
    theirs = [float(test.statistic(values[:n], values[n:])) for test in (Energy(), MMD())]
    return max(abs(ours - other) / abs(other) for ours, other in zip((energy, mmd), theirs, strict=True))


def _u_centred(matrix: Floats) -> Floats:
    n = len(matrix)
    sums = matrix.sum(axis=0) / (n - 2)
    centred = matrix - sums[:, None] - sums[None, :] + matrix.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    return centred
