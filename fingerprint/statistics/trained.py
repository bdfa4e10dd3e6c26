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
class Stack:
    """A stack to score rows that come later.

    Attributes
    ----------
    by_fold : dict of float arrays [columns, folds]
        Linear members, one a family, on its scaled columns: the models of the folds, each scaled by the rows that it
        did not see. Their sum is the member.
    classifiers : tuple of fitted scikit-learn classifiers
        Further members, on all families' scaled columns side by side: one a fold for each that was asked for.
    centre, weights : float arrays [members]
        The stacked score is the sum of weight * (member's score - centre): mean 0 over training rows, and sd 1 for each
        fold's models on the rows that they did not see. Their mean has a little less.
    fold : int array [rows]
        The fold of each training row.
    z : float array [rows, members as they were asked for]
        Out-of-fold scores of the training rows by each member, standardised within each fold.
    centre_by_fold, weights_by_fold : float arrays [folds, members]
        The mean of the fold's model on rows that it did not see, and the weights as they would be without these rows.
    """

    by_fold: dict[str, Floats]
    classifiers: tuple[Classifier, ...]
    centre: Floats
    weights: Floats
    fold: Ints
    z: Floats
    centre_by_fold: Floats
    weights_by_fold: Floats

    @property
    def coefficients(self) -> dict[str, Floats]:
        """Linear members [columns], by family."""
        return {name: models.sum(axis=1) for name, models in self.by_fold.items()}

    def without_own_fold(self, matrices: Mapping[str, sp.csr_matrix], fold: Ints) -> Floats:
        """Stacked scores [rows] of rows by the models fitted without their fold [rows].

        As new rows are scored, but for the mean over the folds: by nothing that is known of these rows together. The
        members' weights are those without the fold too: neutral rows that are scored may be among those fitted.
        """
        own = np.zeros(len(fold))
        linear = len(self.by_fold)
        centre, weights = self.centre_by_fold, N_FOLDS * self.weights_by_fold
        for place, (name, models) in enumerate(self.by_fold.items()):
            scored = np.asarray(matrices[name] @ models)[np.arange(len(fold)), fold]
            own += weights[fold, place] * (scored - centre[fold, place])
        if self.classifiers:
            side_by_side = sp.hstack(list(matrices.values()), format="csr")
            for number, fitted in enumerate(self.classifiers):
                k, place = number % N_FOLDS, linear + number
                rows = np.flatnonzero(fold == k)
                own[rows] += weights[k, place] * (decision_scores(fitted, side_by_side[rows]) - centre[k, place])
        return own


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


def fit_stack(
    comparison: Comparison,
    matrices: Mapping[str, sp.csr_matrix],
    classifiers: Sequence[Classifier | None] = (None,),
    fast: bool = False,
    fold: Ints | None = None,
) -> Stack:
    """Fit the stack; weights, centres and scales come from scores that are out of fold.

    Parameters
    ----------
    classifiers : sequence of scikit-learn classifiers
        Members of the stack; None stands for the built-in ridge models, one a family.
    fast : bool
        Mean differences in place of the ridge models, families with equal weights: no system is solved.
    fold : int array [rows], optional
        Fold of each row, 0 to `N_FOLDS` - 1, whole groups; by default as `fingerprint.statistics.crossfit.folds` says.
    """
    fold, suspect = folds(comparison) if fold is None else fold, comparison.suspect
    arms = np.stack([balanced(fold != k, suspect) for k in range(N_FOLDS)], axis=1)
    fit = mean_difference_coefficients if fast else ridge_coefficients
    by_fold: dict[str, Floats] = {}
    linear, fitted = [], []
    for name, values in (matrices if None in classifiers else {}).items():
        found = fit(values, suspect, arms).astype(np.float64)
        linear.append(_HeldOut.of(np.asarray(values @ found)[np.arange(len(fold)), fold], fold))
        by_fold[name] = found * linear[-1].scale
    others = []
    for classifier in classifiers:
        if classifier is not None:
            scored, parts = _fitted_parts(classifier, matrices, suspect, fold)
            others.append(_HeldOut.of(scored, fold))
            fitted += parts
    z = np.stack([member.z for member in (*linear, *others)], axis=1)

    def weighted(rows: Bools) -> Floats:
        """Weights of the members, of which a classifier has one a fold, fitted to some rows."""
        found = np.ones(z.shape[1]) if fast else discriminant(z[rows], suspect[rows])
        found = found / max(float((z[rows] @ found).std()), CONSTANT)
        of_linear, of_others = np.split(found, [len(linear)])
        return np.concatenate([of_linear, *(w * member.scale for w, member in zip(of_others, others, strict=True))])

    return Stack(
        by_fold,
        tuple(fitted),
        np.concatenate([[member.mean @ member.scale for member in linear], *(member.mean for member in others)]),
        weighted(np.ones(len(fold), dtype=bool)),
        fold,
        z,
        np.hstack([
            *((member.mean * member.scale)[:, None] for member in linear),
            *(np.tile(member.mean, (N_FOLDS, 1)) for member in others),
        ]),
        np.stack([weighted(fold != k) for k in range(N_FOLDS)]),
    )


def held_out_scores(
    stack: Stack,
    comparison: Comparison,
    matrices: Mapping[str, sp.csr_matrix],
    classifiers: Sequence[Classifier | None],
    fast: bool,
) -> Scores:
    """Scores of the training rows by stacks that saw neither their fold nor its labels, to calibrate by."""
    if not fast and list(classifiers) == [None]:
        return cross_fit(comparison, matrices, fold=stack.fold)
    z, fold, suspect = stack.z, stack.fold, comparison.suspect
    values = np.empty(len(fold))
    for k in range(N_FOLDS):
        outer = np.ones(z.shape[1]) if fast else discriminant(z[fold != k], suspect[fold != k])
        values[fold == k] = z[fold == k] @ outer
    return Scores.of_unknown_agreement(comparison.arms(fold), _within_folds(values, fold))


def _within_folds(values: Floats, fold: Ints) -> Floats:
    """Standardised within each fold [rows]."""
    found = np.zeros(len(fold))
    for k in range(N_FOLDS):
        found[fold == k] = standardise(values[fold == k][:, None])[:, 0] if (fold == k).any() else 0.0
    return found


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
