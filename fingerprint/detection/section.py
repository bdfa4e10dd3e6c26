"""What a section of the report is: the steps it takes, and what it adds to the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fingerprint.data.progress import Step
from fingerprint.detection.analysis import Analysis
from fingerprint.detection.case import Case
from fingerprint.detection.model_families import ReadCorpora
from fingerprint.features import Family
from fingerprint.report.report import Report
from fingerprint.report.results import PromptControl
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.designs import Design
from fingerprint.statistics.intervals import Estimate


@dataclass(frozen=True)
class Prepared:
    """A case with its rows laid out and read.

    Attributes
    ----------
    case : Case
    comparison : Comparison
        Of suspect and reference.
    families : dict of Family
        Families of the texts, unfitted.
    control : PromptControl
        What is known of their prompts.
    reading : ReadCorpora or None
        What the model says of all rows.
    """

    case: Case
    comparison: Comparison
    control: PromptControl
    families: dict[str, Family]
    reading: ReadCorpora | None = None

    def is_detected(self, pvalue: float, auc: Estimate, design: Design) -> bool:
        """Whether a design's p-value and the row AUROC are a detection: not where it is the prompts that differ."""
        is_blamed_on_prompts = self.control.differs and not design.is_paired
        differs = pvalue <= self.case.alpha and (auc.value or 0.0) > self.case.options.min_auc
        return differs and not is_blamed_on_prompts

    def model_families(self, comparison: Comparison, sides: tuple[int, int] = (0, 1)) -> dict[str, Family]:
        """The model's families for the rows of a comparison of two of the corpora, where a model has read them."""
        return {} if self.reading is None else dict(self.reading.families(comparison, sides))


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Attributes
    ----------
    steps : callable (prepared) -> sequence of Step
        What will be told while it runs, in this order; nothing where the section is not wanted.
    add : callable (report, prepared, main, tell) -> Report
        The report with what the section found; it may read what sections before it have added.
    """

    steps: Callable[[Prepared], Sequence[Step]]
    add: Callable[[Report, Prepared, Analysis, Callable[[str], None]], Report]
