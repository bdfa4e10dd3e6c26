"""The terminal text of a report: a screenful, at most 100 columns, plain characters only."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from fingerprint.report import formatting, sentences
from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.results import FeatureDifference

_BAGS_A_LINE = 7  # cells of 13 characters beside a label of 9 fill the width
_FEATURES = 8
_SHORTEST_NAME = 20  # of a feature, whatever stands beside it
_DESCRIPTION = 110  # characters of a rung's description: three lines of its column
_INTERVAL = re.compile(r"(\S+: )?\S+ \[[^][ ]+, [^][ ]+\]")  # a label, its figure and interval stay on one line
_JOIN = "\N{NO-BREAK SPACE}"  # in no text from the data: `visible` escapes it


def screenful(report: DetectionResult) -> str:
    """The report as text for a terminal.

    Parameters
    ----------
    report : DetectionResult
        What to show.

    Returns
    -------
    str
        Lines of at most 100 characters, without control characters other than newlines.
    """
    sections = (
        _wrap(f"{formatting.visible(report.verdict)} {sentences.warned(report)}".rstrip()),
        _headline(report),
        _wrap("Design: " + " ".join(sentences.rows_compared(report)), "  "),
        _bags(report),
        _families(report),
        _panel(report),
        _model(report),
        _teacher(report),
        _attribution(report),
        _ladder(report),
        _filters(report),
        _needed(report) + _power(report),
        _features(report),
        _controls(report),
        _warnings(report),
        _wrap(sentences.LIMITS),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _headline(report: DetectionResult) -> list[str]:
    null = f"alpha {report.alpha:g}, {formatting.count(sentences.permutations(report))} permutations"
    lines = [
        ("p-value", formatting.probability(report.pvalue), null),
        ("row AUROC", formatting.with_interval(report.auc), f"d' {formatting.with_interval(report.d_prime)}"),
    ]
    if report.auc_paired.value is not None:
        within = formatting.with_interval(report.auc_paired)
        lines.append(("AUROC within prompts", within, "rows that answer the same prompt"))
    width = max(len(label) for label, _, _ in lines)
    return [f"{label:<{width}}  {value:<22}  {note}" for label, value, note in lines]


def _bags(report: DetectionResult) -> list[str]:
    known = [bag for bag in report.bag_results if bag.auc.value is not None]
    lines = ["Bags of k texts judged together"] if report.bag_results else []
    for start in range(0, len(known), _BAGS_A_LINE):
        part = known[start : start + _BAGS_A_LINE]
        lines.append(_cells("k", [str(bag.k) for bag in part]))
        lines.append(_cells("AUROC", [formatting.figure(bag.auc.value) for bag in part]))
        lines.append(_cells("95 %", [formatting.interval(bag.auc, 2) for bag in part]))
    if missing := [str(bag.k) for bag in report.bag_results if bag.auc.value is None]:
        lines += _wrap(f"too few rows for bags of {', '.join(missing)}", "  ", "  ")
    return lines


def _cells(label: str, cells: Sequence[str]) -> str:
    return f"  {label:<7}" + "".join(f"{cell:>13}" for cell in cells)


def _families(report: DetectionResult) -> list[str]:
    if not report.family_results:
        return []
    rows = [
        (
            formatting.name(result.family, 34),
            formatting.count(result.columns),
            formatting.figure(result.statistic, 2),
            formatting.probability(result.pvalue_adjusted),
            formatting.with_interval(result.auc),
        )
        for result in report.family_results
    ]
    return _table(("Feature family", "columns", "statistic", "p adjusted", "row AUROC"), rows, left=(0, 4))


def _ladder(report: DetectionResult) -> list[str]:
    if not report.rungs:
        return []
    rows = [
        (
            formatting.name(rung.rung, 22),
            formatting.probability(rung.pvalue),
            formatting.with_interval(rung.auc, 2),
            formatting.figure(rung.bag16_auc.value, 2),
            formatting.visible(rung.description, _DESCRIPTION),
        )
        for rung in report.rungs
    ]
    lines = _table(("Ladder", "p", "row AUROC", "bags of 16", "what it keeps"), rows, left=(0, 2, 4))
    order = sentences.order_adds(report)
    return lines + (_wrap(order, "  ", "  ") if order else [])


def _panel(report: DetectionResult) -> list[str]:
    return [line for sentence in sentences.panel(report) for line in _wrap(sentence, "  ")]


def _model(report: DetectionResult) -> list[str]:
    return [line for sentence in sentences.model(report) for line in _wrap(sentence, "  ")]


def _teacher(report: DetectionResult) -> list[str]:
    lines = [line for sentence in sentences.teacher(report) for line in _wrap(sentence, "  ")]
    if report.teacher is None:
        return lines
    rows = [
        (
            formatting.name(item.detector, 22),
            formatting.with_interval(item.d_prime, 2),
            formatting.with_interval(item.efficiency, 2),
        )
        for item in report.teacher.efficiencies
    ]
    return lines + _table(("Share of the ceiling", "d'", "efficiency"), rows, left=(0, 1, 2))


def _attribution(report: DetectionResult) -> list[str]:
    if report.attribution is None:
        return []
    rows = [
        (
            formatting.name(item.placebo, 30),
            formatting.probability(item.pvalue),
            formatting.with_interval(item.auc, 2),
            formatting.probability(item.reference_pvalue),
            formatting.with_interval(item.reference_auc, 2),
        )
        for item in report.attribution.placebos
    ]
    header = ("Placebos", "p, suspect", "row AUROC", "p, reference", "row AUROC")
    lines = _table(header, rows, left=(0, 2, 4))
    for sentence in sentences.attribution(report):
        lines += _wrap(sentence, "  ", "  ")
    return lines


def _filters(report: DetectionResult) -> list[str]:
    if not report.filter_results:
        return []
    rows = [
        (
            formatting.name(result.filter, 22),
            sentences.removed(result),
            formatting.figure(result.auc.value, 2),
            formatting.probability(result.pvalue),
            formatting.with_interval(result.residual.bag16_auc, 2),
            formatting.probability(result.residual.pvalue),
            sentences.random_bag(result),
        )
        for result in report.filter_results
    ]
    header = ("Semantic filters", "removed %", "AUROC", "p", "left: bags of 16", "p", "random")
    lines = _table(header, rows, left=(0, 4))
    for sentence in sentences.filters(report):
        lines += _wrap(sentence, "  ", "  ")
    return lines


def _needed(report: DetectionResult) -> list[str]:
    if all(sentences.not_computed(report, item.target) for item in report.needed):
        return _wrap(f"Needed to detect: {sentences.NOT_COMPUTED}", "  ") if report.needed else []
    lines = ["Needed to detect"]
    for target, label in (("trained detector", "by a detector trained on this"), ("this design", "by this design")):
        items = [item for item in report.needed if item.target == target]
        if items:
            parts = ", ".join(f"{sentences.needed(item)} for power {item.power:g}" for item in items)
            parts = sentences.NOT_COMPUTED if sentences.not_computed(report, target) else parts
            lines += _wrap(f"{label}, {sentences.needed_unit(report, target)}: {parts}", "    ", "  ")
    return lines


def _power(report: DetectionResult) -> list[str]:
    lines = []
    if report.planted:
        parts = [f"{item.auc:g}: {formatting.with_interval(item.power, 2)}" for item in report.planted]
        lines += _wrap("Power against a planted row AUROC of " + ", ".join(parts), "  ")
    if report.mixtures:
        parts = [f"{item.share:.0%}: {formatting.with_interval(item.power, 2)}" for item in report.mixtures]
        lines += _wrap("Power where few suspect rows are like these, " + ", ".join(parts), "  ")
    return lines


def _features(report: DetectionResult) -> list[str]:
    families = sentences.differing_families(report)
    lines = _wrap(families, "  ") if families else []
    shown = sentences.first_features(report, _FEATURES)
    if not shown:
        return lines + _wrap(sentences.nothing_differs(report), "  ")
    header = ("Features that differ", "family", "in the suspect", "suspect", "reference", "effect", "p adj.")
    cells = [
        (
            formatting.visible(item.family, 12),
            sentences.direction(item),
            formatting.rate(item.rate_suspect),
            formatting.rate(item.rate_reference),
            formatting.figure(item.effect, 2),
            formatting.probability(item.pvalue_adjusted),
        )
        for item in shown
    ]
    taken = sum(max(map(len, column)) + 2 for column in zip(header[1:], *cells, strict=True))
    room = max(formatting.WIDTH - taken - 2, _SHORTEST_NAME)
    rows = [(_feature(item, room), *row) for item, row in zip(shown, cells, strict=True)]
    lines += _table(header, rows, left=(0, 1, 2))
    more = len(sentences.differing(report)) - len(shown)
    where = "report.features and JSON (--json), some in HTML (--html)"
    after = [f"and {formatting.count(more)} more in {where}"] if more else []
    if any(row[0] != formatting.name(item.feature, room) for item, row in zip(shown, rows, strict=True)):
        after.append("(+n): n more features say the same, in its column spellings")
    after.append(f"effect: standardised difference (Cohen's h for shares); {sentences.least_adjusted(report)}")
    return lines + _wrap("; ".join(after), "  ", "  ")


def _feature(item: FeatureDifference, room: int) -> str:
    """A feature in at most `room` characters, and how many spellings it has besides where there is room for that."""
    shown = formatting.name(item.feature, room)
    others = f" (+{len(item.spellings)})" if item.spellings else ""
    return shown + others if len(shown + others) <= room else shown


def _controls(report: DetectionResult) -> list[str]:
    lines = _wrap("Prompt control: " + sentences.control(report), "  ")
    found = sentences.copies(report)
    lines += _wrap("Copies: " + found, "  ") if found else []
    test = sentences.self_test(report)
    return lines + (_wrap("Self-test: " + test, "  ") if test else [])


def _warnings(report: DetectionResult) -> list[str]:
    lines = []
    for warning in report.warnings:
        figures = f"{formatting.rate(warning.value)}, threshold {formatting.rate(warning.threshold)}"
        code, message = formatting.visible(warning.code), formatting.visible(warning.message)
        lines += _wrap(f"Warning {code} ({figures}): {message}", "  ")
    return lines


def _wrap(text: str, later: str = "", first: str = "") -> list[str]:
    whole = _INTERVAL.sub(lambda match: match[0].replace(" ", _JOIN), text)
    lines = textwrap.wrap(
        whole, formatting.WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=False
    )
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
        first, *later = textwrap.wrap(last.rstrip(), formatting.WIDTH - start, drop_whitespace=False) or [""]
        lines.append("  ".join([*parts, first]).rstrip())
        lines += [" " * start + line.strip() for line in later]
    return lines


def _aligned(row: tuple[str, ...], widths: Sequence[int], left: tuple[int, ...]) -> list[str]:
    pairs = zip(row, widths, strict=True)
    return [f"{cell:<{width}}" if i in left else f"{cell:>{width}}" for i, (cell, width) in enumerate(pairs)]
