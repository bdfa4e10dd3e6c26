"""Epsilon-contamination: log-likelihood ratios that a few strange rows cannot rule."""

from __future__ import annotations

import numpy as np

from fingerprint.data.arrays import Floats

# Share of rows that may be anybody's. Of rows of numbers written by micro-a, 1 in 200 is read back into other tokens.
EPSILON = 0.01


def contaminated(ratios: Floats) -> Floats:
    """Log-likelihood ratios r as log((exp(r) + e) / (1 + e exp(r))), as if a share e of rows were the other side's.

    No row then counts for more than log(1 / e) nats, 4.6. Some rows are sampled in tokens that their text is not read
    back into, and have ratios of tens of nats that say nothing.

    Parameters
    ----------
    ratios : float array
        In nats, of any shape.

    References
    ----------
    Huber (1965), doi 10.1214/aoms/1177699803: censored likelihood ratios are minimax under contamination.
    """
    epsilon = np.log(EPSILON)
    return np.asarray(np.logaddexp(ratios, epsilon) - np.logaddexp(0.0, ratios + epsilon))
