"""Many reports side by side, by their evidence, with false discoveries controlled among them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fingerprint.data.files import write_atomically
from fingerprint.data.nearest import did_you_mean
from fingerprint.report import formatting, sentences
from fingerprint.report.encoding import JsonObject
from fingerprint.report.formatting import count, probability
from fingerprint.report.layout import Page
from fingerprint.report.report import Report
from fingerprint.report.results import Warning
from fingerprint.report.shown import MORE_OF_RESULT, Shown, verdict_style
from fingerprint.report.side_by_side_result import ReportLine, SideBySideResult
from fingerprint.report.warning_words import words
from fingerprint.statistics.false_discoveries import CORRECTIONS, Correction, penalty, qvalues
from fingerprint.statistics.intervals import Estimate

# Of planted signals, the one whose power is told: what a report of any size states.
_TOLD_POWER = 0.55
_SHOWN = 20  # reports in the short text
_CALLED = {"bh": "Benjamini-Hochberg", "by": "Benjamini-Yekutieli"}
_HOLDS = {
    "bh": "if the reports are independent or depend on each other positively, as those that share a reference usually "
    "do (Benjamini-Yekutieli, by: whatever their dependence)",
    "by": "whatever the dependence between the reports",
}

Given = Report | str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class SideBySide(Shown, SideBySideResult):
    """Many reports side by side: `lines` by their evidence, each with its q-value, as text, JSON and a page."""

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write one self-contained HTML page to `path`: no scripts, no requests, everything from the data escaped."""
        from fingerprint.report.side_by_side_page import page  # jinja2 and matplotlib

        write_atomically(path, page(self))

    def text(self, page: Page, *, full: bool = False) -> str:
        """The reports as a table, the first twenty or all with their warnings, the verdict last."""
        shown = self.lines if full else self.lines[:_SHOWN]
        rows = [
            (
                formatting.name(line.name, 40),
                formatting.probability(line.qvalue),
                formatting.probability(line.pvalue_used),
                formatting.with_interval(line.auc, 2),
                formatting.figure(line.bag16_auc.value, 2),
                f"{len(line.warnings)}" + (f", {len(line.grave)} grave" if line.grave else ""),
            )
            for line in shown
        ]
        header = ("Report", "q", "p", "row AUROC", "bags of 16", "warnings")
        lines = [*page.titled(self.title), *page.table(header, rows, left=(0, 3), optional=(4,))]
        if len(shown) < len(self.lines):
            lines += page.wrap(f"and {len(self.lines) - len(shown):,} more. {MORE_OF_RESULT}", "  ", "  ")
        for line in self.lines if full else ():
            lines += self._warnings(line, page)
        for line in self.lines:
            if line.veto and (full or line in shown):
                told = f"{formatting.visible(line.name, 40)} enters with p = 1: {formatting.visible(line.veto, 80)}."
                lines += page.wrap(told, "  ", "  ")
        for warning in self.warnings:
            lines += page.headed(page.wrap(f"Warning {warning.code}: {formatting.visible(warning.message)}"), "caution")
        lines += page.wrap(formatting.visible(self.assumption))
        return "\n".join([*lines, "", *page.headed(page.wrap(formatting.visible(self.verdict)), verdict_style(self))])

    def _warnings(self, line: ReportLine, page: Page) -> list[str]:
        if not line.warnings:
            return []
        told = "; ".join(formatting.visible(words(warning.code), 80) for warning in line.warnings)
        return page.wrap(f"Warnings of {formatting.visible(line.name, 40)}: {told}", "    ", "  ")


def compare_reports(
    reports: Mapping[str, Given] | Sequence[Given],
    *,
    fdr: float = 0.05,
    correction: Correction = "bh",
    title: str | None = None,
) -> SideBySide:
    """Put many reports of `fingerprint.detect` side by side: versions of a data set, filters, suspects.

    Parameters
    ----------
    reports : sequence of Report or path, or mapping of name to them
        Two or more reports, or JSON files of them. Names are those of the mapping, of the files, or titles.
    fdr : float
        The false discovery rate to keep, in (0, 1): the expected share of reports that are called discoveries though
        nothing differs.
    correction : "bh" or "by"
        Benjamini-Hochberg, or Benjamini-Yekutieli; see `fingerprint.statistics.false_discoveries.qvalues`.
    title : str, optional
        What to call the comparison.

    Returns
    -------
    SideBySide
        The reports by their evidence, each with its q-value.

    Raises
    ------
    ValueError, FileNotFoundError
        For fewer than two reports, two of one name, a file that holds no report, or settings out of range.

    Notes
    -----
    The p-value of each report is exact by itself. With "bh" the rate holds if they are independent or depend on each
    other positively: reports on a common reference, or on filtered versions of one suspect, usually do, but that is not
    proven; "by" holds whatever their dependence. It holds among the reports that are given: to leave out those that
    found nothing breaks it. A report whose result cannot be blamed on the teacher, because the prompts of its sides
    differ, or whose row AUROC is not above the least that was asked for, enters with a p-value of 1. Intervals are of
    each report by itself, and not adjusted.

    Examples
    --------
    >>> import fingerprint
    >>> from fingerprint.report.side_by_side import compare_reports
    >>> suspect = fingerprint.detect("suspect.jsonl", "reference.jsonl", ladder=False)
    >>> nothing = fingerprint.detect("reference.jsonl", "reference.jsonl", ladder=False)
    >>> found = compare_reports({"suspect": suspect, "reference again": nothing})
    >>> [(line.name, line.discovered) for line in found.lines]
    [('suspect', True), ('reference again', False)]
    """
    if not 0 < fdr < 1:
        raise ValueError(f"fdr must be in (0, 1), got {fdr!r}; .05 is usual")
    if correction not in CORRECTIONS:
        remedy = did_you_mean(str(correction), CORRECTIONS, "choose one of them")
        raise ValueError(f"correction must be one of {', '.join(CORRECTIONS)}, got {correction!r}; {remedy}")
    named = _named(reports)
    if len(named) < 2:
        raise ValueError(f"reports must be two or more, got {len(named)}; a single one is read by itself")
    vetoes = [_veto(report) for report in named.values()]
    used = [1.0 if veto else report.pvalue for veto, report in zip(vetoes, named.values(), strict=True)]
    lines = [
        _line(name, report, p, q, veto, fdr)
        for (name, report), p, q, veto in zip(
            named.items(), used, qvalues(used, correction), vetoes, strict=True
        )
    ]
    lines.sort(key=lambda line: (line.pvalue_used, -(line.deviations or 0.0)))
    found = sum(line.discovered for line in lines)
    return SideBySide(
        title=f"{len(lines)} reports" if title is None else title,
        verdict=_verdict(found, len(lines), fdr, correction),
        detected=found > 0,
        fdr=fdr,
        correction=correction,
        assumption=_assumption(list(named.values()), correction),
        lines=tuple(lines),
        warnings=tuple(_out_of_reach(list(named.values()), fdr, correction)),
    )


def _named(reports: Mapping[str, Given] | Sequence[Given]) -> dict[str, Report]:
    if isinstance(reports, Mapping):
        return {name: _read(given) for name, given in reports.items()}
    names = [given.title if isinstance(given, Report) else Path(given).stem for given in reports]
    if len(set(names)) < len(names):
        names = [
            name if isinstance(given, Report) else os.fspath(given) for name, given in zip(names, reports, strict=True)
        ]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        remedy = "give each once, or a dict of names to reports"
        raise ValueError(f"reports must have names of their own, got {twice[0]!r} twice; {remedy}")
    return {name: _read(given) for name, given in zip(names, reports, strict=True)}


def _read(given: Given) -> Report:
    if isinstance(given, Report):
        return given
    try:
        return Report.from_json(Path(given))
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"reports must be JSON of detect, got {os.fspath(given)!r}: {error}") from error


def _veto(report: Report) -> str | None:
    """Why a report is no discovery however small its p-value; None where nothing speaks against it."""
    if report.prompt_control.differs and not report.design.is_paired:
        return "the prompts of its sides differ"
    options = report.settings.get("options")
    least = options.get("min_auc", 0.5) if isinstance(options, dict) else 0.5
    area = report.auc.value
    if isinstance(least, int | float) and area is not None and area <= least and report.pvalue <= report.alpha:
        return f"its row AUROC is not above {least:g}"
    return None


def _line(name: str, report: Report, used: float, qvalue: float, veto: str | None, fdr: float) -> ReportLine:
    bags = next((bag.auc for bag in report.bag_results if bag.k == 16), Estimate(None))
    return ReportLine(
        name=name,
        title=report.title,
        verdict=report.verdict,
        detected=report.detected,
        discovered=qvalue <= fdr,
        pvalue=report.pvalue,
        pvalue_used=used,
        qvalue=qvalue,
        veto=veto,
        deviations=report.null.deviations,
        auc=report.auc,
        bag16_auc=bags,
        power=next((item.power for item in report.planted if item.auc == _TOLD_POWER), Estimate(None)),
        rows_suspect=report.design.rows_suspect,
        rows_reference=report.design.rows_reference,
        warnings=report.warnings,
    )


def _verdict(found: int, n: int, fdr: float, correction: Correction) -> str:
    rate = f"at a false discovery rate of {fdr:g} ({_CALLED[correction]})"
    if not found:
        return f"none of {count(n)} reports is a discovery {rate}; not detected is not clean, see their power."
    verb = "is a discovery" if found == 1 else "are discoveries"
    return f"{count(found)} of {count(n)} reports {verb} {rate}. Rival explanations: see the warnings of each."


def _assumption(reports: list[Report], correction: Correction) -> str:
    inputs = [set(_digests(report.settings)) for report in reports]
    times = Counter(digest for digests in inputs for digest in digests)
    shared = sum(any(times[digest] > 1 for digest in digests) for digests in inputs)
    told = f" {count(shared)} of {count(len(reports))} share rows with another, by their digests." if shared else ""
    return (
        f"{_CALLED[correction]} holds {_HOLDS[correction]}, and among all reports that were made, none left out for "
        f"what it found.{told} Intervals are of each report by itself."
    )


def _digests(settings: JsonObject) -> list[str]:
    inputs = settings.get("inputs")
    sides = inputs.values() if isinstance(inputs, dict) else ()
    found = [side.get("digest") if isinstance(side, dict) else side for side in sides]
    return [digest for digest in found if isinstance(digest, str)]


def _out_of_reach(reports: list[Report], fdr: float, correction: Correction) -> list[Warning]:
    """No number of relabellings gives a smaller p-value than 1 / (1 + B), which may be too large among many."""
    floor = min(1 / (1 + max(sentences.permutations(report), 1)) for report in reports)
    least = min(1.0, floor * len(reports) * penalty(len(reports), correction))
    if least <= fdr:
        return []
    message = (
        f"a single discovery among so many reports cannot have a smaller q-value, since no p-value is below "
        f"{probability(floor)}: run detect with more permutations"
    )
    return [Warning("level_out_of_reach", least, fdr, message)]
