"""Controls of a filter's removals: as many rows removed at random, and as many by a detector.

*Random* removes as many rows and leaves as many pairs. The *detector* is fitted on one half of the groups and removes,
by one threshold for both sides, as many rows of the other half as the filter does; all removals are compared on that
other half, because rows removed by a detector that was fitted on them leave a test that can never reject.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Bools, Floats
from fingerprint.detection.analysis import Analysis
from fingerprint.detection.case import Case
from fingerprint.detection.residual import residual
from fingerprint.features.scaling import mean_zero
from fingerprint.report.results import Controls, DetectorControl, RandomControl
from fingerprint.statistics.auc import N_FOLDS
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.crossfit import cross_fit, folds
from fingerprint.statistics.intervals import Estimate
from fingerprint.statistics.streams import Stream

RANDOM_DRAWS = 20
# Fewer groups a side than this cannot be halved into a part to fit on and a part to compare on.
MIN_HALVED_GROUPS = 80


def controls(case: Case, main: Analysis, keep: Bools, compared: Bools) -> Controls:
    """What removals do that are matched to those of a filter, which keeps some of the compared rows [rows]."""
    if keep[compared].all() or not keep[compared].any():
        return Controls(None, None)
    random = _random(case, main, keep, compared, case.rng(Stream.MATCHED_REMOVALS))
    return Controls(random, _detector_control(case, main, keep, compared))


def _random(
    case: Case, main: Analysis, keep: Bools, among: Bools, rng: np.random.Generator
) -> RandomControl | None:
    """Random removals among some rows, matched to those of a filter; None where any leaves too little to measure."""
    draws = [residual(case, main, matched(keep, among, main.comparison, rng), False) for _ in range(RANDOM_DRAWS)]
    if any(draw.reason is not None for draw in draws):
        return None
    figures = (
        [draw.auc.value for draw in draws],
        [draw.bag16_auc.value for draw in draws],
        [draw.pvalue for draw in draws],
    )
    return RandomControl(RANDOM_DRAWS, *map(_mean_and_range, figures))


def _mean_and_range(values: Sequence[float | None]) -> Estimate:
    known = [value for value in values if value is not None]
    return Estimate(float(np.mean(known)), min(known), max(known)) if known else Estimate(None)


def matched(keep: Bools, among: Bools, comparison: Comparison, rng: np.random.Generator) -> Bools:
    """A random choice of rows that leaves as many rows a side, and as many pairs, as a filter does.

    The filter leaves each group some rows of either side. These counts are dealt anew among the groups that began with
    the same counts, and each group then gives up rows at random.
    """
    rows = np.flatnonzero(among)
    group = np.unique(comparison.group[rows], return_inverse=True)[1]
    cell = group * 2 + comparison.suspect[rows]
    n_cells = 2 * (int(group.max()) + 1)
    began, left = (np.bincount(cell[m], minlength=n_cells).reshape(-1, 2) for m in (slice(None), keep[rows]))
    dealt = left.copy()
    kinds = np.unique(began, axis=0, return_inverse=True)[1].ravel()
    for kind in range(int(kinds.max()) + 1):
        members = np.flatnonzero(kinds == kind)
        dealt[members] = left[rng.permutation(members)]
    order = rng.permutation(len(rows))
    order = order[np.argsort(cell[order], kind="stable")]
    first = np.concatenate([[0], np.cumsum(began.ravel())[:-1]])
    rank = np.empty(len(rows), dtype=np.int64)
    rank[order] = np.arange(len(rows)) - first[cell[order]]
    chosen = np.zeros(len(among), dtype=bool)
    chosen[rows[rank < dealt.ravel()[cell]]] = True
    return chosen


def _detector_control(case: Case, main: Analysis, keep: Bools, compared: Bools) -> DetectorControl | None:
    """Removals by the filter, at random and by a detector, on the half of the groups that the detector never saw."""
    half, scores = detector_scores(main.comparison, main.varying, compared, mean_zero(main.matrices))
    if half is None:
        return None
    among = compared.copy()
    among[compared] = half
    detected = np.zeros(len(among), dtype=bool)
    detected[among] = kept_by_threshold(scores[half], int((~keep[among]).sum()))
    return DetectorControl(
        residual(case, main, keep & among, False),
        _random(case, main, keep, among, case.rng(Stream.MATCHED_REMOVALS_OF_HALF)),
        residual(case, main, detected, False),
    )


def detector_scores(
    comparison: Comparison,
    features: Mapping[str, sp.csr_matrix],
    compared: Bools,
    with_mean_zero: Collection[str] = (),
) -> tuple[Bools | None, Floats]:
    """Which of the compared rows are in the half to compare on, and scores of all of them fitted on the other half.

    Half of the groups make up the first fold of a cross-fit, whose scores come from the other four; None where there
    are too few groups.

    Parameters
    ----------
    features : mapping of name to sparse matrix [rows, columns]
        Of all rows, label-blind.
    compared : bool array [rows]
    with_mean_zero : collection of str
        Names of the features whose columns have mean zero over rows that their model wrote.
    """
    among = comparison.only(compared)
    if min(len(np.unique(among.group[side])) for side in among.sides) < MIN_HALVED_GROUPS:
        return None, np.zeros(0)
    part = folds(among, 2 * (N_FOLDS - 1))
    half = part % 2 == 0
    fold = np.where(half, 0, 1 + part // 2)
    left = {name: values[compared] for name, values in features.items()}
    return half, cross_fit(among, left, fold=fold, mean_zero=with_mean_zero).stacked


def kept_by_threshold(scores: Floats, n_removed: int) -> Bools:
    """Rows under the score of the last of `n_removed` rows with the highest scores; ties at it go too."""
    if n_removed == 0:
        return np.ones(len(scores), dtype=bool)
    return np.asarray(scores < np.sort(scores)[-n_removed])
