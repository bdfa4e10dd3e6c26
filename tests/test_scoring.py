"""Cross-fitted scores: agreement with scikit-learn, no leakage, and intervals that allow for training reuse."""

import threading

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

from fingerprint import detect
from fingerprint.features import choose
from fingerprint.features.compiled import side_by_side
from fingerprint.features.scaling import family_matrix
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.auc import Arms, bag_aucs, fold_auc, inflation, paired_auc, placements, roc_auc
from fingerprint.statistics.comparison import Comparison, pair
from fingerprint.statistics.crossfit import Plan, cross_fit, folds
from fingerprint.statistics.ridge import (
    EXPLAINED,
    _solve_gradients,
    _solve_moments,
    _solve_rows,
    ridge_coefficients,
    ridge_scores,
)


def comparison(n: int = 120, **options: object) -> Comparison:
    drawn = simulated_pair(n, rng=3, **options)  # type: ignore[arg-type]
    return pair(drawn.suspect, drawn.reference)


def matrices(c: Comparison) -> dict[str, sp.csr_matrix]:
    return {name: family_matrix(f, c.texts, name).values for name, f in choose("auto", c.texts).items()}


def test_auc_counts_ties_half_like_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    s, r = rng.integers(0, 5, 40).astype(float), rng.integers(0, 4, 30).astype(float)
    expected = roc_auc_score(np.r_[np.ones(40), np.zeros(30)], np.r_[s, r])
    assert roc_auc(s, r) == pytest.approx(expected)
    above, below = placements(s, r)
    assert above.mean() == pytest.approx(below.mean())


@pytest.mark.parametrize("columns", [12, 40, 3000], ids=["from moments", "from rows", "from entries"])
def test_ridge_equals_scikit_learns(columns: int) -> None:
    rng = np.random.default_rng(1)
    values = sp.csr_matrix(rng.standard_normal((90, columns)).astype(np.float32))
    suspect = np.arange(90) < 30
    weights = np.where(suspect, 0.5 / 30, 0.5 / 60)[:, None]
    got = ridge_scores(values, suspect, weights)[:, 0]
    dense = values.toarray().astype(float)
    centred = dense - weights[:, 0] @ dense
    penalty = float((weights[:, 0] @ centred**2).sum()) * float((weights**2).sum()) / EXPLAINED
    model = Ridge(alpha=penalty).fit(dense, np.where(suspect, 1.0, -1.0), sample_weight=weights[:, 0])
    assert np.corrcoef(got, model.predict(dense))[0, 1] > 0.9999


def test_threads_change_no_digit_of_a_score(monkeypatch: pytest.MonkeyPatch) -> None:
    c = comparison()
    sparse = matrices(c)
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)  # read when threads start; matrix products have read it before
        found.append(cross_fit(c, {name: sparse[name] for name in ("tokens", "ngrams")}))
    assert np.array_equal(found[0].stacked, found[1].stacked)
    assert found[0].agreement == found[1].agreement


def test_what_is_done_side_by_side_comes_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2, timeout=30)

    def work(part: int) -> int:
        if part < 2:
            together.wait()  # both have begun before either is asked for
        return part * part

    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert [done() for done in side_by_side(work, range(4))] == [0, 1, 4, 9]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    begun: list[int] = []
    first = side_by_side(begun.append, range(4))[0]
    assert begun == []
    first()
    assert begun == [0]


def test_all_solvers_agree() -> None:
    c = comparison()
    values = matrices(c)["numbers"]
    plan = Plan.of(folds(c), c.suspect)
    signed = plan.weights * np.where(c.suspect, 1.0, -1.0)[:, None]
    a = values @ _solve_moments(values, plan.weights, signed)
    for solve in (_solve_rows, _solve_gradients):
        b = values @ solve(values, plan.weights, signed)
        assert min(np.corrcoef(a[:, m], b[:, m])[0, 1] for m in range(a.shape[1])) > 0.999


@pytest.mark.parametrize(("common", "n_reference", "gains"), [(0.0, 300, True), (3.0, 300, False), (0.06, 3000, False)])
def test_means_that_are_zero_for_one_side_add_no_noise(common: float, n_reference: int, gains: bool) -> None:
    """Where the reference's mean is zero its noise is left out of the direction; where it is not, nothing changes."""
    rng = np.random.default_rng(0)
    shift = np.r_[np.full(30, 0.15), np.zeros(270)]
    suspect = np.repeat([True, False], [300, n_reference])
    noise = rng.normal(size=(len(suspect), 300))
    values = sp.csr_matrix((noise + common + suspect[:, None] * shift).astype(np.float32))
    weights = np.where(suspect, 0.5 / 300, 0.5 / n_reference)[:, None]
    plain, shrunk = (
        ridge_coefficients(values, suspect, weights, is_mean_zero=is_zero)[:, 0] for is_zero in (False, True)
    )
    gain = np.corrcoef(shrunk, shift)[0, 1] - np.corrcoef(plain, shift)[0, 1]
    assert gain > 0.03 if gains else -0.005 < gain < 0.02


def test_folds_keep_prompts_whole_and_are_even() -> None:
    c = comparison(100, rows_per_prompt=2)
    fold = folds(c)
    assert all(len(set(fold[c.group == g])) == 1 for g in np.unique(c.group))
    assert set(np.bincount(fold[c.suspect])) == {40}


def test_scores_of_a_fold_do_not_depend_on_its_own_labels() -> None:
    """Whatever the labels of the test fold are, its scores are the same: no label leaks into its own score."""
    from dataclasses import replace

    c = comparison()
    m = matrices(c)
    fold = folds(c)
    before = cross_fit(c, m).stacked[fold == 0]
    flipped = replace(c, suspect=c.suspect ^ (fold == 0))
    assert cross_fit(flipped, m).stacked[fold == 0] == pytest.approx(before, abs=1e-4)


def test_identical_arms_score_half_and_constant_scores_too() -> None:
    c = comparison(60)
    scores = cross_fit(c, {})
    assert fold_auc(scores.arms, scores.stacked).value == 0.5


def test_inflation_is_two_without_signal_and_one_when_the_direction_is_known() -> None:
    assert inflation(0.0) == 2.0
    assert inflation(1.0) == 1.0


@pytest.mark.slow
def test_variance_of_the_cross_fitted_auc_is_about_twice_the_frozen_one_under_the_null() -> None:
    """120 nulls: the variance ratio of an exact factor 2 lies in [1.4, 2.75] with probability .999 (chi-square)."""
    values, frozen = [], []
    for seed in range(120):
        drawn = simulated_pair(60, rng=seed)
        c = pair(drawn.suspect, drawn.reference)
        m = {name: x for name, x in matrices(c).items() if name in ("tokens", "numbers")}
        scores = cross_fit(c, m)
        moments = fold_auc(scores.arms, scores.stacked)
        values.append(moments.value)
        frozen.append(moments.variance)
    assert 1.4 < np.var(values) / np.mean(frozen) < 2.75


def test_bags_are_disjoint_grow_with_k_and_are_none_below_thirty() -> None:
    c = comparison(400, tilt="sparse", d_prime=1.5)
    scores = cross_fit(c, matrices(c))
    found = bag_aucs(scores.arms, scores.stacked, (1, 4, 8, 16), np.random.default_rng(0))
    assert found[16] is None  # 400 // 16 = 25 bags
    values = [moments.value for k in (1, 4, 8) if (moments := found[k]) is not None]
    assert values[0] < values[1] < values[2]
    frozen = roc_auc(scores.stacked[c.suspect], scores.stacked[~c.suspect])
    assert values[0] == pytest.approx(frozen)


def test_no_row_is_in_two_bags() -> None:
    """One suspect row is high and all others low: one of 30 bags holds it, in every partition, and wins alone."""
    suspect = np.arange(120) < 60
    values = np.where(suspect, 0.0, 1.0)
    values[7] = 100.0
    arms = Arms(suspect, np.arange(120), np.zeros(120, dtype=np.int64))
    found = bag_aucs(arms, values, (2,), np.random.default_rng(0))[2]
    assert found is not None
    assert found.value == pytest.approx(1 / 30, abs=1e-12)


def test_paired_auc_counts_prompts_whose_suspect_row_is_higher() -> None:
    c = comparison(50)
    scores = cross_fit(c, matrices(c))
    wins = []
    for g in np.unique(c.group):
        s = scores.stacked[(c.group == g) & c.suspect][0]
        r = scores.stacked[(c.group == g) & ~c.suspect][0]
        wins.append(float(s > r) + 0.5 * float(s == r))
    found = paired_auc(scores.arms, scores.stacked)
    assert found is not None
    assert found.value == pytest.approx(np.mean(wins))


def test_any_scikit_learn_classifier_gives_the_scores_and_leaves_the_pvalue_alone() -> None:
    drawn = simulated_pair(150, tilt="sparse", d_prime=1.5, rng=4)
    options = {"ladder": False, "n_permutations": 199}
    own = detect(drawn.suspect, drawn.reference, **options)  # type: ignore[arg-type]
    other = detect(
        drawn.suspect,
        drawn.reference,
        classifier=LogisticRegression(C=0.01),
        **options,  # type: ignore[arg-type]
    )
    assert other.pvalue == own.pvalue
    assert other.auc.value is not None
    assert other.auc.value > 0.6
    assert other.auc.value != own.auc.value
