"""How alike the rows of two base models are: which tokens they write at all, whatever the teacher's trait.

A panel is worth most where its members come from the base model that wrote the rows judged. Which tokens a model writes
how often tells one base from another with a hundred rows, and conditioning hardly moves it. It is read from the pooled
rows of both sides, and so knows nothing of which row is from which: weights that hang on it leave the test exact.
"""

from __future__ import annotations

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.features.counted import PooledCounts
from fingerprint.features.tokens import Tokens

# Distance a token of a row at which likeness is one half: between the same base model with other prompts and another
# number rule (.016) and the nearest of three others (.050), a hundred rows judged (`benchmarks/panels.py bases`).
HALF = 0.03
STEEPNESS = 4.0


def distance(first: PooledCounts, second: PooledCounts) -> float:
    """Squared distance of the token frequencies of two corpora, without its noise, a token of a row.

    Each token counts by its variance over rows. Noise is that of independent rows; it can make the distance negative.

    Parameters
    ----------
    first, second : PooledCounts
        Of the family `tokens`.
    """
    means, variances = [], []
    for pooled in (first, second):
        mean, square = Tokens().moments(pooled)
        means.append(mean)
        variances.append(np.maximum(square - mean**2, 0.0))
    weight = 1.0 / (0.5 * (variances[0] + variances[1]) + Tokens.ridge)
    noise = variances[0] / max(first.rows, 1) + variances[1] / max(second.rows, 1)
    tokens_a_row = 0.5 * float(means[0].sum() + means[1].sum())
    return float((weight * ((means[0] - means[1]) ** 2 - noise)).sum()) / max(tokens_a_row, 1e-12)


def likeness(distances: Floats) -> Floats:
    """1 for rows of one base model, 0 for rows of very different ones, by their distance [...]."""
    return np.asarray(1.0 / (1.0 + (np.maximum(distances, 0.0) / HALF) ** STEEPNESS), dtype=np.float64)
