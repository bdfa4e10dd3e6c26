"""Figures from scores with their 95 % intervals: AUROC, d_prime, and comparisons of two scores on the same rows."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from fingerprint.data.arrays import Floats
from fingerprint.data.corpus import Comparison
from fingerprint.report.results import Estimate
from fingerprint.statistics import crossfit as scoring

# Share of rows that may be anybody's. Of rows of numbers written by micro-a, 1 in 200 is read back into other tokens.
SLIP = 0.01


def bounded(ratios: Floats) -> Floats:
    """Log-likelihood ratios r as log((exp(r) + e) / (1 + e exp(r))), as if a share e of rows were the other side's.

    No row then counts for more than log(1 / e) nats, 4.6. Some rows are sampled in tokens that their text is not read
    back into, and have ratios of tens of nats that say nothing.
    """
    slip = np.log(SLIP)
    return np.asarray(np.logaddexp(ratios, slip) - np.logaddexp(0.0, ratios + slip))


def auc_interval(scores: scoring.Scores, family: str | None = None) -> Estimate:
    """AUROC within folds and its 95 % interval, for the stacked scores or those of one family."""
    moments = scoring.fold_auc(scores, scores.stacked if family is None else scores.families[family])
    agreement = scores.agreement if family is None else scores.family_agreement[family]
    return interval(moments, agreement, smaller_arm(scores.comparison))


def paired_interval(scores: scoring.Scores) -> Estimate:
    """Share of prompts whose suspect row scores above its reference row, and its 95 % interval; empty if unpaired."""
    return interval(scoring.paired_auc(scores), scores.agreement, smaller_arm(scores.comparison))


def interval(moments: scoring.Moments | None, agreement: float, rows: int) -> Estimate:
    """95 % interval on the logit scale, so that it stays between 0 and 1; `rows` (or bags) of the smaller arm."""
    if moments is None:
        return Estimate(None)
    # A perfect separation has no observed variance; half a misplaced row of the smaller arm stands in for it.
    least = 0.5 / max(rows, 1)
    sd = float(np.sqrt(max(moments.variance * scoring.inflation(agreement), least**2)))
    centre = min(max(moments.value, least), 1 - least)
    logit = np.log(centre / (1 - centre))
    half = float(ndtri(0.975)) * sd / (centre * (1 - centre))
    low, high = (float(1 / (1 + np.exp(-(logit + sign * half)))) for sign in (-1, 1))
    return Estimate(moments.value, min(low, moments.value), max(high, moments.value))


def smaller_arm(comparison: Comparison) -> int:
    n_suspect = int(comparison.suspect.sum())
    return min(n_suspect, len(comparison.suspect) - n_suspect)


def d_prime_of(auc: Estimate) -> Estimate:
    """sqrt(2) times the normal quantile of the auc."""
    ends = [
        None if x is None else float(np.sqrt(2) * ndtri(min(max(x, 1e-9), 1 - 1e-9)))
        for x in (auc.value, auc.low, auc.high)
    ]
    return Estimate(*ends)


def auc_difference(first: scoring.Scores, second: scoring.Scores) -> Estimate:
    """AUROC of the first stacked scores less that of the second, on the same rows and folds.

    Notes
    -----
    The interval pairs the two by prompt and widens the result for the reuse of rows in training by the larger of the
    two factors (`fingerprint.statistics.crossfit.inflation`). It is normal and approximate.
    """
    values, influences = zip(*(scoring.fold_influence(s, s.stacked) for s in (first, second)), strict=True)
    variance = scoring.clustered(influences[0] - influences[1], first.comparison.group)
    widened = variance * max(scoring.inflation(s.agreement) for s in (first, second))
    return _normal(values[0] - values[1], widened)


def efficiency(scores: scoring.Scores, detector: tuple[Floats, float], ceiling: Floats) -> Estimate:
    """d_prime of fitted scores over d_prime of a ceiling, on the same rows and folds.

    Parameters
    ----------
    detector : float array [rows] and float
        Out-of-fold scores, and their agreement with the best direction.
    ceiling : float array [rows]
        Scores that were fitted to nothing, such as the exact log-likelihood ratio.

    Notes
    -----
    Delta method on both AUROCs, with their covariance over prompts; the reuse of rows in training widens the part of
    the fitted scores. None where the ceiling's AUROC is not above .5, or one of the two is 0 or 1.
    """
    values, agreement = detector
    (area, influence), (top, top_influence) = (scoring.fold_influence(scores, v) for v in (values, ceiling))
    if not (0 < area < 1 and 0.5 < top < 1):
        return Estimate(None)
    reached, best = float(ndtri(area)), float(ndtri(top))
    own = influence / _normal_density(reached) / best
    of_ceiling = top_influence / _normal_density(best) * reached / best**2
    group = scores.comparison.group
    variance = scoring.clustered(own - of_ceiling, group)
    variance += (scoring.inflation(agreement) - 1) * scoring.clustered(own, group)
    return _normal(reached / best, variance)


def _normal(value: float, variance: float) -> Estimate:
    half = float(ndtri(0.975)) * float(np.sqrt(variance))
    return Estimate(value, value - half, value + half)


def _normal_density(x: float) -> float:
    return float(np.exp(-x * x / 2) / np.sqrt(2 * np.pi))
