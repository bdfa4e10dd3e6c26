"""The ladder: where the signal lives. Each rung takes information out of the rows; then the same test and scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fingerprint.detection.analysis import Analysis, bag16_interval, family_matrices, pvalue_among, scored
from fingerprint.detection.model_families import FAMILIES as MODEL_FAMILIES
from fingerprint.detection.prior import PRIOR
from fingerprint.detection.progress import Step
from fingerprint.detection.rungs import RungStep, rung_steps
from fingerprint.detection.section import Prepared, Section
from fingerprint.features import choose, data_kind
from fingerprint.features.compiled import side_by_side
from fingerprint.report.report import Report
from fingerprint.report.results import Rung
from fingerprint.statistics.comparison import Comparison, thin
from fingerprint.statistics.intervals import auc_interval
from fingerprint.statistics.permutation import Relabellings
from fingerprint.statistics.streams import Stream

# The ladder runs on at most this many rows a side: enough to place the signal, quick at any size.
LADDER_ROWS = 5000


def _rungs(small: Comparison) -> tuple[RungStep, ...]:
    return rung_steps(data_kind(small.texts), small.texts)


def _steps(prepared: Prepared) -> Sequence[Step]:
    if not prepared.case.options.ladder:
        return ()
    return [Step(f"ladder: {step.rung}", 0.5) for step in _rungs(thin(prepared.comparison, LADDER_ROWS))]


def _add(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Report:
    """All rungs on the same rows and with the same relabellings, with the built-in scores whatever classifier."""
    case, small = prepared.case, thin(main.comparison, LADDER_ROWS)
    relabellings = (
        main.test.relabellings
        if small is main.comparison
        else Relabellings.draw(small.design, case.options.n_permutations, case.rng(Stream.PERMUTATIONS))
    )

    def rung(step: RungStep) -> Rung:
        return _rung(step, prepared, main, small, relabellings)

    steps, found = _rungs(small), []
    for step, one in zip(steps, side_by_side(rung, steps), strict=True):
        tell(f"ladder: {step.rung}")
        found.append(one())
    return replace(report, rungs=tuple(found))


SECTION = Section(_steps, _add)


def _rung(
    step: RungStep, prepared: Prepared, main: Analysis, small: Comparison, relabellings: Relabellings
) -> Rung:
    case = prepared.case
    is_main = small is main.comparison and case.options.classifier is None
    if step.rung == "raw" and is_main and not {PRIOR, *MODEL_FAMILIES} & set(main.matrices):
        pvalue, scores = main.test.pvalue, main.scores
    else:
        rewritten = replace(small, texts=step.rewrite(small.texts, case.rng(Stream.LADDER)))
        own = {name: make() for name, make in step.families.items()} or choose(prepared.families, small.texts)
        matrices = family_matrices(rewritten, own)
        pvalue, scores = pvalue_among(rewritten, matrices, relabellings), scored(rewritten, matrices)
    bag16 = bag16_interval(scores, case.rng(Stream.BAGS))
    return Rung(step.rung, pvalue, auc_interval(scores), bag16, step.description)
