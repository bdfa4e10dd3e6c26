"""The ceiling that known teachers set: what their exact likelihood ratio reaches, and each detector's share of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.data.arrays import Bools, Floats
from fingerprint.data.progress import Step
from fingerprint.detection.analysis import Analysis
from fingerprint.detection.ranking import ranked_rows
from fingerprint.detection.section import Addition, Prepared, Section
from fingerprint.report.report import Report
from fingerprint.report.results import Efficiency, TeacherResult
from fingerprint.statistics.auc import fold_auc
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.crossfit import Scores
from fingerprint.statistics.intervals import auc_interval, d_prime_of, efficiency, interval

if TYPE_CHECKING:
    from fingerprint.detection.known_teacher import ExactRatios

STACK = "stack"
EXACT = "exact likelihood ratios"


def _steps(prepared: Prepared) -> Sequence[Step]:
    return () if prepared.case.teachers is None else [Step(EXACT, 8.0)]


def _find(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Addition:
    from fingerprint.detection.known_teacher import exact_ratios

    tell(EXACT)
    case = prepared.case
    if case.teachers is None:
        raise RuntimeError("teachers must be known before the section on them is written")
    ratios = exact_ratios(case.teachers, case.corpora)
    llr = pooled_ratios(ratios, main.comparison)
    more: dict[str, Floats | Bools] = {"llr": llr, "within_noise": np.abs(llr) <= ratios.limit}
    found, rows = ceiling(ratios, main.comparison, main.scores), ranked_rows(case, main, more)
    warnings = ratios.warnings()
    return lambda others: replace(others, teacher=found, rows=rows, warnings=(*others.warnings, *warnings))


SECTION = Section(_steps, _find)


def pooled_ratios(ratios: ExactRatios, comparison: Comparison) -> Floats:
    """The ratios [rows] in the order of a comparison."""
    both = np.concatenate(ratios.rows)
    return np.asarray(both[np.where(comparison.suspect, comparison.origin, len(ratios.rows[0]) + comparison.origin)])


def ceiling(ratios: ExactRatios, comparison: Comparison, scores: Scores) -> TeacherResult:
    """What the exact ratio reaches within the folds of cross-fitted scores, and their share of it."""
    llr = pooled_ratios(ratios, comparison)
    area = interval(fold_auc(scores.arms, llr), 1.0, scores.arms.smaller)
    named = {name: (values, scores.family_agreement[name]) for name, values in scores.families.items()}
    detectors = named | {STACK: (scores.stacked, scores.agreement)}
    areas = {name: auc_interval(scores, None if name == STACK else name) for name in detectors}
    within = [int((np.abs(side) <= ratios.limit).sum()) for side in ratios.rows]
    return TeacherResult(
        teacher=ratios.teacher,
        reference=ratios.reference,
        auc=area,
        d_prime=d_prime_of(area),
        floor=ratios.floor,
        within_floor_suspect=within[0],
        within_floor_reference=within[1],
        efficiencies=tuple(
            Efficiency(name, d_prime_of(areas[name]), efficiency(scores, detector, llr))
            for name, detector in detectors.items()
        ),
    )
