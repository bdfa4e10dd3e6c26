"""Calibration of scores: the logistic curve from a score to log-odds (Platt 1999)."""

from __future__ import annotations

import numpy as np

from fingerprint.data.arrays import Bools, Floats

# Log-odds a standard deviation of the score: a detector without signal must not turn its own ranking round.
_LEAST_SLOPE = 1e-3


def platt(scores: Floats, trait: Bools) -> tuple[float, float]:
    """Slope and intercept of the log-odds given the score, by maximum likelihood with Platt's smoothed targets.

    Parameters
    ----------
    scores : float array [rows]
        Out of fold: of models that did not see the row.
    trait : bool array [rows]
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    n_trait, n_neutral = int(trait.sum()), int((~trait).sum())
    target = np.where(trait, (n_trait + 1) / (n_trait + 2), 1 / (n_neutral + 2))

    def loss(at: Floats) -> tuple[float, Floats]:
        log_odds = at[0] * scores + at[1]
        wrong = expit(log_odds) - target
        value = np.logaddexp(0.0, log_odds) - target * log_odds
        return float(value.mean()), np.array([(wrong * scores).mean(), wrong.mean()])

    found = minimize(loss, np.array([0.0, np.log(n_trait / n_neutral)]), jac=True, method="L-BFGS-B", tol=1e-12)
    return max(float(found.x[0]), _LEAST_SLOPE), float(found.x[1])
