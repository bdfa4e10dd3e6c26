"""What `detect_labels` says of the choices of a judge."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from fingerprint.preferences.pairs import PairCounts
from fingerprint.report import formatting
from fingerprint.report.contract import Result
from fingerprint.report.results import FeatureDifference, Warning
from fingerprint.statistics.intervals import Estimate


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
class LabelsResult(Result):
    """Choices of a judge, compared with those of a reference judge.

    Attributes
    ----------
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
    """

    schema_name = "labels"

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

    def __str__(self) -> str:
        lines = [*self._pairs(), "", *self._biases(), "", *self._families()]
        sure = [found for found in self.features if found.pvalue_adjusted <= self.alpha][:12]
        if sure:
            other = "the reference's choices" if self.has_reference else "texts turned down"
            what = f"share or mean in its choices, in {other}, p adjusted over features"
            lines += ["", f"What the judge prefers ({what})"]
            lines += [
                f"  {formatting.name(f.feature, 40):40s} {f.direction:4s} {f.rate_suspect:8.4g} {f.rate_reference:8.4g}"
                f"  {formatting.probability(f.pvalue_adjusted)}"
                for f in sure
            ]
        if self.planted:
            lines += ["", "Power, where a hidden preference decides this share of the choices"]
            lines += [f"  {p.share:4.0%}  {formatting.with_interval(p.power, 2)}" for p in self.planted]
        known = [need for need in self.needed if need.pairs is not None]
        lines += ["", "Pairs that a new comparison like this one needs"] if known else []
        lines += [
            f"  power {n.power:.2f}: {n.pairs:,} ({formatting.count(n.low)} to {formatting.count(n.high)})"
            for n in known
        ]
        told = [f"warning {w.code}: {w.message} ({w.value:.3g}, threshold {w.threshold:.3g})" for w in self.warnings]
        for paragraph in (*told, self.assumption, self.verdict):
            lines += ["", *textwrap.wrap(formatting.visible(paragraph), formatting.WIDTH)]
        return "\n".join(lines)

    def _pairs(self) -> list[str]:
        counts = self.pairs
        prompts = "" if counts.prompts is None else f" of {counts.prompts:,} prompts"
        if not self.has_reference:
            lines = [f"pairs {counts.suspect:,}{prompts}, one judge"]
        else:
            lines = [
                f"pairs {counts.shared:,}{prompts} that both judges labelled (suspect {counts.suspect:,}, reference "
                f"{counts.reference:,}); they disagree on {counts.disagreements:,}"
            ]
        left = {
            "rows of a pair labelled again, choices averaged": counts.repeated_suspect + counts.repeated_reference,
            "pairs without a choice (ties)": counts.ties_suspect + counts.ties_reference,
            "rows of two equal texts, left out": counts.identical,
            "bad rows, left out": counts.skipped,
        }
        return lines + [f"  {number:,} {what}" for what, number in left.items() if number]

    def _biases(self) -> list[str]:
        lines = ["Length and position" + (" (suspect, reference, p of their difference)" if self.has_reference else "")]
        chose = {"length": "chose the longer text", "position": "chose the text shown first"}
        for bias in self.biases:
            rates = [bias.rate_suspect, bias.rate_reference][: 1 + self.has_reference]
            figures = " ".join(f"{formatting.figure(rate):>7s}" for rate in rates)
            lines.append(f"  {chose[bias.bias]:27s} {figures}  p = {formatting.probability(bias.pvalue_adjusted)}")
        if len(self.biases) < len(chose):
            lines.append("  position: the order in which the judge saw the texts is not known")
        return lines

    def _families(self) -> list[str]:
        lines = ["Families, without what length and order tell (p adjusted over families)"]
        for found in self.families:
            p = "constant" if found.pvalue_adjusted is None else f"p = {formatting.probability(found.pvalue_adjusted)}"
            lines.append(f"  {found.family:12s} {p}")
        lines.append(f"  all together p = {formatting.probability(self.pvalue)}; with length and order in it "
                     f"p = {formatting.probability(self.pvalue_all)}")
        if self.foretold is not None:
            what = "differing choices" if self.has_reference else "choices"
            lines.append(f"  a score fitted to other prompts tells {self.foretold:.3f} of the {what} (chance .5)")
        return lines
