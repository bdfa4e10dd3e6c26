"""What warnings are drawn from, and the levels that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Bools, Floats
from fingerprint.data.corpus import Corpus
from fingerprint.report.results import CopiesResult, PromptControl, Rung
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.crossfit import Scores
from fingerprint.statistics.permutation import PermutationTest

# For warnings that need a test of their own: false alarms in at most one clean comparison in 1,000.
SURE = 0.001
# Level of the prompt control, unless alpha is stricter: it may overrule a verdict, so it must rarely be wrong.
CONTROL_LEVEL = 0.01


def control_level(alpha: float) -> float:
    """At which p-value the prompts of the two sides count as different."""
    return min(alpha, CONTROL_LEVEL)


@dataclass(frozen=True)
class Findings:
    """What warnings are drawn from."""

    corpora: Sequence[Corpus]
    comparison: Comparison
    scores: Scores
    test: PermutationTest
    rungs: tuple[Rung, ...]
    control: PromptControl
    alpha: float
    copies: CopiesResult | None = None


def sums_by_group(comparison: Comparison, arm: Bools, values: Floats) -> tuple[Floats, Floats]:
    """Sums over the rows of each group of one arm, and their counts: rows of one prompt are not independent."""
    member = np.unique(comparison.group[arm], return_inverse=True)[1]
    sums = np.bincount(member, weights=values[arm]).astype(np.float64)
    return sums, np.bincount(member).astype(np.float64)


def difference_of_means(comparison: Comparison, values: Floats) -> tuple[float, float]:
    """Mean over the suspect's rows less that over the reference's, and its standard error.

    Parameters
    ----------
    values : float array [rows]

    Notes
    -----
    The error is that of independent groups: rows of one prompt may be alike. Where both sides answer the same prompts
    it is too large rather than too small.
    """
    means, variance = [], 0.0
    for arm in comparison.sides:
        mean = float(values[arm].mean())
        sums, counts = sums_by_group(comparison, arm, values)
        means.append(mean)
        variance += float(((sums - counts * mean) ** 2).sum()) / counts.sum() ** 2 * len(sums) / max(len(sums) - 1, 1)
    return means[0] - means[1], float(np.sqrt(variance))


def two_sided(difference: float, error: float) -> float:
    """Normal p-value of a difference with this standard error; 1 where nothing varies."""
    from scipy.special import ndtr

    return float(2 * ndtr(-abs(difference) / error)) if error > 0 else 1.0
