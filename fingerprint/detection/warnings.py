"""Warnings: what the reader must know before believing a report, each with its figure and its threshold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fingerprint.detection import language_warnings, prompt_warnings, row_warnings
from fingerprint.detection.findings import SURE, Findings, rank_correlation_pvalue, sums_by_group
from fingerprint.report.formatting import with_interval
from fingerprint.report.results import Warning
from fingerprint.statistics.intervals import Estimate, ratio

# Share of the raw rung's excess over .5 that layout alone reaches. Told only where the raw rung's interval lies above
# .5: near it the share has no bound.
FORMAT_SHARE = 0.5
# Smallest p-value, over both arms, of a rank correlation between a row's place in its file and its score. Clean files
# pass in 998 of 1,000 cases.
ORDER_PVALUE = 0.002


def warnings_for(findings: Findings) -> tuple[Warning, ...]:
    """All warnings that apply, gravest first."""
    checks = (
        prompt_warnings.prompts_differ,
        _floor_rejects,
        row_warnings.same_texts,
        row_warnings.frequent_text,
        row_warnings.kinds_differ,
        _format_explains,
        row_warnings.lengths_differ,
        row_warnings.lengths_cut,
        language_warnings.scripts_differ,
        language_warnings.letters_differ,
        _order_matters,
        prompt_warnings.prompts_missing,
        prompt_warnings.prompts_partly_shared,
        prompt_warnings.prompts_uneven,
        prompt_warnings.prompts_differ_in_form,
        row_warnings.few_rows,
        row_warnings.rows_unused,
        row_warnings.size_ratio,
        row_warnings.duplicates,
        row_warnings.empty_rows,
        row_warnings.systems_differ,
        prompt_warnings.single_prompt,
        row_warnings.skipped,
        row_warnings.shards_skipped,
        _constant_families,
    )
    return tuple(warning for check in checks for warning in check(findings))


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
    share = ratio(_above_chance(layout.auc), _above_chance(raw.auc))
    if share.value is not None and share.value >= FORMAT_SHARE:
        message = (
            f"format alone explains this share of the separation, {with_interval(share, 2)} (rung '{layout.rung}'): "
            "look at the next rungs"
        )
        yield Warning("format_alone", share.value, FORMAT_SHARE, message)


def _above_chance(area: Estimate) -> Estimate:
    """How far an AUROC is above .5."""
    return Estimate(*(None if end is None else end - 0.5 for end in (area.value, area.low, area.high)))


def _order_matters(f: Findings) -> Iterator[Warning]:
    comparison = f.comparison
    found = []
    for arm in comparison.sides:
        score, counts = sums_by_group(comparison, arm, f.scores.stacked)
        place, _ = sums_by_group(comparison, arm, comparison.origin.astype(np.float64))
        if len(counts) > 2 and np.ptp(score / counts) > 0:
            found.append(rank_correlation_pvalue(place / counts, score / counts))
    smallest = min(1.0, len(found) * min(found)) if found else 1.0
    if smallest <= ORDER_PVALUE:
        message = "scores depend on the place of a row in its file: rows may stem from several runs; shuffle and look"
        yield Warning("row_order", smallest, ORDER_PVALUE, message)


def _constant_families(f: Findings) -> Iterator[Warning]:
    if f.test.constant:
        names = ", ".join(f.test.constant)
        message = f"left out, since nothing in it varies between blocks: {names}"
        yield Warning("constant_family", float(len(f.test.constant)), 0.0, message)
