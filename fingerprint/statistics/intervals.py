"""Figures from scores with their 95 % intervals: AUROC, d_prime, and comparisons of two scores on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.statistics import auc, effect_size
from fingerprint.statistics.auc import Moments

if TYPE_CHECKING:
    from fingerprint.statistics.crossfit import Scores


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; `None` where the data do not allow one."""

    value: float | None
    low: float | None = None
    high: float | None = None


def exact_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a binomial proportion."""
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - tail))
    return low, high


def auc_interval(scores: Scores, family: str | None = None) -> Estimate:
    """AUROC within folds and its 95 % interval, for the stacked scores or those of one family."""
    values, agreement = (
        (scores.stacked, scores.agreement)
        if family is None
        else (scores.families[family], scores.family_agreement[family])
    )
    return interval(auc.fold_auc(scores.arms, values), agreement, scores.arms.smaller)


def paired_interval(scores: Scores) -> Estimate:
    """Share of prompts whose suspect row scores above its reference row, and its 95 % interval; empty if unpaired."""
    return interval(auc.paired_auc(scores.arms, scores.stacked), scores.agreement, scores.arms.smaller)


def interval(moments: Moments | None, agreement: float, rows: int) -> Estimate:
    """95 % interval on the logit scale, so that it stays between 0 and 1; `rows` (or bags) of the smaller arm."""
    from scipy.special import ndtri

    if moments is None:
        return Estimate(None)
    # A perfect separation has no observed variance; half a misplaced row of the smaller arm stands in for it.
    least = 0.5 / max(rows, 1)
    sd = float(np.sqrt(max(moments.variance * auc.inflation(agreement), least**2)))
    centre = min(max(moments.value, least), 1 - least)
    logit = np.log(centre / (1 - centre))
    half = float(ndtri(0.975)) * sd / (centre * (1 - centre))
    low, high = (float(1 / (1 + np.exp(-(logit + sign * half)))) for sign in (-1, 1))
    return Estimate(moments.value, min(low, moments.value), max(high, moments.value))


def d_prime_of(area: Estimate) -> Estimate:
    """d_prime of an AUROC and of the ends of its interval."""
    ends = (area.value, area.low, area.high)
    return Estimate(*(None if end is None else effect_size.d_prime(min(max(end, 1e-9), 1 - 1e-9)) for end in ends))


def auc_difference(first: Scores, second: Scores) -> Estimate:
    """AUROC of the first stacked scores less that of the second, on the same rows and folds.

    Notes
    -----
    The interval pairs the two by prompt and widens the result for the reuse of rows in training by the larger of the
    two factors (`fingerprint.statistics.auc.inflation`). It is normal and approximate.
    """
    values, influences = zip(*(auc.fold_influence(s.arms, s.stacked) for s in (first, second)), strict=True)
    variance = auc.clustered(influences[0] - influences[1], first.arms.group)
    widened = variance * max(auc.inflation(s.agreement) for s in (first, second))
    return _normal(values[0] - values[1], widened)


def ratio(part: Estimate, whole: Estimate) -> Estimate:
    """Ratio of two figures and its 95 % interval (Fieller); empty where the whole may be 0, for no ratio has a bound.

    Notes
    -----
    The figures are taken as normal and uncorrelated: where they are measured on the same rows and move together the
    interval is too wide rather than too narrow.

    References
    ----------
    Fieller (1954), doi 10.1111/j.2517-6161.1954.tb00159.x.

    Examples
    --------
    >>> found = ratio(Estimate(0.5, 0.4, 0.6), Estimate(1.0, 0.9, 1.1))
    >>> found.value, round(found.low, 2), round(found.high, 2)
    (0.5, 0.39, 0.62)
    >>> ratio(Estimate(0.5, 0.4, 0.6), Estimate(1.0, -0.1, 2.1)).value is None
    True
    """
    if part.value is None or part.low is None or part.high is None or whole.value is None:
        return Estimate(None)
    if whole.low is None or whole.high is None or not whole.low > 0:
        return Estimate(None)
    half_part, half_whole = (part.high - part.low) / 2, (whole.high - whole.low) / 2
    curvature = whole.value**2 - half_whole**2
    if curvature <= 0:
        return Estimate(None)
    centre = part.value * whole.value / curvature
    half = float(np.sqrt(max(centre**2 - (part.value**2 - half_part**2) / curvature, 0.0)))
    return Estimate(part.value / whole.value, centre - half, centre + half)


def efficiency(scores: Scores, detector: tuple[Floats, float], ceiling: Floats) -> Estimate:
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
    from scipy.special import ndtri

    values, agreement = detector
    (area, influence), (top, top_influence) = (auc.fold_influence(scores.arms, v) for v in (values, ceiling))
    if not (0 < area < 1 and 0.5 < top < 1):
        return Estimate(None)
    reached, best = float(ndtri(area)), float(ndtri(top))
    own = influence / _normal_density(reached) / best
    of_ceiling = top_influence / _normal_density(best) * reached / best**2
    group = scores.arms.group
    variance = auc.clustered(own - of_ceiling, group)
    variance += (auc.inflation(agreement) - 1) * auc.clustered(own, group)
    return _normal(reached / best, variance)


def _normal(value: float, variance: float) -> Estimate:
    from scipy.special import ndtri

    half = float(ndtri(0.975)) * float(np.sqrt(variance))
    return Estimate(value, value - half, value + half)


def _normal_density(x: float) -> float:
    return float(np.exp(-x * x / 2) / np.sqrt(2 * np.pi))
