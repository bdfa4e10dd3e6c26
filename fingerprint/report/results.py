"""The records a report is made of: one frozen dataclass for each thing that a comparison measures."""

from __future__ import annotations

from dataclasses import dataclass, field

from fingerprint.lm.noise_floor import NoiseFloor
from fingerprint.statistics.intervals import Estimate


@dataclass(frozen=True)
class DesignPart:
    """A part of a design: what its p-value uses, and the share of its mean difference in that of the whole.

    `prompts` counts rows where prompts are not known.
    """

    kind: str  # "shared": sides of a prompt swapped; "separate": sides of whole blocks permuted
    rows_suspect: int
    rows_reference: int
    prompts_suspect: int
    prompts_reference: int
    blocks: int
    share: float


@dataclass(frozen=True)
class Design:
    """What was compared with what. `unused` counts rows that the p-value could not use (auc, bags and rows use all)."""

    kind: str  # "shared", "mixed", "disjoint" or "independent"; "cells" against a fingerprint
    rows_suspect: int
    rows_reference: int
    prompts_suspect: int | None
    prompts_reference: int | None
    prompts_shared: int | None
    pairs: int | None  # row pairs entering the p-value (shared prompts)
    blocks: int
    unused_suspect: int
    unused_reference: int
    parts: tuple[DesignPart, ...] = ()

    @property
    def is_paired(self) -> bool:
        """Whether rows that answer the same prompt are compared with each other: prompts then explain no difference."""
        return self.kind == "shared"

    @property
    def has_prompts(self) -> bool:
        """Whether rows stand together by the prompts they answer."""
        return self.kind != "independent"

    @property
    def unit(self) -> str:
        """What a sample size of this design is counted in."""
        return "prompt pairs" if self.is_paired else "rows a side"


@dataclass(frozen=True)
class SampleResult:
    """The sample of whole prompts that a report stands on where there are more rows than are held.

    `rows_suspect` and `rows_reference` are the rows that are analysed: without those that a prior was learnt from.

    `pvalue` is that of the sample alone. `covers_all` says whether the report's p-value, families and design are of all
    rows; where they are not, `reason` says why, and they too are the sample's. `share` is the share of the prompts, by
    their hash, whose rows enter the report's p-value.
    """

    rows_suspect: int
    rows_reference: int
    pvalue: float
    covers_all: bool
    share: float
    reason: str | None


@dataclass(frozen=True)
class FamilyResult:
    """One feature family: `statistic` is standardised by its exact permutation sd, `pvalue_adjusted` by min-P."""

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
    (two new corpora compared as these were); JSON calls it `for`. `low` and `high` are what `rows` may really be, with
    95 %; None where no number is known to do.
    """

    target: str = field(metadata={"json": "for"})
    power: float
    alpha: float
    rows: int | None
    low: int | None = None
    high: int | None = None


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
    """A feature whose rate per row differs, adjusted over all features that were looked at.

    `measure` says what the rates are: "share of rows", "mean rank" (of a measurement among all rows, 0 to 1), "scaled
    count" (occurrences in a row over the square root of its length) or "mean value". They are of the rows that enter
    the p-value; where prompts are partly shared, those of the two parts are averaged with the weights of the test.
    `effect` is their standardised difference, above 0 for more in the suspect: Cohen's h for shares, for other means
    their difference over the standard deviation of those rows. `spellings` are other features that say the same thing,
    less strongly (a word with the blank before it, bins of one measurement), and `families` all families they are of;
    rates, effect and p-value are the feature's own.
    """

    feature: str
    family: str
    rate_suspect: float
    rate_reference: float
    pvalue_adjusted: float
    measure: str
    direction: str  # "more" or "less": in the suspect
    effect: float
    spellings: tuple[str, ...]
    families: tuple[str, ...]


@dataclass(frozen=True)
class PromptControl:
    """The same test on the prompts; `pvalue` is None when both sides answer the same ones: nothing can differ."""

    pvalue: float | None
    differs: bool
    note: str


@dataclass(frozen=True)
class CopiesResult:
    """The frequent text whose share differs most between the sides, and the test with every text counted once.

    Shares are of the rows of a side that enter the p-value. `deviation` is their difference in standard errors,
    `frequent` says of how many texts this is the one that deviates most. `pvalue_once` is None where too few rows are
    left.
    """

    text: str
    share_suspect: float
    share_reference: float
    deviation: float
    frequent: int
    rows_suspect: int
    rows_reference: int
    pvalue_once: float | None

    @property
    def side(self) -> str:
        """The side on which the text is more frequent."""
        return "suspect" if self.share_suspect >= self.share_reference else "reference"

    @property
    def excess(self) -> float:
        """By how much the share on one side exceeds that on the other."""
        return abs(self.share_suspect - self.share_reference)


@dataclass(frozen=True)
class SelfTest:
    """Rejection rate of the whole pipeline where nothing differs; `rate` carries its exact binomial interval."""

    runs: int
    rejections: int
    alpha: float
    rate: Estimate


@dataclass(frozen=True)
class Hardness:
    """How hard rows are for a model (length, surprisal, gap to the entropy), whatever they say.

    `alone` is the row AUROC of that by itself, `beyond` that of the stack when it is held fixed.
    """

    alone: Estimate
    beyond: Estimate


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
    system_prompts: tuple[str, ...] = field(metadata={"json": "candidates"})
    floor: NoiseFloor
    auc: Estimate
    auc_without: Estimate
    difference: Estimate
    hardness: Hardness


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

    @property
    def deviations(self) -> float | None:
        """How many of the null's standard deviations the observed statistic lies above the null's mean.

        From the histogram, so good to a bin; None where nothing varies. The null is skewed, not normal: the number says
        how far out the observed statistic is, and no p-value follows from it.
        """
        total = sum(self.counts)
        if self.observed is None or not total:
            return None
        centres = [(low + high) / 2 for low, high in zip(self.edges, self.edges[1:], strict=False)]
        mean = sum(c * n for c, n in zip(centres, self.counts, strict=True)) / total
        variance = sum((c - mean) ** 2 * n for c, n in zip(centres, self.counts, strict=True)) / total
        return (self.observed - mean) / variance**0.5 if variance > 0 else None


@dataclass(frozen=True)
class Warning:
    """Something the reader must know: its figure, the threshold it passed, and what to do."""

    code: str
    value: float
    threshold: float
    message: str
