"""What `compare` says of two fingerprints."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from fingerprint.report import formatting
from fingerprint.report.contract import Result
from fingerprint.report.results import PlantedPower, RowsNeeded
from fingerprint.statistics.intervals import Estimate


@dataclass(frozen=True)
class SumFamily:
    """A family in the test: its statistic in standard deviations, and p-value adjusted over families (max-T)."""

    family: str
    definition: str
    columns: int
    statistic: float | None
    pvalue_adjusted: float | None


@dataclass(frozen=True)
class SumDifference:
    """A feature whose means differ: p-value adjusted over all features that were looked at (max-T).

    `effect` is their difference in standard deviations of a row, above 0 for more in the suspect.
    """

    feature: str
    family: str
    rate_suspect: float
    rate_reference: float
    effect: float
    measure: str
    pvalue_adjusted: float


@dataclass(frozen=True, eq=False)
class FingerprintComparison(Result):
    """Two fingerprints, compared.

    Attributes
    ----------
    verdict : str
    detected : bool
        Whether the p-value is at most alpha.
    pvalue : float
        By signs of cells.
    auc, d_prime : Estimate
        Of single rows, from sums: as if scores were normal.
    families : tuple of SumFamily
    features : tuple of SumDifference
        Of those that can be named, the surest first.
    planted : tuple of PlantedPower
        Power against signals of several row AUROCs along random directions.
    needed : tuple of RowsNeeded
        Rows a side of a new comparison like this one; only where something was detected.
    cells, cells_alike : int
        Cells that hold rows, and those of them in which both sides answer the same prompts.
    rows_suspect, rows_reference : int
    assumption : str
        What has to hold for the p-value.
    limits : tuple of str
    """

    schema_name = "comparison"

    verdict: str
    detected: bool
    pvalue: float
    alpha: float
    auc: Estimate
    d_prime: Estimate
    families: tuple[SumFamily, ...]
    features: tuple[SumDifference, ...]
    planted: tuple[PlantedPower, ...]
    needed: tuple[RowsNeeded, ...]
    cells: int
    cells_alike: int
    rows_suspect: int
    rows_reference: int
    assumption: str
    limits: tuple[str, ...]

    def __str__(self) -> str:
        lines = textwrap.wrap(self.verdict, formatting.WIDTH)
        lines += ["", f"rows {self.rows_suspect:,} against {self.rows_reference:,} in {self.cells} cells of prompts"]
        lines += [f"row AUROC {formatting.with_interval(self.auc)} (from sums, as if scores were normal)"]
        lines += ["", "Families (p adjusted over families)"]
        for family in self.families:
            p = "constant" if family.pvalue_adjusted is None else f"p = {family.pvalue_adjusted:.2g}"
            lines.append(f"  {family.definition:12s} {p}")
        if self.features:
            lines += ["", "Features that differ (suspect, reference, p adjusted over features)"]
            lines += [
                f"  {formatting.visible(d.feature, 48):48s} {d.rate_suspect:8.4g} {d.rate_reference:8.4g}  "
                f"{d.pvalue_adjusted:.2g}"
                for d in self.features
            ]
        if self.planted:
            lines += ["", "Power against a signal of a row AUROC"]
            lines += [f"  {p.auc:.2f}  {formatting.with_interval(p.power)}" for p in self.planted]
        known = [need for need in self.needed if need.rows is not None]
        lines += ["", "Rows a side of a new comparison like this one"] if known else []
        lines += [f"  power {n.power:.2f}: {n.rows:,} ({n.low or 0:,} to {n.high or 0:,})" for n in known]
        rest = [line for limit in (self.assumption, *self.limits) for line in textwrap.wrap(limit, formatting.WIDTH)]
        return "\n".join([*lines, "", *rest])
