"""The self-test: how often the test rejects on this data where nothing differs by construction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fingerprint.data.corpus import Corpus
from fingerprint.data.progress import Step
from fingerprint.detection.analysis import Analysis, family_matrices, fresh_pvalue
from fingerprint.detection.section import Addition, Prepared, Section
from fingerprint.features import choose
from fingerprint.report.report import Report
from fingerprint.report.results import SelfTest
from fingerprint.statistics.comparison import Comparison, thin
from fingerprint.statistics.designs import MIN_GROUPS
from fingerprint.statistics.intervals import Estimate, exact_interval
from fingerprint.statistics.streams import Stream

SELF_TEST_ROWS = 2000
SELF_TEST_RUNS = 200
SELF_TEST_PERMUTATIONS = 199


def check_self_test(comparison: Comparison, reference: Corpus) -> None:
    """Whether the rows allow a self-test.

    Raises
    ------
    ValueError
        If the reference has to be split in two and is too small.
    """
    groups = len(np.unique(comparison.group[~comparison.suspect]))
    if comparison.design.paired is None and groups < 2 * MIN_GROUPS:
        raise ValueError(
            f"{reference.name} must hold at least {2 * MIN_GROUPS} independent rows or prompts for the self-test, "
            f"which splits it in two, got {groups}; sample more, or leave the self-test out"
        )


def _steps(prepared: Prepared) -> Sequence[Step]:
    return [Step("self-test", 24.0)] if prepared.case.options.self_test else ()


def _find(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Addition:
    tell("self-test")
    found = _self_test(prepared)
    return lambda others: replace(others, self_test=found)


SECTION = Section(_steps, _find)


def _self_test(prepared: Prepared) -> SelfTest:
    """How often the test rejects where nothing differs: the sides of pairs swapped, or the reference split in two.

    It runs the code on this data with a null that is true by construction. Whether the two sides of *your* corpora
    would be exchangeable without a trait depends on how they were sampled; no computation on them answers that.
    """
    case = prepared.case
    small = thin(prepared.comparison, SELF_TEST_ROWS).null_source()
    families = {**choose(prepared.families, small.texts), **prepared.model_families(small)}
    matrices = family_matrices(small, families, case.priors)
    n_permutations = max(SELF_TEST_PERMUTATIONS, 2 * int(np.ceil(1 / case.alpha)) - 1)
    rejections = 0
    for run in range(SELF_TEST_RUNS):
        rng = case.rng(Stream.SELF_TEST, run)
        rejections += fresh_pvalue(small.null(rng), matrices, n_permutations, rng) <= case.alpha
    low, high = exact_interval(rejections, SELF_TEST_RUNS)
    return SelfTest(SELF_TEST_RUNS, rejections, case.alpha, Estimate(rejections / SELF_TEST_RUNS, low, high))
