"""Rows judged together: a bag's score beside those of neutral bags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Floats


@dataclass(frozen=True)
class BagScore:
    """A bag of rows judged together.

    Attributes
    ----------
    rows : int
    score : float
        Mean calibrated log-odds of the rows, in nats.
    evidence : float
        Sum of the rows' log-likelihood ratios, trait against neutral, in nats: what the rows say together if they are
        independent and the probabilities are right.
    pvalue : float
        (1 + held-out neutral bags that score at least as high) / (1 + bags).
    false_positive_rate : float
        What was asked for.
    threshold : float
        Score at which a bag of this size is flagged at that rate.
    exceeds : bool
        Whether this bag is.
    neutral_bags : int
        Disjoint bags of held-out neutral rows behind both.
    """

    rows: int
    score: float
    evidence: float
    pvalue: float
    false_positive_rate: float
    threshold: float
    exceeds: bool
    neutral_bags: int


def bag_means(scores: Floats, k: int) -> Floats:
    """Mean scores of disjoint bags of k rows."""
    n = len(scores) // k
    return np.asarray(scores[: n * k].reshape(n, k).mean(axis=1)) if n else np.empty(0)
