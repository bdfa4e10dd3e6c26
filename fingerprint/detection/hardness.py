"""How hard rows are for a model: what that alone tells of their side, and what the scores tell beyond it.

Rows sampled at another temperature, cut off elsewhere or written to harder prompts differ under every model, with or
without a trait: on rows of a Qwen2.5-7B with a trait, how hard a row is had a row AUROC of .76 by itself. Sampling at
another temperature moves a row's log-probability by the sum of its gaps, surprisal less entropy, to first order; the
second order goes with their squares.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats
from fingerprint.detection.model_families import ReadCorpora
from fingerprint.report.results import Hardness, Warning
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.crossfit import Scores, cross_fit
from fingerprint.statistics.intervals import auc_interval
from fingerprint.statistics.residuals import beyond, curves

HARDNESS = "hardness"
# Measurements of `fingerprint.features.logprobs.measure` that say how hard a row is, and not in which way.
MEASUREMENTS = ("tokens", "surprisal", "gap", "squared gap")
# The warning asks for a difference in hardness that a reader would see: a row AUROC of .55 is an effect of .18 standard
# deviations, below what conventions call small. It also asks for this p-value, which keeps it to 1 % of clean cases.
VISIBLE = 0.55
SURE = 0.01


def covariates(reading: ReadCorpora, comparison: Comparison) -> Floats:
    """How hard the rows of a comparison of suspect and reference are [rows, measurements]."""
    table = reading.read(comparison).table
    return np.column_stack([table[name] for name in MEASUREMENTS])


def hardness(reading: ReadCorpora, comparison: Comparison, scores: Scores) -> Hardness:
    """The row AUROC of hardness alone, cross-fitted on the folds of the scores, and that of the scores beyond it."""
    columns = curves(covariates(reading, comparison))
    alone = cross_fit(comparison, {HARDNESS: sp.csr_matrix(columns.astype(np.float32))}, fold=scores.arms.fold)
    return Hardness(auc_interval(alone), auc_interval(beyond(scores, columns)))


def hardness_warnings(found: Hardness, pvalue: float) -> tuple[Warning, ...]:
    """Where hardness tells the sides apart, and the scores tell nothing beyond it."""
    alone, left = found.alone, found.beyond
    if alone.value is None or alone.low is None or left.low is None:
        return ()
    if pvalue > SURE or alone.value < VISIBLE or alone.low <= 0.5 or left.low > 0.5:
        return ()
    message = (
        "this row AUROC is that of how hard the rows are for the model, and the scores tell the sides apart by nothing "
        "beyond it: another temperature, length limit or choice of prompts explains as much as a trait; sample both "
        "sides alike"
    )
    return (Warning("hardness_alone", alone.value, VISIBLE, message),)
