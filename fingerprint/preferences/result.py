"""What `detect_labels` says of the choices of a judge."""

from __future__ import annotations

from dataclasses import dataclass

from fingerprint.preferences.pairs import PairCounts
from fingerprint.report import formatting
from fingerprint.report.contract import Result
from fingerprint.report.encoding import JsonObject
from fingerprint.report.layout import Page
from fingerprint.report.results import FeatureDifference, Warning
from fingerprint.report.shown import MORE_OF_RESULT, Warned, verdict_style
from fingerprint.statistics.intervals import Estimate

_SHOWN = 3  # features in the short text


@dataclass(frozen=True)
class ChoiceFamily:
    """A family in the test: its statistic in standard deviations, and p-value adjusted over families (max-T)."""

    family: str
    columns: int
    statistic: float | None
    pvalue_adjusted: float | None


@dataclass(frozen=True)
class Bias:
    """How often each judge chose the longer text ("length"), or the one that it saw first ("position").

    `pvalue_adjusted` is about their difference, adjusted over both biases (max-T); None where nothing varies. Of a
    single judge `rate_reference` is None, and the p-value about whether its rate is a coin's.
    """

    bias: str
    rate_suspect: float | None
    rate_reference: float | None
    pvalue_adjusted: float | None


@dataclass(frozen=True)
class ChoicePower:
    """Share of replicates that the test rejects where a hidden preference decides this share of the choices."""

    share: float
    power: Estimate


@dataclass(frozen=True)
class PairsNeeded:
    """Pairs of a new comparison like this one for a power; `low` and `high` are what that may be, with 95 %."""

    power: float
    alpha: float
    pairs: int | None
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, eq=False)
class LabelsResult(Warned, Result):
    """Choices of a judge, compared with those of a reference judge.

    Attributes
    ----------
    title : str
        What the comparison is called: the names of the files, or the caller's own.
    verdict : str
    detected : bool
        Whether the choices differ from the reference's in what the texts say beyond length and order. False without a
        reference.
    differs_by : tuple of str
        Of "features" (beyond length and order), "length" and "position", what the judges differ by; without a
        reference, what the choices go with.
    pvalue : float
        Of all features, after what length and order tell was taken out.
    pvalue_all : float
        Of all features as they are.
    alpha, level : float
        Level of the test, and that which `pvalue` has to reach: a fifth of alpha where the judges differ by length or
        position, for what is taken out there is taken out but nearly.
    has_reference : bool
    agreement : float
        Share of the shared pairs of which both chose the same text; None without a reference.
    foretold : float
        Share of the differing choices (without a reference, of all) whose direction a score fitted to other prompts
        tells; .5 is chance. None where there are fewer than ten.
    biases : tuple of Bias
    families : tuple of ChoiceFamily
    features : tuple of FeatureDifference
        What the suspect's chosen texts have more or less of than the reference's (without a reference: than those it
        turned down). p-values are those of what length and order leave.
    planted : tuple of ChoicePower
    needed : tuple of PairsNeeded
        Only where something was detected.
    pairs : PairCounts
    pairs_pvalue : float
        Whether the pairs that one side alone judged are alike on both sides; None where none are compared.
    warnings : tuple of Warning
    assumption : str
        What has to hold for the p-value.
    settings : dict
        Provenance: versions, seed, options, and of each input its hash and sizes.
    """

    schema_name = "labels"

    title: str
    verdict: str
    detected: bool
    differs_by: tuple[str, ...]
    pvalue: float
    pvalue_all: float
    alpha: float
    level: float
    has_reference: bool
    agreement: float | None
    foretold: float | None
    biases: tuple[Bias, ...]
    families: tuple[ChoiceFamily, ...]
    features: tuple[FeatureDifference, ...]
    planted: tuple[ChoicePower, ...]
    needed: tuple[PairsNeeded, ...]
    pairs: PairCounts
    pairs_pvalue: float | None
    warnings: tuple[Warning, ...]
    assumption: str
    settings: JsonObject

    def text(self, page: Page, *, full: bool = False) -> str:
        """About a dozen lines, or everything, the verdict last either way."""
        sure = [found for found in self.features if found.pvalue_adjusted <= self.alpha]
        known = [need for need in self.needed if need.pairs is not None]
        needs = [f"power {n.power:g}: {n.pairs:,} ({n.low or 0:,} to {n.high or 0:,})" for n in known]
        powers = [f"{p.share:.0%}: {formatting.with_interval(p.power, 2)}" for p in self.planted]
        level = f"{formatting.probability(self.pvalue)} at level {self.level:g}, length and position taken out"
        told = [
            ("pairs", self._pairs()),
            *((bias.bias, self._bias(bias)) for bias in self.biases),
            ("p-value", level),
        ]
        if not full:
            named = [f"{f.direction} {formatting.name(f.feature, 30)}" for f in sure[:_SHOWN]]
            told += [("prefers", ", ".join(named))] if named else []
            told += [("needed", f"pairs for {', '.join(needs)}")] if needs else []
            told += [("power", f"of preferences that decide {', '.join(powers)}")] if powers and not needs else []
        lines = [*page.titled(self.title), *page.labelled(told)]
        for warning in self.warnings:
            figures = f"({warning.value:.3g}, threshold {warning.threshold:.3g})"
            lines += page.wrap(f"warning {warning.code}: {formatting.visible(warning.message)} {figures}", "  ")
        if full:
            lines += self._tables(page, sure)
            lines += ["", *page.headed(["Power, where a hidden preference decides this share of the choices"])]
            lines += [f"  {power}" for power in powers]
            lines += ["", *page.headed(["Pairs that a new comparison like this one needs"])] if needs else []
            lines += [f"  {need}" for need in needs]
            lines += ["", *page.wrap(self.assumption)]
        else:
            lines += page.wrap(f"{self.assumption} {MORE_OF_RESULT}")
        return "\n".join([*lines, "", *page.headed(page.wrap(formatting.visible(self.verdict)), verdict_style(self))])

    def _pairs(self) -> str:
        counts = self.pairs
        prompts = "" if counts.prompts is None else f" of {counts.prompts:,} prompts"
        if not self.has_reference:
            return f"{counts.suspect:,}{prompts}, one judge"
        sizes = f"of {counts.suspect:,} and {counts.reference:,}"
        return f"{counts.shared:,}{prompts} shared ({sizes}), {counts.disagreements:,} disagreements"

    def _bias(self, bias: Bias) -> str:
        chose = {"length": "longer", "position": "first"}[bias.bias]
        p = formatting.probability(bias.pvalue_adjusted)
        rate, other = (formatting.figure(r) for r in (bias.rate_suspect, bias.rate_reference))
        if not self.has_reference:
            return f"{chose} text chosen {rate} (p = {p})"
        return f"{chose} text chosen {rate}, by the reference {other} (p = {p})"

    def _tables(self, page: Page, sure: list[FeatureDifference]) -> list[str]:
        counts = self.pairs
        surplus = counts.surplus_suspect + counts.surplus_reference
        left = {
            "rows of a pair labelled again": counts.repeated_suspect + counts.repeated_reference,
            "labels left out, of pairs that the other judge labelled less often": surplus,
            "pairs without a choice (ties)": counts.ties_suspect + counts.ties_reference,
            "rows of two equal texts, left out": counts.identical,
            "bad rows, left out": counts.skipped,
        }
        lines = [f"  {number:,} {what}" for what, number in left.items() if number]
        if len(self.biases) == 1:
            lines.append("  the order in which the judge saw the texts is not known")
        lines += page.wrap(
            f"All features with length and position in them: p = {formatting.probability(self.pvalue_all)}. A score "
            f"fitted to other prompts tells {formatting.figure(self.foretold)} of the "
            f"{'differing ' if self.has_reference else ''}choices (chance .5)."
        )
        families = [
            (f.family, f"{f.columns:,}", "constant" if p is None else formatting.probability(p))
            for f in self.families
            for p in [f.pvalue_adjusted]
        ]
        lines += ["", *page.table(("Family", "columns", "p adjusted"), families, left=(0,))]
        features = [
            (
                formatting.name(f.feature, 48),
                formatting.rate(f.rate_suspect),
                formatting.rate(f.rate_reference),
                formatting.probability(f.pvalue_adjusted),
            )
            for f in sure
        ]
        header = ("Preferred features", "suspect", "reference" if self.has_reference else "turned down", "p adjusted")
        return [*lines, "", *page.table(header, features, left=(0,))] if features else lines
