"""The result of `detect`: frozen records, and the ways out of them (text, JSON, polars frames, HTML)."""

from __future__ import annotations

from dataclasses import dataclass


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

    target: str
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
class FeatureDifference:
    """A feature whose rate per row differs, adjusted over all features that were looked at."""

    feature: str
    family: str
    rate_suspect: float
    rate_reference: float
    pvalue_adjusted: float


@dataclass(frozen=True)
class PromptControl:
    """The same test on the prompts. `pvalue` is None when both sides answer the same prompts, so that nothing can differ."""

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
