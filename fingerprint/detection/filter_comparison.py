"""Semantic filters against the detector: the same rows, the same bags, the same permutations, the same intervals.

For each filter, and for all of them in sequence: what it removes, how well it separates the corpora on its own, and
what is still detectable on the rows it keeps. A filter that looks at each row alone treats both sides by one rule, so
the survivors' sides are exchangeable under the null and the test on them is exact, once its design is rebuilt from the
prompts that have survivors on both sides.

Two controls say what the removal itself does. *Random* removes as many rows and leaves as many pairs. The *detector* is
fitted on one half of the groups and removes, by one threshold for both sides, as many rows of the other half as the
filter does; all removals are compared on that other half, because rows removed by a detector that was fitted on them
leave a test that can never reject.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.stats import fisher_exact, rankdata

from fingerprint.data.arrays import Bools, Floats
from fingerprint.data.corpus import Corpus
from fingerprint.detection.warnings import SURE, control_level
from fingerprint.filters.verdicts import SEQUENCE, Filter, Verdicts
from fingerprint.report.results import (
    Controls,
    DetectorControl,
    FilterResult,
    RandomControl,
    ReasonCount,
    Residual,
    Warning,
)
from fingerprint.statistics.auc import N_FOLDS
from fingerprint.statistics.comparison import Comparison, thinned_rows
from fingerprint.statistics.crossfit import cross_fit, folds
from fingerprint.statistics.intervals import Estimate, exact_interval
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test

Generator = np.random.Generator

# Survivors and their controls are compared on at most this many rows a side, as the ladder is: some sixty analyses a
# filter have to be affordable, and bags of 16 of 5,000 rows have an AUROC good to about .015.
COMPARED_ROWS = 5000
RANDOM_DRAWS = 20
# Fewer groups a side than this cannot be halved into a part to fit on and a part to compare on.
MIN_HALVED_GROUPS = 80
BAGS = (16, 64)


@dataclass(frozen=True)
class Measures:
    """What the main analysis lends: its rows, labels and features, and its ways to measure.

    Attributes
    ----------
    relabellings : Relabellings
        Those of the main test: a filter's p-value is taken under the same ones.
    matrices : mapping of name to sparse matrix [rows, columns]
        Features of all rows, label-blind. Survivors keep the columns that all rows have.
    mean_zero : collection of str
        Names of the matrices whose columns have mean zero over rows that their model wrote.
    separation : callable (comparison, values) -> {k: Estimate}
        AUROC of fixed row values, by bag size, in the bags of the main analysis.
    residual : callable (keep, with_power) -> Residual
        Test and scores on some of the rows, the design made anew.
    rng : callable (purpose) -> Generator
    """

    comparison: Comparison
    relabellings: Relabellings
    matrices: Mapping[str, sp.csr_matrix]
    mean_zero: Collection[str]
    separation: Callable[[Comparison, Floats], Mapping[int, Estimate]]
    residual: Callable[[Bools, bool], Residual]
    rng: Callable[[int], Generator]
    alpha: float


@dataclass(frozen=True)
class Compared:
    """Results in the order of the filters, the sequence last, and what the reader must know about them."""

    results: tuple[FilterResult, ...]
    warnings: tuple[Warning, ...]


def judge(filters: Sequence[Filter], comparison: Comparison, corpora: Sequence[Corpus]) -> dict[str, Verdicts]:
    """Every filter's verdicts on all rows, which come in an order that says nothing about their corpus.

    Raises
    ------
    ValueError
        If a filter gives another number of verdicts than there are rows.
    """
    rows = zip(comparison.suspect, comparison.origin, strict=True)
    prompts = [corpora[0 if suspect else 1].prompts[origin] for suspect, origin in rows]
    verdicts = {found.name: found(comparison.texts, prompts) for found in filters}
    for name, given in verdicts.items():
        if len(given) != len(prompts):
            raise ValueError(
                f"filter {name} must give one verdict per row, got {len(given)} for {len(prompts)} rows; check it"
            )
    return verdicts


def compare(verdicts: Mapping[str, Verdicts], measures: Measures, tell: Callable[[str], None]) -> Compared:
    """What filters remove and see, and what is detectable on what they keep."""
    stack = {SEQUENCE: in_sequence(verdicts)} if len(verdicts) > 1 else {}
    compared = thinned_rows(measures.comparison, COMPARED_ROWS)
    left: dict[bytes, tuple[Residual, Controls]] = {}
    results = []
    for name, given in {**verdicts, **stack}.items():
        tell(f"filter: {name}")
        keep = given.kept
        same = np.packbits(keep & compared).tobytes()  # the sequence often keeps what one of the filters keeps
        if same not in left:
            left[same] = measures.residual(keep & compared, True), _controls(keep, compared, measures)
        results.append(_result(name, given, *left[same], measures))
    return Compared(tuple(results), tuple(_warnings(verdicts, measures)))


def in_sequence(verdicts: Mapping[str, Verdicts]) -> Verdicts:
    """Verdicts of filters that run one after the other: the first that does not keep a row gives its reasons."""
    if not verdicts:
        return Verdicts(())
    reasons: list[tuple[str, ...]] = []
    undecided = []
    each = [(name, given.reasons, given.undecided) for name, given in verdicts.items()]
    for row in range(len(each[0][1])):
        first = next(((name, found[row], u[row]) for name, found, u in each if found[row] or u[row]), None)
        reasons.append(() if first is None else tuple(f"{first[0]}: {reason}" for reason in first[1]))
        undecided.append(first is not None and bool(first[2]))
    return Verdicts(tuple(reasons), unjudged=np.array(undecided, dtype=bool))


# ---------------------------------------------------------------------------------------------------------- one filter


def _result(name: str, given: Verdicts, residual: Residual, controls: Controls, measures: Measures) -> FilterResult:
    comparison = measures.comparison
    arms = comparison.sides
    values = given.dropped.astype(np.float64) if given.scores is None else given.scores
    areas = _separation(values, given.undecided, measures)
    return FilterResult(
        filter=name,
        removed_suspect=_share(given.dropped[arms[0]]),
        removed_reference=_share(given.dropped[arms[1]]),
        unjudged_suspect=int(given.undecided[arms[0]].sum()),
        unjudged_reference=int(given.undecided[arms[1]].sum()),
        auc=areas[1],
        bag16_auc=areas[16],
        bag64_auc=areas[64],
        pvalue=_pvalue(values, given.undecided, measures),
        residual=residual,
        controls=controls,
        reasons=_reason_counts(given, arms[0]),
    )


def _share(dropped: Bools) -> Estimate:
    n, count = len(dropped), int(dropped.sum())
    return Estimate(count / n, *exact_interval(count, n))


def _separation(values: Floats, undecided: Bools, measures: Measures) -> Mapping[int, Estimate]:
    """AUROC of the filter's own values, by bag size, on the rows it could judge."""
    comparison = measures.comparison
    if undecided.any():
        judged = comparison.suspect[~undecided]
        if min(int(judged.sum()), int((~judged).sum())) < N_FOLDS:
            return dict.fromkeys((1, *BAGS), Estimate(None))
        comparison, values = comparison.only(~undecided), values[~undecided]
    return measures.separation(comparison, values)


def _pvalue(values: Floats, undecided: Bools, measures: Measures) -> float:
    """The filter's values as a feature family of one column, under the main test's relabellings.

    Values enter as pooled ranks. Rows that could not be judged get the mean rank, whichever side they are from, so the
    test stays exact.
    """
    ranks = np.zeros(len(values))
    if not undecided.all():
        ranks[~undecided] = rankdata(values[~undecided])
        ranks[~undecided] -= ranks[~undecided].mean()
    column = sp.csr_matrix((ranks / max(len(ranks), 1)).astype(np.float32)[:, None])
    kernels = {"filter": gram(measures.comparison.units(column))}
    return permutation_test(kernels, measures.relabellings).pvalue


def _reason_counts(given: Verdicts, suspect: Bools) -> tuple[ReasonCount, ...]:
    """How often each reason was given, the commonest first."""
    sides: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for reasons, is_suspect in zip(given.reasons, suspect, strict=True):
        sides[0 if is_suspect else 1].update(reasons)
    total = sides[0] + sides[1]
    common = sorted(total, key=lambda reason: (-total[reason], reason))
    return tuple(ReasonCount(reason, sides[0][reason], sides[1][reason]) for reason in common)


# ------------------------------------------------------------------------------------------------------------ controls


def _controls(keep: Bools, compared: Bools, measures: Measures) -> Controls:
    if keep[compared].all() or not keep[compared].any():
        return Controls(None, None)
    random = _random(keep, compared, measures, measures.rng(21))
    return Controls(random, _detector_control(keep, compared, measures))


def _random(keep: Bools, among: Bools, measures: Measures, rng: Generator) -> RandomControl | None:
    """Random removals among some rows, matched to those of a filter; None where any leaves too little to measure."""
    draws = [measures.residual(matched(keep, among, measures.comparison, rng), False) for _ in range(RANDOM_DRAWS)]
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


def matched(keep: Bools, among: Bools, comparison: Comparison, rng: Generator) -> Bools:
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


def _detector_control(keep: Bools, compared: Bools, measures: Measures) -> DetectorControl | None:
    """Removals by the filter, at random and by a detector, on the half of the groups that the detector never saw."""
    half, scores = detector_scores(compared, measures)
    if half is None:
        return None
    among = compared.copy()
    among[compared] = half
    detected = np.zeros(len(among), dtype=bool)
    detected[among] = kept_by_threshold(scores[half], int((~keep[among]).sum()))
    return DetectorControl(
        measures.residual(keep & among, False),
        _random(keep, among, measures, measures.rng(22)),
        measures.residual(detected, False),
    )


def detector_scores(compared: Bools, measures: Measures) -> tuple[Bools | None, Floats]:
    """Which of the compared rows are in the half to compare on, and scores of all of them fitted on the other half.

    Half of the groups make up the first fold of a cross-fit, whose scores come from the other four; None where there
    are too few groups.
    """
    comparison = measures.comparison.only(compared)
    sides = comparison.sides
    if min(len(np.unique(comparison.group[side])) for side in sides) < MIN_HALVED_GROUPS:
        return None, np.zeros(0)
    part = folds(comparison, 2 * (N_FOLDS - 1))
    half = part % 2 == 0
    fold = np.where(half, 0, 1 + part // 2)
    features = {name: values[compared] for name, values in measures.matrices.items()}
    return half, cross_fit(comparison, features, fold=fold, mean_zero=measures.mean_zero).stacked


def kept_by_threshold(scores: Floats, n_removed: int) -> Bools:
    """Rows under the score of the last of `n_removed` rows with the highest scores; ties at it go too."""
    if n_removed == 0:
        return np.ones(len(scores), dtype=bool)
    return np.asarray(scores < np.sort(scores)[-n_removed])


# ------------------------------------------------------------------------------------------------------------ warnings


def _warnings(verdicts: Mapping[str, Verdicts], measures: Measures) -> Iterator[Warning]:
    for name, given in verdicts.items():
        yield from _one_sided(name, given, measures.comparison.suspect)
    yield from _identical(verdicts)
    yield from _separating(verdicts, measures)


def _one_sided(name: str, given: Verdicts, suspect: Bools) -> Iterator[Warning]:
    """A filter that judged one side only, or that finds nothing on one side and much on the other."""
    for side, other, arm in (("suspect", "reference", suspect), ("reference", "suspect", ~suspect)):
        if given.undecided[arm].all() and not given.undecided[~arm].all():
            message = f"{name} judged {other} rows only: what it removes there says nothing about the {side}"
            yield Warning("filter_one_side", float(given.undecided[arm].mean()), 1.0, message)
        removed, n = int(given.dropped[~arm].sum()), int((~arm).sum())
        if given.dropped[arm].any() or not removed or given.undecided[arm].all():
            continue
        table = [[0, int(arm.sum())], [removed, n - removed]]
        if fisher_exact(table).pvalue <= SURE:
            message = (
                f"{name} removes none of the {side} rows and this share of the {other}: it may have run on the {side} "
                "already; filter both sides alike"
            )
            yield Warning("filter_one_side", removed / n, 0.0, message)


def _identical(verdicts: Mapping[str, Verdicts]) -> Iterator[Warning]:
    seen: dict[bytes, str] = {}
    for name, given in verdicts.items():
        keep = given.kept
        if keep.all():
            continue
        first = seen.setdefault(np.packbits(keep).tobytes(), name)
        if first != name:
            message = f"{name} keeps exactly the rows that {first} keeps: one of them adds nothing"
            yield Warning("filters_identical", float((~keep).sum()), 0.0, message)


def _separating(verdicts: Mapping[str, Verdicts], measures: Measures) -> Iterator[Warning]:
    """Removal as a test of its own; the level is shared between the filters."""
    level = control_level(measures.alpha) / max(len(verdicts), 1)
    nobody = np.zeros(len(measures.comparison.suspect), dtype=bool)
    for name, given in verdicts.items():
        pvalue = _pvalue(given.dropped.astype(np.float64), nobody, measures)
        if pvalue <= level:
            message = f"what {name} removes differs between the sides: the removal alone tells them apart"
            yield Warning("filter_separates", pvalue, level, message)


def nothing_left(kept: tuple[int, int], reason: str) -> Residual:
    """The residual where nothing can be measured, and why."""
    if min(kept) == 0:
        side = "suspect" if kept[0] == 0 else "reference"
        reason = "no rows survive" if max(kept) == 0 else f"no {side} rows survive"
    return Residual(*kept, None, Estimate(None), Estimate(None), None, reason=reason)
