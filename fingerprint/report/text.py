"""The terminal text of a report: a screenful, at most 100 columns, plain characters only."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fingerprint.report import formatting as wording

if TYPE_CHECKING:
    from fingerprint.report.report import Report

WIDTH = 100
_BAGS_A_LINE = 7  # cells of 13 characters beside a label of 9 fill the width
_FEATURES = 8
_DESCRIPTION = 110  # characters of a rung's description: three lines of its column
_INTERVAL = re.compile(r"(\S+: )?\S+ \[[^][ ]+, [^][ ]+\]")  # a label, its figure and interval stay on one line
_JOIN = "\N{NO-BREAK SPACE}"  # in no text from the data: `visible` escapes it


def screenful(report: Report) -> str:
    """The report as text for a terminal.

    Parameters
    ----------
    report : Report
        What to show.

    Returns
    -------
    str
        Lines of at most 100 characters, without control characters other than newlines.
    """
    sections = (
        _wrap(wording.visible(report.verdict)),
        _headline(report),
        _wrap("Design: " + " ".join(wording.design_sentences(report.design)), "  "),
        _bags(report),
        _families(report),
        _model(report),
        _teacher(report),
        _attribution(report),
        _ladder(report),
        _filters(report),
        _needed(report) + _power(report),
        _features(report),
        _controls(report),
        _warnings(report),
        _wrap(wording.LIMITS),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _headline(report: Report) -> list[str]:
    null = f"alpha {report.alpha:g}, {wording.count(wording.permutations(report))} permutations"
    lines = [
        ("p-value", wording.probability(report.pvalue), null),
        ("row AUROC", wording.with_interval(report.auc), f"d' {wording.with_interval(report.d_prime)}"),
    ]
    if report.auc_paired.value is not None:
        lines.append(("paired AUROC", wording.with_interval(report.auc_paired), "rows that answer the same prompt"))
    return [f"{label:<13} {value:<22}  {note}" for label, value, note in lines]


def _bags(report: Report) -> list[str]:
    known = [bag for bag in report.bag_results if bag.auc.value is not None]
    lines = ["Bags of k texts judged together"] if report.bag_results else []
    for start in range(0, len(known), _BAGS_A_LINE):
        part = known[start : start + _BAGS_A_LINE]
        lines.append(_cells("k", [str(bag.k) for bag in part]))
        lines.append(_cells("AUROC", [wording.figure(bag.auc.value) for bag in part]))
        lines.append(_cells("95 %", [wording.interval(bag.auc, 2) for bag in part]))
    if missing := [str(bag.k) for bag in report.bag_results if bag.auc.value is None]:
        lines += _wrap(f"too few rows for bags of {', '.join(missing)}", "  ", "  ")
    return lines


def _cells(label: str, cells: Sequence[str]) -> str:
    return f"  {label:<7}" + "".join(f"{cell:>13}" for cell in cells)


def _families(report: Report) -> list[str]:
    if not report.family_results:
        return []
    rows = [
        (
            wording.name(result.family, 34),
            wording.count(result.columns),
            wording.figure(result.statistic, 2),
            wording.probability(result.pvalue_adjusted),
            wording.with_interval(result.auc),
        )
        for result in report.family_results
    ]
    return _table(("Feature family", "columns", "statistic", "p adjusted", "row AUROC"), rows, left=(0, 4))


def _ladder(report: Report) -> list[str]:
    if not report.rungs:
        return []
    rows = [
        (
            wording.name(rung.rung, 22),
            wording.probability(rung.pvalue),
            wording.with_interval(rung.auc, 2),
            wording.figure(rung.bag16_auc.value, 2),
            wording.visible(rung.description, _DESCRIPTION),
        )
        for rung in report.rungs
    ]
    lines = _table(("Ladder", "p", "row AUROC", "bags of 16", "what it keeps"), rows, left=(0, 2, 4))
    order = wording.order_adds(report)
    return lines + (_wrap(order, "  ", "  ") if order else [])


def _model(report: Report) -> list[str]:
    return [line for sentence in wording.model_sentences(report) for line in _wrap(sentence, "  ")]


def _teacher(report: Report) -> list[str]:
    lines = [line for sentence in wording.teacher_sentences(report) for line in _wrap(sentence, "  ")]
    if report.teacher is None:
        return lines
    rows = [
        (
            wording.name(item.detector, 22),
            wording.with_interval(item.d_prime, 2),
            wording.with_interval(item.efficiency, 2),
        )
        for item in report.teacher.efficiencies
    ]
    return lines + _table(("Share of the ceiling", "d'", "efficiency"), rows, left=(0, 1, 2))


def _attribution(report: Report) -> list[str]:
    if report.attribution is None:
        return []
    rows = [
        (
            wording.name(item.placebo, 30),
            wording.probability(item.pvalue),
            wording.with_interval(item.auc, 2),
            wording.probability(item.reference_pvalue),
            wording.with_interval(item.reference_auc, 2),
        )
        for item in report.attribution.placebos
    ]
    header = ("Placebos", "p, suspect", "row AUROC", "p, reference", "row AUROC")
    lines = _table(header, rows, left=(0, 2, 4))
    for sentence in wording.attribution_sentences(report):
        lines += _wrap(sentence, "  ", "  ")
    return lines


def _filters(report: Report) -> list[str]:
    if not report.filter_results:
        return []
    rows = [
        (
            wording.name(result.filter, 22),
            wording.removed(result),
            wording.figure(result.auc.value, 2),
            wording.probability(result.pvalue),
            wording.with_interval(result.residual.bag16_auc, 2),
            wording.probability(result.residual.pvalue),
            wording.random_bag(result),
        )
        for result in report.filter_results
    ]
    header = ("Semantic filters", "removed %", "AUROC", "p", "left: bags of 16", "p", "random")
    lines = _table(header, rows, left=(0, 4))
    for sentence in wording.filter_sentences(report):
        lines += _wrap(sentence, "  ", "  ")
    return lines


def _needed(report: Report) -> list[str]:
    lines = ["Needed to detect"] if report.needed else []
    for target, label in (("trained detector", "by a detector trained on this"), ("this design", "by this design")):
        items = [item for item in report.needed if item.target == target]
        parts = ", ".join(f"{wording.needed(item)} for power {item.power:g}" for item in items)
        if parts:
            lines += _wrap(f"{label}, {wording.needed_unit(report, target)}: {parts}", "    ", "  ")
    return lines


def _power(report: Report) -> list[str]:
    lines = []
    if report.planted:
        parts = [f"{item.auc:g}: {wording.with_interval(item.power, 2)}" for item in report.planted]
        lines += _wrap("Power against a planted row AUROC of " + ", ".join(parts), "  ")
    if report.mixtures:
        parts = [f"{item.share:.0%}: {wording.with_interval(item.power, 2)}" for item in report.mixtures]
        lines += _wrap("Power where few suspect rows are like these, " + ", ".join(parts), "  ")
    return lines


def _features(report: Report) -> list[str]:
    differing = wording.differing(report)
    if not differing:
        return _wrap(wording.nothing_differs(report), "  ")
    rows = [
        (
            wording.name(item.feature, 42),
            wording.visible(item.family, 18),
            wording.rate(item.rate_suspect),
            wording.rate(item.rate_reference),
            wording.probability(item.pvalue_adjusted),
        )
        for item in differing[:_FEATURES]
    ]
    lines = _table(("Features that differ", "family", "suspect", "reference", "p adjusted"), rows, left=(0, 1))
    more = len(differing) - len(rows)
    return [*lines, f"  and {wording.count(more)} more in report.features"] if more else lines


def _controls(report: Report) -> list[str]:
    lines = _wrap("Prompt control: " + wording.control_sentence(report), "  ")
    test = wording.self_test_sentence(report)
    return lines + (_wrap("Self-test: " + test, "  ") if test else [])


def _warnings(report: Report) -> list[str]:
    lines = []
    for warning in report.warnings:
        figures = f"{wording.rate(warning.value)}, threshold {wording.rate(warning.threshold)}"
        code, message = wording.visible(warning.code), wording.visible(warning.message)
        lines += _wrap(f"Warning {code} ({figures}): {message}", "  ")
    return lines


def _wrap(text: str, later: str = "", first: str = "") -> list[str]:
    whole = _INTERVAL.sub(lambda match: match[0].replace(" ", _JOIN), text)
    lines = textwrap.wrap(whole, WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)
    return [line.replace(_JOIN, " ") for line in lines]


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], left: tuple[int, ...]) -> list[str]:
    """Lines of a table, rows indented by two under their header; columns in `left` are flush left.

    The last column wraps where the line is full.
    """
    cells = [header, *((f"  {row[0]}", *row[1:]) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    start = sum(widths[:-1]) + 2 * (len(header) - 1)
    lines = []
    for row in cells:
        *parts, last = _aligned(row, widths, left)
        first, *later = textwrap.wrap(last.rstrip(), WIDTH - start, drop_whitespace=False) or [""]
        lines.append("  ".join([*parts, first]).rstrip())
        lines += [" " * start + line.strip() for line in later]
    return lines


def _aligned(row: tuple[str, ...], widths: Sequence[int], left: tuple[int, ...]) -> list[str]:
    pairs = zip(row, widths, strict=True)
    return [f"{cell:<{width}}" if i in left else f"{cell:>{width}}" for i, (cell, width) in enumerate(pairs)]
