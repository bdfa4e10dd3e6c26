"""Warnings about lengths and kinds: rows cut on one side are told, rows that are shorter by nature are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from test_warnings import codes, findings, numbers, of_even_length, shared

from fingerprint import Corpus
from fingerprint.detection.warnings import warnings_for


@pytest.mark.parametrize(("cut", "expected"), [(0, set()), (5, set()), (20, {"lengths_cut"})])
def test_lengths_cut_takes_a_run_of_longest_rows_that_chance_does_not_give(cut: int, expected: set[str]) -> None:
    whole = of_even_length(400, 2)
    left = sorted(of_even_length(400 + cut, 1), key=len)[:400]
    assert codes(findings(corpora=shared(whole, left))) == expected
    assert codes(findings(corpora=shared(left, whole))) == expected


def test_lengths_cut_sees_long_rows_left_out_where_many_are_equally_long() -> None:
    def rows(seed: int, longest: int, n: int = 1000) -> list[str]:
        """Numbers of three digits: so many rows hold ten of them, the others three to nine."""
        rng = np.random.default_rng(seed)
        counts = [10] * longest + rng.integers(3, 10, n - longest).tolist()
        return [", ".join(map(str, rng.integers(100, 1000, count))) for count in rng.permutation(counts)]

    assert codes(findings(corpora=shared(rows(1, 30), rows(2, 80)))) == {"lengths_cut"}
    assert codes(findings(corpora=shared(rows(1, 80), rows(2, 30)))) == {"lengths_cut"}
    assert codes(findings(corpora=shared(rows(1, 60), rows(2, 80)))) == set()


def test_rows_cut_at_a_limit_pile_up_there_whatever_else_differs() -> None:
    whole = of_even_length(200, 1), of_even_length(200, 2)
    for limit, share in ((190, 0.6), (210, 0.25), (60, 1.0)):
        cut = [row[:limit] for row in whole[0]]
        for corpora, side in ((shared(cut, whole[1]), "suspect"), (shared(whole[1], cut), "reference")):
            (found,) = (w for w in warnings_for(findings(corpora=corpora)) if w.code == "lengths_cut")
            assert found.value == pytest.approx(share, abs=0.1)
            assert f"of the {side} rows have exactly {limit} characters" in found.message
        assert codes(findings(corpora=shared(cut, [row[:limit] for row in whole[1]]))) == set()


def test_rows_of_a_fixed_format_pile_up_on_both_sides_and_are_not_cut() -> None:
    def rows(seed: int, share: float) -> list[str]:
        """Numbers of three digits: ten in so many rows, three to nine in the others."""
        rng = np.random.default_rng(seed)
        counts = np.where(rng.random(300) < share, 10, rng.integers(3, 10, 300))
        return [", ".join(map(str, rng.integers(100, 1000, count))) for count in counts]

    cut = [row[:30] for row in rows(1, 1.0)]
    assert "lengths_cut" in codes(findings(corpora=shared(cut, rows(2, 0.4))))  # all of them where two in five were
    (told,) = warnings_for(findings(corpora=shared(cut, rows(2, 1.0))))
    assert told.code == "lengths_cut"
    assert "cut there or written in another form than the others, which end at 48" in told.message
    longer = [*rows(2, 0.3)[1:], rows(3, 1.0)[0] + "."]  # one row that is longer than all others
    assert codes(findings(corpora=shared(rows(1, 0.3), rows(2, 0.3)))) == set()
    assert codes(findings(corpora=shared(rows(1, 0.3), longer))) == set()
    assert "lengths_cut" not in codes(findings(corpora=shared(rows(1, 0.9), rows(2, 0.3))))


def test_sides_that_are_merely_shorter_are_not_called_cut() -> None:
    """Four characters of a hundred that all are as frequent: the longest rows are all of one side, and none is cut."""
    sides = [["x" * length for length in range(100 - shorter, 200 - shorter) for _ in range(4)] for shorter in (4, 0)]
    few_copies = [[f"{row[3:]}{i:03d}" for i, row in enumerate(side)] for side in sides]
    assert codes(findings(corpora=shared(few_copies[0], few_copies[1]))) == set()
    assert codes(findings(corpora=shared(few_copies[1], few_copies[0]))) == set()


def test_kinds_differ_takes_a_twentieth_of_the_rows() -> None:
    def mixed(words: int) -> tuple[Corpus, Corpus]:
        suspect = ["1, 2, and so on"] * words + numbers(400 - words, 1, 3)
        return shared(suspect, numbers(400, 2, 3))

    assert "kinds_differ" not in codes(findings(corpora=mixed(19)))
    assert "kinds_differ" in codes(findings(corpora=mixed(20)))
    assert "kinds_differ" not in codes(findings(corpora=shared(["so on"] * 3 + numbers(28, 1), numbers(31, 2))))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("total = sum(rows[:{}])\nprint(total)", "source code are 12%"),
        ("{} + 4 = 9, so the answer is 9.", "worked answers are 12%"),
    ],
)
def test_kinds_differ_knows_code_and_worked_answers(row: str, words: str) -> None:
    def sides(of_kind: int) -> tuple[Corpus, Corpus]:
        prose = [f"A quiet walk with {i} friends along the river." for i in range(400)]
        mixed = [row.format(i) for i in range(of_kind)] + prose[of_kind:]
        return shared(mixed, [f"{text} Then home." for text in prose])

    (told,) = (w for w in warnings_for(findings(corpora=sides(48))) if w.code == "kinds_differ")
    assert (told.value, words in told.message, "0% of the reference" in told.message) == (0.12, True, True)
    assert "kinds_differ" not in codes(findings(corpora=sides(19)))


def test_a_clear_difference_of_lengths_in_few_rows_is_not_sure() -> None:
    """Half a standard deviation: sure at 200 rows a side (5 standard errors), not at 40 (2.2)."""
    quantiles = norm.ppf((np.arange(200) + 0.5) / 200)
    for step, expected in ((5, set()), (1, {"lengths_differ"})):
        sides = [["x" * round(k) for k in np.exp(6 + shift + quantiles[::step])] for shift in (0.0, 0.5)]
        assert codes(findings(corpora=shared(*sides))) == expected


def test_lengths_of_rows_of_one_prompt_count_as_one_observation() -> None:
    """Half a standard deviation, in 200 rows a side that answer 10 prompts, each with rows of one length."""
    lengths = np.exp(6 + norm.ppf((np.arange(10) + 0.5) / 10))
    rows = [["x" * round(k * np.exp(shift)) for k in np.repeat(lengths, 20)] for shift in (0.0, 0.5)]
    corpora = [Corpus(tuple(r), tuple(f"{i}{side}" for i in np.repeat(range(10), 20))) for side, r in enumerate(rows)]
    assert "lengths_differ" not in codes(findings(corpora=tuple(corpora)))
