"""The result of `detect`: frozen records, and the ways out of them (text, JSON, polars frames, HTML)."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from statistics import NormalDist
from typing import Any

import polars as pl

from fingerprint.data.files import write_atomically
from fingerprint.report.encoding import decode, encode, frame

SCHEMA_VERSION = 1
_ROWS_SCHEMA = {"corpus": pl.String, "row": pl.Int64, "text": pl.String, "prompt": pl.String, "score": pl.Float64}


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; `None` where the data do not allow one."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Design:
    """What was compared with what. `unused` counts rows that the p-value could not use (auc, bags and rows use all)."""

    kind: str  # "shared", "disjoint" or "independent"
    rows_suspect: int
    rows_reference: int
    prompts_suspect: int | None
    prompts_reference: int | None
    prompts_shared: int | None
    pairs: int | None  # row pairs entering the p-value (shared design only)
    blocks: int
    unused_suspect: int
    unused_reference: int


@dataclass(frozen=True)
class FamilyResult:
    """One feature family: `statistic` is standardised by its exact permutation sd, `pvalue_adjusted` by max-T."""

    family: str
    columns: int
    statistic: float | None
    pvalue_adjusted: float | None
    auc: Estimate


@dataclass(frozen=True)
class Rung:
    """One step of the ladder: the whole test on rows of which only part of the information is left."""

    rung: str
    pvalue: float
    auc: Estimate
    bag16_auc: Estimate
    description: str = ""


@dataclass(frozen=True)
class Bag:
    """AUROC of bags of `k` texts judged together."""

    k: int
    auc: Estimate


@dataclass(frozen=True)
class RowsNeeded:
    """How many rows a side (`trained detector`) or prompt pairs (`this design`) reach `power` at `alpha`.

    `target` is "trained detector" (fresh rows judged by a detector trained on this data) or "this design"
    (two new corpora compared as these were); JSON calls it `for`.
    """

    target: str = field(metadata={"json": "for"})
    power: float
    alpha: float
    rows: int | None


@dataclass(frozen=True)
class PlantedPower:
    """Share of planted replicates, of row AUROC `auc`, that this test rejects at this n and design."""

    auc: float
    power: Estimate


@dataclass(frozen=True)
class MixturePower:
    """Share of replicates rejected when only `share` of the suspect rows are like these and the rest is reference."""

    share: float
    power: Estimate


@dataclass(frozen=True)
class Residual:
    """What can still be detected on the rows that a removal leaves; figures are None where `reason` says why."""

    rows_kept_suspect: int
    rows_kept_reference: int
    pairs_kept: int | None  # row pairs of the rebuilt design (shared prompts only)
    auc: Estimate
    bag16_auc: Estimate
    pvalue: float | None
    power: tuple[PlantedPower, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class RandomControl:
    """Random removals matched to a filter's: mean, least and greatest figure over the draws."""

    draws: int
    auc: Estimate
    bag16_auc: Estimate
    pvalue: Estimate


@dataclass(frozen=True)
class DetectorControl:
    """All removals on one half of the groups, beside that of a detector fitted on the other half.

    The detector removes, by one threshold for both sides, as many rows of that half as the filter does.
    """

    filter: Residual
    random: RandomControl | None
    detector: Residual


@dataclass(frozen=True)
class Controls:
    """What other removals of the same size leave; None where nothing was removed or too little is left to compare."""

    random: RandomControl | None
    detector: DetectorControl | None


@dataclass(frozen=True)
class ReasonCount:
    """How many rows of either side a filter gave this reason for; a row may have several."""

    reason: str
    suspect: int
    reference: int


@dataclass(frozen=True)
class FilterResult:
    """A semantic filter: what it removes, how well it separates the corpora, and what is detectable on what it keeps.

    `removed_suspect` and `removed_reference` are shares of the rows of a side, with exact binomial intervals. `auc` and
    `pvalue` treat the filter as a detector: its score, or drop against keep where it has none. Rows that it could not
    judge are counted apart, enter neither figure as kept, and are not among the survivors.
    """

    filter: str
    removed_suspect: Estimate
    removed_reference: Estimate
    unjudged_suspect: int
    unjudged_reference: int
    auc: Estimate
    bag16_auc: Estimate
    bag64_auc: Estimate
    pvalue: float
    residual: Residual
    controls: Controls
    reasons: tuple[ReasonCount, ...] = ()


@dataclass(frozen=True)
class FeatureDifference:
    """A feature whose rate per row differs, adjusted over all features that were looked at."""

    feature: str
    family: str
    rate_suspect: float
    rate_reference: float
    pvalue_adjusted: float


@dataclass(frozen=True)
class PromptControl:
    """The same test on the prompts; `pvalue` is None when both sides answer the same ones: nothing can differ."""

    pvalue: float | None
    differs: bool
    note: str


@dataclass(frozen=True)
class SelfTest:
    """Rejection rate of the whole pipeline where nothing differs; `rate` carries its exact binomial interval."""

    runs: int
    rejections: int
    alpha: float
    rate: Estimate


@dataclass(frozen=True)
class NoiseFloor:
    """How far scores move when nothing but the batch changes: greatest differences in nats, over rows scored twice."""

    rows: float
    tokens: float
    n_rows: int


@dataclass(frozen=True)
class ModelResult:
    """What a language model's families `logprobs` and `gradients` add to the others, on the same rows and folds.

    `preamble` is the text the model was given before a user's words: what its chat template really says. `auc` is the
    row AUROC of the stack with both (and with students of the model, where they were asked for), `auc_without` that of
    the others alone.
    """

    model: str
    digest: str
    preamble: str
    candidates: tuple[str, ...]
    floor: NoiseFloor
    auc: Estimate
    auc_without: Estimate
    difference: Estimate


@dataclass(frozen=True)
class Efficiency:
    """d_prime of a detector (a family, or "stack" for all together) and its ratio to the ceiling's."""

    detector: str
    d_prime: Estimate
    efficiency: Estimate


@dataclass(frozen=True)
class TeacherResult:
    """The ceiling: what the exact log-likelihood ratio of the known teachers reaches on these rows.

    Rows whose ratio is within the noise floor are counted: their sign means nothing. `floor` is None for teachers that
    are no language models.
    """

    teacher: str
    reference: str
    auc: Estimate
    d_prime: Estimate
    floor: NoiseFloor | None
    within_floor_suspect: int
    within_floor_reference: int
    efficiencies: tuple[Efficiency, ...]


@dataclass(frozen=True)
class PlaceboResult:
    """A teacher conditioned on something else: the suspect against it, and it against the reference."""

    placebo: str
    rows: int
    pvalue: float
    auc: Estimate
    reference_pvalue: float
    reference_auc: Estimate


@dataclass(frozen=True)
class AttributionResult:
    """Presence (the suspect against the reference) and attribution (against placebos), all on as many rows.

    `pvalue` is the largest over the placebos: small means that the suspect differs from every one of them. `rank` is
    the place of the suspect's row AUROC against the reference among those of the placebos, 1 the highest, and
    `rank_pvalue` is rank / (placebos + 1), None where there are too few placebos for one at alpha.
    """

    presence_pvalue: float
    presence_auc: Estimate
    pvalue: float
    rank: int
    rank_pvalue: float | None
    claim: str
    placebos: tuple[PlaceboResult, ...]


@dataclass(frozen=True)
class Null:
    """Observed omnibus statistic and a histogram (`edges` one longer than `counts`) of its permutation null."""

    observed: float | None
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Warning:
    """Something the reader must know: its figure, the threshold it passed, and what to do."""

    code: str
    value: float
    threshold: float
    message: str


def _no_rows() -> pl.DataFrame:
    return pl.DataFrame(schema=_ROWS_SCHEMA)


@dataclass(frozen=True, repr=False)
class Report:
    """What `detect` found: the verdict, the figures behind it, and everything a reader needs to doubt it.

    Parameters
    ----------
    verdict : str
        The result in sentences, with its rival explanations.
    detected : bool
        Whether `pvalue` is at most `alpha` and the row AUROC exceeds the least that was asked for.
    pvalue : float
        Omnibus permutation p-value, in (0, 1].
    alpha : float
        Error rate that `detected` was decided at.
    auc : Estimate
        AUROC of the cross-fitted row scores: the chance that a suspect row scores above a reference row.
    auc_paired : Estimate
        The same within prompts, for shared prompts. Its interval is conservative: it covers in .96 to .98 of cases.
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
        Features whose rates differ, the strongest first.
    prompt_control : PromptControl
        The same test on the prompts.
    self_test : SelfTest or None
        Rejection rate of the pipeline where nothing differs; None where it was not asked for.
    model : ModelResult or None
        What a language model's log-probabilities add; None where no model was given.
    teacher : TeacherResult or None
        The ceiling that known teachers set, and each detector's share of it.
    attribution : AttributionResult or None
        The suspect beside teachers conditioned on something else; None where there are no placebos.
    null : Null
        Observed statistic and the histogram of its permutation null.
    warnings : tuple of Warning
        What the reader must know before believing the verdict.
    settings : dict
        Versions, seed, input hashes and options, as JSON values.
    rows : polars.DataFrame
        Columns corpus, row, text, prompt and score, the highest score first: a ranking, never a verdict on single
        rows. With known teachers also llr (nats) and within_noise: whether it is within the noise floor. It takes no
        part in comparisons and never enters JSON, so a report read from JSON has none.

    Notes
    -----
    Two reports are equal when everything but `rows` is.
    """

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
    self_test: SelfTest | None
    model: ModelResult | None
    teacher: TeacherResult | None
    attribution: AttributionResult | None
    null: Null
    warnings: tuple[Warning, ...]
    settings: dict[str, Any]
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
        """Features that differ: feature, family, rate_suspect, rate_reference, pvalue_adjusted."""
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
        For a trained detector the mean score of n independent rows is close to normal, which gives
        ``n = ((z_(1-alpha) + z_power) / d_prime) ** 2``, one-sided.
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
        return self._trained_detector_rows(power)

    def _trained_detector_rows(self, power: float) -> int | None:
        d_prime = self.d_prime.value
        if d_prime is None or not d_prime > 0:
            return None
        quantile = NormalDist().inv_cdf
        ratio = (quantile(1 - self.alpha) + quantile(power)) / d_prime
        rows = ratio * ratio
        return max(1, math.ceil(rows)) if math.isfinite(rows) else None

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values: the keys of `json_schema`, floats to 10 significant digits, no row texts."""
        body: dict[str, Any] = encode(Report, self)
        return {"schema_version": SCHEMA_VERSION, **body}

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The report as JSON text, also written to `path` where one is given.

        The text is plain ASCII (anything else is escaped), and the file is never half-written.
        """
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=True, allow_nan=False)
        if path is not None:
            write_atomically(path, text + "\n")
        return text

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Report:
        """Inverse of `to_dict`.

        Raises
        ------
        ValueError
            If `data` is of another schema version, lacks a key, has an unknown one, or holds a wrong type.
        """
        if not isinstance(data, dict):
            raise ValueError(f"a report must be a JSON object, got {type(data).__name__}; write it with Report.to_json")
        if data.get("schema_version") != SCHEMA_VERSION:
            found = data.get("schema_version")
            raise ValueError(
                f"schema_version must be {SCHEMA_VERSION}, got {found!r}; read it with the release that wrote it"
            )
        body = {key: value for key, value in data.items() if key != "schema_version"}
        report: Report = decode(cls, body, "report")
        return report

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Report:
        """Read a report from a JSON file, or from JSON text (a string that starts with a brace).

        Raises
        ------
        ValueError
            If it is not JSON, or not a report.
        FileNotFoundError
            If there is no such file.
        """
        is_text = isinstance(source, str) and source.lstrip().startswith("{")
        text = str(source) if is_text else Path(source).read_text(encoding="utf-8")
        name = "text" if is_text else repr(os.fspath(source))
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"a report must be JSON, got {name}: {error}; write it with Report.to_json") from error
        return cls.from_dict(data)

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) that every `to_dict` satisfies."""
        path = files("fingerprint.report") / "schemas" / "report.schema.json"
        schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return schema

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write one self-contained HTML page to `path`: no scripts, no requests, everything from the data escaped.

        The page quotes the twenty rows at the ends of the ranking; everything else in it is an aggregate.
        """
        from fingerprint.report.html import page

        write_atomically(path, page(self))

    def __str__(self) -> str:
        from fingerprint.report.text import screenful

        return screenful(self)

    def __repr__(self) -> str:
        return f"Report(detected={self.detected}, pvalue={self.pvalue:.4g}, auc={self.auc})"

    def _repr_html_(self) -> str:
        from fingerprint.report.html import fragment

        return fragment(self)


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
