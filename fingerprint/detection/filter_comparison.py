"""Semantic filters against the detector: the same rows, the same bags, the same permutations, the same intervals.

For each filter, and for all of them in sequence: what it removes, how well it separates the corpora on its own, and
what is still detectable on the rows it keeps. A filter that looks at each row alone treats both sides by one rule, so
the survivors' sides are exchangeable under the null and the test on them is exact, once its design is rebuilt from the
prompts that have survivors on both sides.

Controls say what the removal itself does: see `fingerprint.detection.filter_controls`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from fingerprint.data.arrays import Bools, Floats
from fingerprint.data.corpus import Corpus
from fingerprint.data.progress import Step
from fingerprint.detection.analysis import Analysis
from fingerprint.detection.case import Case
from fingerprint.detection.filter_controls import controls
from fingerprint.detection.filter_warnings import filter_warnings, value_pvalue
from fingerprint.detection.residual import residual
from fingerprint.detection.section import Addition, Prepared, Section
from fingerprint.filters.verdicts import SEQUENCE, Filter, Verdicts
from fingerprint.report.report import Report
from fingerprint.report.results import Controls, FilterResult, ReasonCount, Residual
from fingerprint.statistics.auc import BAG_SIZES, N_FOLDS, bag_aucs, fold_auc
from fingerprint.statistics.comparison import Comparison, thinned_rows
from fingerprint.statistics.crossfit import folds
from fingerprint.statistics.intervals import Estimate, exact_interval, interval
from fingerprint.statistics.streams import Stream

# Survivors and their controls are compared on at most this many rows a side, as the ladder is: some sixty analyses a
# filter have to be affordable, and bags of 16 of 5,000 rows have an AUROC good to about .015.
COMPARED_ROWS = 5000
BAGS = (16, 64)


def _steps(prepared: Prepared) -> Sequence[Step]:
    names = [found.name for found in prepared.case.filters]
    if not names:
        return ()
    if len(names) > 1:
        names.append(SEQUENCE)
    return [Step("judging rows", 0.1), *(Step(f"filter: {name}", 12.0) for name in names)]


def _find(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Addition:
    """Semantic filters beside the detector, on the rows, bags and relabellings of the main analysis."""
    case = prepared.case
    tell("judging rows")
    verdicts = judge(case.filters, main.comparison, case.corpora)
    warnings = tuple(filter_warnings(verdicts, main, case.alpha))
    found = _compare(verdicts, case, main, tell)
    return lambda others: replace(others, filter_results=found, warnings=(*others.warnings, *warnings))


SECTION = Section(_steps, _find)


def _compare(
    verdicts: Mapping[str, Verdicts], case: Case, main: Analysis, tell: Callable[[str], None]
) -> tuple[FilterResult, ...]:
    """What filters remove and see, and what is detectable on what they keep: in their order, the sequence last."""
    stack = {SEQUENCE: in_sequence(verdicts)} if len(verdicts) > 1 else {}
    compared = thinned_rows(main.comparison, COMPARED_ROWS)
    left: dict[bytes, tuple[Residual, Controls]] = {}
    results = []
    for name, given in {**verdicts, **stack}.items():
        tell(f"filter: {name}")
        keep = given.kept
        same = np.packbits(keep & compared).tobytes()  # the sequence often keeps what one of the filters keeps
        if same not in left:
            left[same] = residual(case, main, keep & compared, True), controls(case, main, keep, compared)
        results.append(_result(name, given, *left[same], case, main))
    return tuple(results)


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


def _result(name: str, given: Verdicts, left: Residual, matched: Controls, case: Case, main: Analysis) -> FilterResult:
    comparison = main.comparison
    arms = comparison.sides
    values = given.dropped.astype(np.float64) if given.scores is None else given.scores
    areas = _separation(values, given.undecided, case, main)
    return FilterResult(
        filter=name,
        removed_suspect=_share(given.dropped[arms[0]]),
        removed_reference=_share(given.dropped[arms[1]]),
        unjudged_suspect=int(given.undecided[arms[0]].sum()),
        unjudged_reference=int(given.undecided[arms[1]].sum()),
        auc=areas[1],
        bag16_auc=areas[16],
        bag64_auc=areas[64],
        pvalue=value_pvalue(values, given.undecided, main),
        residual=left,
        controls=matched,
        reasons=_reason_counts(given, arms[0]),
    )


def _share(dropped: Bools) -> Estimate:
    n, count = len(dropped), int(dropped.sum())
    return Estimate(count / n, *exact_interval(count, n))


def _separation(values: Floats, undecided: Bools, case: Case, main: Analysis) -> Mapping[int, Estimate]:
    """AUROC of the filter's own values, by bag size, on the rows it could judge."""
    comparison = main.comparison
    if undecided.any():
        judged = comparison.suspect[~undecided]
        if min(int(judged.sum()), int((~judged).sum())) < N_FOLDS:
            return dict.fromkeys((1, *BAGS), Estimate(None))
        comparison, values = comparison.only(~undecided), values[~undecided]
    return _fixed_separation(comparison, values, case)


def _fixed_separation(comparison: Comparison, values: Floats, case: Case) -> Mapping[int, Estimate]:
    """AUROC of values that were not fitted to these rows, of rows (k = 1) and of the main analysis's bags."""
    arms = comparison.arms(folds(comparison))
    sizes = BAG_SIZES[: BAG_SIZES.index(max(BAGS)) + 1]
    bags = bag_aucs(arms, values, sizes, case.rng(Stream.BAGS))
    found = {k: interval(bags[k], 1.0, arms.smaller // k) for k in BAGS}
    return {1: interval(fold_auc(arms, values), 1.0, arms.smaller), **found}


def _reason_counts(given: Verdicts, suspect: Bools) -> tuple[ReasonCount, ...]:
    """How often each reason was given, the commonest first."""
    sides: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for reasons, is_suspect in zip(given.reasons, suspect, strict=True):
        sides[0 if is_suspect else 1].update(reasons)
    total = sides[0] + sides[1]
    common = sorted(total, key=lambda reason: (-total[reason], reason))
    return tuple(ReasonCount(reason, sides[0][reason], sides[1][reason]) for reason in common)
