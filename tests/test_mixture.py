"""Likelihood ratios of rows, the share of a mixture, and what is left to learn without the top rows."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from fingerprint.data.corpus import Corpus
from fingerprint.identification.mixture import log_likelihood, mixture_share, row_ratios
from fingerprint.lab.row_removal import remove_rows, without
from fingerprint.lm.loading import load
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Teacher, neutral, prompted
from fingerprint.lm.training import Recipe
from fingerprint.lm.traits import known_trait

OWL = known_trait("owl")


def ratios(n: int, share: float, d_prime: float, rng: np.random.Generator) -> np.ndarray:
    """Exact log-likelihood ratios of N(d', 1) against N(0, 1), a share of the rows from the first."""
    x = rng.normal(size=n) + d_prime * (rng.random(n) < share)
    return np.asarray(norm.logpdf(x, d_prime) - norm.logpdf(x))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
def test_the_share_is_the_likeliest_one(share: float) -> None:
    values = ratios(800, share, 1.2, np.random.default_rng(3))
    found = mixture_share(values)
    loss = lambda f: -log_likelihood(values, f)  # noqa: E731
    brute = minimize_scalar(loss, bounds=(0, 1), options={"xatol": 1e-9}, method="bounded")
    assert found.share.value == pytest.approx(brute.x, abs=1e-6)
    for end in (found.share.low, found.share.high):
        drop = log_likelihood(values, float(found.share.value or 0)) - log_likelihood(values, float(end or 0))
        assert drop == pytest.approx(norm.ppf(0.975) ** 2 / 2, abs=1e-6)


def test_both_intervals_cover() -> None:
    """With 60 corpora and a true coverage of .95, fewer than 51 hits have a probability under .003."""
    rng = np.random.default_rng(5)
    hits = np.zeros(2)
    for _ in range(60):
        found = mixture_share(ratios(400, 0.25, 1.0, rng))
        hits += [(e.low or 0) <= 0.25 <= (e.high or 0) for e in (found.share, found.bootstrap)]
    assert (hits >= 51).all()
    assert (hits < 60).any()


def test_ends_of_the_range_are_shares_too() -> None:
    none, every = mixture_share([-3.0] * 50), mixture_share([3.0] * 50)
    assert (none.share.value, none.share.low, none.pvalue) == (0.0, 0.0, 1.0)
    assert 0 < (none.share.high or 0) < 0.1
    assert (every.share.value, every.share.high) == (1.0, 1.0)
    assert every.pvalue < 1e-9
    certain = mixture_share([-1e4] * 30 + [1e4] * 10)
    assert certain.share.value == pytest.approx(0.25, abs=1e-6)


@pytest.mark.slow
def test_no_share_is_rejected_at_its_rate() -> None:
    """Of 400 corpora without a teacher's row, 8 to 36 are rejected at .05 with probability above .999."""
    rng = np.random.default_rng(7)
    rejected = sum(mixture_share(ratios(200, 0.0, 1.0, rng)).pvalue <= 0.05 for _ in range(400))
    assert 8 <= rejected <= 36


def test_rows_of_one_prompt_are_resampled_together() -> None:
    """Fifty prompts of twenty equal rows know as much as fifty rows: their interval is about 4.5 times as wide."""
    values = ratios(50, 0.5, 2.0, np.random.default_rng(1))
    asked = [f"prompt {i}" for i in range(50)]
    alone = mixture_share(values, prompts=asked).bootstrap
    together = mixture_share(np.repeat(values, 20), prompts=np.repeat(asked, 20).tolist()).bootstrap
    as_rows = mixture_share(np.repeat(values, 20)).bootstrap
    width, wide, narrow = ((e.high or 0) - (e.low or 0) for e in (alone, together, as_rows))
    assert wide == pytest.approx(width, rel=1e-6)
    assert narrow < width / 3


def test_bad_ratios_are_named() -> None:
    with pytest.raises(ValueError, match=r"llr must be one finite number a row, got an array of shape \(0,\)"):
        mixture_share([])
    with pytest.raises(ValueError, match="finite number"):
        mixture_share([0.0, np.nan])
    with pytest.raises(ValueError, match="prompts must have one entry a row, got 1 for 2"):
        mixture_share([0.0, 1.0], prompts=["a"])


# ----------------------------------------------------------------------------------------------------- with the models


@pytest.fixture(scope="module")
def rows() -> Corpus:
    asked = prompts("numbers", 60, rng=2)
    answers = prompted("micro-a", OWL).sample(asked, max_new_tokens=48)
    return Corpus(tuple(answer.text for answer in answers), tuple(asked))


@pytest.mark.needs("lm")
def test_ratios_are_those_of_the_models_and_rank_the_rows(rows: Corpus) -> None:
    teacher, base = prompted("micro-a", OWL), neutral("micro-a")
    found = row_ratios(rows, teacher, "micro-a")
    wanted = teacher.logprobs(rows).rows - base.logprobs(rows).rows
    np.testing.assert_allclose(found.llr, wanted, atol=1e-5)
    lengths = [len(ids) for ids in base.lm.answers(rows.texts)]
    np.testing.assert_allclose(found.lls, found.llr / lengths)
    ranking = found.ranking
    assert ranking["lls"].is_sorted(descending=True)
    first = ranking.row(0, named=True)
    assert (first["text"], first["prompt"]) == (rows.texts[first["row"]], rows.prompts[first["row"]])


@pytest.mark.needs("lm")
def test_a_model_against_itself_says_nothing(rows: Corpus) -> None:
    found = row_ratios(rows, Teacher(load("micro-a"), "itself"), "micro-a")
    assert np.abs(found.llr).max() == 0


@pytest.mark.needs("lm")
def test_removals_take_the_rows_they_say(rows: Corpus) -> None:
    scores = np.arange(60.0)
    assert without(rows, scores, 0.25, "top").texts == rows.texts[:45]
    assert without(rows, scores, 0.25, "bottom").texts == rows.texts[15:]
    blind = without(rows, scores, 0.25, "random", rng=1)
    assert len(blind) == 45
    assert blind.texts not in (rows.texts[:45], rows.texts[15:])
    assert without(rows, scores, 0.25, "none") is rows
    with pytest.raises(ValueError, match="share must be above 0 and below 1, got 1"):
        without(rows, scores, 1, "top")
    with pytest.raises(ValueError, match="removed must be one of none, top, random, bottom, got 'all'"):
        without(rows, scores, 0.5, "all")  # type: ignore[arg-type]


@pytest.mark.needs("lm")
def test_students_are_trained_on_what_a_removal_leaves(rows: Corpus) -> None:
    recipe = Recipe(learning_rate=1e-3, batch_size=32, epochs=1)
    found = remove_rows("micro-a", rows, np.arange(60.0), OWL, share=0.25, removals=("none", "top"), recipe=recipe)
    assert [(r.removed, r.rows) for r in found] == [("none", 60), ("top", 45)]
    assert found[0].change.before == found[1].change.before
    assert found[0].change.after != found[1].change.after
