"""A stack fitted on all rows, to score rows that come later."""

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
from fingerprint.statistics.stack import discriminant, standardise


@dataclass(frozen=True)
class Trained:
    """A stack fitted on all rows, to score rows that come later.

    Attributes
    ----------
    coefficients : dict of float arrays [columns]
        Linear members, one a family, on its scaled columns.
    classifiers : tuple of fitted scikit-learn classifiers
        Further members, on all families' scaled columns side by side.
    centre, weights : float arrays [members]
        The stacked score is the sum of weight * (member's score - centre): mean 0 and sd 1 over training rows, as
        models that did not see them score them.
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
    """Fit the stack on all rows; weights, centres and calibration come from scores that are out of fold.

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
    rows = np.arange(len(fold))
    arms = [balanced(fold != k, suspect) for k in range(N_FOLDS)] + [balanced(fold >= 0, suspect)]
    fit = mean_difference_coefficients if fast else ridge_coefficients
    built_in = matrices if None in classifiers else {}
    coefficients: dict[str, Floats] = {}
    held_out: list[Floats] = []
    for name, values in built_in.items():
        found = fit(values, suspect, np.stack(arms, axis=1)).astype(np.float64)
        held_out.append(np.asarray(values @ found[:, :N_FOLDS])[rows, fold])
        coefficients[name] = found[:, N_FOLDS]
    fitted = []
    for classifier in classifiers:
        if classifier is not None:
            scored, final = _held_out_scores(classifier, matrices, suspect, fold)
            held_out.append(scored)
            fitted.append(final)
    raw = np.stack(held_out, axis=1)
    z = np.empty_like(raw)
    for k in range(N_FOLDS):
        z[fold == k] = standardise(raw[fold == k])
    equal = np.ones(raw.shape[1])
    if not fast and list(classifiers) == [None]:
        scores = cross_fit(comparison, matrices) if scores is None else scores
    else:
        outer = [equal if fast else discriminant(z[fold != k], suspect[fold != k]) for k in range(N_FOLDS)]
        values = np.empty(len(fold))
        for k in range(N_FOLDS):
            values[fold == k] = standardise((z[fold == k] @ outer[k])[:, None])[:, 0]
        scores = Scores.of_unknown_agreement(comparison.arms(fold), values)
    weights = equal if fast else discriminant(z, suspect)
    spread = np.mean([raw[fold == k].std(axis=0) for k in range(N_FOLDS)], axis=0)
    scale = np.where(spread > 1e-12, spread, np.inf) * max(float((z @ weights).std()), 1e-12)
    return Trained(coefficients, tuple(fitted), raw.mean(axis=0), weights / scale, scores)


def _held_out_scores(
    classifier: Classifier, matrices: Mapping[str, sp.csr_matrix], suspect: Bools, fold: Ints
) -> tuple[Floats, Classifier]:
    """Scores of rows by models fitted without their fold, and the model fitted on all rows."""
    from sklearn.base import clone

    features, label = sp.hstack(list(matrices.values()), format="csr"), suspect.astype(int)
    scored = np.empty(len(fold))
    for k in range(N_FOLDS):
        part = clone(classifier).fit(features[np.flatnonzero(fold != k)], label[fold != k])
        scored[fold == k] = decision_scores(part, features[np.flatnonzero(fold == k)])
    return scored, clone(classifier).fit(features, label)
