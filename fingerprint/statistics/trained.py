"""A stack to score rows that come later: the mean of the models that were each fitted without one of the folds.

Every fold's model is put on the scale of the rows that it did not see, and the mean of the models is what scores new
rows. A model fitted on all rows has no unseen rows to be scaled by, and its scores are wider than those of the folds'
models, whose ridge is larger (1.2 times at 120 rows, 1.1 at 300): calibrated by theirs it was too sure. The mean of
models that share most of their rows is, to first order, the model of all rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Bools, Floats, Ints
from fingerprint.statistics.auc import N_FOLDS
from fingerprint.statistics.classifier import Classifier, decision_scores
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.crossfit import Scores, balanced, cross_fit, folds
from fingerprint.statistics.ridge import mean_difference_coefficients, ridge_coefficients
from fingerprint.statistics.stack import CONSTANT, discriminant, standardise


@dataclass(frozen=True)
class Trained:
    """A stack to score rows that come later.

    Attributes
    ----------
    coefficients : dict of float arrays [columns]
        Linear members, one a family, on its scaled columns.
    classifiers : tuple of fitted scikit-learn classifiers
        Further members, on all families' scaled columns side by side: one a fold for each that was asked for.
    centre, weights : float arrays [members]
        The stacked score is the sum of weight * (member's score - centre): mean 0 over training rows, and sd 1 for each
        fold's models on the rows that they did not see. Their mean has a little less.
    scores : Scores
        Out-of-fold scores of the training rows, by which the stack is calibrated.
    """

    coefficients: dict[str, Floats]
    classifiers: tuple[Classifier, ...]
    centre: Floats
    weights: Floats
    scores: Scores

    def stacked(self, matrices: Mapping[str, sp.csr_matrix]) -> Floats:
        """Stacked scores [rows] of new rows, from their scaled columns."""
        return stacked(matrices, self.coefficients, self.classifiers, self.centre, self.weights)


def stacked(
    matrices: Mapping[str, sp.csr_matrix],
    coefficients: Mapping[str, Floats],
    classifiers: Sequence[Classifier],
    centre: Floats,
    weights: Floats,
) -> Floats:
    """Weighted sum of the members' centred scores."""
    members = [np.asarray(matrices[name] @ c, dtype=np.float64) for name, c in coefficients.items()]
    if classifiers:
        side_by_side = sp.hstack(list(matrices.values()), format="csr")
        members += [decision_scores(fitted, side_by_side) for fitted in classifiers]
    return np.asarray((np.stack(members, axis=1) - centre) @ weights)


def train_stack(
    comparison: Comparison,
    matrices: Mapping[str, sp.csr_matrix],
    classifiers: Sequence[Classifier | None] = (None,),
    fast: bool = False,
    scores: Scores | None = None,
) -> Trained:
    """Fit the stack; weights, centres, scales and calibration come from scores that are out of fold.

    Parameters
    ----------
    classifiers : sequence of scikit-learn classifiers
        Members of the stack; None stands for the built-in ridge models, one a family.
    fast : bool
        Mean differences in place of the ridge models, families with equal weights: no system is solved.
    scores : Scores, optional
        Those of `cross_fit` on the same rows, where they are known; of the built-in ridge models alone.
    """
    fold, suspect = folds(comparison), comparison.suspect
    arms = np.stack([balanced(fold != k, suspect) for k in range(N_FOLDS)], axis=1)
    fit = mean_difference_coefficients if fast else ridge_coefficients
    coefficients: dict[str, Floats] = {}
    linear, fitted = [], []
    for name, values in (matrices if None in classifiers else {}).items():
        found = fit(values, suspect, arms).astype(np.float64)
        linear.append(_HeldOut.of(np.asarray(values @ found)[np.arange(len(fold)), fold], fold))
        coefficients[name] = found @ linear[-1].scale
    others = []
    for classifier in classifiers:
        if classifier is not None:
            scored, parts = _fitted_parts(classifier, matrices, suspect, fold)
            others.append(_HeldOut.of(scored, fold))
            fitted += parts
    z = np.stack([member.z for member in (*linear, *others)], axis=1)
    equal = np.ones(z.shape[1])
    if not fast and list(classifiers) == [None]:
        scores = cross_fit(comparison, matrices) if scores is None else scores
    else:
        outer = [equal if fast else discriminant(z[fold != k], suspect[fold != k]) for k in range(N_FOLDS)]
        stacks = np.empty(len(fold))
        for k in range(N_FOLDS):
            stacks[fold == k] = standardise((z[fold == k] @ outer[k])[:, None])[:, 0]
        scores = Scores.of_unknown_agreement(comparison.arms(fold), stacks)
    weights = equal if fast else discriminant(z, suspect)
    weights = weights / max(float((z @ weights).std()), 1e-12)
    of_linear, of_others = np.split(weights, [len(linear)])
    return Trained(
        coefficients,
        tuple(fitted),
        np.concatenate([[member.mean @ member.scale for member in linear], *(member.mean for member in others)]),
        np.concatenate([of_linear, *(w * member.scale for w, member in zip(of_others, others, strict=True))]),
        scores,
    )


@dataclass(frozen=True)
class _HeldOut:
    """Scores of a member's models on the rows that they did not see.

    Attributes
    ----------
    z : float array [rows]
        Standardised within each fold.
    mean, scale : float arrays [folds]
        The member's score of a new row is the sum over the folds' models of scale * (score - mean).
    """

    z: Floats
    mean: Floats
    scale: Floats

    @classmethod
    def of(cls, raw: Floats, fold: Ints) -> _HeldOut:
        z, mean, spread = np.empty(len(raw)), np.empty(N_FOLDS), np.empty(N_FOLDS)
        for k in range(N_FOLDS):
            mine = raw[fold == k]
            z[fold == k], mean[k], spread[k] = standardise(mine[:, None])[:, 0], mine.mean(), mine.std()
        return cls(z, mean, np.where(spread > CONSTANT, 1.0 / np.maximum(spread, CONSTANT), 0.0) / N_FOLDS)


def _fitted_parts(
    classifier: Classifier, matrices: Mapping[str, sp.csr_matrix], suspect: Bools, fold: Ints
) -> tuple[Floats, list[Classifier]]:
    """Scores of rows by models fitted without their fold, and these models."""
    from sklearn.base import clone

    features, label = sp.hstack(list(matrices.values()), format="csr"), suspect.astype(int)
    scored = np.empty(len(fold))
    parts = []
    for k in range(N_FOLDS):
        parts.append(clone(classifier).fit(features[np.flatnonzero(fold != k)], label[fold != k]))
        scored[fold == k] = decision_scores(parts[k], features[np.flatnonzero(fold == k)])
    return scored, parts
