"""d_prime and AUROC, and how many rows an effect of a size takes: one formula each."""

from __future__ import annotations

import numpy as np


def d_prime(auc: float) -> float:
    """Distance of two normal score distributions in standard deviations that gives this AUROC: sqrt(2) Phi^-1(auc)."""
    from scipy.special import ndtri

    return float(np.sqrt(2) * ndtri(auc))


def auc_of(d_prime: float) -> float:
    """Inverse of `d_prime`."""
    from scipy.special import ndtr

    return float(ndtr(d_prime / np.sqrt(2)))


def rows_for_trained_detector(d_prime: float, power: float, alpha: float) -> int | None:
    """Fresh rows that a detector of this d_prime needs, judged together; None where no number of rows is enough.

    Parameters
    ----------
    d_prime : float
    power : float
        Wanted probability of a detection, in (0, 1).
    alpha : float
        Level of the one-sided test, in (0, 1).

    Notes
    -----
    The mean score of n independent rows is close to normal, which gives
    ``n = ((z_(1-alpha) + z_power) / d_prime) ** 2``.
    """
    from scipy.special import ndtri

    if not d_prime > 0:
        return None
    ratio = float(ndtri(1 - alpha) + ndtri(power)) / d_prime
    rows = ratio * ratio  # a power of two would overflow with a warning
    return max(1, int(np.ceil(rows))) if np.isfinite(rows) else None
