"""All figures of a comparison of two corpora, as records and as tables."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import polars as pl

from fingerprint.report.contract import Result
from fingerprint.report.encoding import JsonObject, frame
from fingerprint.report.panel_result import PanelResult
from fingerprint.report.results import (
    AttributionResult,
    Bag,
    CopiesResult,
    Design,
    Efficiency,
    FamilyResult,
    FeatureDifference,
    FilterResult,
    MixturePower,
    ModelResult,
    Null,
    PlaceboResult,
    PlantedPower,
    PromptControl,
    RandomControl,
    Residual,
    RowsNeeded,
    Rung,
    SampleResult,
    SelfTest,
    TeacherResult,
    Warning,
)
from fingerprint.statistics.effect_size import rows_for_trained_detector
from fingerprint.statistics.intervals import Estimate

_ROWS_SCHEMA = {"corpus": pl.String, "row": pl.Int64, "text": pl.String, "prompt": pl.String, "score": pl.Float64}


def _no_rows() -> pl.DataFrame:
    return pl.DataFrame(schema=_ROWS_SCHEMA)


@dataclass(frozen=True, eq=False, repr=False)
class DetectionResult(Result):
    """What `detect` found, without the ways to show it: pages, texts and pictures are made from this.

    Parameters
    ----------
    title : str
        What was compared, by the names of the files or as the caller calls it.
    verdict : str
        The result in sentences, with its rival explanations.
    detected : bool
        Whether `pvalue` is at most `alpha`, the row AUROC exceeds the least that was asked for, and it cannot be the
        prompts that differ (they are alike, or the p-value is of pairs of shared prompts alone).
    pvalue : float
        Omnibus permutation p-value, in (0, 1].
    alpha : float
        Error rate that `detected` was decided at.
    auc : Estimate
        AUROC of the cross-fitted row scores: the chance that a suspect row scores above a reference row.
    auc_paired : Estimate
        AUROC within prompts: the same for rows that answer the same prompt. Its interval is conservative: it covers in
        .96 to .98 of cases.
    d_prime : Estimate
        Distance of the two score distributions in standard deviations, ``sqrt(2) * Phi^-1(auc)``.
    bag_results : tuple of Bag
        AUROC of bags of k texts judged together.
    needed : tuple of RowsNeeded
        Rows that reach a power, for a trained detector and for this design.
    planted : tuple of PlantedPower
        Power of this test against planted signals: what a non-detection is worth.
    mixtures : tuple of MixturePower
        Power when only a share of the suspect rows carries the signal; empty where nothing was detected.
    design : Design
        What was compared with what.
    family_results : tuple of FamilyResult
        Each feature family alone.
    rungs : tuple of Rung
        The ladder: where the signal lives.
    filter_results : tuple of FilterResult
        Semantic filters, and all of them in sequence; empty where none ran.
    differences : tuple of FeatureDifference
        Features whose rates differ, by adjusted p-value and then by effect, one for each thing that differs.
    prompt_control : PromptControl
        The same test on the prompts.
    copies : CopiesResult or None
        The text that stands too often on one side, and the p-value with every text counted once; None where no text
        stands often.
    self_test : SelfTest or None
        Rejection rate of the pipeline where nothing differs; None where it was not asked for.
    panel : PanelResult or None
        What known conditioning adds; None where no panel was given.
    model : ModelResult or None
        What a language model's log-probabilities add; None where no model was given.
    teacher : TeacherResult or None
        The ceiling that known teachers set, and each detector's share of it.
    attribution : AttributionResult or None
        The suspect beside teachers conditioned on something else; None where there are no placebos.
    null : Null
        Observed statistic and the histogram of its permutation null.
    sample : SampleResult or None
        The sample that scores, ladder, filters, power, features and warnings are of, where there are more rows than are
        held; None where all rows are.
    warnings : tuple of Warning
        What the reader must know before believing the verdict.
    settings : dict
        Versions, seed, input hashes and options, as JSON values.
    rows : polars.DataFrame
        Columns corpus, row, text, prompt and score, the highest score first: a ranking, never a verdict on single
        rows. ``row`` is the row's index in its corpus, from 0; the HTML page and messages count rows from 1. Where not
        all rows are held: those of the sample, and the hundred highest and lowest of all others. With known teachers
        also llr (nats) and within_noise: whether it is within the noise floor. It takes no part in comparisons and
        never enters JSON, so a report read from JSON has none.

    Notes
    -----
    Two results are equal when everything but `rows` is, to the digits that JSON holds.
    """

    schema_name = "report"

    title: str
    verdict: str
    detected: bool
    pvalue: float
    alpha: float
    auc: Estimate
    auc_paired: Estimate
    d_prime: Estimate
    bag_results: tuple[Bag, ...] = field(metadata={"json": "bags"})
    needed: tuple[RowsNeeded, ...] = field(metadata={"json": "rows_needed"})
    planted: tuple[PlantedPower, ...] = field(metadata={"json": "power"})
    mixtures: tuple[MixturePower, ...]
    design: Design
    family_results: tuple[FamilyResult, ...] = field(metadata={"json": "families"})
    rungs: tuple[Rung, ...] = field(metadata={"json": "ladder"})
    filter_results: tuple[FilterResult, ...] = field(metadata={"json": "filters"})
    differences: tuple[FeatureDifference, ...] = field(metadata={"json": "features"})
    prompt_control: PromptControl
    copies: CopiesResult | None
    self_test: SelfTest | None
    panel: PanelResult | None
    model: ModelResult | None
    teacher: TeacherResult | None
    attribution: AttributionResult | None
    null: Null
    sample: SampleResult | None
    warnings: tuple[Warning, ...]
    settings: JsonObject
    rows: pl.DataFrame = field(default_factory=_no_rows, compare=False, metadata={"json": None})

    @property
    def bags(self) -> pl.DataFrame:
        """AUROC by bag size: k, auc, auc_low, auc_high."""
        return frame(Bag, self.bag_results)

    @property
    def families(self) -> pl.DataFrame:
        """Each feature family alone: family, columns, statistic, pvalue_adjusted, auc, auc_low, auc_high."""
        return frame(FamilyResult, self.family_results)

    @property
    def ladder(self) -> pl.DataFrame:
        """Where the signal lives: rung, pvalue, auc and bag16_auc with their intervals, description."""
        return frame(Rung, self.rungs)

    @property
    def features(self) -> pl.DataFrame:
        """Features that differ: feature, family, rate_suspect, rate_reference, pvalue_adjusted, measure and direction
        (what the rates are, and whether the suspect has more or less), effect, spellings and families (lists).
        """
        return frame(FeatureDifference, self.differences)

    @property
    def power(self) -> pl.DataFrame:
        """Power against planted signals of a row AUROC: auc, power, power_low, power_high."""
        return frame(PlantedPower, self.planted)

    @property
    def efficiencies(self) -> pl.DataFrame:
        """Share of the ceiling's d_prime: detector, d_prime and efficiency with their intervals; empty without one."""
        return frame(Efficiency, self.teacher.efficiencies if self.teacher is not None else ())

    @property
    def placebos(self) -> pl.DataFrame:
        """Teachers conditioned on something else: placebo, rows, pvalue, auc, reference_pvalue, reference_auc."""
        return frame(PlaceboResult, self.attribution.placebos if self.attribution is not None else ())

    @property
    def filters(self) -> pl.DataFrame:
        """Semantic filters, one a row: what each removes, its own AUROC, and what is left after it and its controls."""
        return frame(_FilterRow, map(_filter_row, self.filter_results))

    def bag_auc(self, k: int) -> Estimate:
        """AUROC of bags of `k` texts judged together.

        Raises
        ------
        ValueError
            If this bag size was not computed.
        """
        for bag in self.bag_results:
            if bag.k == k:
                return bag.auc
        sizes = ", ".join(str(bag.k) for bag in self.bag_results) or "none"
        raise ValueError(f"k must be one of the bag sizes {sizes}, got {k!r}; choose one of them")

    def rows_needed(self, power: float = 0.95, target: str = "trained detector") -> int | None:
        """Rows that reach `power` at this report's `alpha`; None where no number of rows is known to.

        Parameters
        ----------
        power : float
            Wanted probability of a detection, above alpha and below 1.
        target : {"trained detector", "this design"}
            Fresh rows judged by a detector trained on this data, or two new corpora compared as these were
            (prompt pairs where prompts are shared).

        Raises
        ------
        ValueError
            If `power` or `target` is out of range, or `target` is "this design" and `power` was not computed.

        Notes
        -----
        For a trained detector it follows from `d_prime`; see
        `fingerprint.statistics.effect_size.rows_for_trained_detector`.
        """
        if target not in ("trained detector", "this design"):
            raise ValueError(f"target must be 'trained detector' or 'this design', got {target!r}; choose one of them")
        if not self.alpha < power < 1:
            raise ValueError(f"power must be between alpha ({self.alpha}) and 1, got {power!r}; .8 and .95 are usual")
        stored = [n for n in self.needed if n.target == target and math.isclose(n.alpha, self.alpha)]
        for item in stored:
            if math.isclose(item.power, power):
                return item.rows
        if target == "this design":
            known = ", ".join(f"{item.power:g}" for item in stored) or "none"
            raise ValueError(f"power must be one of {known} for 'this design', got {power!r}; choose one of them")
        d_prime = self.d_prime.value
        return None if d_prime is None else rows_for_trained_detector(d_prime, power, self.alpha)


@dataclass(frozen=True)
class _FilterRow:
    """A `FilterResult` as one row of a table; `half_` columns are from the half that the detector was not fitted on."""

    filter: str
    removed_suspect: Estimate
    removed_reference: Estimate
    unjudged_suspect: int
    unjudged_reference: int
    auc: Estimate
    bag16_auc: Estimate
    bag64_auc: Estimate
    pvalue: float
    rows_kept_suspect: int
    rows_kept_reference: int
    pairs_kept: int | None
    residual_auc: Estimate
    residual_bag16_auc: Estimate
    residual_pvalue: float | None
    random_auc: Estimate
    random_bag16_auc: Estimate
    half_auc: Estimate
    half_bag16_auc: Estimate
    half_random_auc: Estimate
    half_random_bag16_auc: Estimate
    half_detector_auc: Estimate
    half_detector_bag16_auc: Estimate
    reason: str | None


def _filter_row(result: FilterResult) -> _FilterRow:
    left, random, half = result.residual, result.controls.random, result.controls.detector
    kept = None if half is None else half.filter
    half_random = None if half is None else half.random
    return _FilterRow(
        result.filter,
        result.removed_suspect,
        result.removed_reference,
        result.unjudged_suspect,
        result.unjudged_reference,
        result.auc,
        result.bag16_auc,
        result.bag64_auc,
        result.pvalue,
        left.rows_kept_suspect,
        left.rows_kept_reference,
        left.pairs_kept,
        left.auc,
        left.bag16_auc,
        left.pvalue,
        *_aucs(random),
        *_aucs(kept),
        *_aucs(half_random),
        *_aucs(None if half is None else half.detector),
        left.reason,
    )


def _aucs(found: Residual | RandomControl | None) -> tuple[Estimate, Estimate]:
    return (Estimate(None), Estimate(None)) if found is None else (found.auc, found.bag16_auc)
