"""Copies: texts that stand very often among the rows, and the same test with every text counted once.

Rows that were copied after they were written pass for independent evidence: one row 80 times among 2,000 suspect rows
is enough for a small p-value. Short answers are often the same by nature, on both sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import compress

import numpy as np

from fingerprint.data.arrays import Bools
from fingerprint.data.progress import Step
from fingerprint.detection.analysis import Analysis, fresh_pvalue
from fingerprint.detection.case import Case
from fingerprint.detection.findings import difference_of_means
from fingerprint.detection.section import Addition, Prepared, Section
from fingerprint.report.formatting import shorten
from fingerprint.report.report import Report
from fingerprint.report.results import CopiesResult
from fingerprint.statistics.comparison import Comparison, survivors
from fingerprint.statistics.streams import Stream

# Rows that hold one text, over the rows of the smaller side: from here on the report looks at copies. Twenty copies
# among 2,000 null rows give p-values of .02; the most frequent text of clean number rows and everyday answers is at
# most .6 % of theirs. No higher than the threshold of the warning, so that what is warned about has been looked at.
COPIED_SHARE = 0.01
# Fewer rows of one text than this are never looked at: chance alone repeats short rows.
COPIED_ROWS = 5
QUOTED = 200  # characters of the text that a report keeps


def frequent_texts(comparison: Comparison) -> list[str]:
    """Texts that stand very often in the rows of the p-value, the most frequent first, whichever side they are from."""
    used = comparison.design.used
    counts = Counter(compress(comparison.texts, used.tolist()))
    smaller = min(int((used & side).sum()) for side in comparison.sides)
    least = max(COPIED_ROWS, COPIED_SHARE * smaller)
    frequent = [(text, rows) for text, rows in counts.items() if rows >= least]
    return [text for text, _ in sorted(frequent, key=lambda held: -held[1])]


def each_text_once(comparison: Comparison) -> Bools:
    """Rows of the p-value [rows] of which every text is kept once, and a pair only if both of its texts are.

    Notes
    -----
    Which rows are kept depends on the pooled rows, in the order of their hashed prompts, and not on which side they are
    from: what may be relabelled before may be relabelled after, so the test of the rest is exact. It would not be if
    one side's copy were preferred.
    """
    design = comparison.design
    keep = np.zeros(len(comparison.texts), dtype=bool)
    seen: set[str] = set()
    if design.paired is not None:
        for pair in zip(*design.paired.pairs(comparison.suspect, comparison.group), strict=True):
            texts = {comparison.texts[row] for row in pair}
            if not texts & seen:
                keep[list(pair)] = True
                seen |= texts
    if design.separate is not None:
        separate = np.flatnonzero(design.separate.used)
        for row in separate[np.argsort(comparison.group[separate], kind="stable")]:
            if comparison.texts[row] not in seen:
                keep[row] = True
                seen.add(comparison.texts[row])
    return keep


def copies(case: Case, main: Analysis) -> CopiesResult | None:
    """The frequent text whose share differs most between the sides, and the p-value of every text counted once."""
    comparison = main.comparison
    frequent = frequent_texts(comparison)
    if not frequent:
        return None
    used = comparison.only(comparison.design.used)
    number = {text: place for place, text in enumerate(frequent)}
    place = np.array([number.get(text, -1) for text in used.texts])
    deviations = [_deviation(used, place == i) for i in range(len(frequent))]
    chosen = int(np.argmax(deviations))
    keep = each_text_once(comparison)
    return CopiesResult(
        text=shorten(frequent[chosen], QUOTED),
        share_suspect=float((place == chosen)[used.suspect].mean()),
        share_reference=float((place == chosen)[~used.suspect].mean()),
        deviation=deviations[chosen],
        frequent=len(frequent),
        rows_suspect=int((keep & comparison.suspect).sum()),
        rows_reference=int((keep & ~comparison.suspect).sum()),
        pvalue_once=_pvalue(case, main, keep),
    )


def _deviation(comparison: Comparison, held: Bools) -> float:
    """Difference of the sides' shares of these rows [rows], in standard errors; of at least one row in all of them."""
    difference = difference_of_means(comparison, held.astype(np.float64))
    return abs(difference.value) / max(difference.error, 1 / len(held))


def _pvalue(case: Case, main: Analysis, keep: Bools) -> float | None:
    """p-value of the rows that are kept, with the features of all; None where too few are left."""
    try:
        left = survivors(main.comparison, keep, case.alpha, case.seed)
    except ValueError:
        return None
    matrices = {name: replace(matrix, values=matrix.values[keep]) for name, matrix in main.matrices.items()}
    return fresh_pvalue(left, matrices, case.options.n_permutations, case.rng(Stream.COPIES))


def _steps(prepared: Prepared) -> Sequence[Step]:
    return [Step("copies", 0.3)] if frequent_texts(prepared.comparison) else []


def _find(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Addition:
    tell("copies")
    found = copies(prepared.case, main)
    return lambda others: replace(others, copies=found)


SECTION = Section(_steps, _find, is_beside=True)
