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


def judged_bag(log_odds: Floats, neutral: Floats, prior_log_odds: float, false_positive_rate: float) -> BagScore:
    """Judge one bag by neutral bags of its size.

    Parameters
    ----------
    log_odds : float array [rows of the bag]
        In nats, as `neutral`.
    neutral : float array [neutral rows]
        In an order that has nothing to do with the rows: neighbours share a bag.
    prior_log_odds : float
        Of the training rows' class shares: log-odds less this are log-likelihood ratios.
    false_positive_rate : float
        In (0, 1).

    Raises
    ------
    ValueError
        If the neutral rows make fewer bags than the rate needs.
    """
    k = len(log_odds)
    null = _bag_means(neutral, k)
    if (1 + len(null)) * false_positive_rate < 1:
        need = k * (int(np.ceil(1 / false_positive_rate)) - 1)
        raise ValueError(
            f"false_positive_rate must be at least {1 / (1 + len(null)):.2g} for bags of {k} rows, got "
            f"{false_positive_rate}; it takes {need} neutral rows that the detector was not trained on (neutral=)"
        )
    score = float(log_odds.mean())
    allowed = int(np.floor(false_positive_rate * (1 + len(null)) + 1e-9)) - 1  # neutral bags that may score as high
    threshold = float(np.sort(null)[::-1][allowed])
    pvalue = (1 + int((null >= score).sum())) / (1 + len(null))
    evidence = float((log_odds - prior_log_odds).sum())
    return BagScore(k, score, evidence, pvalue, false_positive_rate, threshold, score > threshold, len(null))


def _bag_means(scores: Floats, k: int) -> Floats:
    """Mean scores of disjoint bags of k rows."""
    n = len(scores) // k
    return np.asarray(scores[: n * k].reshape(n, k).mean(axis=1)) if n else np.empty(0)
