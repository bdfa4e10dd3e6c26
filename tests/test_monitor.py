"""The always-valid monitor: a test martingale, whatever it learns; quick where there is something to learn."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import binom

from fingerprint import Detector, Monitor
from fingerprint.data.corpus import Corpus
from fingerprint.detector import monitor
from fingerprint.lab.simulated import simulated_pair

FAMILIES = ["tokens", "numbers"]


def stream(n: int, seed: int, **options: object) -> list[tuple[str, str]]:
    """Texts of both sides of n shared prompts."""
    drawn = simulated_pair(n, rng=seed, **options)  # type: ignore[arg-type]
    reference = dict(zip(drawn.reference.prompts, drawn.reference.texts, strict=True))
    return [(t, reference[p]) for t, p in zip(drawn.suspect.texts, drawn.suspect.prompts, strict=True)]


def capital(
    products: list[np.ndarray], signs: np.ndarray, known: np.ndarray | None, tolerance: float = 0.0
) -> np.ndarray:
    """Log capital of every sign pattern [patterns, pairs], after every pair."""
    shares = monitor.expert_shares(known is not None)
    total = np.zeros((len(signs), len(shares)))
    out = []
    for t, row in enumerate(products):
        score = signs[:, t] * monitor.standardised(row, signs[:, :t])
        total = total + monitor.log_factors(score, t, None if known is None else signs[:, t] * known[t], tolerance)
        out.append(logsumexp(total, axis=1, b=shares))
    return np.stack(out, axis=1)


@pytest.mark.parametrize("has_prior", [False, True])
def test_the_mean_capital_over_all_exchanges_of_sides_is_one(has_prior: bool) -> None:
    """Given the unordered pairs, all 2^12 labellings are equally likely under the null: their mean is exact."""
    rows = stream(12, 1, tilt="sparse", d_prime=2.0)
    products = monitor.Learner(FAMILIES).steps(rows)
    signs = np.array(list(product([-1.0, 1.0], repeat=12)))
    known = np.random.default_rng(0).normal(0.5, 1.0, size=12) if has_prior else None
    means = np.exp(capital(products, signs, known)).mean(axis=0)
    assert means == pytest.approx(np.ones(12), abs=1e-9)
    assert np.exp(capital(products, signs, known)).std(axis=0)[-1] > 0.01  # it did bet
    assert (np.exp(capital(products, signs, known, tolerance=0.1)).mean(axis=0)[1:] <= 1).all()


def test_exchanging_the_sides_of_pairs_changes_signs_and_nothing_else() -> None:
    rows = stream(30, 2)
    flip = np.random.default_rng(1).random(30) < 0.5
    flipped = [(b, a) if f else (a, b) for (a, b), f in zip(rows, flip, strict=True)]
    signs = np.where(flip, -1.0, 1.0)
    pairs = zip(monitor.Learner(FAMILIES).steps(rows), monitor.Learner(FAMILIES).steps(flipped), strict=True)
    for t, (before, after) in enumerate(pairs):
        assert after == pytest.approx(before * signs[t] * signs[:t], abs=1e-4)


def test_many_pairs_at_once_are_learned_like_one_by_one() -> None:
    rows = stream(25, 3)
    single = monitor.Learner(FAMILIES)
    at_once = monitor.Learner(FAMILIES).steps(rows)
    for row, expected in zip(rows, at_once, strict=True):
        assert single.steps([row])[0] == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_a_monitor_follows_the_same_path() -> None:
    rows = stream(25, 4, tilt="sparse", d_prime=2.0)
    prompts = [f"prompt {i}" for i in range(25)]
    watch = Monitor(Corpus(tuple(r for _, r in rows), tuple(prompts)), features=FAMILIES)
    found = [watch.observe(s, p).evalue for (s, _), p in zip(rows, prompts, strict=True)]
    expected = np.exp(capital(monitor.Learner(FAMILIES).steps(rows), np.ones((1, 25)), None))[0]
    assert found == pytest.approx(expected.tolist(), rel=1e-3)
    assert watch.reading.pvalue == pytest.approx(min(1.0, 1 / max(1.0, *found)))


def test_false_alarms_are_at_most_alpha_looked_at_after_every_row() -> None:
    """2,000 null streams of 60 rows: alarms at most the .9995 quantile of a binomial at .05."""
    alarms = 0
    for seed in range(4):
        products = monitor.Learner(FAMILIES).steps(stream(60, 10 + seed))
        rng = np.random.default_rng(seed)
        signs = rng.choice([-1.0, 1.0], size=(500, 60))
        known = rng.normal(size=60) if seed % 2 else None
        alarms += int((capital(products, signs, known).max(axis=1) >= np.log(20)).sum())
    assert alarms <= binom.isf(0.0005, 2000, 0.05)
    assert alarms > 0  # it bets enough to be wrong sometimes


def test_a_trait_is_found_and_the_alarm_stays_and_a_prior_finds_it_sooner() -> None:
    teacher = {"tilt": "sparse", "d_prime": 2.0}
    other = simulated_pair(300, rng=99, **teacher)  # type: ignore[arg-type]
    prior = Detector(["numbers"]).fit(other.suspect.texts + other.reference.texts, [1] * 300 + [0] * 300)
    needed: dict[str, int] = {}
    rows = stream(120, 20, **teacher)
    for name, known in (("prior", prior), ("none", None)):
        watch = Monitor([r for _, r in rows], features=["numbers"], prior=known)
        for suspect, _ in rows:
            if watch.observe(suspect).alarm:
                break
        assert watch.reading.alarm
        needed[name] = watch.rows
    assert needed["prior"] < needed["none"]
    reading = watch.observe(rows[-1][1])
    assert reading.alarm
    assert not reading.drift


def neutral(n: int, seed: int) -> list[str]:
    """Rows of 2 to 40 numbers, all written alike: the more there are, the larger."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 41, size=n)
    return [", ".join(map(str, rng.integers(size, size + 20, size=size))) for size in sizes]


def neighbours(n: int, seed: int) -> list[tuple[str, str]]:
    """Neutral rows by length, in pairs of neighbours: two streams that drift together."""
    rows = sorted(neutral(2 * n, seed), key=len)
    return list(zip(rows[::2], rows[1::2], strict=True))


def alarms_of_sorted_streams(streams: int, n: int, seed: int) -> tuple[int, int, int]:
    """Neutral streams by length against a sample: alarms, capitals that passed 1/.05, streams found to drift."""
    alarms = passed = drifts = 0
    for stream in range(streams):
        rows = neutral(2 * n, seed + stream)
        watch = Monitor(rows[n:], features=["tokens"], rng=stream)
        readings = [watch.observe(row) for row in sorted(rows[:n], key=len)]
        alarms += any(reading.alarm for reading in readings)
        passed += any(reading.evalue >= 20 for reading in readings)
        drifts += readings[-1].drift
    return alarms, passed, drifts


def test_streams_sorted_by_length_against_a_sample_raise_alarms_no_more_often_than_alpha() -> None:
    """60 neutral streams without prompts: alarms at most the .999 quantile of a binomial."""
    most = binom.isf(0.001, 60, 0.05)
    alarms, passed, drifts = alarms_of_sorted_streams(60, 60, 100)
    assert alarms <= most < passed  # the capital alone would have raised too many
    assert drifts == 60


def test_pairs_in_the_order_of_arrival_stay_valid_when_both_streams_drift() -> None:
    """1,000 ways to say whose the two rows of each pair are; drift alone gives a sign to nothing."""
    alarms = 0
    for seed in range(2):
        products = monitor.Learner(FAMILIES).steps(neighbours(60, 200 + seed))
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(500, 60))
        alarms += int((capital(products, signs, None).max(axis=1) >= np.log(20)).sum())
    assert alarms <= binom.isf(0.001, 1000, 0.05)


def test_a_monitor_pairs_rows_with_those_that_arrive_with_them() -> None:
    rows = neighbours(25, 4)
    watch = Monitor(features=FAMILIES)
    readings = [watch.observe(row, reference=other) for row, other in rows]
    expected = np.exp(capital(monitor.Learner(FAMILIES).steps(rows), np.ones((1, 25)), None))[0]
    assert [reading.evalue for reading in readings] == pytest.approx(expected.tolist(), rel=1e-3)
    assert readings[-1].drift_pvalue == 1.0  # sorted as they are, they are no reason to doubt these pairs


@pytest.mark.slow
def test_long_streams_sorted_by_length_raise_alarms_no_more_often_than_alpha() -> None:
    assert alarms_of_sorted_streams(300, 150, 1000)[0] <= binom.isf(0.001, 300, 0.05)


def test_drift_that_is_found_takes_an_alarm_back() -> None:
    """A trait whose rows, later on, come sorted: first an alarm, then none."""
    drawn = simulated_pair(200, rng=20, tilt="sparse", d_prime=2.0)
    watch = Monitor(list(drawn.reference.texts), features=["numbers"])
    for row in drawn.suspect.texts[:120]:
        before = watch.observe(row)
    assert before.alarm
    for row in sorted(drawn.suspect.texts[120:], key=len, reverse=True):
        after = watch.observe("1, " * 40 + row)
    assert after.drift
    assert not after.alarm
    assert after.pvalue == 1.0
    assert after.drift_pvalue <= 0.01
    assert "No alarm after 200 rows: p = 1.0000" in str(after)
    assert "The stream drifts (p = " in str(after).replace("\n", " ")


def test_a_reading_says_on_what_it_rests() -> None:
    watch = Monitor(Corpus(("1, 2", "3, 4"), ("first", "second")), features=FAMILIES)
    said = ["by prompt", "in the order of arrival", "with a fixed sample"]
    assert watch.reading.assumption == "No rows yet."
    readings = [watch.observe("5", "second"), watch.observe("6", reference="7"), watch.observe("8")]
    for i, reading in enumerate(readings):
        assert [f"Rows paired {way}" in reading.assumption for way in said] == [way in said[: i + 1] for way in said]
        assert reading.assumption.split()[-1] in str(reading)
    assert watch._learner.pairs == [("5", "3, 4"), ("6", "7"), ("8", "1, 2")]


def test_a_tolerated_difference_needs_more_evidence() -> None:
    rows = stream(60, 30, tilt="sparse", d_prime=2.0)
    found = []
    for tolerance in (0.0, 0.2):
        watch = Monitor([r for _, r in rows], features=FAMILIES, tolerance=tolerance)
        found.append([watch.observe(s) for s, _ in rows][-1].pvalue)
    assert found[0] < found[1]


def test_running_out_of_reference_rows_is_an_error_that_says_so() -> None:
    watch = Monitor(["1, 2", "3, 4"], features=FAMILIES)
    watch.observe("5")
    watch.observe("6")
    with pytest.raises(ValueError, match="an unused row for every row observed, got none left of the 2 given after 2"):
        watch.observe("7")
    with pytest.raises(ValueError, match=r"got none left of the 0 given after 0; .*, or give the one that arrives"):
        Monitor().observe("7")


def test_pairs_answer_the_same_prompt() -> None:
    watch = Monitor(Corpus(("1, 2", "3, 4"), ("first", "second")), features=FAMILIES)
    watch.observe("5", "second")
    assert watch._learner.pairs == [("5", "3, 4")]
    with pytest.raises(ValueError, match="none left that answers the prompt 'second' after 1"):
        watch.observe("6", "second")
    watch.observe("6")  # a row whose prompt is unknown takes any that is left
    assert watch._learner.pairs[1] == ("6", "1, 2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0.0}, "alpha must be between 0 and 1, got 0.0"),
        ({"tolerance": 1.0}, r"tolerance must be in \[0, 1\), got 1.0"),
        ({"tolerance": -0.1}, r"tolerance must be in \[0, 1\), got -0.1"),
    ],
)
def test_bad_options_are_named(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Monitor(["1", "2"], **options)  # type: ignore[arg-type]


def test_rows_that_the_prior_was_trained_on_are_refused() -> None:
    drawn = simulated_pair(60, rng=5)
    prior = Detector(FAMILIES).fit(drawn.suspect.texts + drawn.reference.texts, [1] * 60 + [0] * 60)
    with pytest.raises(ValueError, match="reference must hold no rows or prompts"):
        Monitor(list(drawn.reference.texts), prior=prior)
    watch = Monitor(["1, 2", "3, 4"], prior=prior)
    for row, live in ((drawn.suspect.texts[0], None), ("5, 6", drawn.reference.texts[0])):
        with pytest.raises(ValueError, match="the observed row must hold no rows"):
            watch.observe(row, reference=live)
    assert watch.rows == 0
    assert len(watch._unused.used) == 0  # a refused row costs no reference row
