"""A report in about a dozen lines: what was compared, the figures a verdict stands on, warnings, the verdict."""

from __future__ import annotations

from fingerprint.report import formatting, sentences
from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.layout import Page
from fingerprint.report.text import verdict

# Said where a short text ends, before the verdict.
MORE = "Detectable is not harmful, and not detected is not clean. Everything: -v, in Python report.show()."
_WARNINGS = 3  # told by themselves; the others are counted
_LINES = 2  # of a text beside its label


def dozen_lines(report: DetectionResult, page: Page) -> str:
    """The report as about a dozen lines of text, fewer where little was asked for, more where much was found.

    Parameters
    ----------
    report : DetectionResult
        What to show.
    page : Page
        How wide, and whether in colours.
    """
    design = report.design
    sizes = (formatting.count(design.rows_suspect), formatting.count(design.rows_reference))
    rows = f"{sizes[0]} suspect and {sizes[1]} reference rows, {_compared(report)}"
    title = page.headed(page.wrap(f"{formatting.visible(report.title)}: {rows}", "  "))
    told = [(label, text) for label, text in _told(report) if text]
    lines = [*title, *page.labelled(told, _LINES), *_warnings(report, page), *page.wrap(MORE)]
    return "\n".join([*lines, "", *verdict(report, page)])


def _compared(report: DetectionResult) -> str:
    design = report.design
    if design.kind == "mixed":
        others = design.parts[-1]
        sizes = f"{formatting.count(others.rows_suspect)} against {formatting.count(others.rows_reference)}"
        return f"{formatting.count(design.pairs)} pairs that answer the same prompts, and {sizes} of other prompts"
    if design.pairs:
        return f"{formatting.count(design.pairs)} pairs that answer the same prompts"
    if design.kind == "cells":
        return f"{formatting.count(design.blocks)} cells of prompts"
    return f"{formatting.count(design.blocks)} blocks of prompts" if design.has_prompts else "no prompts"


def _told(report: DetectionResult) -> list[tuple[str, str]]:
    """What stands beside each label; empty where there is nothing to say."""
    bags = [bag for bag in report.bag_results if bag.auc.value is not None and bag.k in (16, 64)]
    together = "".join(f"; bags of {bag.k} {formatting.with_interval(bag.auc, 2)}" for bag in bags)
    return [
        ("p-value", f"{formatting.probability(report.pvalue)} at alpha {report.alpha:g}"),
        ("row AUROC", f"{formatting.with_interval(report.auc)}{together}"),
        ("differs in", _differs(report)),
        ("ladder", _ladder(report)),
        ("filters", _filters(report)),
        ("model", _gains(report)),
        ("placebos", _placebos(report)),
        ("needed", _needed(report) if report.detected else ""),
        ("power", "" if report.detected else _power(report)),
        ("self-test", _self_test(report)),
    ]


def _differs(report: DetectionResult) -> str:
    found = [r for r in report.family_results if r.pvalue_adjusted is not None and r.pvalue_adjusted <= report.alpha]
    names = ", ".join(formatting.name(r.family, 34) for r in sorted(found, key=lambda r: -(r.statistic or 0.0)))
    first = next(iter(sentences.differing(report)), None)
    most = "" if first is None else f"; most: {formatting.name(first.feature, 40)}, {first.direction}"
    return names + most if names else most.removeprefix("; ")


def _ladder(report: DetectionResult) -> str:
    rungs = [f"{formatting.name(rung.rung, 22)} {formatting.figure(rung.auc.value, 2)}" for rung in report.rungs]
    return f"row AUROC of {', '.join(rungs)}" if rungs else ""


def _filters(report: DetectionResult) -> str:
    parts = [
        f"{formatting.name(result.filter, 22)} removes {sentences.removed(result)} % and leaves "
        f"{formatting.figure(result.residual.bag16_auc.value, 2)} of bags of 16"
        for result in report.filter_results
    ]
    return "; ".join(parts)


def _gains(report: DetectionResult) -> str:
    parts = []
    if report.model is not None:
        name = formatting.visible(report.model.model, 40)
        without, beside = formatting.figure(report.model.auc_without.value), formatting.figure(report.model.auc.value)
        parts.append(f"with {name} the row AUROC goes from {without} to {beside}")
    if report.teacher is not None:
        parts.append(f"the ceiling is {formatting.with_interval(report.teacher.auc)}")
    if report.panel is not None:
        parts.append(f"without the panel p = {formatting.probability(report.panel.pvalue_without)}")
    return "; ".join(parts)


def _placebos(report: DetectionResult) -> str:
    return sentences.attribution(report)[0] if report.attribution is not None else ""


def _needed(report: DetectionResult) -> str:
    parts = []
    for target, how in (("trained detector", "by a detector trained on this"), ("this design", "by this design")):
        item = next((item for item in report.needed if item.target == target and item.power > 0.9), None)
        if item is not None and item.rows is not None:
            parts.append(f"{sentences.needed(item)} {sentences.needed_unit(report, target)} {how}")
    return f"for power .95, {'; '.join(parts)}" if parts else ""


def _power(report: DetectionResult) -> str:
    parts = [f"{item.auc:g} with probability {formatting.figure(item.power.value, 2)}" for item in report.planted]
    return f"a row AUROC of {', '.join(parts)} would have been found" if parts else ""


def _self_test(report: DetectionResult) -> str:
    test = report.self_test
    if test is None:
        return ""
    runs = f"{formatting.count(test.rejections)} of {formatting.count(test.runs)} relabelled runs"
    return f"rejected in {runs}, rate {formatting.with_interval(test.rate)}"


def _warnings(report: DetectionResult, page: Page) -> list[str]:
    lines = []
    for warning in report.warnings[:_WARNINGS]:
        figures = f"{formatting.rate(warning.value)}, threshold {formatting.rate(warning.threshold)}"
        told = f"Warning {formatting.visible(warning.code)} ({figures}): {formatting.visible(warning.message)}"
        lines += page.headed(page.cut(page.wrap(told, "  "), _LINES + (len(report.warnings) == 1)), "caution")
    more = report.warnings[_WARNINGS:]
    if more:
        codes = ", ".join(formatting.visible(warning.code) for warning in more)
        lines += page.wrap(f"Warnings besides: {codes}", "  ")
    return lines
