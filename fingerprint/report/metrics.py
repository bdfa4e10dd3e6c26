"""A report as a flat table of numbers, for trackers of experiments."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from fingerprint.report.detection_result import DetectionResult
from fingerprint.statistics.intervals import Estimate

Metric = float | int | bool
# What names of metrics may hold in every tracker that we know of (MLflow is the strictest).
_STRANGE = re.compile(r"[^A-Za-z0-9_.-]+")


def metrics(report: DetectionResult, prefix: str = "") -> dict[str, Metric]:
    """The figures of a report by names of letters, digits and ``_ . - /``; see `Report.metrics`."""
    found: dict[str, Metric] = {}

    def put(name: str, value: Metric | None) -> None:
        if value is not None and math.isfinite(value):
            found[prefix + name] = value

    def put_estimate(name: str, estimate: Estimate) -> None:
        put(name, estimate.value)
        put(f"{name}_low", estimate.low)
        put(f"{name}_high", estimate.high)

    put("detected", report.detected)
    put("pvalue", report.pvalue)
    put("alpha", report.alpha)
    put_estimate("auc", report.auc)
    put_estimate("auc_paired", report.auc_paired)
    put_estimate("d_prime", report.d_prime)
    put("rows_suspect", report.design.rows_suspect)
    put("rows_reference", report.design.rows_reference)
    put("warnings", len(report.warnings))
    put("prompts_differ", report.prompt_control.differs)
    for bag in report.bag_results:
        put_estimate(f"bags/{bag.k}/auc", bag.auc)
    for planted in report.planted:
        put(f"power/{planted.auc:g}", planted.power.value)
    for family, name in zip(report.family_results, _names(f.family for f in report.family_results), strict=True):
        put(f"families/{name}/pvalue_adjusted", family.pvalue_adjusted)
        put(f"families/{name}/auc", family.auc.value)
    for rung, name in zip(report.rungs, _names(r.rung for r in report.rungs), strict=True):
        put(f"ladder/{name}/pvalue", rung.pvalue)
        put(f"ladder/{name}/auc", rung.auc.value)
    for result, name in zip(report.filter_results, _names(f.filter for f in report.filter_results), strict=True):
        put(f"filters/{name}/removed_suspect", result.removed_suspect.value)
        put(f"filters/{name}/removed_reference", result.removed_reference.value)
        put(f"filters/{name}/residual_auc", result.residual.auc.value)
        put(f"filters/{name}/residual_pvalue", result.residual.pvalue)
    return found


def _names(given: Iterable[str]) -> list[str]:
    """Names fit for any tracker, each once: what they may not hold becomes ``_``, and a second one gets a number."""
    names: list[str] = []
    for name in given:
        fit = _STRANGE.sub("_", name).strip("_") or "unnamed"
        spellings = (fit, *(f"{fit}_{i}" for i in range(2, len(names) + 3)))
        names.append(next(spelling for spelling in spellings if spelling not in names))
    return names
