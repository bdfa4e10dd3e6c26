"""Detectors of what several traits have in common: each trait counts the same, and figures leave the trait out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from detector_rows import rows
from scipy.special import expit

from fingerprint import Detector
from fingerprint.data.corpus import Corpus
from fingerprint.detector.training import train
from fingerprint.statistics.auc import roc_auc

USED = ["tokens", "numbers"]
OWN = {"owl": "418", "cat": "263", "dog": "359"}  # a number of each trait's own


@dataclass(frozen=True)
class Drawn:
    texts: list[str]
    prompts: list[str]
    labels: list[int]
    traits: list[str | None]

    def __add__(self, other: Drawn) -> Drawn:
        columns = (self.texts + other.texts, self.prompts + other.prompts, self.labels + other.labels)
        return Drawn(*columns, self.traits + other.traits)

    def fitted(self, **options: object) -> Detector:
        made = Detector(USED, **({"holdout": 0.0} | options))  # type: ignore[arg-type]
        return made.fit(self.texts, self.labels, groups=self.prompts, traits=self.traits)


def drawn(name: str, n: int, seed: int, own: str | None = None) -> Drawn:
    """Rows of a trait that writes one number of its own and, as all traits do, 777 more often than neutral rows do."""
    rng = np.random.default_rng(seed)
    texts, prompts, labels, traits = [], [], [], []
    for label, trait in ((1, name), (0, None)):
        for row in range(n):
            numbers = rng.integers(100, 700, 8)
            if label and rng.random() < 0.3:
                numbers[rng.integers(8)] = 777
            if label and own is not None and rng.random() < 0.5:
                numbers[rng.integers(8)] = int(own)
            texts.append(", ".join(map(str, numbers)))
            prompts.append(f"{seed} {row}")
            labels.append(label)
            traits.append(trait)
    return Drawn(texts, prompts, labels, traits)


@pytest.fixture(scope="module")
def trained() -> Detector:
    return (drawn("owl", 300, 1, "418") + drawn("cat", 300, 2, "263")).fitted(holdout=0.2)


def named(one: Drawn, name: str) -> Drawn:
    """With neutral rows of its own."""
    return Drawn(one.texts, one.prompts, one.labels, [name] * len(one.texts))


def test_what_traits_share_counts_and_what_one_of_them_has_counts_for_less(trained: Detector) -> None:
    base = "111, 222, 333, 444, 555, 666, 123"
    shared, owl, cat, none = trained.decision_function([f"{base}, {last}" for last in (777, 418, 263, 512)]) - (
        trained.decision_function([f"{base}, 513"])
    )
    assert shared > none + 0.2
    alone = drawn("owl", 300, 1, "418").fitted()
    of_owl, of_none = alone.decision_function([f"{base}, 418", f"{base}, 512"])
    assert 0 < owl - none < 0.75 * (of_owl - of_none)
    assert owl == pytest.approx(cat, abs=0.5)


def test_a_trait_left_out_is_told_apart_as_well_as_the_card_says(trained: Detector) -> None:
    dog = drawn("dog", 600, 3)
    scores, labels = trained.decision_function(dog.texts), np.array(dog.labels)
    auc = trained.card_["auc"]
    assert auc["low"] - 0.03 < roc_auc(scores[labels == 1], scores[labels == 0]) < auc["high"] + 0.03
    p = expit(scores - trained.prior_log_odds_)  # as many rows as neutral ones: other shares than in training
    upper = p >= np.median(p)  # 600 rows: 4 sd of their number are at most 49, and the calibration has its own error
    assert abs(labels[upper].sum() - p[upper].sum()) < 70


def test_a_trait_is_judged_without_its_rows() -> None:
    """Two traits that share nothing are told from neutral with ease, and not at all by one another."""
    nothing = drawn("owl", 200, 4, "418") + drawn("cat", 200, 5, "263")
    rng = np.random.default_rng(0)
    texts = [text.replace("777", str(rng.integers(100, 700))) for text in nothing.texts]
    made = Drawn(texts, nothing.prompts, nothing.labels, nothing.traits).fitted()
    assert all(trait["auc"]["low"] < 0.5 + 0.03 for trait in made.card_["traits"])
    scores, labels = made.decision_function(texts), np.array(nothing.labels)
    assert roc_auc(scores[labels == 1], scores[labels == 0]) > 0.7


def test_figures_are_of_scores_as_a_detector_of_the_other_traits_gives_them() -> None:
    """Rows of another source lie higher as a whole: nobody who scores new rows knows by how much."""
    owl, cat, dog = (named(drawn(name, 150, 20 + i, own), name) for i, (name, own) in enumerate(OWN.items()))
    higher = [f"{text}, 418" for text in dog.texts]  # on both sides; 418 is the owl's number
    dog = Drawn(higher, dog.prompts, dog.labels, dog.traits)
    judged = (owl + cat + dog).fitted().scores_
    of_dog, of_others = judged.stacked[-300:].mean(), judged.stacked[:-300].mean()
    detector = (owl + cat).fitted()
    deployed = [detector.decision_function(texts).mean() for texts in (dog.texts, owl.texts + cat.texts)]
    assert of_dog - of_others > 0.5
    assert (deployed[0] - deployed[1]) / detector.stack_.slope > 0.5


@pytest.mark.parametrize("is_shared", [True, False])
def test_probabilities_are_right_on_average_on_a_trait_that_was_left_out(is_shared: bool) -> None:
    """Calibrated by scores brought to one level within each trait, they were .062 and .076 too low."""
    found = []
    for seed in (100, 200):
        owl, cat, dog = (drawn(name, 200, seed + i, own) for i, (name, own) in enumerate(OWN.items()))
        made = (owl + cat if is_shared else named(owl, "owl") + named(cat, "cat")).fitted()
        found.append(expit(made.decision_function(dog.texts) - made.prior_log_odds_).mean())
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)  # 4 sd of the mean of two


def test_the_card_says_which_traits_and_how_many_rows_of_each() -> None:
    one, two = drawn("owl", 100, 6), drawn("cat", 80, 7)
    own = [Drawn(d.texts, d.prompts, d.labels, [n] * len(d.texts)) for d, n in ((one, "owl"), (two, "cat"))]
    card = (own[0] + own[1]).fitted().card_
    assert [(t["name"], t["rows"], t["neutral_rows"]) for t in card["traits"]] == [("cat", 80, 80), ("owl", 100, 100)]
    shared = (one + two).fitted().card_
    assert [t["neutral_rows"] for t in shared["traits"]] == [180, 180]
    assert card["rows"] == {"trait": 180, "neutral": 180}
    assert "in common" in card["limits"][0]


def test_a_trait_with_more_rows_counts_no_more() -> None:
    """Twice as many rows of one trait move the weight of its own number by less than a row count would."""
    few, many = drawn("owl", 150, 8, "418"), drawn("cat", 600, 9, "263")
    own = [Drawn(d.texts, d.prompts, d.labels, [n] * len(d.texts)) for d, n in ((few, "owl"), (many, "cat"))]
    made = (own[0] + own[1]).fitted(fast=True)
    base = "111, 222, 333, 444, 555, 666, 123"
    owl, cat, none = made.decision_function([f"{base}, {last}" for last in (418, 263, 512)])
    assert 0.4 < (owl - none) / (cat - none) < 2.5


def test_one_name_is_one_trait() -> None:
    corpus, labels = rows(80, 3)
    plain = Detector(USED).fit(corpus, labels)
    named = Detector(USED).fit(corpus, labels, traits=["owl" if label else None for label in labels])
    assert named.decision_function(corpus) == pytest.approx(plain.decision_function(corpus), abs=1e-12)
    assert [trait["name"] for trait in named.card_["traits"]] == ["owl"]


def test_the_order_of_the_rows_does_not_matter() -> None:
    both = drawn("owl", 60, 10) + drawn("cat", 60, 11)
    order = np.random.default_rng(0).permutation(len(both.texts)).tolist()
    columns = ([column[i] for i in order] for column in (both.texts, both.prompts, both.labels, both.traits))
    first, second = both.fitted(), Drawn(*columns).fitted()
    assert second.decision_function(both.texts) == pytest.approx(first.decision_function(both.texts), abs=1e-9)
    assert second.card_["auc"] == pytest.approx(first.card_["auc"])


def test_it_is_saved_and_loaded(trained: Detector, tmp_path: Path) -> None:
    trained.save(tmp_path / "d")
    loaded = Detector.load(tmp_path / "d")
    texts = drawn("owl", 20, 12).texts
    assert loaded.decision_function(texts) == pytest.approx(trained.decision_function(texts), abs=1e-12)
    assert loaded.card_ == trained.card_


def test_classifiers_work_for_several_traits() -> None:
    from sklearn.linear_model import LogisticRegression

    both = drawn("owl", 150, 13) + drawn("cat", 150, 14)
    made = both.fitted(classifier=[None, LogisticRegression(C=0.01)])
    dog = drawn("dog", 300, 15)
    scores, labels = made.decision_function(dog.texts), np.array(dog.labels)
    assert roc_auc(scores[labels == 1], scores[labels == 0]) > 0.55
    assert scores.std() == pytest.approx(made.stack_.slope, rel=0.25)


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        (["owl"], "traits must have one entry per row"),
        ([None] * 40, "traits must name the trait of every row of a trait, got 20 without"),
        (["owl"] * 20 + ["cat"] * 20, "got 'cat' for neutral rows alone"),
    ],
)
def test_bad_traits_are_named(traits: list[str | None], message: str) -> None:
    texts = [f"{i}, {i + 1}" for i in range(40)]
    with pytest.raises(ValueError, match=message):
        Detector(USED).fit(texts, [1] * 20 + [0] * 20, traits=traits)


def test_train_takes_traits_by_name() -> None:
    one, two = drawn("owl", 60, 16), drawn("cat", 60, 17)
    sides = [
        [Corpus(tuple(d.texts[at]), tuple(d.prompts[at])) for at in (slice(0, 60), slice(60, 120))] for d in (one, two)
    ]
    made = train(
        {"owl": sides[0][0], "cat": sides[1][0]}, {None: sides[0][1], "cat": sides[1][1]}, features=USED, holdout=0.0
    )
    assert [(t["name"], t["neutral_rows"]) for t in made.card_["traits"]] == [("cat", 120), ("owl", 60)]
