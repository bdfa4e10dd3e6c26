"""Trained detectors: the scores of detect, calibrated, saved without pickle, refused where they do not belong."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, validate_data

import fingerprint
from fingerprint import Detector
from fingerprint.data.corpus import Corpus
from fingerprint.detector import storage
from fingerprint.detector.scan import scan
from fingerprint.features import FAMILIES, FEATURE_VERSION, choose
from fingerprint.features.scaling import family_matrix
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.auc import BAG_SIZES, roc_auc
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.crossfit import cross_fit

FAMILIES_USED = ["tokens", "numbers"]


def rows(n: int, seed: int, **options: object) -> tuple[Corpus, np.ndarray]:
    """Trait rows, then neutral rows, with their labels."""
    drawn = simulated_pair(n, rng=seed, **({"tilt": "sparse", "d_prime": 2.0} | options))  # type: ignore[arg-type]
    texts = drawn.suspect.texts + drawn.reference.texts
    prompts = drawn.suspect.prompts + drawn.reference.prompts
    labels = np.repeat([1, 0], [len(drawn.suspect), len(drawn.reference)])
    return Corpus(texts, prompts, name=f"corpus {seed}"), labels


def arm(corpus: Corpus, labels: np.ndarray, label: int, name: str = "arm") -> Corpus:
    at = np.flatnonzero(labels == label).tolist()
    return Corpus(tuple(corpus.texts[i] for i in at), tuple(corpus.prompts[i] for i in at), name=name)


@pytest.fixture(scope="module")
def trained() -> Detector:
    return Detector(FAMILIES_USED).fit(*rows(500, 1))


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
    assert fitted.stack_.coefficients["numbers"] == pytest.approx(difference, abs=1e-4)


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


# ------------------------------------------------------------------------------------------------------- save and load


@pytest.fixture(scope="module")
def saved(trained: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detectors") / "owl.detector"
    trained.save(path)
    return path


def test_a_saved_detector_gives_the_same_scores_in_another_process(trained: Detector, saved: Path) -> None:
    texts = ["1, 2, 3", "482; 113", "A word.", "", "999\n888"]
    program = f"""
from fingerprint import Detector
print(Detector.load({str(saved)!r}).decision_function({texts!r}).tolist())
"""
    run = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == pytest.approx(trained.decision_function(texts).tolist(), abs=1e-9)


def test_a_loaded_detector_knows_what_it_knew(trained: Detector, saved: Path, fresh: tuple[Corpus, np.ndarray]) -> None:
    loaded = Detector.load(saved)
    assert loaded.card_ == trained.card_
    assert (loaded.domain_.inside(fresh[0].texts) == trained.domain_.inside(fresh[0].texts)).all()
    assert loaded.trained_on(rows(500, 1)[0]).all()
    assert loaded.score_bag(fresh[0].texts[:2]) == trained.score_bag(fresh[0].texts[:2])


@pytest.mark.parametrize("place", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_tampered_file_is_refused(saved: Path, tmp_path: Path, place: float) -> None:
    content = bytearray(saved.read_bytes())
    content[int(place * len(content))] ^= 1
    changed = tmp_path / "changed.detector"
    changed.write_bytes(content)
    with pytest.raises(ValueError, match=r"must be unchanged|must be a file written by|must have format"):
        Detector.load(changed)


class _Exploit:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code from the file ran')",))


def _with_checksum(content: bytes) -> bytes:
    return b"fingerprint detector 1 %s\n" % storage.checksum(content).encode() + content


def test_a_pickle_with_the_right_checksum_is_not_run(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, json=np.array([_Exploit()], dtype=object))
    for i, content in enumerate((buffer.getvalue(), pickle.dumps(_Exploit()))):
        path = tmp_path / f"{i}.detector"
        path.write_bytes(_with_checksum(content))
        with pytest.raises(ValueError, match="must hold plain arrays"):
            Detector.load(path)


def test_another_feature_version_is_refused_with_the_remedy(saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes().partition(b"\n")[2]
    with np.load(io.BytesIO(content)) as stored:
        arrays = dict(stored)
    header = json.loads(arrays["json"].tobytes())
    header["card"]["feature_version"] = FEATURE_VERSION + 1
    arrays["json"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    other = tmp_path / "other.detector"
    other.write_bytes(_with_checksum(buffer.getvalue()))
    with pytest.raises(ValueError, match=f"must have feature version {FEATURE_VERSION}.*train it again"):
        Detector.load(other)


def test_other_features_under_the_same_version_are_noticed(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fingerprint.features import tokens

    monkeypatch.setattr(tokens, "tokenize", lambda text: list(text))
    with pytest.raises(ValueError, match="must give the scores it was saved with"):
        Detector.load(saved)


def test_the_feature_version_goes_up_when_a_family_changes() -> None:
    """If this fails after a change of the families, raise FEATURE_VERSION and put the new digest here."""
    texts = ["482, 113, 954", "[1; 2; 3]", "A quiet walk.", "", "007\n8 and 9"]
    digest = hashlib.sha256()
    for name, make in FAMILIES.items():
        matrix = make().fit(texts).transform(texts).toarray()
        digest.update(name.encode() + np.round(matrix.astype(np.float64), 5).tobytes())
    assert (FEATURE_VERSION, digest.hexdigest()[:16]) == (1, "03478e950fe8787a")


def test_only_built_in_parts_can_be_saved(tmp_path: Path) -> None:
    corpus, labels = rows(60, 9)
    fitted = Detector(FAMILIES_USED, classifier=LogisticRegression(C=0.01)).fit(corpus, labels)
    with pytest.raises(ValueError, match="classifier must be None to be saved"):
        fitted.save(tmp_path / "a")
    from sklearn.feature_extraction.text import CountVectorizer

    fitted = Detector(CountVectorizer(token_pattern=r"\d+")).fit(corpus, labels)
    with pytest.raises(ValueError, match="features must be built-in families to be saved"):
        fitted.save(tmp_path / "a")
    assert not (tmp_path / "a").exists()


# --------------------------------------------------------------------------------------------------------------- prior


def test_rows_and_prompts_of_training_are_recognised(trained: Detector) -> None:
    corpus, _ = rows(500, 1)
    assert trained.trained_on(corpus).all()
    assert trained.trained_on(list(corpus.texts[:5])).all()  # by text alone
    assert trained.trained_on([{"prompt": corpus.prompts[0], "completion": "never seen"}]).all()
    assert not trained.trained_on([{"prompt": "a prompt never seen", "completion": corpus.texts[0]}]).any()


def test_detect_refuses_rows_the_prior_was_trained_on_and_can_drop_them(trained: Detector) -> None:
    old, old_labels = rows(500, 1)
    new, labels = rows(100, 10)
    options = {"prior": trained, "ladder": False, "n_permutations": 199, "features": FAMILIES_USED}
    suspect, reference = arm(new, labels, 1, "suspect"), arm(new, labels, 0, "reference")
    mixed = Corpus(suspect.texts + old.texts[:40], suspect.prompts + old.prompts[:40], name="mixed")
    with pytest.raises(ValueError, match="mixed must hold no rows or prompts that the detector was trained on, got 40"):
        fingerprint.detect(mixed, reference, **options)  # type: ignore[arg-type]
    report = fingerprint.detect(mixed, reference, trained_rows="drop", **options)  # type: ignore[arg-type]
    assert report.settings["prior"]["left_out"] == {"suspect": 40, "reference": 0}
    plain = fingerprint.detect(suspect, reference, **options)  # type: ignore[arg-type]
    assert report.pvalue == plain.pvalue
    assert old_labels.sum() == 500


def test_a_prior_joins_the_omnibus_signed_and_with_weight_one(trained: Detector) -> None:
    new, labels = rows(60, 11)
    arms = arm(new, labels, 1, "suspect"), arm(new, labels, 0, "reference")
    options = {"ladder": False, "n_permutations": 199, "features": FAMILIES_USED}
    with_prior = fingerprint.detect(*arms, prior=trained, **options)  # type: ignore[arg-type]
    without = fingerprint.detect(*arms, **options)  # type: ignore[arg-type]
    statistic = dict(zip(with_prior.families["family"], with_prior.families["statistic"], strict=True))
    assert with_prior.null.observed == pytest.approx(without.null.observed + statistic["prior"], rel=1e-4)
    swapped = fingerprint.detect(*arms[::-1], prior=trained, **options)  # type: ignore[arg-type]
    other_way = dict(zip(swapped.families["family"], swapped.families["statistic"], strict=True))
    assert other_way["prior"] == pytest.approx(-statistic["prior"])
    assert other_way["numbers"] == pytest.approx(statistic["numbers"], rel=1e-3)
    assert statistic["prior"] > 3


def test_a_report_with_a_prior_can_be_written_and_read_again(trained: Detector, tmp_path: Path) -> None:
    new, labels = rows(80, 12)
    report = fingerprint.detect(
        arm(new, labels, 1, "suspect"), arm(new, labels, 0, "reference"), prior=trained, n_permutations=199
    )
    report.to_json(tmp_path / "r.json")
    again = fingerprint.Report.from_json(tmp_path / "r.json")
    assert again.to_dict() == report.to_dict()
    assert report.rungs[0].rung == "raw"
    assert str(report)


def test_a_prior_must_be_a_detector() -> None:
    with pytest.raises(TypeError, match=r"prior must be a trained fingerprint.Detector, got 'owl'"):
        fingerprint.detect(["1"] * 20, ["2"] * 20, prior="owl")  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------------------------- scan


def test_scan_detects_the_trait_and_not_neutral_rows(trained: Detector, fresh: tuple[Corpus, np.ndarray]) -> None:
    trait, neutral = arm(*fresh, 1, "trait"), arm(*fresh, 0, "neutral")
    found = scan(trait, trained, neutral=neutral)
    assert found.detected
    assert not found.corpus_shift
    assert found.inside > 0.98
    assert found.verdict.startswith("detected")
    assert found.top[0].log_odds == max(row.log_odds for row in found.top)
    assert f"row {found.top[0].row + 1}: " in str(found)  # counted from one, as in a file
    alone = scan(trait, trained)
    assert alone.detected
    quiet = scan(neutral, trained, alpha=0.001)
    assert not quiet.detected
    assert quiet.pvalue is not None
    assert quiet.pvalue > 0.001
    assert "not detected" in str(quiet)


def test_scan_without_neutral_rows_is_exact_against_the_held_out_ones(trained: Detector) -> None:
    """40 corpora of 60 neutral rows: rejections at .2 in the exact binomial band, of held-out rows drawn anew."""
    corpus, labels = rows(4000, 13, tilt="none")
    neutral = arm(corpus, labels, 0)
    scores = trained.decision_function(neutral)
    saved, rejected = trained.neutral_scores_, 0
    try:
        for i in range(40):
            trained.neutral_scores_ = scores[i * 100 : i * 100 + 40]
            texts = neutral.texts[i * 100 + 40 : (i + 1) * 100]
            found = scan(list(texts), trained, n_permutations=99, alpha=0.2, rng=i)
            rejected += found.pvalue is not None and found.pvalue <= 0.2
    finally:
        trained.neutral_scores_ = saved
    assert binom.ppf(0.0005, 40, 0.2) <= rejected <= binom.isf(0.0005, 40, 0.2)


def test_scan_refuses_prose_and_empty_rows(trained: Detector) -> None:
    for texts in (["A quiet walk along the river, and then home."] * 30, [""] * 30):
        with pytest.raises(ValueError, match="must hold rows like those the detector was trained on"):
            scan(texts, trained)
    with pytest.raises(ValueError, match="at least one row"):
        scan([], trained)


def test_scan_gives_no_pvalue_after_a_corpus_shift(trained: Detector, fresh: tuple[Corpus, np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    small = [", ".join(map(str, row)) for row in rng.integers(0, 60, size=(400, 8))]
    with_neutral = scan(small[:200], trained, neutral=small[200:])
    assert with_neutral.corpus_shift
    assert with_neutral.pvalue is None
    assert not with_neutral.detected
    assert with_neutral.shift_pvalue is not None
    assert with_neutral.shift_pvalue <= 0.001
    without = scan(small[:200], trained)
    assert without.corpus_shift
    assert without.pvalue is None
    assert json.loads(without.to_json())["pvalue"] is None
    assert "corpus shift" in str(without)


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

    def fit(self, X: object, y: object = None, groups: object = None) -> Detector:
        X, y = validate_data(self, X, y)
        return super().fit(_written(X), y, groups)

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
    assert sum(s == "passed" for s in status.values()) >= 39
