"""Warnings about the prompts that rows answer."""

from __future__ import annotations

from collections.abc import Iterator

from fingerprint.detection.findings import Findings, control_level
from fingerprint.report.results import Warning


def prompts_differ(f: Findings) -> Iterator[Warning]:
    if f.control.differs and f.control.pvalue is not None:
        what = (
            "prompts that only one side answers differ; the p-value and auc_paired use shared prompts only, but auc, "
            "bags and row scores see all rows"
            if f.comparison.design.is_paired
            else "the prompts of the two sides differ: compare rows that answer the same prompts"
        )
        yield Warning("prompts_differ", f.control.pvalue, control_level(f.alpha), what)


def prompts_missing(f: Findings) -> Iterator[Warning]:
    prompts = [prompt for corpus in f.corpora for prompt in corpus.prompts]
    share = sum(prompt is None for prompt in prompts) / len(prompts)
    if share > 0:
        message = "rows without a prompt: a difference between prompts would look like one between teachers"
        yield Warning("prompts_missing", share, 0.0, message)


def prompts_partly_shared(f: Findings) -> Iterator[Warning]:
    suspect, reference = f.comparison.prompts
    shared = len(suspect & reference)
    smaller = min(len(suspect), len(reference))
    if shared and smaller and shared < smaller:
        message = "only this share of the smaller side's prompts is answered by both sides; the p-value " + (
            "uses those alone"
            if f.comparison.design.is_paired
            else "swaps the sides of these and permutes the sides of blocks of all other prompts"
        )
        yield Warning("prompts_partly_shared", shared / smaller, 1.0, message)


def prompts_differ_in_form(f: Findings) -> Iterator[Warning]:
    forms: dict[str, set[str]] = {}
    for corpus in f.corpora:
        for prompt, key in zip(corpus.prompts, corpus.prompt_keys, strict=True):
            if prompt is not None and key is not None:
                forms.setdefault(key, set()).add(prompt)
    several = sum(len(written) > 1 for written in forms.values())
    if several:
        message = (
            "prompts that are written in several ways (blanks, line ends, accents) count as one each: if the teachers "
            "were given them so, compare rows that answer prompts of one form"
        )
        yield Warning("prompts_differ_in_form", float(several), 0.0, message)


def single_prompt(f: Findings) -> Iterator[Warning]:
    if f.comparison.ignored_prompts and any(p is not None for p in f.corpora[0].prompts):
        message = "all rows answer one prompt: rows are taken as independent, and the result holds for that prompt only"
        yield Warning("single_prompt", 1.0, 1.0, message)
