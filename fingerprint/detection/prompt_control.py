"""The prompt control: the same test on the prompts themselves. Where they differ, the teacher cannot be blamed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from fingerprint.data import digests
from fingerprint.data.corpus import Corpus
from fingerprint.detection.analysis import family_matrices, fresh_pvalue
from fingerprint.detection.case import Case
from fingerprint.detection.findings import control_level
from fingerprint.detection.streamed import CONTROL_PROMPTS, KnownPrompts
from fingerprint.features import choose
from fingerprint.report.results import PromptControl
from fingerprint.statistics.comparison import Comparison, pair
from fingerprint.statistics.designs import MIN_GROUPS, Design
from fingerprint.statistics.streams import Stream


@dataclass(frozen=True)
class LaidOut:
    """Two corpora laid out for testing, and what is known of their prompts."""

    comparison: Comparison
    control: PromptControl


def laid_out(case: Case, suspect: Corpus, reference: Corpus, known: KnownPrompts | None = None) -> LaidOut:
    """Lay two corpora out: where the prompts that only one side answers differ, the shared ones alone are compared.

    Where too few prompts are shared for that, everything is compared all the same, and the difference is not the
    teacher's.

    Parameters
    ----------
    known : KnownPrompts, optional
        Of all rows, where the corpora are only some of them.

    Notes
    -----
    The choice hangs on the prompts and never on the texts, so that the test on the texts stays exact.

    Raises
    ------
    ValueError
        As `Case.paired` does.
    """
    comparison = case.paired(suspect, reference)
    control = prompt_control(case, (suspect.name, reference.name), known or _known(suspect, reference, comparison))
    if not stands_alone(comparison.design, control, case.alpha):
        return LaidOut(comparison, control)
    return LaidOut(case.paired(suspect, reference, paired_alone=True), control)


def stands_alone(design: Design, control: PromptControl, alpha: float) -> bool:
    """Whether a design of all rows has to become one of the shared prompts alone, and can."""
    paired = design.paired
    if not control.differs or design.is_paired or paired is None:
        return False
    return paired.distinct_relabellings * alpha >= 1 and paired.n_blocks >= MIN_GROUPS


def prompt_control(case: Case, names: tuple[str, str], known: KnownPrompts) -> PromptControl:
    """The test on the prompts that only one side answers."""
    if known.is_single:
        return PromptControl(None, False, "all rows answer one prompt")
    if not known.are_used:
        why = "prompts are ignored, as asked for" if known.were_given else "no prompts"
        return PromptControl(None, False, f"{why}: a difference between them would go unseen")
    for count, name in zip(known.prompts, ("suspect", "reference"), strict=True):
        if not count:
            return PromptControl(None, False, f"the {name}'s prompts are not known: a difference would go unseen")
    only = [count - known.shared for count in known.prompts]
    if not any(only):
        but = f", as far as they are known: {known.missing} rows have none" if known.missing else ""
        return PromptControl(None, False, f"both sides answer the same prompts{but}")
    if min(only) < MIN_GROUPS:
        counts = f"{only[0]} of the suspect's alone, {only[1]} of the reference's"
        return PromptControl(None, False, f"too few prompts that only one side answers to compare ({counts})")
    sides = [Corpus(own, name=f"prompts of {name}") for own, name in zip(known.unshared, names, strict=True)]
    prompts = pair(sides[0], sides[1], seed=case.seed)
    matrices = family_matrices(prompts, choose("auto", prompts.texts))
    pvalue = fresh_pvalue(prompts, matrices, case.options.n_permutations, case.rng(Stream.PROMPT_CONTROL))
    differs = pvalue <= control_level(case.alpha)
    scope = "the prompts that only one side answers" if known.shared else "the prompts"
    note = f"{scope} {'differ' if differs else 'were not found to differ'} between the sides"
    return PromptControl(pvalue, differs, note)


def _known(suspect: Corpus, reference: Corpus, comparison: Comparison) -> KnownPrompts:
    """What is known of the prompts of rows that are held."""
    first, second = comparison.prompts
    given = [prompt is not None for corpus in (suspect, reference) for prompt in corpus.prompts]
    return KnownPrompts(
        is_single=comparison.ignored_prompts and any(given),
        are_used=comparison.design.has_prompts,
        were_given=any(given),
        missing=given.count(False),
        prompts=(len(first), len(second)),
        shared=len(first & second),
        unshared=(_of_least_hash(first - second), _of_least_hash(second - first)),
    )


def _of_least_hash(prompts: Collection[str]) -> tuple[str, ...]:
    """Prompts as `KnownPrompts.unshared` has them."""
    ordered = sorted(prompts)
    hashes = digests.numbers_of((prompt,) for prompt in ordered)
    return tuple(ordered[at] for at in np.argsort(hashes, kind="stable")[:CONTROL_PROMPTS].tolist())
