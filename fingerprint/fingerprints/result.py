"""What `compare` says of two fingerprints."""

from __future__ import annotations

from dataclasses import dataclass

from fingerprint.report import formatting
from fingerprint.report.contract import Result
from fingerprint.report.encoding import JsonObject
from fingerprint.report.layout import Page
from fingerprint.report.results import PlantedPower, RowsNeeded
from fingerprint.report.shown import MORE_OF_RESULT, Shown, verdict_style
from fingerprint.statistics.intervals import Estimate

_SHOWN = 3  # features in the short text


@dataclass(frozen=True)
class SumFamily:
    """A family in the test: its statistic in standard deviations, and p-value adjusted over families (min-P)."""

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
class FingerprintComparison(Shown, Result):
    """Two fingerprints, compared.

    Attributes
    ----------
    title : str
        What the comparison is called: the names of the files, or the caller's own.
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
    settings : dict
        Provenance: versions, seed, options, and of each input its hash and sizes.
    """

    schema_name = "comparison"

    title: str
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
    settings: JsonObject

    def text(self, page: Page, *, full: bool = False) -> str:
        """About a dozen lines, or everything, the verdict last either way."""
        sizes = f"{self.rows_suspect:,} against {self.rows_reference:,} in {self.cells} cells of prompts"
        differ = [f for f in self.families if f.pvalue_adjusted is not None and f.pvalue_adjusted <= self.alpha]
        told = [
            ("rows", sizes),
            ("p-value", f"{formatting.probability(self.pvalue)} at alpha {self.alpha:g}"),
            ("row AUROC", f"{formatting.with_interval(self.auc)} (from sums, as if scores were normal)"),
        ]
        if not full:
            features = ", ".join(formatting.name(d.feature, 30) for d in self.features[:_SHOWN])
            told += [("differs in", ", ".join(f.family for f in differ) + (f"; most: {features}" if features else ""))]
            told = [pair for pair in told if pair[1]]
        known = [need for need in self.needed if need.rows is not None]
        needs = [f"power {n.power:g}: {n.rows:,} ({n.low or 0:,} to {n.high or 0:,})" for n in known]
        powers = [f"{p.auc:.2f}: {formatting.with_interval(p.power, 2)}" for p in self.planted]
        if not full and (needs or powers):
            told.append(("needed", f"rows a side for {', '.join(needs)}") if needs else ("power", ", ".join(powers)))
        lines = [*page.titled(self.title), *page.labelled(told)]
        if full:
            lines += self._tables(page)
            lines += ["", *page.headed(["Power against a signal of a row AUROC"])] if powers else []
            lines += [f"  {power}" for power in powers]
            lines += ["", *page.headed(["Rows a side of a new comparison like this one"])] if known else []
            lines += [f"  {need}" for need in needs]
            lines += ["", *(line for limit in (self.assumption, *self.limits) for line in page.wrap(limit))]
        else:
            lines += [*page.wrap(self.assumption), *page.wrap(f"{self.limits[0]} {MORE_OF_RESULT}")]
        return "\n".join([*lines, "", *page.headed(page.wrap(formatting.visible(self.verdict)), verdict_style(self))])

    def _tables(self, page: Page) -> list[str]:
        families = [
            (
                f.definition,
                f"{f.columns:,}",
                "constant" if f.pvalue_adjusted is None else formatting.probability(f.pvalue_adjusted),
            )
            for f in self.families
        ]
        lines = ["", *page.table(("Family", "columns", "p adjusted"), families, left=(0,))]
        features = [
            (
                formatting.name(d.feature, 48),
                formatting.rate(d.rate_suspect),
                formatting.rate(d.rate_reference),
                formatting.probability(d.pvalue_adjusted),
            )
            for d in self.features
        ]
        header = ("Features that differ", "suspect", "reference", "p adjusted")
        return [*lines, "", *page.table(header, features, left=(0,))] if features else lines
