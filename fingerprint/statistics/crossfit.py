"""Cross-fitted scores: how far apart the two corpora are, row by row, judged by models that never saw the row's prompt.

A ridge classifier a family, fitted jointly on all its columns, stacked inside the training folds. The p-value does not
come from here: at a few hundred rows the block test is much stronger, at thousands of rows these scores say how large
the difference is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Bools, Floats, Floats32, Ints
from fingerprint.data.corpus import Comparison

N_FOLDS = 5
# Share of the label's variance that a row is expected to explain (d_prime about .65). It sets the ridge penalty to
# columns' total variance / (rows * this): one rule, without labels, that was within .005 AUROC of the best penalty for
# bins, tokens and n-grams at 33,000 rows, and turns into the mean-difference classifier at 400.
EXPLAINED = 0.1
# Added to the correlation of the families' scores before it is inverted for the stack: a little, plus more for fewer
# rows, whose differences are mostly noise.
STACK_RIDGE = 0.02
STACK_RIDGE_ROWS = 60.0
# Families this narrow and dense are solved from their moments, others from their rows.
NARROW = 2500
DENSE = 0.1
CG_STEPS = 40
CG_TOLERANCE = 0.01
NOTHING = 1e-20  # a right side this small is rounding: arms with equal means
# Least share of an arm's mean that is kept where the mean is expected to be zero: with both arms' means within their
# noise, their difference gives the direction as it always does.
LEAST_KEPT = 0.05


def folds(comparison: Comparison, n: int = N_FOLDS) -> Ints:
    """Fold of every row: whole groups, spread evenly in hash order, separately for groups in both arms and in one."""
    n_groups = int(comparison.group.max()) + 1
    sides = (comparison.suspect, ~comparison.suspect)
    arms = [np.bincount(comparison.group[side], minlength=n_groups) > 0 for side in sides]
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
        weights = np.stack([_balanced(~np.isin(fold, out), suspect) for out in left_out], axis=1)
        pairs = {(o[0], o[1]): m for m, o in enumerate(left_out) if len(o) == 2}
        return cls(fold, weights, pairs, tuple(m for m, o in enumerate(left_out) if len(o) == N_FOLDS - 1))


def _balanced(train: Bools, suspect: Bools) -> Floats:
    weight = np.zeros(len(train))
    for arm in (train & suspect, train & ~suspect):
        weight[arm] = 0.5 / max(int(arm.sum()), 1)
    return weight


def ridge_scores(values: sp.csr_matrix, suspect: Bools, weights: Floats, *, is_mean_zero: bool = False) -> Floats:
    """Scores [rows, models] of ridge regressions of the label (+1 suspect, -1 reference), one per column of weights."""
    coefficients = ridge_coefficients(values, suspect, weights, is_mean_zero=is_mean_zero)
    return np.asarray(values @ coefficients, dtype=np.float64)


def ridge_coefficients(
    values: sp.csr_matrix, suspect: Bools, weights: Floats, *, is_mean_zero: bool = False
) -> Floats32:
    """Coefficients [columns, models] of the ridge regressions behind `ridge_scores`.

    With `is_mean_zero`, columns are gradients of a model's log-probabilities, of mean zero over rows that it wrote
    (under the conditions in `fingerprint.lm.gradients`): the mean of each arm is shrunk towards zero as far as its
    noise goes (James and Stein 1961, Proceedings of the Fourth Berkeley Symposium 1). A reference that the model wrote
    then adds no noise of its own to the direction; where both arms' means are far from zero little changes.
    """
    kept = _kept(values, suspect, weights) if is_mean_zero else np.ones((2, weights.shape[1]))
    signed = weights * np.where(suspect[:, None], kept[0], -kept[1])
    if values.shape[1] <= NARROW and values.nnz > DENSE * values.shape[0] * values.shape[1]:
        return _solve_moments(values, weights, signed)
    return _solve_gradients(values, weights, signed)


def _kept(values: sp.csr_matrix, suspect: Bools, weights: Floats) -> Floats:
    """Share of each arm's mean [2, models] that is more than noise, and at least `LEAST_KEPT`.

    Both are measured against the noise of the smaller arm: with a noise of its own each, a mean that both arms have
    would be kept more in the one than in the other, and enter the direction though it tells nothing.
    """
    squares = np.asarray(values.multiply(values).sum(axis=1), dtype=np.float64).ravel()
    signals, noises = [], []
    for arm in (suspect, ~suspect):
        w = weights[arm] / np.maximum(weights[arm].sum(axis=0), 1e-300)
        length = (np.asarray(values[arm].T @ w.astype(np.float32), dtype=np.float64) ** 2).sum(axis=0)
        noises.append(np.maximum(squares[arm] @ w - length, 0.0) * (w**2).sum(axis=0))
        signals.append(np.maximum(length - noises[-1], 0.0))
    signal, noise = np.array(signals), np.max(noises, axis=0)
    return np.asarray(np.maximum(signal / np.maximum(signal + noise, 1e-300), LEAST_KEPT), dtype=np.float64)


def mean_difference_coefficients(values: sp.csr_matrix, suspect: Bools, weights: Floats) -> Floats32:
    """Closed form [columns, models]: the difference of the arms' means, what the exact test's statistic is made of."""
    target = np.where(suspect, 1.0, -1.0)[:, None]
    return np.asarray(values.T @ (weights * target * 2).astype(np.float32), dtype=np.float32)


def _penalty(total_variance: Any, squared_weights: Any) -> Any:
    """Ridge penalty: total variance of the columns over (effective rows * `EXPLAINED`)."""
    return np.maximum(total_variance, 1e-12) * squared_weights / EXPLAINED


def _solve_moments(values: sp.csr_matrix, weights: Floats, signed: Floats) -> Floats32:
    """Normal equations from the moments of cells: rows of one arm and one set of weights are added up once.

    Both solvers take the weights of rows [rows, models] twice: plain for the moments, signed for the right side.
    """
    dense = np.asarray(values.todense(), dtype=np.float32)
    cells, member = np.unique(np.hstack([weights, signed]), axis=0, return_inverse=True)
    member = member.ravel()
    rows = [dense[member == cell] for cell in range(len(cells))]
    first = np.stack([block.sum(axis=0, dtype=np.float64) for block in rows])
    second = [block.T @ block for block in rows]
    counts = np.array([len(block) for block in rows])
    covariances = []
    plain, right = np.split(cells, 2, axis=1)
    for weight in plain.T:
        mean = weight @ first
        covariance = np.sum([w * m for w, m in zip(weight, second, strict=True) if w], axis=0, dtype=np.float64)
        covariance -= np.outer(mean, mean)
        penalty = _penalty(np.trace(covariance), (counts * weight**2).sum())
        covariance[np.diag_indices_from(covariance)] += penalty
        covariances.append(covariance.astype(np.float32))

    def product(b: Floats32) -> Floats32:
        return np.stack([c @ b[:, m] for m, c in enumerate(covariances)], axis=1)

    return _conjugate_gradients(product, (first.T @ right).astype(np.float32))


def _solve_gradients(values: sp.csr_matrix, weights: Floats, signed: Floats) -> Floats32:
    """All models at once: the loop over the non-zero entries is shared between them."""
    transposed = values.T.tocsr()
    w = weights.astype(np.float32)
    mean = transposed @ w
    squares = transposed.power(2) @ w
    penalty = _penalty(np.asarray(squares - mean**2).sum(axis=0), (weights**2).sum(axis=0)).astype(np.float32)

    def product(b: Floats32) -> Floats32:
        z = values @ b
        z -= (w * z).sum(axis=0)
        return np.asarray(transposed @ (w * z) + penalty * b, dtype=np.float32)

    right = transposed @ signed.astype(np.float32)
    return _conjugate_gradients(product, np.asarray(right, dtype=np.float32))


def _conjugate_gradients(product: Callable[[Floats32], Floats32], right: Floats32) -> Floats32:
    """Solve one symmetric system a column; stopping early only adds a little shrinkage.

    Each column stops at its own goal, so that no model's solution depends on the labels that another one sees.
    """
    residual = right.copy()
    solution = np.zeros_like(residual)
    direction = residual.copy()
    size = (residual**2).sum(axis=0)
    goal = np.maximum(size * CG_TOLERANCE**2, NOTHING)
    for _ in range(CG_STEPS):
        active = size > goal
        if not active.any():
            break
        image = product(direction)
        step = active * size / np.maximum((direction * image).sum(axis=0), 1e-30)
        solution += step * direction
        residual -= step * image
        new = active * (residual**2).sum(axis=0)
        direction = residual + new / np.maximum(size, 1e-30) * direction
        size = new
    return solution


@dataclass(frozen=True)
class Scores:
    """Out-of-fold scores of all rows, and how much to trust them.

    Attributes
    ----------
    stacked : float array [rows]
        Higher = more suspect. Standardised within each fold, so that folds can be pooled.
    families : dict of float arrays [rows]
    agreement : float
        Squared cosine between the fitted and the best direction, estimated from models fitted on separate folds.
    family_agreement : dict of floats
        The same for each family alone.
    """

    comparison: Comparison
    fold: Ints
    stacked: Floats
    families: dict[str, Floats]
    agreement: float
    family_agreement: dict[str, float]


def cross_fit(
    comparison: Comparison,
    matrices: Mapping[str, sp.csr_matrix],
    classifier: Any = None,
    fold: Ints | None = None,
    *,
    mean_zero: Collection[str] = (),
    fitted: Mapping[str, Floats] | None = None,
) -> Scores:
    """Score every row by models fitted without its group.

    Parameters
    ----------
    fitted : mapping of name to float array [rows, models], optional
        Scores of further members of the stack, whose models were fitted elsewhere as `Plan` says.
    mean_zero : collection of str
        Names of the families whose columns have mean zero over rows that their model wrote; see `ridge_coefficients`.
    fold : int array [rows], optional
        Fold of each row, 0 to `N_FOLDS` - 1, whole groups; by default as `folds` has it.
    classifier : scikit-learn classifier, optional
        Used, cloned, in place of the ridge on all families' columns side by side.
    """
    fold = folds(comparison) if fold is None else fold
    plan = Plan.of(fold, comparison.suspect)
    if classifier is not None:
        return _cross_fit_classifier(comparison, matrices, classifier, fold)
    members = {
        name: ridge_scores(m, comparison.suspect, plan.weights, is_mean_zero=name in mean_zero)
        for name, m in matrices.items()
    } | dict(fitted or {})
    if not members:
        zero = np.zeros(len(fold))
        return Scores(comparison, fold, zero, {}, 0.0, {})
    raw = np.stack(list(members.values()), axis=2)
    by_family = np.empty((len(fold), raw.shape[2]))
    stacked = np.empty(len(fold))
    weights = np.stack([_stack_weights(raw, plan, comparison.suspect, k) for k in range(N_FOLDS)])
    for k in range(N_FOLDS):
        test = fold == k
        by_family[test] = _standardise(raw[test, k])
        stacked[test] = _standardise(by_family[test] @ weights[k][:, None])[:, 0]
    families = {name: by_family[:, f].copy() for f, name in enumerate(members)}
    alone = np.eye(len(members))
    return Scores(
        comparison,
        fold,
        stacked,
        families,
        _agreement(raw, plan, comparison.suspect, weights.mean(axis=0)),
        {name: _agreement(raw, plan, comparison.suspect, alone[f]) for f, name in enumerate(members)},
    )


def _standardise(scores: Floats) -> Floats:
    """Zero mean and unit sd per column; a constant column becomes zero."""
    spread = scores.std(axis=0)
    return np.asarray((scores - scores.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0) * (spread > 1e-12))


def _stack_weights(raw: Floats, plan: Plan, suspect: Bools, outer: int) -> Floats:
    """Shrunk, non-negative discriminant on scores of models that saw neither the outer fold nor the row's own."""
    inner_scores, inner_suspect = [], []
    for j in range(N_FOLDS):
        if j != outer:
            rows = plan.fold == j
            inner_scores.append(_standardise(raw[rows, plan.pairs[min(j, outer), max(j, outer)]]))
            inner_suspect.append(suspect[rows])
    return discriminant(np.concatenate(inner_scores), np.concatenate(inner_suspect))


def discriminant(z: Floats, label: Bools) -> Floats:
    """Weights of the stack's members: shrunk, non-negative linear discriminant; all ones where nothing separates."""
    difference = z[label].mean(axis=0) - z[~label].mean(axis=0)
    within = (np.atleast_2d(np.cov(z[label].T)) + np.atleast_2d(np.cov(z[~label].T))) / 2
    ridge = STACK_RIDGE + STACK_RIDGE_ROWS / len(z)
    solved = np.linalg.solve(within + ridge * np.eye(len(difference)), difference)
    weights = np.maximum(solved, 0.0)
    return np.asarray(weights if weights.any() else np.ones(len(difference)))


def _agreement(raw: Floats, plan: Plan, suspect: Bools, stack: Floats) -> float:
    """Squared cosine between fitted and best direction, from the correlation of models fitted on one fold each.

    Two models from separate rows share only the signal: the correlation of their scores within an arm, on a third
    fold, is the squared cosine at one fold's rows. Its odds grow with the rows, so the figure for four folds follows.
    """
    correlations = []
    for a, b in combinations(range(N_FOLDS), 2):
        for arm in (suspect, ~suspect):
            rows = (plan.fold != a) & (plan.fold != b) & arm
            pair = [_standardise(raw[rows, plan.singles[k]]) @ stack for k in (a, b)]
            if pair[0].std() > 0 and pair[1].std() > 0:
                correlations.append(float(np.corrcoef(pair[0], pair[1])[0, 1]))
    one_fold = min(max(float(np.mean(correlations)), 0.0), 0.999) if correlations else 0.0
    odds = one_fold / (1 - one_fold) * (N_FOLDS - 1)
    return odds / (1 + odds)


def _cross_fit_classifier(
    comparison: Comparison, matrices: Mapping[str, sp.csr_matrix], classifier: Any, fold: Ints
) -> Scores:
    from sklearn.base import clone

    features = sp.hstack(list(matrices.values()), format="csr") if matrices else sp.csr_matrix((len(fold), 0))
    label = comparison.suspect.astype(int)
    stacked = np.empty(len(fold))
    for k in range(N_FOLDS):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        fitted = clone(classifier).fit(features[train], label[train])
        stacked[test] = _standardise(decision_scores(fitted, features[test])[:, None])[:, 0]
    return Scores(comparison, fold, stacked, {}, 0.0, {})


def decision_scores(fitted: Any, features: sp.csr_matrix) -> Floats:
    """Scores of a fitted scikit-learn classifier, higher for the suspect class."""
    if hasattr(fitted, "decision_function"):
        return np.asarray(fitted.decision_function(features), dtype=np.float64).ravel()
    return np.asarray(fitted.predict_proba(features), dtype=np.float64)[:, 1]


# ------------------------------------------------------------------------------------------------ scores for new rows


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
    classifiers: tuple[Any, ...]
    centre: Floats
    weights: Floats
    scores: Scores

    def stacked(self, matrices: Mapping[str, sp.csr_matrix]) -> Floats:
        """Stacked scores [rows] of new rows, from their scaled columns."""
        return stacked(matrices, self.coefficients, self.classifiers, self.centre, self.weights)


def stacked(
    matrices: Mapping[str, sp.csr_matrix],
    coefficients: Mapping[str, Floats],
    classifiers: Sequence[Any],
    centre: Floats,
    weights: Floats,
) -> Floats:
    """Weighted sum of the members' centred scores."""
    members = [np.asarray(matrices[name] @ c, dtype=np.float64) for name, c in coefficients.items()]
    if classifiers:
        side_by_side = sp.hstack(list(matrices.values()), format="csr")
        members += [decision_scores(fitted, side_by_side) for fitted in classifiers]
    return np.asarray((np.stack(members, axis=1) - centre) @ weights)


def train(
    comparison: Comparison,
    matrices: Mapping[str, sp.csr_matrix],
    classifiers: Sequence[Any] = (None,),
    fast: bool = False,
) -> Trained:
    """Fit the stack on all rows; weights, centres and calibration come from scores that are out of fold.

    Parameters
    ----------
    classifiers : sequence of scikit-learn classifiers
        Members of the stack; None stands for the built-in ridge models, one a family.
    fast : bool
        Mean differences in place of the ridge models, families with equal weights: no system is solved.
    """
    fold, suspect = folds(comparison), comparison.suspect
    rows = np.arange(len(fold))
    arms = [_balanced(fold != k, suspect) for k in range(N_FOLDS)] + [_balanced(fold >= 0, suspect)]
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
        z[fold == k] = _standardise(raw[fold == k])
    equal = np.ones(raw.shape[1])
    if not fast and list(classifiers) == [None]:
        scores = cross_fit(comparison, matrices)
    else:
        outer = [equal if fast else discriminant(z[fold != k], suspect[fold != k]) for k in range(N_FOLDS)]
        values = np.empty(len(fold))
        for k in range(N_FOLDS):
            values[fold == k] = _standardise((z[fold == k] @ outer[k])[:, None])[:, 0]
        scores = Scores(comparison, fold, values, {}, 0.0, {})
    weights = equal if fast else discriminant(z, suspect)
    spread = np.mean([raw[fold == k].std(axis=0) for k in range(N_FOLDS)], axis=0)
    scale = np.where(spread > 1e-12, spread, np.inf) * max(float((z @ weights).std()), 1e-12)
    return Trained(coefficients, tuple(fitted), raw.mean(axis=0), weights / scale, scores)


def _held_out_scores(
    classifier: Any, matrices: Mapping[str, sp.csr_matrix], suspect: Bools, fold: Ints
) -> tuple[Floats, Any]:
    """Scores of rows by models fitted without their fold, and the model fitted on all rows."""
    from sklearn.base import clone

    features, label = sp.hstack(list(matrices.values()), format="csr"), suspect.astype(int)
    scored = np.empty(len(fold))
    for k in range(N_FOLDS):
        part = clone(classifier).fit(features[np.flatnonzero(fold != k)], label[fold != k])
        scored[fold == k] = decision_scores(part, features[np.flatnonzero(fold == k)])
    return scored, clone(classifier).fit(features, label)


# ------------------------------------------------------------------------------------------------- figures from scores


def auc(suspect: Floats, reference: Floats) -> float:
    """Area under the ROC curve, ties counted half."""
    above, _ = placements(suspect, reference)
    return float(above.mean())


def placements(suspect: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Share of the other arm that each suspect score is above, and that each reference score is below."""
    s, r = np.sort(suspect), np.sort(reference)
    above = (np.searchsorted(r, suspect, "left") + np.searchsorted(r, suspect, "right")) / (2 * len(r))
    below = 1 - (np.searchsorted(s, reference, "left") + np.searchsorted(s, reference, "right")) / (2 * len(s))
    return above, below


@dataclass(frozen=True)
class Moments:
    """An estimate and its variance when the scores are taken as given."""

    value: float
    variance: float


def fold_auc(scores: Scores, values: Floats) -> Moments:
    """AUROC within folds, averaged; its variance from the groups' influence (DeLong, clustered by prompt)."""
    group = scores.comparison.group
    area, influence = fold_influence(scores, values)
    folds_of_rows = (scores.fold == k for k in range(N_FOLDS))
    return Moments(area, sum(clustered(influence[mine], group[mine]) for mine in folds_of_rows))


def fold_influence(scores: Scores, values: Floats) -> tuple[float, Floats]:
    """AUROC within folds, averaged, and the influence of every row on it [rows]."""
    suspect = scores.comparison.suspect
    found: list[float] = []
    influence = np.zeros(len(values))
    for k in range(N_FOLDS):
        s, r = (scores.fold == k) & suspect, (scores.fold == k) & ~suspect
        above, below = placements(values[s], values[r])
        found.append(float(above.mean()))
        influence[s] = (above - found[-1]) / len(above) / N_FOLDS
        influence[r] = (below - found[-1]) / len(below) / N_FOLDS
    return float(np.mean(found)), influence


def clustered(influence: Floats, group: Ints) -> float:
    """Variance of a sum of influences whose groups are independent."""
    _, member = np.unique(group, return_inverse=True)
    sums = np.bincount(member, weights=influence)
    return float((sums**2).sum() * len(sums) / max(len(sums) - 1, 1))


def paired_auc(scores: Scores) -> Moments | None:
    """Share of prompts whose suspect row scores above its reference row; None unless prompts are shared."""
    comparison = scores.comparison
    if comparison.kind != "shared":
        return None
    suspect, reference = comparison.pairs()
    difference = scores.stacked[suspect] - scores.stacked[reference]
    wins = (difference > 0) + 0.5 * (difference == 0)
    return Moments(float(wins.mean()), clustered((wins - wins.mean()) / len(wins), comparison.group[suspect]))


def inflation(agreement: float) -> float:
    """Variance of a cross-fitted AUROC over its variance with the scores taken as given.

    Every pair of rows in different folds enters twice, once with either row in training. For a linear classifier
    whose direction has squared cosine q with the best one, the first-order terms add up to (2 - q)^2 times the frozen
    ones along the signal, and the pair terms to twice: q (2 - q)^2 + 2 (1 - q). It is 2 without signal and 1 when the
    direction is known.
    """
    q = agreement
    return q * (2 - q) ** 2 + 2 * (1 - q)


BAG_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
N_PARTITIONS = 20
N_PARTS = 20
N_DELETED_PARTITIONS = 4  # partitions in which parts are deleted; each deletion is compared within its own partition
MIN_BAGS = 30


def bag_aucs(
    scores: Scores, values: Floats, sizes: Sequence[int], rng: np.random.Generator
) -> dict[int, Moments | None]:
    """AUROC of disjoint bags of k rows judged together by their mean score; None below `MIN_BAGS` bags a side.

    The mean over `N_PARTITIONS` partitions; variance by deleting twentieths of the groups, a bag then being the mean of
    the rows that are left in it. Bags never share a row: overlapping bags would look more certain than they are.
    """
    comparison = scores.comparison
    part = rng.permutation(int(comparison.group.max()) + 1)[comparison.group] % N_PARTS
    arms = [np.flatnonzero(comparison.suspect), np.flatnonzero(~comparison.suspect)]
    out: dict[int, Moments | None] = {}
    for k in sizes:
        if min(len(arm) // k for arm in arms) < MIN_BAGS:
            out[k] = None
            continue
        areas = [
            _one_partition(arms, values, part, k, rng, n_deleted=N_PARTS if p < N_DELETED_PARTITIONS else 0)
            for p in range(N_PARTITIONS)
        ]
        deleted = np.mean([area[1:] for area in areas[:N_DELETED_PARTITIONS]], axis=0)
        variance = (N_PARTS - 1) / N_PARTS * float(((deleted - deleted.mean()) ** 2).sum())
        out[k] = Moments(float(np.mean([area[0] for area in areas])), variance)
    return out


def _one_partition(
    arms: list[Ints], values: Floats, part: Ints, k: int, rng: np.random.Generator, n_deleted: int
) -> Floats:
    """AUROC of one partition: of all rows first, then with each of `n_deleted` parts deleted."""
    means = []
    for arm in arms:
        rows = rng.permutation(arm)[: len(arm) // k * k].reshape(-1, k)
        bag = np.repeat(np.arange(len(rows)), k)
        cell = bag * N_PARTS + part[rows].ravel()
        sums = np.bincount(cell, weights=values[rows].ravel(), minlength=len(rows) * N_PARTS).reshape(-1, N_PARTS)
        counts = np.bincount(cell, minlength=len(rows) * N_PARTS).reshape(-1, N_PARTS)
        with np.errstate(invalid="ignore", divide="ignore"):
            left = (sums.sum(axis=1, keepdims=True) - sums) / (counts.sum(axis=1, keepdims=True) - counts)
        means.append(np.hstack([sums.sum(axis=1, keepdims=True) / k, left]))
    return np.array([_auc_of_filled(means[0][:, c], means[1][:, c]) for c in range(n_deleted + 1)])


def _auc_of_filled(suspect: Floats, reference: Floats) -> float:
    return auc(suspect[~np.isnan(suspect)], reference[~np.isnan(reference)])
