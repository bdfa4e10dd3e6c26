"""Cross-fitted scores: how far apart the two corpora are, row by row, judged by models that never saw the row's prompt.

A ridge classifier a family, fitted jointly on all its columns, stacked inside the training folds. The p-value does not
come from here: at a few hundred rows the block test is much stronger, at thousands of rows these scores say how large
the difference is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Bools, Floats, Ints
from fingerprint.features.compiled import side_by_side
from fingerprint.statistics.auc import N_FOLDS, Arms
from fingerprint.statistics.classifier import Classifier, decision_scores
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.ridge import ridge_scores
from fingerprint.statistics.stack import CONSTANT, discriminant, standardise


def folds(comparison: Comparison, n: int = N_FOLDS) -> Ints:
    """Fold of every row: whole groups, spread evenly in hash order, separately for groups in both arms and in one."""
    n_groups = comparison.n_groups
    arms = [np.bincount(comparison.group[side], minlength=n_groups) > 0 for side in comparison.sides]
    of_group = np.empty(n_groups, dtype=np.int64)
    for members in (arms[0] & arms[1], arms[0] & ~arms[1], ~arms[0] & arms[1]):
        of_group[members] = np.arange(int(members.sum())) % n
    return np.asarray(of_group[comparison.group], dtype=np.int64)


@dataclass(frozen=True)
class Plan:
    """Which rows train which model: every fold left out, every pair of folds left out, every fold alone."""

    fold: Ints
    weights: Floats  # [rows, models]; each column sums to 1, half on either arm
    pairs: dict[tuple[int, int], int]  # folds left out -> model
    singles: tuple[int, ...]  # model fitted on one fold alone

    @classmethod
    def of(cls, fold: Ints, suspect: Bools) -> Plan:
        left_out: list[tuple[int, ...]] = [(k,) for k in range(N_FOLDS)]
        left_out += list(combinations(range(N_FOLDS), 2))
        left_out += [tuple(j for j in range(N_FOLDS) if j != k) for k in range(N_FOLDS)]
        weights = np.stack([balanced(~np.isin(fold, out), suspect) for out in left_out], axis=1)
        pairs = {(o[0], o[1]): m for m, o in enumerate(left_out) if len(o) == 2}
        return cls(fold, weights, pairs, tuple(m for m, o in enumerate(left_out) if len(o) == N_FOLDS - 1))


def balanced(train: Bools, suspect: Bools) -> Floats:
    weight = np.zeros(len(train))
    for arm in (train & suspect, train & ~suspect):
        weight[arm] = 0.5 / max(int(arm.sum()), 1)
    return weight


@dataclass(frozen=True)
class Scores:
    """Out-of-fold scores of all rows, and how much to trust them.

    Attributes
    ----------
    arms : Arms
        Side, prompt and fold of every row.
    stacked : float array [rows]
        Higher = more suspect. Standardised within each fold, so that folds can be pooled.
    families : dict of float arrays [rows]
    agreement : float
        Squared cosine between the fitted and the best direction, estimated from models fitted on separate folds.
    family_agreement : dict of floats
        The same for each family alone.
    members : dict of float arrays [rows, models]
        What the models of a `Plan` say of the rows, by family: the same rows in another stack need no new fit.
    """

    arms: Arms
    stacked: Floats
    families: dict[str, Floats]
    agreement: float
    family_agreement: dict[str, float]
    members: Mapping[str, Floats] = field(default_factory=dict)

    @classmethod
    def fixed(cls, arms: Arms, values: Floats) -> Scores:
        """Scores that were fitted to none of these rows: their direction is known, so their agreement is 1."""
        return cls(arms, values, {}, 1.0, {})

    @classmethod
    def of_unknown_agreement(cls, arms: Arms, values: Floats) -> Scores:
        """Scores of models of which nothing is known: their intervals are the widest."""
        return cls(arms, values, {}, 0.0, {})


def cross_fit(
    comparison: Comparison,
    matrices: Mapping[str, sp.csr_matrix],
    classifier: Classifier | None = None,
    fold: Ints | None = None,
    *,
    mean_zero: Collection[str] = (),
    fitted: Mapping[str, Floats] | None = None,
) -> Scores:
    """Score every row by models fitted without its group.

    Parameters
    ----------
    fitted : mapping of name to float array [rows, models], optional
        Scores of members of the stack whose models were fitted elsewhere as `Plan` says: of families of `matrices`,
        which then are not fitted again, and of others.
    mean_zero : collection of str
        Names of the families whose columns have mean zero over rows that their model wrote; see `ridge_coefficients`.
    fold : int array [rows], optional
        Fold of each row, 0 to `N_FOLDS` - 1, whole groups; by default as `folds` has it.
    classifier : scikit-learn classifier, optional
        Used, cloned, in place of the ridge on all families' columns side by side.
    """
    fold = folds(comparison) if fold is None else fold
    plan = Plan.of(fold, comparison.suspect)
    arms = comparison.arms(fold)
    if classifier is not None:
        return _cross_fit_classifier(comparison, matrices, classifier, fold)

    def member(name: str) -> Floats:
        return ridge_scores(matrices[name], comparison.suspect, plan.weights, is_mean_zero=name in mean_zero)

    known = dict(fitted or {})
    names = [name for name in matrices if name not in known]
    fresh = {name: done() for name, done in zip(names, side_by_side(member, names), strict=True)}
    members = {name: fresh[name] if name in fresh else known[name] for name in matrices} | known
    if not members:
        return Scores.of_unknown_agreement(arms, np.zeros(len(fold)))
    raw = np.stack(list(members.values()), axis=2)
    by_family = np.empty((len(fold), raw.shape[2]))
    stacked = np.empty(len(fold))
    weights = np.stack([_stack_weights(raw, plan, comparison.suspect, k) for k in range(N_FOLDS)])
    for k in range(N_FOLDS):
        test = fold == k
        by_family[test] = standardise(raw[test, k])
        stacked[test] = standardise(by_family[test] @ weights[k][:, None])[:, 0]
    families = {name: by_family[:, f].copy() for f, name in enumerate(members)}
    alone, single_folds = np.eye(len(members)), _SingleFolds(raw, plan, comparison.suspect)
    return Scores(
        arms,
        stacked,
        families,
        single_folds.agreement(weights.mean(axis=0)),
        {name: single_folds.agreement(alone[f]) for f, name in enumerate(members)},
        members,
    )


def _stack_weights(raw: Floats, plan: Plan, suspect: Bools, outer: int) -> Floats:
    """Shrunk, non-negative discriminant on scores of models that saw neither the outer fold nor the row's own."""
    inner_scores, inner_suspect = [], []
    for j in range(N_FOLDS):
        if j != outer:
            rows = plan.fold == j
            inner_scores.append(standardise(raw[rows, plan.pairs[min(j, outer), max(j, outer)]]))
            inner_suspect.append(suspect[rows])
    return discriminant(np.concatenate(inner_scores), np.concatenate(inner_suspect))


def agreement(scores: Floats, plan: Plan, suspect: Bools) -> float:
    """Agreement of one member's scores [rows, models] by the models of a plan: see `Scores`."""
    return _SingleFolds(scores[:, :, None], plan, suspect).agreement(np.ones(1))


class _SingleFolds:
    """Scores by models fitted on one fold each, as moments of the rows of every fold and arm.

    Attributes
    ----------
    cells : list of (fold, rows, means [variables], products [variables, variables])
        A variable is a model's score of one member: `n_members` variables for each fold's model.
    """

    def __init__(self, raw: Floats, plan: Plan, suspect: Bools) -> None:
        self.n_members = raw.shape[2]
        self.cells = []
        for fold in range(N_FOLDS):
            for arm in (suspect, ~suspect):
                rows = np.flatnonzero((plan.fold == fold) & arm)
                scores = raw[rows][:, plan.singles].reshape(len(rows), N_FOLDS * self.n_members)
                mean = scores.mean(axis=0) if len(rows) else np.zeros(scores.shape[1])
                centred = scores - mean
                self.cells.append((fold, len(rows), mean, centred.T @ centred))

    def covariances(self, left_out: tuple[int, int]) -> list[Floats]:
        """Covariances of all variables over the rows of the other folds, of either arm."""
        found = []
        for arm in range(2):
            cells = [cell for cell in self.cells[arm::2] if cell[0] not in left_out and cell[1]]
            sizes, means = np.array([cell[1] for cell in cells]), np.array([cell[2] for cell in cells])
            if len(cells):
                apart = means - sizes @ means / sizes.sum()
                within = np.sum([cell[3] for cell in cells], axis=0)
                found.append((within + apart.T @ (apart * sizes[:, None])) / sizes.sum())
        return found

    def agreement(self, stack: Floats) -> float:
        """Squared cosine between fitted and best direction, from the correlation of models fitted on one fold each.

        Two models from separate rows share only the signal: the correlation of their scores within an arm, on a third
        fold, is the squared cosine at one fold's rows. Its odds grow with the rows, so the figure for four folds
        follows.
        """
        correlations = []
        for pair in combinations(range(N_FOLDS), 2):
            first, second = (slice(k * self.n_members, (k + 1) * self.n_members) for k in pair)
            for covariance in self.covariances(pair):
                sd = np.sqrt(np.diag(covariance))
                weights = np.tile(stack, N_FOLDS) * (sd > CONSTANT) / np.where(sd > CONSTANT, sd, 1.0)
                variances = [float(weights[at] @ covariance[at, at] @ weights[at]) for at in (first, second)]
                if min(variances) > 0:
                    shared = float(weights[first] @ covariance[first, second] @ weights[second])
                    correlations.append(shared / np.sqrt(variances[0] * variances[1]))
        one_fold = min(max(float(np.mean(correlations)), 0.0), 0.999) if correlations else 0.0
        odds = one_fold / (1 - one_fold) * (N_FOLDS - 1)
        return odds / (1 + odds)


def _cross_fit_classifier(
    comparison: Comparison, matrices: Mapping[str, sp.csr_matrix], classifier: Classifier, fold: Ints
) -> Scores:
    from sklearn.base import clone

    features = sp.hstack(list(matrices.values()), format="csr") if matrices else sp.csr_matrix((len(fold), 0))
    label = comparison.suspect.astype(int)
    stacked = np.empty(len(fold))
    for k in range(N_FOLDS):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        fitted = clone(classifier).fit(features[train], label[train])
        stacked[test] = standardise(decision_scores(fitted, features[test])[:, None])[:, 0]
    return Scores.of_unknown_agreement(comparison.arms(fold), stacked)
