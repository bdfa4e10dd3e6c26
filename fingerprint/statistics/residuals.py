"""What is left of scores when a covariate of the rows is held fixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.statistics.crossfit import Scores


def curves(covariates: Floats) -> Floats:
    """Normal scores of covariates [rows, covariates], their squares and cubes: columns [rows, 3 * covariates].

    Ranks are those among all rows, ties share theirs: nothing depends on the side a row is from, and no row is far out.
    """
    from scipy.special import ndtri

    columns = []
    for values in covariates.T:
        _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
        middle = np.cumsum(counts) - counts / 2
        normal = ndtri(middle / len(values))[place.ravel()]
        columns += [normal, normal**2, normal**3]
    return np.stack(columns, axis=1)


def beyond(scores: Scores, columns: Floats) -> Scores:
    """The stacked scores less what columns of covariates [rows, columns] explain of them over all rows.

    Least squares over the pooled rows, blind to the side. Where sides differ in the covariates alone, nothing is left
    of scores that depend on them through these columns; of a difference that goes along with the covariates some part
    is taken away with them, so that what is left is rather too little. The scores keep their agreement: it is that of
    models, which nothing here changes.
    """
    design = np.column_stack([np.ones(len(columns)), columns])
    explained = design @ np.linalg.lstsq(design, scores.stacked, rcond=None)[0]
    return replace(scores, stacked=scores.stacked - explained)
