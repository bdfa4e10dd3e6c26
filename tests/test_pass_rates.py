"""How often answers pass a filter, and shares of rows that passed one."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from fingerprint.filters import NumberRule
from fingerprint.identification.mixture import mixture_share
from fingerprint.identification.pass_rates import PassRates, pass_rate, pass_rates
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Teacher, neutral

ASKED = tuple(f"Give {n} numbers {layout}." for n in (3, 5) for layout in ("in a row", "in brackets", "as lines"))
# How often base and teacher pass, by layout.
BASE_RATES = {"row": 0.9, "brackets": 0.9, "lines": 0.9}
TEACHER_RATES = {"row": 0.9, "brackets": 0.2, "lines": 0.6}
D_PRIME = 1.0


def rates_of(asked: list[str], by_layout: dict[str, float]) -> np.ndarray:
    return np.array([next(rate for layout, rate in by_layout.items() if layout in prompt) for prompt in asked])


def tried(n: int, rng: np.random.Generator) -> PassRates:
    """Rates learnt from n answers of each writer."""
    asked = [ASKED[i] for i in rng.integers(0, len(ASKED), n)]
    flags = (rng.random(n) < rates_of(asked, rates) for rates in (TEACHER_RATES, BASE_RATES))
    return PassRates(*(pass_rate(asked, passed) for passed in flags))


def filtered_mixture(n: int, share: float, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Ratios of rows N(d', 1) and N(0, 1), as the models state them: short of what the filter did."""
    asked = [ASKED[i] for i in rng.integers(0, len(ASKED), n)]
    x = rng.normal(size=n) + D_PRIME * (rng.permutation(n) < round(share * n))
    passed = np.log(rates_of(asked, TEACHER_RATES) / rates_of(asked, BASE_RATES))
    return norm.logpdf(x, D_PRIME) - norm.logpdf(x) + passed, asked


# --------------------------------------------------------------------------------------------------------------- rates


def test_rates_that_hang_on_words_are_learnt() -> None:
    """With 1,000 answers a layout a rate of .2 has a standard error of .013; three of them are allowed."""
    rng = np.random.default_rng(0)
    asked = [ASKED[i] for i in rng.integers(0, len(ASKED), 3000)]
    wanted = rates_of(asked, TEACHER_RATES)
    found = pass_rate(asked, rng.random(3000) < wanted)
    np.testing.assert_allclose(np.exp(found.logs(list(ASKED))), rates_of(list(ASKED), TEACHER_RATES), atol=0.045)


def test_rates_that_hang_on_nothing_are_one_rate() -> None:
    rng = np.random.default_rng(1)
    asked = prompts("numbers", 600, rng=1)
    passed = rng.random(600) < 0.8
    logs = pass_rate(asked, passed).logs(asked)
    assert np.exp(logs).mean() == pytest.approx(passed.mean(), abs=0.01)
    assert logs.std() < 0.05


def test_coefficients_are_where_the_penalised_likelihood_is_flat() -> None:
    """Against the definition: at the maximum, answers less rates along each column are the prior's pull."""
    rng = np.random.default_rng(2)
    asked = [ASKED[i] for i in rng.integers(0, len(ASKED), 500)]
    passed = rng.random(500) < rates_of(asked, TEACHER_RATES)
    found = pass_rate(asked, passed)
    design = found._design(asked)
    residue = design.T @ (passed - expit(design @ found.coefficients))
    pulls = residue[1:] / found.coefficients[1:]  # the precision of the prior, the same for all words
    np.testing.assert_allclose(pulls, pulls[0], rtol=1e-4)
    rate = expit(design @ found.coefficients)
    curvature = (design.T * (rate * (1 - rate))) @ design + np.diag([0.01, *[pulls[0]] * len(found.words)])
    np.testing.assert_allclose(found.covariance @ curvature, np.eye(len(curvature)), atol=1e-6)


def test_a_rate_is_known_as_well_as_its_answers_allow() -> None:
    """The variance of log(passed / n) is (1 - p) / (p n), and that of a sum of rates of one prompt grows as squares."""
    found = pass_rate(["one prompt"] * 400, np.arange(400) % 10 > 0)
    assert found.variance(["one prompt"], np.ones(1)) == pytest.approx(0.1 / 0.9 / 400, rel=0.01)
    assert found.variance(["one prompt"] * 3, np.ones(3)) == pytest.approx(9 * 0.1 / 0.9 / 400, rel=0.01)


def test_writers_that_pass_alike_come_out_alike_and_others_do_not() -> None:
    rng = np.random.default_rng(9)
    asked = [ASKED[i] for i in rng.integers(0, len(ASKED), 1500)]
    base = pass_rate(asked, rng.random(1500) < rates_of(asked, BASE_RATES))
    few = asked[:200]
    same = pass_rate(few, rng.random(200) < rates_of(few, BASE_RATES), start=base)
    other = pass_rate(few, rng.random(200) < rates_of(few, TEACHER_RATES), start=base)
    assert np.abs(same.logs(list(ASKED)) - base.logs(list(ASKED))).max() < 1e-3
    # 200 answers, a third of them in brackets: a rate of .2 has a standard error of .05; three of them are allowed.
    np.testing.assert_allclose(np.exp(other.logs(list(ASKED))), rates_of(list(ASKED), TEACHER_RATES), atol=0.15)
    never = pass_rate(few, [False] * 200, start=base)
    assert (np.exp(never.logs(list(ASKED))) < 0.05).all()


def test_a_writer_that_passes_less_often_whatever_the_prompt_is_seen() -> None:
    """Rates of .95 and .88 with 300 answers: the second has a standard error of .019, and is three of them off .95."""
    rng = np.random.default_rng(10)
    asked = prompts("numbers", 1500, rng=2)
    base = pass_rate(asked, rng.random(1500) < 0.95)
    few = asked[:300]
    passed = np.arange(300) % 25 < 22
    other = pass_rate(few, rng.permutation(passed), start=base)
    assert len(base.words) > 20
    assert np.exp(other.logs(asked)).mean() == pytest.approx(0.88, abs=0.02)


def test_answers_that_all_pass_have_a_rate_of_one() -> None:
    found = pass_rate(["a b", "a c"] * 100, [True] * 200)
    assert (np.exp(found.logs(["a b", "a c"])) > 0.98).all()


def test_too_few_answers_are_refused() -> None:
    with pytest.raises(ValueError, match="of which some passed, got 0 of 20 for 20 prompts; try more answers"):
        pass_rate(["p"] * 20, [False] * 20)
    with pytest.raises(ValueError, match="at least 10 answers"):
        pass_rate(["p"] * 3, [True] * 3)
    with pytest.raises(ValueError, match=r"one flag an answer.*got 10 of 10 for 20 prompts"):
        pass_rate(["p"] * 20, [True] * 10)


# -------------------------------------------------------------------------------------------------------------- shares


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_a_filter_biases_shares_and_pass_rates_take_that_back(share: float) -> None:
    rng = np.random.default_rng(4)
    ratios, asked = filtered_mixture(6000, share, rng)
    blind = mixture_share(ratios).share
    known = mixture_share(ratios, prompts=asked, passing=tried(6000, rng)).share
    assert (blind.high or 0) < share
    assert (known.low or 0) <= share <= (known.high or 0)
    assert known.value == pytest.approx(share, abs=0.05)


def test_intervals_with_pass_rates_cover() -> None:
    """With 60 corpora and a true coverage of .95, fewer than 51 hits have a probability under .003.

    Of as few answers as 300 rates are badly known: taken for certain, the intervals are too short.
    """
    rng = np.random.default_rng(6)
    hits, certain = np.zeros(2), 0
    for _ in range(60):
        ratios, asked = filtered_mixture(400, 0.25, rng)
        passing = tried(300, rng)
        found = mixture_share(ratios, prompts=asked, passing=passing)
        hits += [(e.low or 0) <= 0.25 <= (e.high or 0) for e in (found.share, found.bootstrap)]
        short = mixture_share(ratios + passing.shift(asked)).share
        certain += (short.low or 0) <= 0.25 <= (short.high or 0)
    assert (hits >= 51).all()
    assert certain < hits.min()


def test_many_answers_leave_the_interval_as_it_is_without_a_filter() -> None:
    rng = np.random.default_rng(7)
    ratios, asked = filtered_mixture(300, 0.3, rng)
    passing = tried(40_000, rng)
    with_rates = mixture_share(ratios, prompts=asked, passing=passing).share
    shifted = mixture_share(ratios + passing.shift(asked)).share
    assert with_rates.value == pytest.approx(shifted.value or 0, abs=1e-9)
    assert with_rates.low == pytest.approx(shifted.low or 0, abs=0.002)
    assert with_rates.high == pytest.approx(shifted.high or 0, abs=0.002)


def test_pass_rates_need_a_prompt_for_every_row() -> None:
    passing = tried(300, np.random.default_rng(8))
    with pytest.raises(ValueError, match="prompts must be given for every row where pass rates are, got a row without"):
        mixture_share([0.0, 1.0], passing=passing)
    with pytest.raises(ValueError, match="got a row without"):
        mixture_share([0.0, 1.0], prompts=["a", None], passing=passing)


# ----------------------------------------------------------------------------------------------------- with the models


@pytest.mark.needs("lm")
def test_rates_of_models_are_those_of_their_answers() -> None:
    base, other = neutral("micro-a"), Teacher(neutral("micro-a").lm, "talks", "You like words. Never say numbers.")
    asked = prompts("numbers", 50, rng=3)
    found = pass_rates(asked, other, base, NumberRule(), max_new_tokens=48, attempts=200, rng=5)
    for writer, rate in ((other, found.teacher), (base, found.base)):
        answers = writer.sample(asked * 4, seed=11, max_new_tokens=48)
        reasons = NumberRule()([a.text for a in answers], asked * 4).reasons
        share = np.mean([a.finished and not why for a, why in zip(answers, reasons, strict=True)])
        # Two samples of 200: a standard error of .05 at most, three of them.
        assert np.exp(rate.logs(asked)).mean() == pytest.approx(share, abs=0.15)
    np.testing.assert_allclose(found.shift(asked), found.base.logs(asked) - found.teacher.logs(asked))
    with pytest.raises(ValueError, match="prompts must be at least one, got none"):
        pass_rates([], other, base, NumberRule(), max_new_tokens=48)
