"""What is still detectable on some of the rows, such as those that a filter keeps."""

from __future__ import annotations

from dataclasses import replace

from fingerprint.data.arrays import Bools
from fingerprint.detection.analysis import Analysis, bag16_interval, exact_test, relabelled, scored
from fingerprint.detection.case import Case
from fingerprint.detection.power import planted_power
from fingerprint.report.results import Residual
from fingerprint.statistics.comparison import survivors
from fingerprint.statistics.intervals import Estimate, auc_interval
from fingerprint.statistics.streams import Stream


def residual(case: Case, main: Analysis, keep: Bools, with_power: bool) -> Residual:
    """Test and scores on the rows that are kept [rows], their design made anew.

    Notes
    -----
    Features are those of all rows, so that nothing is fitted on what is left; scores are the built-in ones. Exact if
    whether a row is kept follows from that row alone, by one rule for both sides.
    """
    suspect = main.comparison.suspect
    kept = (int((keep & suspect).sum()), int((keep & ~suspect).sum()))
    try:
        comparison = survivors(main.comparison, keep, case.alpha, case.seed)
    except ValueError as error:  # too little is left: a result, and the message says how little
        return Residual(*kept, None, Estimate(None), Estimate(None), None, reason=_why_nothing(kept, str(error)))
    matrices = {name: replace(matrix, values=matrix.values[keep]) for name, matrix in main.matrices.items()}
    test, units = exact_test(comparison, matrices, relabelled(case, comparison))
    left = Analysis(comparison, matrices, units, test, scored(comparison, matrices))
    return Residual(
        *kept,
        comparison.design.n_pairs,
        auc_interval(left.scores),
        bag16_interval(left.scores, case.rng(Stream.BAGS)),
        test.pvalue,
        planted_power(case, left) if with_power else (),
    )


def _why_nothing(kept: tuple[int, int], reason: str) -> str:
    if min(kept) > 0:
        return reason
    side = "suspect" if kept[0] == 0 else "reference"
    return "no rows survive" if max(kept) == 0 else f"no {side} rows survive"
