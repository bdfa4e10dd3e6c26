"""The prompt control: the same test on the prompts themselves. Where they differ, the teacher cannot be blamed."""

from __future__ import annotations

from dataclasses import dataclass

from fingerprint.data.corpus import Corpus
from fingerprint.detection.analysis import family_matrices, fresh_pvalue
from fingerprint.detection.case import Case
from fingerprint.detection.findings import control_level
from fingerprint.features import choose
from fingerprint.report.results import PromptControl
from fingerprint.statistics.comparison import Comparison, pair, thin
from fingerprint.statistics.designs import MIN_GROUPS
from fingerprint.statistics.streams import Stream

CONTROL_PROMPTS = 5000  # a side, at most


@dataclass(frozen=True)
class LaidOut:
    """Two corpora laid out for testing, and what is known of their prompts."""

    comparison: Comparison
    control: PromptControl


def laid_out(case: Case, suspect: Corpus, reference: Corpus) -> LaidOut:
    """Lay two corpora out: where the prompts that only one side answers differ, the shared ones alone are compared.

    Where too few prompts are shared for that, everything is compared all the same, and the difference is not the
    teacher's.

    Notes
    -----
    The choice hangs on the prompts and never on the texts, so that the test on the texts stays exact.

    Raises
    ------
    ValueError
        As `Case.paired` does.
    """
    comparison = case.paired(suspect, reference)
    control = prompt_control(case, suspect, reference, comparison)
    paired = comparison.design.paired
    if not control.differs or comparison.design.is_paired or paired is None:
        return LaidOut(comparison, control)
    if paired.distinct_relabellings * case.alpha < 1 or paired.n_blocks < MIN_GROUPS:
        return LaidOut(comparison, control)
    return LaidOut(case.paired(suspect, reference, paired_alone=True), control)


def prompt_control(case: Case, suspect: Corpus, reference: Corpus, comparison: Comparison) -> PromptControl:
    """The test on the prompts that only one side answers."""
    if comparison.ignored_prompts and any(prompt is not None for prompt in suspect.prompts):
        return PromptControl(None, False, "all rows answer one prompt")
    if not comparison.design.has_prompts:
        was_given = any(prompt is not None for corpus in (suspect, reference) for prompt in corpus.prompts)
        why = "prompts are ignored, as asked for" if was_given else "no prompts"
        return PromptControl(None, False, f"{why}: a difference between them would go unseen")
    for known, name in zip(comparison.prompts, ("suspect", "reference"), strict=True):
        if not known:
            return PromptControl(None, False, f"the {name}'s prompts are not known: a difference would go unseen")
    only = [sorted(comparison.prompts[a] - comparison.prompts[1 - a]) for a in (0, 1)]
    if not any(only):
        missing = sum(prompt is None for corpus in (suspect, reference) for prompt in corpus.prompts)
        but = f", as far as they are known: {missing} rows have none" if missing else ""
        return PromptControl(None, False, f"both sides answer the same prompts{but}")
    if min(map(len, only)) < MIN_GROUPS:
        counts = f"{len(only[0])} of the suspect's alone, {len(only[1])} of the reference's"
        return PromptControl(None, False, f"too few prompts that only one side answers to compare ({counts})")
    sides = [Corpus(tuple(own), name=f"prompts of {c.name}") for own, c in zip(only, (suspect, reference), strict=True)]
    prompts = thin(pair(sides[0], sides[1], seed=case.seed), CONTROL_PROMPTS)
    matrices = family_matrices(prompts, choose("auto", prompts.texts))
    pvalue = fresh_pvalue(prompts, matrices, case.options.n_permutations, case.rng(Stream.PROMPT_CONTROL))
    differs = pvalue <= control_level(case.alpha)
    scope = "the prompts" if comparison.design.paired is None else "the prompts that only one side answers"
    note = f"{scope} {'differ' if differs else 'were not found to differ'} between the sides"
    return PromptControl(pvalue, differs, note)
