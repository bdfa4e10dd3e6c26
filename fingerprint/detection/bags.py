"""How well bags of rows are told apart, judged together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fingerprint.data.progress import Step
from fingerprint.detection.analysis import Analysis, bag_intervals
from fingerprint.detection.section import Addition, Prepared, Section
from fingerprint.report.report import Report
from fingerprint.statistics.streams import Stream

STEP = "bags of rows"


def _find(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Addition:
    tell(STEP)
    found = bag_intervals(main.scores, prepared.case.rng(Stream.BAGS))
    return lambda others: replace(others, bag_results=found)


SECTION = Section(lambda prepared: [Step(STEP, 0.1)], _find, is_beside=True)
