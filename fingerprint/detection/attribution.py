"""Presence and attribution: the suspect beside teachers that were conditioned on something else.

The suspect may differ from the reference merely because some system prompt, or some fine-tuning, was there. Placebos
are corpora of teachers of the same base that were conditioned on something else and sampled alike. Each is compared
with the suspect by the exact test; "differs from every placebo" is an intersection-union test (Berger 1982, doi
10.1080/00401706.1982.10487790): the largest of the p-values is a valid one, without any adjustment. That the suspect
differs from the reference *more* than they do is judged by its rank: if it was conditioned as they were, its place
among P placebos is uniform, so p >= 1 / (P + 1).

Every look is the main test: what is known from other rows joins it here too. A detector's score then counts where the
suspect looks more like its trait than a placebo does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from fingerprint.data.corpus import Corpus
from fingerprint.data.progress import Step
from fingerprint.detection.analysis import Analysis, analyse
from fingerprint.detection.findings import control_level
from fingerprint.detection.prompt_control import laid_out
from fingerprint.detection.section import Addition, Prepared, Section
from fingerprint.features import choose
from fingerprint.report.report import Report
from fingerprint.report.results import AttributionResult, PlaceboResult, Warning
from fingerprint.statistics.comparison import Comparison, thin
from fingerprint.statistics.intervals import Estimate, auc_interval

MOST_ROWS = 5000


def _steps(prepared: Prepared) -> Sequence[Step]:
    return [Step("placebos", 2.5 * (1 + 2 * len(prepared.case.placebos)))] if prepared.case.placebos else ()


def _find(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Addition:
    """The suspect and the reference beside every placebo, and a warning for each placebo with other prompts."""
    tell("placebos")
    case, corpora = prepared.case, prepared.case.everybody
    warnings: list[Warning] = []

    def paired(first: int, second: int) -> Comparison:
        found = laid_out(case, corpora[first], corpora[second])
        control = found.control
        if control.differs and control.pvalue is not None and first == 0 < second - 1:
            message = f"prompts of {corpora[second].name} differ from the suspect's: compare rows on the same prompts"
            warnings.append(Warning("placebo_prompts", control.pvalue, control_level(case.alpha), message))
        return found.comparison

    def compare(comparison: Comparison, sides: tuple[int, int]) -> Found:
        texts = choose(prepared.families, comparison.texts)
        families = {**texts, **prepared.model_families(comparison, sides)}
        analysis = analyse(case, comparison, families, priors=case.priors)
        return Found(analysis.test.pvalue, auc_interval(analysis.scores))

    found = attribute(corpora, paired, compare, case.alpha)
    return lambda others: replace(others, attribution=found, warnings=(*others.warnings, *warnings))


SECTION = Section(_steps, _find)


@dataclass(frozen=True)
class Found:
    """p-value and row AUROC of one comparison."""

    pvalue: float
    auc: Estimate


# Compares two of the corpora, named by number, after its rows were thinned.
Compare = Callable[[Comparison, tuple[int, int]], Found]


def attribute(
    corpora: Sequence[Corpus],
    paired: Callable[[int, int], Comparison],
    compare: Compare,
    alpha: float,
) -> AttributionResult:
    """Compare suspect (0), reference (1) and placebos (2, ...) on as many rows each.

    Parameters
    ----------
    corpora : sequence of Corpus
        Suspect, reference, placebos.
    paired : callable
        The comparison of two of them.
    compare : callable
        Its p-value and AUROC.
    alpha : float
        Level of the claim.

    Raises
    ------
    ValueError
        If two of the corpora cannot be compared.
    """
    numbers = range(2, len(corpora))
    sides = [(0, 1), *((0, k) for k in numbers), *((k, 1) for k in numbers)]
    designs = {pair: paired(*pair) for pair in sides}
    rows = min(MOST_ROWS, *(_used(comparison) for comparison in designs.values()))
    found = {pair: compare(thin(comparison, rows), pair) for pair, comparison in designs.items()}
    presence = found[0, 1]
    placebos = tuple(
        PlaceboResult(corpora[k].name, rows, found[0, k].pvalue, found[0, k].auc, found[k, 1].pvalue, found[k, 1].auc)
        for k in numbers
    )
    rank = 1 + sum((p.reference_auc.value or 0.0) >= (presence.auc.value or 0.0) for p in placebos)
    is_rankable = 1 / (len(placebos) + 1) <= alpha
    return AttributionResult(
        presence.pvalue,
        presence.auc,
        max(p.pvalue for p in placebos),
        rank,
        rank / (len(placebos) + 1) if is_rankable else None,
        _claim(presence, placebos, rank, alpha),
        placebos,
    )


def _used(comparison: Comparison) -> int:
    """Rows a side that enter the p-value."""
    return min(int((comparison.design.used & arm).sum()) for arm in comparison.sides)


def _claim(presence: Found, placebos: Sequence[PlaceboResult], rank: int, alpha: float) -> str:
    """What the p-values allow to say."""
    alike = [p.placebo for p in placebos if p.pvalue > alpha]
    if presence.pvalue > alpha:
        first = "No presence at alpha: the suspect is not told apart from the reference"
    elif alike:
        first = f"Presence only: the suspect is not told apart from {_listed(alike)}, whose conditioning was another"
    else:
        first = "Presence, and the suspect differs from every placebo: more than that some conditioning was there"
    return f"{first}. {_rank_sentence(len(placebos), rank, alpha)}"


def _rank_sentence(n: int, rank: int, alpha: float) -> str:
    place = f"By its row AUROC against the reference it is number {rank} of {n + 1}"
    if 1 / (n + 1) > alpha:
        least = ceil(1 / alpha - 1e-9) - 1
        return f"{place}; a rank needs at least {least} placebos to mean anything at alpha {alpha:g}, these are {n}."
    return f"{place} (p = {rank / (n + 1):.3g}, if its conditioning was like theirs)."


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
