"""How alike the rows of two base models are: which tokens they write at all, whatever the teacher's trait.

A panel is worth most where its members come from the base model that wrote the rows judged. Which tokens a model writes
how often tells one base from another with a hundred rows, and conditioning hardly moves it. It is read from the pooled
rows of both sides, and so knows nothing of which row is from which: weights that hang on it leave the test exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats, Ints
from fingerprint.features.counted import PooledCounts
from fingerprint.features.tokens import Tokens

# Distance a token of a row at which likeness is one half: between the same base model with other prompts and another
# number rule (.016) and the nearest of three others (.050), a hundred rows judged (`benchmarks/panels.py bases`).
HALF = 0.03
STEEPNESS = 4.0


@dataclass(frozen=True)
class TokenRates:
    """How often some rows have each token, and how well that is known.

    Attributes
    ----------
    mean, variance : float arrays [columns]
        Over the rows.
    noise : float array [columns]
        Squared standard error of the mean, if groups of rows are independent: rows of one prompt are not.
    """

    mean: Floats
    variance: Floats
    noise: Floats

    @classmethod
    def of(cls, pooled: PooledCounts, sums: sp.csr_matrix, rows: Ints) -> TokenRates:
        """From sums by group.

        Parameters
        ----------
        pooled : PooledCounts
            Of the family `tokens`, over all rows.
        sums : sparse matrix [groups, columns]
            Of each group, such as the rows of one prompt.
        rows : int array [groups]
            How many rows a group has; groups without any take no part.
        """
        mean, square = Tokens().moments(pooled)
        variance, known = np.maximum(square - mean**2, 0.0), int((rows > 0).sum())
        if known < 2:  # one group does not show how far groups lie apart: at least so much as its rows do
            return cls(mean, variance, variance / max(pooled.rows, 1))
        squared = np.asarray(sums.multiply(sums).sum(axis=0), dtype=np.float64).ravel()
        apart = squared - 2 * mean * (rows @ sums) + mean**2 * float(np.square(rows, dtype=np.float64).sum())
        noise = np.maximum(apart, 0.0) / max(pooled.rows, 1) ** 2 * known / max(known - 1, 1)
        return cls(mean, variance, noise)

    @classmethod
    def of_rows(cls, texts: Sequence[str], group: Ints) -> TokenRates:
        """Of rows in groups [rows] numbered from 0: those that answer one prompt are one."""
        tokens = Tokens()
        counts = tokens.counts(texts)
        holds = sp.csr_matrix((np.ones(len(group), dtype=np.int64), (group, np.arange(len(group)))))
        return cls.of(tokens.pooled(counts, texts), holds @ counts, np.bincount(group))


def distance(first: TokenRates, second: TokenRates) -> float:
    """Squared distance of the token frequencies of two corpora, without its noise, a token of a row.

    Each token counts by its variance over rows. Without noise the distance can be negative. It is what the prompts of
    either corpus would have if there were any number of them: few prompts of many rows are no distance.
    """
    weight = 1.0 / (0.5 * (first.variance + second.variance) + Tokens.ridge)
    tokens_a_row = 0.5 * float(first.mean.sum() + second.mean.sum())
    apart = (first.mean - second.mean) ** 2 - first.noise - second.noise
    return float((weight * apart).sum()) / max(tokens_a_row, 1e-12)


def likeness(distances: Floats) -> Floats:
    """1 for rows of one base model, 0 for rows of very different ones, by their distance [...]."""
    return np.asarray(1.0 / (1.0 + (np.maximum(distances, 0.0) / HALF) ** STEEPNESS), dtype=np.float64)
