"""What warnings are drawn from, and the levels that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Bools, Floats
from fingerprint.data.corpus import Corpus
from fingerprint.data.pairing import rank_within
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
    """What warnings are drawn from.

    Attributes
    ----------
    is_paired : bool
        Whether the report's p-value is of shared prompts alone: where the rows are a sample, that of all rows.
    """

    corpora: Sequence[Corpus]
    comparison: Comparison
    scores: Scores
    test: PermutationTest
    rungs: tuple[Rung, ...]
    control: PromptControl
    alpha: float
    is_paired: bool
    copies: CopiesResult | None = None
    skipped_shards: tuple[str, ...] = ()


def sums_by_group(comparison: Comparison, arm: Bools, values: Floats) -> tuple[Floats, Floats]:
    """Sums over the rows of each group of one arm, and their counts: rows of one prompt are not independent."""
    member = np.unique(comparison.group[arm], return_inverse=True)[1]
    sums = np.bincount(member, weights=values[arm]).astype(np.float64)
    return sums, np.bincount(member).astype(np.float64)


def one_row_a_group(comparison: Comparison) -> Bools:
    """One row a group and side: rows of one prompt are alike."""
    first: Bools = rank_within(comparison.group * 2 + comparison.suspect) == 0
    return first


@dataclass(frozen=True)
class Difference:
    """Difference of two means.

    Attributes
    ----------
    value : float
        Above 0 for more in the suspect.
    error : float
        Its standard error; 0 where nothing varies.
    degrees : int
        Degrees of freedom of the error.
    """

    value: float
    error: float
    degrees: int

    @property
    def pvalue(self) -> float:
        """Two-sided p-value of Student's t, valid for means that are nearly normal; 1 where nothing varies."""
        return student_pvalue(self.value / self.error, self.degrees) if self.error > 0 else 1.0


def student_pvalue(t: float, degrees: int) -> float:
    """Two-sided p-value of Student's t."""
    from scipy.special import stdtr

    return float(2 * stdtr(degrees, -abs(t)))


def mid_ranks(values: Floats) -> Floats:
    """Rank of each value from 1, ties sharing the mean of theirs."""
    _, member, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[member], dtype=np.float64)


def rank_correlation_pvalue(a: Floats, b: Floats) -> float:
    """Two-sided p-value of Spearman's rank correlation, by Student's t; both vary, and there are more than two pairs.

    What `scipy.stats.spearmanr` gives: to import scipy.stats takes longer than most comparisons of a few hundred rows.

    Examples
    --------
    >>> round(rank_correlation_pvalue(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0])), 3)
    0.2
    """
    r = float(np.corrcoef(mid_ranks(a), mid_ranks(b))[0, 1])
    degrees = len(a) - 2
    if abs(r) >= 1:
        return 0.0
    return student_pvalue(r * float(np.sqrt(degrees / ((1 - r) * (1 + r)))), degrees)


def difference_of_means(comparison: Comparison, values: Floats) -> Difference:
    """Mean over the suspect's rows less that over the reference's.

    Parameters
    ----------
    values : float array [rows]

    Notes
    -----
    The error is that of independent groups: rows of one prompt may be alike. Where both sides answer the same prompts
    it is too large rather than too small. Its degrees of freedom are those of the side with fewer groups, the least
    that the variances of two sides of any size can have together (Welch's formula gives more).
    """
    means, variance = [], 0.0
    for arm in comparison.sides:
        mean = float(values[arm].mean())
        sums, counts = sums_by_group(comparison, arm, values)
        means.append(mean)
        variance += float(((sums - counts * mean) ** 2).sum()) / counts.sum() ** 2 * len(sums) / max(len(sums) - 1, 1)
    return Difference(means[0] - means[1], float(np.sqrt(variance)), degrees_of_freedom(comparison))


def degrees_of_freedom(comparison: Comparison) -> int:
    """Groups of the side with fewer of them, less one for its mean; at least 1."""
    return max(min(len(np.unique(comparison.group[arm])) for arm in comparison.sides) - 1, 1)


def fisher_exact(held: tuple[int, int], rows: tuple[int, int]) -> float:
    """Two-sided p-value of Fisher's exact test: so many of the rows of the suspect and of the reference hold something.

    Valid at any number of rows where rows are independent, and conservative where a row of one side is like one of the
    other. Small tables are never sure: four rows against four give .029 at best.

    Examples
    --------
    >>> round(fisher_exact((4, 0), (4, 4)), 3)
    0.029
    """
    from scipy.special import gammaln

    def log_choose(n: int, k: Floats) -> Floats:
        return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), dtype=np.float64)

    total = sum(held)
    least = max(0, total - rows[1])
    possible = np.arange(least, min(rows[0], total) + 1, dtype=np.float64)
    logs = log_choose(rows[0], possible) + log_choose(rows[1], total - possible)
    probability = np.exp(logs - logs.max())
    # Tables as probable as the observed one count too; rounding must not part them.
    as_rare = probability <= probability[held[0] - least] * (1 + 1e-7)
    return float(probability[as_rare].sum() / probability.sum())
