"""What a section of the report is: the steps it takes, and what it adds to the report; how they run side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event

from fingerprint.data.progress import Step
from fingerprint.detection.analysis import Analysis
from fingerprint.detection.case import Case
from fingerprint.detection.model_families import ReadCorpora
from fingerprint.features import Family
from fingerprint.features.compiled import begun, n_threads
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


# A report with what a section found, of the report with what sections before it have added.
Addition = Callable[[Report], Report]


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Attributes
    ----------
    steps : callable (prepared) -> sequence of Step
        What will be told while it runs, in this order; nothing where the section is not wanted.
    find : callable (report, prepared, main, tell) -> Addition
        Its work, from a report that holds the main result alone, and what that adds to the report.
    is_beside : bool
        Whether it may run beside others, in a thread: it takes seconds, and calls no model, no filter and no judge.
    """

    steps: Callable[[Prepared], Sequence[Step]]
    find: Callable[[Report, Prepared, Analysis, Callable[[str], None]], Addition]
    is_beside: bool = False


def with_sections(
    sections: Sequence[Section], report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]
) -> Report:
    """The report with what its sections found.

    The sections that run beside others begin first, as many at a time as there are threads; the others run here, when
    it is their turn. All of them see the same main result, and random numbers are streams of each section's own, so
    that figures hang on no order. What is told, what is added and whose error is raised goes by the order of the
    sections, as if they had run one after another.
    """
    wanted = [section for section in sections if section.steps(prepared)]
    beside = [section for section in wanted if section.is_beside and n_threads() > 1]
    is_left = Event()
    told = {section: _Told(is_left) for section in beside}
    additions: list[Addition] = []

    def find(section: Section) -> Addition:
        try:
            return section.find(report, prepared, main, told[section])
        finally:
            told[section].end()

    with begun(find, beside) as waiting:
        found = dict(zip(beside, waiting, strict=True))
        try:
            for section in wanted:
                if section in found:
                    told[section].pass_on(tell)
                    additions.append(found[section]())
                else:
                    additions.append(section.find(report, prepared, main, tell))
        except BaseException:
            is_left.set()
            raise
    for add in additions:
        report = add(report)
    return report


class _Told:
    """Steps that a section tells in a thread, kept until they are passed on: listeners are called in one thread.

    Parameters
    ----------
    is_left : Event
        Set when nobody waits for the section any more: it then ends at its next step.
    """

    def __init__(self, is_left: Event) -> None:
        self._is_left = is_left
        self._steps: SimpleQueue[str | None] = SimpleQueue()

    def __call__(self, step: str) -> None:
        if self._is_left.is_set():
            raise RuntimeError("nobody waits for this section")
        self._steps.put(step)

    def end(self) -> None:
        """There will be no more."""
        self._steps.put(None)

    def pass_on(self, tell: Callable[[str], None]) -> None:
        """Tell every step as it comes, until the section ends."""
        for step in iter(self._steps.get, None):
            tell(step)
