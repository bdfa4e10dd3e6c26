"""What `compare_reports` found, as records: reports by their evidence."""

from __future__ import annotations

from dataclasses import dataclass

from fingerprint.report.contract import Result
from fingerprint.report.results import Warning
from fingerprint.report.warning_words import GRAVE, weight
from fingerprint.statistics.intervals import Estimate


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
class SideBySideResult(Result):
    """Many reports side by side, without the ways to show them.

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
