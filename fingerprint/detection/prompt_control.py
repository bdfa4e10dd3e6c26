"""The prompt control: the same test on the prompts themselves. Where they differ, the teacher cannot be blamed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fingerprint.data.corpus import Corpus
from fingerprint.detection.analysis import Analysis, family_matrices, tested_anew
from fingerprint.detection.case import Case
from fingerprint.detection.progress import Step
from fingerprint.detection.section import Prepared, Section
from fingerprint.detection.warnings import control_level
from fingerprint.features import choose
from fingerprint.report.report import Report
from fingerprint.report.results import PromptControl
from fingerprint.statistics.comparison import Comparison, pair, thin
from fingerprint.statistics.streams import Stream

# Prompts that only one side answers; fewer are not compared.
MIN_CONTROL_PROMPTS = 20
CONTROL_PROMPTS = 5000  # a side, at most


def _add(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Report:
    tell("prompt control")
    return replace(report, prompt_control=prompt_control(prepared.case, prepared.case.corpora, main.comparison))


SECTION = Section(lambda prepared: [Step("prompt control", 0.3)], _add)


def prompt_control(case: Case, corpora: Sequence[Corpus], comparison: Comparison) -> PromptControl:
    """The test on the prompts that only one side answers."""
    if not comparison.design.has_prompts:
        return PromptControl(None, False, "no prompts: a difference between them would go unseen")
    only = [sorted(comparison.prompts[a] - comparison.prompts[1 - a]) for a in (0, 1)]
    if min(map(len, only)) < MIN_CONTROL_PROMPTS:
        return PromptControl(None, False, "both sides answer the same prompts, or too few others to compare")
    sides = [Corpus(tuple(prompts), name=f"prompts of {c.name}") for prompts, c in zip(only, corpora, strict=True)]
    prompts = thin(pair(sides[0], sides[1], seed=case.seed), CONTROL_PROMPTS)
    matrices = family_matrices(prompts, choose("auto", prompts.texts))
    found = tested_anew(prompts, matrices, case.options.n_permutations, case.rng(Stream.PROMPT_CONTROL))
    differs = found.pvalue <= control_level(case.alpha)
    scope = "the prompts that only one side answers" if comparison.design.is_paired else "the prompts"
    note = f"{scope} {'differ' if differs else 'were not found to differ'} between the sides"
    return PromptControl(found.pvalue, differs, note)
