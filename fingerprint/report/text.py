"""The terminal text of a report: a dozen lines, or all of it; plain characters only, the verdict last."""

from __future__ import annotations

from collections.abc import Sequence

from fingerprint.report import formatting, sentences
from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.layout import Page
from fingerprint.report.results import FeatureDifference
from fingerprint.report.terminal import Style

_FEATURES = 8
_SHORTEST_NAME = 26  # of a feature, whatever stands beside it
_DESCRIPTION = 110  # characters of a rung's description: three lines of its column
_LABEL, _CELL = 9, 13  # characters of the table of bags
_NUMBERS, _EFFECT = 2, 4  # among the columns beside a feature's name: where numbers begin, and one of them


def everything(report: DetectionResult, page: Page) -> str:
    """All of a report as text for a terminal.

    Parameters
    ----------
    report : DetectionResult
        What to show.
    page : Page
        How wide, and whether in colours.

    Returns
    -------
    str
        Lines of at most `page.width` characters, without control characters other than newlines, and the codes of
        colours where the page has them.
    """
    sections = (
        page.headed(page.wrap(formatting.visible(report.title)), "bold"),
        _headline(report, page),
        page.wrap("Design: " + " ".join(sentences.rows_compared(report)), "  "),
        _bags(report, page),
        _families(report, page),
        _told(sentences.panel(report), page),
        _told(sentences.model(report), page),
        _teacher(report, page),
        _attribution(report, page),
        _ladder(report, page),
        _filters(report, page),
        _needed(report, page) + _power(report, page),
        _features(report, page),
        _controls(report, page),
        _warnings(report, page),
        page.wrap(sentences.LIMITS),
        verdict(report, page),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def verdict(report: DetectionResult, page: Page) -> list[str]:
    """The verdict, and how many warnings stand above it."""
    style: Style = "bold" if not report.detected else "alarm"
    if report.prompt_control.differs and not report.design.is_paired:
        style = "caution"
    return page.headed(page.wrap(f"{formatting.visible(report.verdict)} {sentences.warned(report)}".rstrip()), style)


def _headline(report: DetectionResult, page: Page) -> list[str]:
    null = f"alpha {report.alpha:g}, {formatting.count(sentences.permutations(report))} permutations"
    lines = [
        ("p-value", formatting.probability(report.pvalue), null),
        ("row AUROC", formatting.with_interval(report.auc), f"d' {formatting.with_interval(report.d_prime)}"),
    ]
    if report.auc_paired.value is not None:
        within = formatting.with_interval(report.auc_paired)
        lines.append(("AUROC within prompts", within, "rows that answer the same prompt"))
    width = max(len(label) for label, _, _ in lines)
    told = [
        (f"{label:<{width}}  {value:<22}".rstrip(), f"{label:<{width}}  {value:<22}  {note}")
        for label, value, note in lines
    ]
    return [whole if len(whole) <= page.width else short for short, whole in told]


def _bags(report: DetectionResult, page: Page) -> list[str]:
    known = [bag for bag in report.bag_results if bag.auc.value is not None]
    lines = page.headed(["Bags of k texts judged together"]) if report.bag_results else []
    a_line = (page.width - _LABEL) // _CELL
    for start in range(0, len(known), a_line):
        part = known[start : start + a_line]
        lines.append(_cells("k", [str(bag.k) for bag in part]))
        lines.append(_cells("AUROC", [formatting.figure(bag.auc.value) for bag in part]))
        lines.append(_cells("95 %", [formatting.interval(bag.auc, 2) for bag in part]))
    if missing := [str(bag.k) for bag in report.bag_results if bag.auc.value is None]:
        lines += page.wrap(f"too few rows for bags of {', '.join(missing)}", "  ", "  ")
    return lines


def _cells(label: str, cells: Sequence[str]) -> str:
    return f"  {label:<{_LABEL - 2}}" + "".join(f"{cell:>{_CELL}}" for cell in cells)


def _families(report: DetectionResult, page: Page) -> list[str]:
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
    header = ("Feature family", "columns", "statistic", "p adjusted", "row AUROC")
    return page.table(header, rows, left=(0, 4), optional=(1, 2))


def _ladder(report: DetectionResult, page: Page) -> list[str]:
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
    lines = page.table(("Ladder", "p", "row AUROC", "bags of 16", "what it keeps"), rows, left=(0, 2, 4))
    order = sentences.order_adds(report)
    return lines + (page.wrap(order, "  ", "  ") if order else [])


def _told(told: Sequence[str], page: Page) -> list[str]:
    return [line for sentence in told for line in page.wrap(sentence, "  ")]


def _teacher(report: DetectionResult, page: Page) -> list[str]:
    lines = _told(sentences.teacher(report), page)
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
    return lines + page.table(("Share of the ceiling", "d'", "efficiency"), rows, left=(0, 1, 2))


def _attribution(report: DetectionResult, page: Page) -> list[str]:
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
    lines = page.table(header, rows, left=(0, 2, 4), optional=(4,))
    for sentence in sentences.attribution(report):
        lines += page.wrap(sentence, "  ", "  ")
    return lines


def _filters(report: DetectionResult, page: Page) -> list[str]:
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
    lines = page.table(header, rows, left=(0, 4), optional=(3, 5, 2))
    for sentence in sentences.filters(report):
        lines += page.wrap(sentence, "  ", "  ")
    return lines


def _needed(report: DetectionResult, page: Page) -> list[str]:
    if all(sentences.not_computed(report, item.target) for item in report.needed):
        return page.wrap(f"Needed to detect: {sentences.NOT_COMPUTED}", "  ") if report.needed else []
    lines = page.headed(["Needed to detect"])
    for target, label in (("trained detector", "by a detector trained on this"), ("this design", "by this design")):
        items = [item for item in report.needed if item.target == target]
        if items:
            parts = ", ".join(f"{sentences.needed(item)} for power {item.power:g}" for item in items)
            parts = sentences.NOT_COMPUTED if sentences.not_computed(report, target) else parts
            lines += page.wrap(f"{label}, {sentences.needed_unit(report, target)}: {parts}", "    ", "  ")
    return lines


def _power(report: DetectionResult, page: Page) -> list[str]:
    lines = []
    if report.planted:
        parts = [f"{item.auc:g}: {formatting.with_interval(item.power, 2)}" for item in report.planted]
        lines += page.wrap("Power against a planted row AUROC of " + ", ".join(parts), "  ")
    if report.mixtures:
        parts = [f"{item.share:.0%}: {formatting.with_interval(item.power, 2)}" for item in report.mixtures]
        lines += page.wrap("Power where few suspect rows are like these, " + ", ".join(parts), "  ")
    return lines


def _features(report: DetectionResult, page: Page) -> list[str]:
    families = sentences.differing_families(report)
    lines = page.wrap(families, "  ") if families else []
    shown = sentences.first_features(report, _FEATURES)
    if not shown:
        return lines + page.wrap(sentences.nothing_differs(report), "  ")
    header = ("family", "in the suspect", "suspect", "reference", "effect", "p adj.")
    columns = [(name, *told) for name, *told in zip(header, *map(_cells_of, shown), strict=True)]
    taken = [max(map(len, column)) + 2 for column in columns]
    kept = [i for i in range(len(header)) if i not in _too_many(taken, page.width - 2)]
    room = max(page.width - 2 - sum(taken[i] for i in kept), _SHORTEST_NAME)
    names = [_feature(item, room) for item in shown]
    rows = [(name, *(columns[i][1 + n] for i in kept)) for n, name in enumerate(names)]
    flush = [1 + n for n, i in enumerate(kept) if i < _NUMBERS]
    lines += page.table(("Features that differ", *(header[i] for i in kept)), rows, left=(0, *flush))
    more = len(sentences.differing(report)) - len(shown)
    where = "report.features and JSON (--json), some in HTML (--html)"
    after = [f"and {formatting.count(more)} more in {where}"] if more else []
    if any(name != formatting.name(item.feature, room) for item, name in zip(shown, names, strict=True)):
        after.append("(+n): n more features say the same, in its column spellings")
    effect = ["effect: standardised difference (Cohen's h for shares)"] if _EFFECT in kept else []
    after += [*effect, sentences.least_adjusted(report)]
    return lines + page.wrap("; ".join(after), "  ", "  ")


def _cells_of(item: FeatureDifference) -> tuple[str, ...]:
    return (
        formatting.visible(item.family, 12),
        sentences.direction(item),
        formatting.rate(item.rate_suspect),
        formatting.rate(item.rate_reference),
        formatting.figure(item.effect, 2),
        formatting.probability(item.pvalue_adjusted),
    )


def _too_many(taken: Sequence[int], width: int) -> list[int]:
    """Columns that are left out so that names of features have room: the family, then effect, then what rates are."""
    gone: list[int] = []
    for column in (0, _EFFECT, 1):
        if width - sum(taken) + sum(taken[i] for i in gone) >= _SHORTEST_NAME:
            break
        gone.append(column)
    return gone


def _feature(item: FeatureDifference, room: int) -> str:
    """A feature in at most `room` characters, and how many spellings it has besides where there is room for that."""
    shown = formatting.name(item.feature, room)
    others = f" (+{len(item.spellings)})" if item.spellings else ""
    return shown + others if len(shown + others) <= room else shown


def _controls(report: DetectionResult, page: Page) -> list[str]:
    lines = page.wrap("Prompt control: " + sentences.control(report), "  ")
    found = sentences.copies(report)
    lines += page.wrap("Copies: " + found, "  ") if found else []
    test = sentences.self_test(report)
    return lines + (page.wrap("Self-test: " + test, "  ") if test else [])


def _warnings(report: DetectionResult, page: Page) -> list[str]:
    lines = []
    for warning in report.warnings:
        figures = f"{formatting.rate(warning.value)}, threshold {formatting.rate(warning.threshold)}"
        code, message = formatting.visible(warning.code), formatting.visible(warning.message)
        lines += page.headed(page.wrap(f"Warning {code} ({figures}): {message}", "  "), "caution")
    return lines
