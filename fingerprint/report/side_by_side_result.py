"""What `compare_reports` says: reports by their evidence, as records, text and a page."""

from __future__ import annotations

import os
from dataclasses import dataclass

from fingerprint.data.files import write_atomically
from fingerprint.report import formatting
from fingerprint.report.contract import Result
from fingerprint.report.layout import Page
from fingerprint.report.results import Warning
from fingerprint.report.shown import MORE_OF_RESULT, Shown, verdict_style
from fingerprint.report.warning_words import GRAVE, weight, words
from fingerprint.statistics.intervals import Estimate

_SHOWN = 20  # reports in the short text


@dataclass(frozen=True)
class ReportLine:
    """A report among others.

    `pvalue_used` is its p-value, or 1 where `veto` says why it cannot be a discovery. `qvalue` is the false discovery
    rate at which it would just be one. `deviations` is how many of the null's standard deviations its statistic lies
    above the null's mean. `power` is against a planted row AUROC of .55.
    """

    name: str
    title: str
    verdict: str
    detected: bool
    discovered: bool
    pvalue: float
    pvalue_used: float
    qvalue: float
    veto: str | None
    deviations: float | None
    auc: Estimate
    bag16_auc: Estimate
    power: Estimate
    rows_suspect: int
    rows_reference: int
    warnings: tuple[Warning, ...]

    @property
    def grave(self) -> tuple[Warning, ...]:
        """Warnings that may explain the result without a hidden trait, or make it wrong."""
        return tuple(warning for warning in self.warnings if weight(warning.code) == GRAVE)


@dataclass(frozen=True, eq=False)
class SideBySide(Shown, Result):
    """Many reports side by side.

    Attributes
    ----------
    title : str
    verdict : str
    detected : bool
        Whether any report is a discovery.
    fdr : float
        The false discovery rate that is kept.
    correction : str
        "bh" or "by".
    assumption : str
        What has to hold for the rate.
    lines : tuple of ReportLine
        The strongest evidence first: by p-value, ties by how far out the statistic is.
    warnings : tuple of Warning
        Of the reports together; each report has its own.
    """

    schema_name = "side_by_side"

    title: str
    verdict: str
    detected: bool
    fdr: float
    correction: str
    assumption: str
    lines: tuple[ReportLine, ...]
    warnings: tuple[Warning, ...]

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
