"""How scores of members become one: standardised, weighted by a shrunk discriminant, and judged by agreement."""

from __future__ import annotations

import numpy as np

from fingerprint.data.arrays import Bools, Floats

# Added to the correlation of the families' scores before it is inverted for the stack: a little, plus more for fewer
# rows, whose differences are mostly noise.
STACK_RIDGE = 0.02
STACK_RIDGE_ROWS = 60.0
CONSTANT = 1e-12  # scores of a smaller sd are constant


def standardise(scores: Floats) -> Floats:
    """Zero mean and unit sd per column; a constant column becomes zero."""
    spread = scores.std(axis=0)
    return np.asarray((scores - scores.mean(axis=0)) / np.where(spread > CONSTANT, spread, 1.0) * (spread > CONSTANT))


def discriminant(z: Floats, label: Bools) -> Floats:
    """Weights of the stack's members: shrunk, non-negative linear discriminant; all ones where nothing separates."""
    difference = z[label].mean(axis=0) - z[~label].mean(axis=0)
    within = (np.atleast_2d(np.cov(z[label].T)) + np.atleast_2d(np.cov(z[~label].T))) / 2
    ridge = STACK_RIDGE + STACK_RIDGE_ROWS / len(z)
    solved = np.linalg.solve(within + ridge * np.eye(len(difference)), difference)
    weights = np.maximum(solved, 0.0)
    return np.asarray(weights if weights.any() else np.ones(len(difference)))
