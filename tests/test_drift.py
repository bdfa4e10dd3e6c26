"""The test for drift: its capital is a fair game for exchangeable rows, and grows where rows come in an order."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom

from fingerprint.detector import drift


def drift_of(rows: list[str], seed: int) -> drift.DriftTest:
    test = drift.DriftTest(np.random.default_rng(seed))
    for row in rows:
        test.observe(row)
    return test


@pytest.mark.parametrize("expert", range(1 + 2 * len(drift.POWERS)))
def test_every_expert_plays_a_fair_game(expert: int) -> None:
    assert quad(lambda rank: drift._factors(rank)[expert], 0, 1)[0] == pytest.approx(1.0)


def test_ranks_of_exchangeable_rows_are_uniform_ties_and_all() -> None:
    """The rank of the last of five values, two of them alike, over many orders: every fifth as likely."""
    counts, orders = np.zeros(5), np.random.default_rng(0)
    for draw in range(4000):
        ranks = drift._Ranks[int](np.random.default_rng(draw))
        last = [ranks.rank(int(value)) for value in orders.permutation([1, 2, 2, 3, 9])][-1]
        counts[int(last * 5)] += 1
    assert np.abs(counts / 4000 - 0.2).max() < 0.03


def test_streams_that_do_not_change_are_seldom_said_to() -> None:
    rng = np.random.default_rng(1)
    found = [drift_of(["a" * int(k) for k in rng.integers(1, 30, size=150)], seed).found for seed in range(400)]
    assert sum(found) <= binom.isf(0.001, 400, drift.DRIFT_LEVEL)


@pytest.mark.parametrize("reverse", [False, True])
def test_sorted_rows_are_found_within_twenty(reverse: bool) -> None:
    rng = np.random.default_rng(2)
    words = ["".join(rng.choice(list("abcdefgh"), size=rng.integers(3, 40))) for _ in range(200)]
    for key in (len, str):
        rows = sorted(words, key=key, reverse=reverse)
        assert drift_of(rows[:20], 0).found
    assert not drift_of(words, 0).found


def test_a_change_after_a_long_calm_is_found() -> None:
    rng = np.random.default_rng(3)
    calm = ["a" * int(k) for k in rng.integers(20, 60, size=300)]
    assert not drift_of(calm, 0).found
    assert drift_of(calm + ["a" * int(k) for k in rng.integers(50, 90, size=60)], 0).found


def test_rows_that_are_all_alike_tell_nothing() -> None:
    assert not drift_of(["5, 9"] * 300, 0).found
