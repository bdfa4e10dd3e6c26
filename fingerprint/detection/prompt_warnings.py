"""Warnings about the prompts that rows answer."""

from __future__ import annotations

from collections.abc import Iterator

from fingerprint.detection.findings import Findings, control_level
from fingerprint.report.results import Warning

# Larger number of prompts over the smaller. Drawn with unequal chances (Zipf, exponent .9) from 20,000 prompts, likely
# ones answered otherwise by two standard deviations, 500 against 5,000 rows reject at .05 in .11 of 300 nulls; 1,000
# against 1,000 rows in .045 of 200.
UNEVEN = 1.5
# Share of the prompts that one side alone answers in the p-value, below which they cannot move it much.
SEPARATE_SHARE = 0.1


def prompts_differ(f: Findings) -> Iterator[Warning]:
    if f.control.differs and f.control.pvalue is not None:
        what = (
            "prompts that only one side answers differ; the p-value and auc_paired use shared prompts only, but auc, "
            "bags and row scores see all rows"
            if f.is_paired
            else "the prompts of the two sides differ: compare rows that answer the same prompts"
        )
        yield Warning("prompts_differ", f.control.pvalue, control_level(f.alpha), what)


def prompts_missing(f: Findings) -> Iterator[Warning]:
    without = [sum(prompt is None for prompt in corpus.prompts) for corpus in f.corpora]
    if not any(without):
        return
    share, what = sum(without) / sum(map(len, f.corpora)), "rows"
    if not all(without):
        missing, given = ("suspect", "reference") if without[0] else ("reference", "suspect")
        share = max(count / len(corpus) for count, corpus in zip(without, f.corpora, strict=True))
        what = f"{share:.0%} of the {missing} rows and none of the {given} rows are"
    message = f"{what} without a prompt: a difference between prompts would look like one between teachers"
    yield Warning("prompts_missing", share, 0.0, message)


def prompts_partly_shared(f: Findings) -> Iterator[Warning]:
    suspect, reference = f.comparison.prompts
    shared = len(suspect & reference)
    smaller = min(len(suspect), len(reference))
    if shared and smaller and shared < smaller:
        message = "only this share of the smaller side's prompts is answered by both sides; the p-value " + (
            "uses those alone"
            if f.is_paired
            else "swaps the sides of these and permutes the sides of blocks of all other prompts"
        )
        yield Warning("prompts_partly_shared", shared / smaller, 1.0, message)


def prompts_uneven(f: Findings) -> Iterator[Warning]:
    """Prompts drawn with unequal chances: those that a large side missed are rarer ones than those a small one missed.

    The prompt control sees it only where the wording of a prompt tells how often it is drawn.
    """
    design = f.comparison.design
    if design.kind != "mixed" or float(design.shares[-1]) < SEPARATE_SHARE:
        return
    sizes = sorted(map(len, f.comparison.prompts))
    if sizes[1] / sizes[0] >= UNEVEN:
        message = (
            "one side has this many times the prompts of the other and shares some: if some prompts are asked more "
            "often than others, those of one side alone are not alike; answer the same prompts, or equally many"
        )
        yield Warning("prompts_uneven", sizes[1] / sizes[0], UNEVEN, message)


def prompts_differ_in_form(f: Findings) -> Iterator[Warning]:
    rows = [pair for corpus in f.corpora for pair in zip(corpus.prompt_keys, corpus.prompts, strict=True)]
    forms: dict[str, set[str]] = {key: set() for key, prompt in rows if key is not None and key != prompt}
    for key, prompt in rows if forms else ():
        if key in forms and prompt is not None:
            forms[key].add(prompt)
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
