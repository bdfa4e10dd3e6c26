"""What a language model adds: the stack of scores with its families and without, on the same rows and folds.

Beside it, what the scores say beyond how hard the rows are for the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fingerprint.data.progress import Step
from fingerprint.detection.analysis import Analysis, scored
from fingerprint.detection.hardness import hardness, hardness_warnings
from fingerprint.detection.model_families import FAMILIES, ReadCorpora
from fingerprint.detection.section import Addition, Prepared, Section
from fingerprint.report.report import Report
from fingerprint.report.results import ModelResult
from fingerprint.statistics.classifier import Classifier
from fingerprint.statistics.intervals import auc_difference, auc_interval


def _steps(prepared: Prepared) -> Sequence[Step]:
    return () if prepared.case.model is None else [Step("what the model adds", 0.5)]


def _find(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Addition:
    tell("what the model adds")
    reading = prepared.reading
    if reading is None:
        raise RuntimeError("a model must have read the rows before the section on it is written")
    found = _model_result(main, reading, prepared.case.options.classifier)
    told = (*hardness_warnings(found.hardness, report.pvalue), *reading.warnings())
    return lambda others: replace(others, model=found, warnings=(*others.warnings, *told))


SECTION = Section(_steps, _find)


def _model_result(main: Analysis, reading: ReadCorpora, classifier: Classifier | None) -> ModelResult:
    others = {name: matrix for name, matrix in main.matrices.items() if name not in FAMILIES}
    without = scored(main.comparison, others, classifier)
    return ModelResult(
        reading.model,
        reading.digest,
        reading.preamble,
        reading.system_prompts,
        reading.floor,
        auc_interval(main.scores),
        auc_interval(without),
        auc_difference(main.scores, without),
        hardness(reading, main.comparison, main.scores),
    )
