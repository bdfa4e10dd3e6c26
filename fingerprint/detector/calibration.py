"""Calibration of scores: the line from a score to log-odds, no steeper than the rows can vouch for.

The maximum-likelihood curve through out-of-fold scores (Platt 1999) takes its own noise for signal: at 120 rows its
slope has a standard error of .2, as much as a quiet trait is worth. Where the estimate is too high probabilities are
too sure, and where it is below zero it would be cut off there, so that on average a detector of nothing would claim
something. The slope used here is its mean over what is believed of it once the rows have been seen.
"""

from __future__ import annotations

import numpy as np

from fingerprint.data.arrays import Bools, Floats

# What is believed of the slope beforehand, in nats a standard deviation of the score: with this probability there is
# nothing to be told apart, and the slope is 0. Neither is favoured.
NOTHING = 0.5
# Otherwise it is half-normal with this scale: a row is expected to explain a tenth of the label's variance, as in
# `fingerprint.statistics.ridge.EXPLAINED`, which is a d_prime of .65.
SCALE = 0.65
# Log-odds a standard deviation of the score: a detector without signal must not turn its own ranking round.
_LEAST_SLOPE = 1e-3
_STEPS = 50
_CLOSE = 1e-10


def calibrated(
    scores: Floats, trait: Bools, inflation: float = 1.0, weights: Floats | None = None
) -> tuple[float, float]:
    """Slope and intercept of the log-odds given the score.

    Parameters
    ----------
    scores : float array [rows]
        Standardised, and out of fold: of models that did not see the row.
    trait : bool array [rows]
    inflation : float
        What the slope's sampling variance is multiplied by, since rows train one another's models:
        `fingerprint.statistics.auc.inflation`.
    weights : float array [rows], optional
        How many rows each stands for; 1 by default.

    Notes
    -----
    The likelihood of the slope is taken as normal around its maximum (with Platt's smoothed targets), the prior is
    `NOTHING` and `SCALE`, and the slope is the posterior mean; the intercept is the likeliest at that slope. Valid if
    the log-odds are about linear in the score: they are where it is normal with one variance in both classes.
    """
    counts = np.ones(len(scores)) if weights is None else weights
    target, start = _targets(trait, counts)
    slope, intercept = 0.0, start
    information = np.eye(2)
    for _ in range(_STEPS):
        gradient, information = _derivatives(scores, target, counts, slope, intercept)
        step = np.linalg.solve(information, gradient)
        step /= max(1.0, float(np.abs(step).max()))  # where the classes hardly overlap a whole step may go too far
        slope, intercept = slope + float(step[0]), intercept + float(step[1])
        if float(np.abs(step).max()) < _CLOSE:
            break
    variance = float(np.linalg.inv(information)[0, 0]) * inflation
    shrunk = max(shrunken(slope, variance), _LEAST_SLOPE)
    return shrunk, _intercept_at(shrunk, scores, target, counts, start)


def shrunken(slope: float, variance: float) -> float:
    """Posterior mean of a slope that was estimated with this sampling variance.

    Examples
    --------
    >>> [round(shrunken(slope, 0.2**2), 2) for slope in (-0.4, 0.0, 0.4, 0.8)]
    [0.01, 0.03, 0.3, 0.73]
    >>> round(shrunken(0.4, 0.02**2), 2)
    0.4
    """
    from scipy.special import log_ndtr

    wide = variance + SCALE**2
    spread = np.sqrt(variance * SCALE**2 / wide)
    middle = slope * SCALE**2 / wide
    below = middle / spread
    # Logarithm of the odds that there is something: of the two marginal likelihoods of the estimate.
    odds = np.log((1 - NOTHING) / NOTHING) + np.log(2.0) + 0.5 * (np.log(variance / wide) + slope**2 / variance)
    odds += -0.5 * slope**2 / wide + log_ndtr(below)
    something = 1 / (1 + np.exp(-min(max(float(odds), -700.0), 700.0)))
    hazard = np.exp(-0.5 * below**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(below))
    return float(something * max(float(middle + spread * hazard), 0.0))


def _targets(trait: Bools, counts: Floats) -> tuple[Floats, float]:
    """Platt's smoothed targets [rows], and the log-odds of the classes' shares."""
    n_trait, n_neutral = float(counts[trait].sum()), float(counts[~trait].sum())
    targets = np.where(trait, (n_trait + 1) / (n_trait + 2), 1 / (n_neutral + 2))
    return targets, float(np.log(n_trait / n_neutral))


def _derivatives(
    scores: Floats, target: Floats, counts: Floats, slope: float, intercept: float
) -> tuple[Floats, Floats]:
    """Gradient [2] of the log-likelihood by slope and intercept, and its information [2, 2]."""
    from scipy.special import expit

    chance = expit(slope * scores + intercept)
    weight = counts * np.maximum(chance * (1 - chance), 1e-12)
    wrong = counts * (target - chance)
    first, mixed = float(weight @ scores**2), float(weight @ scores)
    # A score without variance has no slope: a little on the diagonal leaves it at 0.
    information = np.array([[first + 1e-9, mixed], [mixed, float(weight.sum())]])
    return np.array([float(wrong @ scores), float(wrong.sum())]), information


def _intercept_at(slope: float, scores: Floats, target: Floats, counts: Floats, start: float) -> float:
    """The likeliest intercept at a slope."""
    intercept = start
    for _ in range(_STEPS):
        gradient, information = _derivatives(scores, target, counts, slope, intercept)
        step = min(max(float(gradient[1] / information[1, 1]), -1.0), 1.0)
        intercept += step
        if abs(step) < _CLOSE:
            break
    return intercept
