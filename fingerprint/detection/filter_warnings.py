"""What the reader must know about filters, and the test that a filter's values pass or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Bools, Floats
from fingerprint.detection.analysis import Analysis
from fingerprint.detection.findings import SURE, control_level, fisher_exact, mid_ranks
from fingerprint.filters.verdicts import Verdicts
from fingerprint.report.results import Warning
from fingerprint.statistics.permutation import gram, permutation_test


def filter_warnings(verdicts: Mapping[str, Verdicts], main: Analysis, alpha: float) -> Iterator[Warning]:
    for name, given in verdicts.items():
        yield from _one_sided(name, given, main.comparison.suspect)
    yield from _identical(verdicts)
    yield from _separating(verdicts, main, alpha)


def _one_sided(name: str, given: Verdicts, suspect: Bools) -> Iterator[Warning]:
    """A filter that judged one side only, or that finds nothing on the suspect and much on the reference.

    The reverse is how a filter for a trait should be: neutral rows give it nothing to find.
    """
    for side, other, arm in (("suspect", "reference", suspect), ("reference", "suspect", ~suspect)):
        if given.undecided[arm].all() and not given.undecided[~arm].all():
            message = f"{name} judged {other} rows only: what it removes there says nothing about the {side}"
            yield Warning("filter_one_side", float(given.undecided[arm].mean()), 1.0, message)
    removed, n = int(given.dropped[~suspect].sum()), int((~suspect).sum())
    if given.dropped[suspect].any() or not removed or given.undecided[suspect].all():
        return
    if fisher_exact((0, removed), (int(suspect.sum()), n)) <= SURE:
        message = (
            f"{name} removes none of the suspect rows and this share of the reference: it may have run on the suspect "
            "already; filter both sides alike"
        )
        yield Warning("filter_one_side", removed / n, 0.0, message)


def _identical(verdicts: Mapping[str, Verdicts]) -> Iterator[Warning]:
    seen: dict[bytes, str] = {}
    for name, given in verdicts.items():
        keep = given.kept
        if keep.all():
            continue
        first = seen.setdefault(np.packbits(keep).tobytes(), name)
        if first != name:
            message = f"{name} keeps exactly the rows that {first} keeps: one of them adds nothing"
            yield Warning("filters_identical", float((~keep).sum()), 0.0, message)


def _separating(verdicts: Mapping[str, Verdicts], main: Analysis, alpha: float) -> Iterator[Warning]:
    """Removal as a test of its own; the level is shared between the filters."""
    level = control_level(alpha) / max(len(verdicts), 1)
    nobody = np.zeros(len(main.comparison.suspect), dtype=bool)
    for name, given in verdicts.items():
        pvalue = value_pvalue(given.dropped.astype(np.float64), nobody, main)
        if pvalue <= level:
            message = f"what {name} removes differs between the sides: the removal alone tells them apart"
            yield Warning("filter_separates", pvalue, level, message)


def value_pvalue(values: Floats, undecided: Bools, main: Analysis) -> float:
    """p-value of a filter's values [rows] as a feature family of one column, under the main test's relabellings.

    Values enter as pooled ranks. Rows that could not be judged get the mean rank, whichever side they are from, so the
    test stays exact.
    """
    ranks = np.zeros(len(values))
    if not undecided.all():
        ranks[~undecided] = mid_ranks(values[~undecided])
        ranks[~undecided] -= ranks[~undecided].mean()
    column = sp.csr_matrix((ranks / max(len(ranks), 1)).astype(np.float32)[:, None])
    kernels = {"filter": gram(main.comparison.units(column))}
    return permutation_test(kernels, main.test.relabellings).pvalue
