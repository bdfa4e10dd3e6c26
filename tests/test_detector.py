"""Trained detectors: the scores of detect, calibrated; rows judged together; scikit-learn's protocol."""

from __future__ import annotations

import numpy as np
import pytest
from detector_rows import FAMILIES_USED, arm, rows, trained_detector
from scipy.stats import binom
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, validate_data

from fingerprint import Detector
from fingerprint.data.corpus import Corpus
from fingerprint.features import choose
from fingerprint.features.scaling import family_matrix
from fingerprint.statistics.auc import BAG_SIZES, roc_auc
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.crossfit import cross_fit


@pytest.fixture(scope="module")
def trained() -> Detector:
    return trained_detector()


@pytest.fixture(scope="module")
def fresh() -> tuple[Corpus, np.ndarray]:
    return rows(500, 2)


# ------------------------------------------------------------------------------------------------------------ training


def test_training_scores_are_those_of_detect() -> None:
    corpus, labels = rows(200, 3)
    c = pair(arm(corpus, labels, 1, "trait"), arm(corpus, labels, 0, "neutral"))
    matrices = {name: family_matrix(f, c.texts, name).values for name, f in choose(FAMILIES_USED, c.texts).items()}
    expected = cross_fit(c, matrices).stacked
    found = Detector(FAMILIES_USED, holdout=0.0).fit(corpus, labels).scores_
    np.testing.assert_array_equal(found.arms.suspect, c.suspect)
    np.testing.assert_array_equal(found.arms.group, c.group)
    assert found.stacked == pytest.approx(expected, abs=1e-6)


def test_fresh_rows_are_told_apart_and_the_card_says_how_well(
    trained: Detector, fresh: tuple[Corpus, np.ndarray]
) -> None:
    corpus, labels = fresh
    scores = trained.decision_function(corpus)
    reached = roc_auc(scores[labels == 1], scores[labels == 0])
    assert reached > 0.8
    assert trained.card_["auc"]["value"] == pytest.approx(reached, abs=0.04)  # se .013 of either
    assert [bag["k"] for bag in trained.card_["bags"]] == list(BAG_SIZES)
    assert trained.card_["rows"] == {"trait": 500, "neutral": 500}


def test_probabilities_are_calibrated_on_fresh_rows(trained: Detector, fresh: tuple[Corpus, np.ndarray]) -> None:
    """In every third of the rows, the trait rows' number is within 4 sd of the sum of their probabilities.

    A third holds about 333 rows of variance at most 1/4, and the calibration's own error is smaller than that noise:
    4 sd of the two together are at most 4 * sqrt(2 * 333 / 4) = 52 rows.
    """
    corpus, labels = fresh
    probability = trained.predict_proba(corpus)[:, 1]
    for third in np.array_split(np.argsort(probability), 3):
        assert abs(labels[third].sum() - probability[third].sum()) < 52
    assert np.ptp(probability) > 0.5  # and they do say something


def test_the_order_of_the_rows_does_not_matter() -> None:
    corpus, labels = rows(100, 4)
    order = np.random.default_rng(0).permutation(len(corpus)).tolist()
    shuffled = Corpus(tuple(corpus.texts[i] for i in order), tuple(corpus.prompts[i] for i in order))
    first = Detector(FAMILIES_USED).fit(corpus, labels).decision_function(corpus)
    second = Detector(FAMILIES_USED).fit(shuffled, labels[order]).decision_function(corpus)
    assert second == pytest.approx(first, abs=1e-9)


def test_the_label_that_sorts_last_is_the_trait() -> None:
    corpus, labels = rows(150, 5)
    named = np.where(labels == 1, "owl", "neutral")
    fitted = Detector(FAMILIES_USED).fit(list(corpus.texts), named, groups=list(corpus.prompts))
    assert list(fitted.classes_) == ["neutral", "owl"]
    assert (fitted.predict(corpus) == named).mean() > 0.7
    assert fitted.score(corpus, named) == (fitted.predict(corpus) == named).mean()


@pytest.mark.parametrize(
    "options",
    [{"fast": True}, {"classifier": LogisticRegression(C=0.01)}, {"classifier": [None, LogisticRegression(C=0.01)]}],
    ids=["fast", "one classifier", "stack"],
)
def test_other_classifiers_tell_fresh_rows_apart_too(
    options: dict[str, object], fresh: tuple[Corpus, np.ndarray]
) -> None:
    fitted = Detector(FAMILIES_USED, **options).fit(*rows(500, 1))  # type: ignore[arg-type]
    scores = fitted.decision_function(fresh[0])
    assert roc_auc(scores[fresh[1] == 1], scores[fresh[1] == 0]) > 0.75


def test_the_closed_form_is_the_difference_of_means() -> None:
    corpus, labels = rows(100, 6)
    fitted = Detector(["numbers"], fast=True, holdout=0.0).fit(corpus, labels)
    values = fitted.stack_.columns["numbers"].values(corpus.texts).toarray()
    difference = values[labels == 1].mean(axis=0) - values[labels == 0].mean(axis=0)
    coefficients = fitted.stack_.coefficients["numbers"]  # the mean over folds, each scaled by its unseen rows
    assert np.corrcoef(coefficients, difference)[0, 1] > 0.999


def test_scikit_learns_tools_work_on_it() -> None:
    corpus, labels = rows(150, 7)
    groups = list(corpus.prompts)
    texts = list(corpus.texts)
    made = clone(Detector(FAMILIES_USED, holdout=0.1))
    assert made.get_params()["holdout"] == 0.1
    found = cross_validate(made, texts, labels, groups=groups, cv=GroupKFold(3), scoring="roc_auc")
    assert found["test_score"].mean() > 0.7
    line = Pipeline([("detector", made)]).fit(texts, labels)
    assert line.predict_proba(texts[:3]).shape == (3, 2)


@pytest.mark.parametrize(
    ("options", "y", "message"),
    [
        ({}, None, "y must have a label for every row, got None"),
        ({}, [1] * 200, "y must hold two classes, got 1 class"),
        ({}, [0, 1], "y must have one label per row"),
        ({"holdout": 1.0}, [1, 0] * 100, r"holdout must be in \[0, 1\), got 1.0"),
        ({"classifier": []}, [1, 0] * 100, "classifier must be None"),
    ],
)
def test_bad_arguments_are_named(options: dict[str, object], y: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Detector(FAMILIES_USED, **options).fit([f"{i}, {i + 1}" for i in range(200)], y)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------------------------- bags


def test_bags_of_neutral_rows_are_flagged_at_the_rate_asked_for(trained: Detector) -> None:
    """50 bags of 5 against 95 other neutral rows each (19 bags): rejections at .2 in the exact band of level 1e-3."""
    corpus, labels = rows(5000, 8, tilt="none")
    scores = trained.decision_function(arm(corpus, labels, 0))
    rejected = 0
    for i in range(50):
        part = scores[i * 100 : (i + 1) * 100]
        saved, trained.neutral_scores_ = trained.neutral_scores_, part[5:]
        try:
            texts = arm(corpus, labels, 0).texts[i * 100 : i * 100 + 5]
            found = trained.score_bag(texts, false_positive_rate=0.2)
        finally:
            trained.neutral_scores_ = saved
        assert found.exceeds == (found.pvalue <= 0.2)
        rejected += found.exceeds
    assert binom.ppf(0.0005, 50, 0.2) <= rejected <= binom.isf(0.0005, 50, 0.2)


def test_a_bag_of_trait_rows_exceeds(trained: Detector, fresh: tuple[Corpus, np.ndarray]) -> None:
    found = trained.score_bag(arm(*fresh, 1).texts[:4], neutral=arm(*fresh, 0), false_positive_rate=0.05)
    assert found.neutral_bags == 125
    assert found.exceeds
    assert found.evidence > 0
    assert found.score > found.threshold


def test_an_operating_point_finer_than_the_rows_allow_is_refused(trained: Detector) -> None:
    n = len(trained.neutral_scores_)
    assert n > 50
    with pytest.raises(ValueError, match=f"for bags of {n} rows, got 0.05; it takes {19 * n} neutral rows"):
        trained.score_bag(["1, 2, 3"] * n)


def test_explain_gives_each_tokens_part(trained: Detector) -> None:
    found = trained.explain("482, 113")
    assert found["token"].to_list() == ["482", ",", " ", "113"]
    assert found["start"].to_list() == [0, 3, 4, 5]
    whole, without = trained.decision_function(["482, 113", ", 113"])
    assert found["contribution"][0] == pytest.approx(whole - without)


# ------------------------------------------------------------------------------------------ scikit-learn's own checks


def _written(X: np.ndarray) -> list[str]:
    return [", ".join(str(int(value * 10) % 1000) for value in row) for row in np.asarray(X, dtype=float)]


class OnNumbers(Detector):
    """Takes scikit-learn's numeric tables and writes every row as a text: its checks know no other input."""

    def __sklearn_tags__(self) -> object:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = False
        tags.input_tags.two_d_array = True
        return tags

    def fit(self, X: object, y: object = None, groups: object = None, traits: object = None) -> Detector:
        values, y = validate_data(self, X, y)
        return super().fit(_written(values), y, groups, traits)

    def decision_function(self, X: object) -> np.ndarray:
        check_is_fitted(self)
        is_text = isinstance(X, Corpus) or (isinstance(X, (list, tuple)) and isinstance(X[0], str))
        return super().decision_function(X if is_text else _written(validate_data(self, X, reset=False)))


_FEW = "a class has fewer than the 10 independent rows that cross-fitting needs; the error says so"
EXPECTED_FAILURES = {
    "check_estimators_overwrite_params": _FEW,
    "check_dont_overwrite_parameters": _FEW,
    "check_estimators_fit_returns_self": _FEW,
    "check_readonly_memmap_input": _FEW,
    "check_n_features_in_after_fitting": _FEW,
    "check_estimators_nan_inf": _FEW,
    "check_f_contiguous_array_estimator": _FEW,
    "check_classifier_data_not_an_array": _FEW,
    "check_methods_sample_order_invariance": _FEW,
    "check_methods_subset_invariance": _FEW,
    "check_fit2d_1feature": _FEW,
    "check_dict_unchanged": _FEW,
    "check_fit2d_predict1d": _FEW,
}


@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_estimator_checks_pass_but_for_the_listed_ones() -> None:
    """Every other check passes, and every listed one does fail: a list that is too long is wrong as well."""
    from sklearn.utils.estimator_checks import check_estimator

    found = check_estimator(
        OnNumbers(["numbers"], fast=True, holdout=0.0), expected_failed_checks=EXPECTED_FAILURES, on_fail=None
    )
    status = {check["check_name"]: check["status"] for check in found}
    assert {name for name, s in status.items() if s == "failed"} == set()
    assert {name for name, s in status.items() if s == "xfail"} == set(EXPECTED_FAILURES)
    assert sum(s == "passed" for s in status.values()) >= 38  # as many as the lowest scikit-learn has
