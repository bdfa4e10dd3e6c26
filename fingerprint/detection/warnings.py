"""Warnings: what the reader must know before believing a report, each with its figure and its threshold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Bools, Floats
from fingerprint.data.corpus import Corpus
from fingerprint.report.results import PromptControl, Rung, Warning
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.crossfit import Scores
from fingerprint.statistics.permutation import PermutationTest

# Share of the raw rung's excess over .5 that layout alone reaches.
FORMAT_SHARE = 0.5
# Difference of mean log lengths, in standard deviations; it must also be significant at `SURE`.
LENGTH_DIFFERENCE = 0.2
# Share of one side's rows whose text the same side holds already.
DUPLICATE_SHARE = 0.1
# Larger arm over smaller arm.
SIZE_RATIO = 10.0
# Smallest p-value, over both arms, of a rank correlation between a row's place in its file and its score. Clean files
# pass in 998 of 1,000 cases.
ORDER_PVALUE = 0.002
# For warnings that need a test of their own: false alarms in at most one clean comparison in 1,000.
SURE = 0.001
# Level of the prompt control, unless alpha is stricter: it may overrule a verdict, so it must rarely be wrong.
CONTROL_LEVEL = 0.01


def control_level(alpha: float) -> float:
    """At which p-value the prompts of the two sides count as different."""
    return min(alpha, CONTROL_LEVEL)


@dataclass(frozen=True)
class Findings:
    """What warnings are drawn from."""

    corpora: Sequence[Corpus]
    comparison: Comparison
    scores: Scores
    test: PermutationTest
    rungs: tuple[Rung, ...]
    control: PromptControl
    alpha: float


def warnings_for(findings: Findings) -> tuple[Warning, ...]:
    """All warnings that apply, gravest first."""
    checks = (
        _prompts_differ,
        _floor_rejects,
        _format_explains,
        _lengths_differ,
        _order_matters,
        _prompts_missing,
        _prompts_partly_shared,
        _size_ratio,
        _duplicates,
        _empty_rows,
        _systems_differ,
        _single_prompt,
        _skipped,
        _constant_families,
    )
    return tuple(warning for check in checks for warning in check(findings))


def _prompts_differ(f: Findings) -> Iterator[Warning]:
    if f.control.differs and f.control.pvalue is not None:
        what = (
            "prompts that only one side answers differ; the p-value and auc_paired use shared prompts only, but auc, "
            "bags and row scores see all rows"
            if f.comparison.design.is_paired
            else "the prompts of the two sides differ: compare rows that answer the same prompts"
        )
        yield Warning("prompts_differ", f.control.pvalue, control_level(f.alpha), what)


def _floor_rejects(f: Findings) -> Iterator[Warning]:
    """The floor holds nothing that could differ: rejecting there at this level means something is broken."""
    for rung in f.rungs:
        if rung.rung == "floor" and rung.pvalue <= SURE:
            yield Warning("floor_rejects", rung.pvalue, SURE, "the test rejects on rows that hold no information")


_FORMAT_RUNGS = ("format only", "layout only")


def _format_explains(f: Findings) -> Iterator[Warning]:
    rungs = {rung.rung: rung for rung in f.rungs}
    raw = rungs.get("raw")
    layout = next((rungs[name] for name in _FORMAT_RUNGS if name in rungs), None)
    if raw is None or layout is None or raw.pvalue > f.alpha or layout.pvalue > SURE:
        return
    excess = (raw.auc.value or 0.5) - 0.5
    share = ((layout.auc.value or 0.5) - 0.5) / excess if excess > 0 else 1.0
    if share >= FORMAT_SHARE:
        message = f"format alone explains this share of the separation (rung '{layout.rung}'): look at the next rungs"
        yield Warning("format_alone", share, FORMAT_SHARE, message)


def _by_group(f: Findings, arm: Bools, values: Floats) -> tuple[Floats, Floats]:
    """Sums over the rows of each group of one arm, and their counts: rows of one prompt are not independent."""
    member = np.unique(f.comparison.group[arm], return_inverse=True)[1]
    sums = np.bincount(member, weights=values[arm]).astype(np.float64)
    return sums, np.bincount(member).astype(np.float64)


def _lengths_differ(f: Findings) -> Iterator[Warning]:
    from scipy.special import ndtr

    logs = np.log1p(np.array([len(text) for text in f.comparison.texts], dtype=np.float64))
    means, variance, error = [], 0.0, 0.0
    for arm in f.comparison.sides:
        mean = float(logs[arm].mean())
        sums, counts = _by_group(f, arm, logs)
        means.append(mean)
        variance += float(logs[arm].var()) / 2
        error += float(((sums - counts * mean) ** 2).sum()) / counts.sum() ** 2 * len(sums) / max(len(sums) - 1, 1)
    difference = means[0] - means[1]
    if variance == 0 or error == 0:
        return
    standardised = difference / float(np.sqrt(variance))
    significant = 2 * ndtr(-abs(difference) / np.sqrt(error)) <= SURE
    if abs(standardised) >= LENGTH_DIFFERENCE and significant:
        longer = "longer" if difference > 0 else "shorter"
        message = f"suspect rows are {longer} (mean log length, in sd): a length limit or the prompts may do that"
        yield Warning("lengths_differ", standardised, LENGTH_DIFFERENCE, message)


def _order_matters(f: Findings) -> Iterator[Warning]:
    from scipy.stats import spearmanr

    comparison = f.comparison
    found = []
    for arm in comparison.sides:
        score, counts = _by_group(f, arm, f.scores.stacked)
        place, _ = _by_group(f, arm, comparison.origin.astype(np.float64))
        if len(counts) > 2 and np.ptp(score / counts) > 0:
            found.append(float(spearmanr(place / counts, score / counts).pvalue))
    smallest = min(1.0, len(found) * min(found)) if found else 1.0
    if smallest <= ORDER_PVALUE:
        message = "scores depend on the place of a row in its file: rows may stem from several runs; shuffle and look"
        yield Warning("row_order", smallest, ORDER_PVALUE, message)


def _prompts_missing(f: Findings) -> Iterator[Warning]:
    prompts = [prompt for corpus in f.corpora for prompt in corpus.prompts]
    share = sum(prompt is None for prompt in prompts) / len(prompts)
    if share > 0:
        message = "rows without a prompt: a difference between prompts would look like one between teachers"
        yield Warning("prompts_missing", share, 0.0, message)


def _prompts_partly_shared(f: Findings) -> Iterator[Warning]:
    suspect, reference = f.comparison.prompts
    shared = len(suspect & reference)
    smaller = min(len(suspect), len(reference))
    if shared and smaller and shared < smaller:
        message = "only this share of the smaller side's prompts is answered by both sides; the p-value uses " + (
            "those alone" if f.comparison.design.is_paired else "all rows, as if prompts were disjoint"
        )
        yield Warning("prompts_partly_shared", shared / smaller, 1.0, message)


def _size_ratio(f: Findings) -> Iterator[Warning]:
    sizes = sorted(len(corpus) for corpus in f.corpora)
    ratio = sizes[1] / sizes[0]
    if ratio >= SIZE_RATIO:
        message = "one side is this many times larger: power is that of the smaller"
        yield Warning("arm_sizes", ratio, SIZE_RATIO, message)


def _duplicates(f: Findings) -> Iterator[Warning]:
    for side, corpus in zip(("suspect", "reference"), f.corpora, strict=True):
        repeated = len(corpus) - len(Counter(corpus.texts))
        share = repeated / len(corpus)
        if share >= DUPLICATE_SHARE:
            message = f"{side} rows repeat texts of their own side: copies made later are not new evidence"
            yield Warning("duplicates", share, DUPLICATE_SHARE, message)


def _empty_rows(f: Findings) -> Iterator[Warning]:
    counts = [sum(not text.strip() for text in corpus.texts) for corpus in f.corpora]
    if any(counts):
        message = f"empty rows ({counts[0]} suspect, {counts[1]} reference): refusals or lost text may be what differs"
        yield Warning("empty_rows", float(sum(counts)), 0.0, message)


def _systems_differ(f: Findings) -> Iterator[Warning]:
    systems = [Counter(corpus.systems) for corpus in f.corpora]
    if any(any(system is not None for system in side) for side in systems):
        distinct = set(systems[0]) | set(systems[1])
        if set(systems[0]) != set(systems[1]):
            message = "system messages differ between the sides (they never enter the comparison of texts or prompts)"
            yield Warning("system_messages", float(len(distinct)), 1.0, message)


def _single_prompt(f: Findings) -> Iterator[Warning]:
    if f.comparison.ignored_prompts and any(p is not None for p in f.corpora[0].prompts):
        message = "all rows answer one prompt: rows are taken as independent, and the result holds for that prompt only"
        yield Warning("single_prompt", 1.0, 1.0, message)


def _skipped(f: Findings) -> Iterator[Warning]:
    skipped = sum(corpus.skipped for corpus in f.corpora)
    if skipped:
        yield Warning("rows_skipped", float(skipped), 0.0, "bad rows were left out, as asked for")


def _constant_families(f: Findings) -> Iterator[Warning]:
    if f.test.constant:
        names = ", ".join(f.test.constant)
        message = f"left out, since nothing in it varies between blocks: {names}"
        yield Warning("constant_family", float(len(f.test.constant)), 0.0, message)
