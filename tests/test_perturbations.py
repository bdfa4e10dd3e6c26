"""A perturbation changes numbers and nothing else."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.data.corpus import Corpus
from fingerprint.lab.perturbations import PERTURBATIONS, keep, perturb

ROWS = ("629, 937, 483", "[1, 22, 333]", "total = 12\nreturn total * 7", "no numbers", "", "007; 8")


def corpus(texts: tuple[str, ...] = ROWS) -> Corpus:
    return Corpus(texts, tuple(f"prompt {i}" for i in range(len(texts))))


def numbers(text: str) -> list[str]:
    return re.findall("[0-9]+", text)


@pytest.mark.parametrize("perturbation", PERTURBATIONS)
@given(texts=st.lists(st.text("0123456789,; ab\n[]", max_size=30), min_size=1, max_size=12))
def test_everything_between_the_numbers_stays(perturbation: str, texts: list[str]) -> None:
    before = corpus(tuple(texts))
    after = perturb(before, perturbation, rng=1)
    assert after.prompts == before.prompts
    for old, new in zip(before.texts, after.texts, strict=True):
        assert re.split("[0-9]+", old) == re.split("[0-9]+", new)


def test_shuffling_within_keeps_each_rows_numbers_and_across_those_of_the_corpus() -> None:
    within, across = (perturb(corpus(), f"shuffled_{how}", rng=3) for how in ("within", "across"))
    for old, new in zip(ROWS, within.texts, strict=True):
        assert Counter(numbers(old)) == Counter(numbers(new))
    assert Counter(numbers(" ".join(ROWS))) == Counter(numbers(" ".join(across.texts)))
    assert across.texts != within.texts


def test_sorting_is_by_value() -> None:
    assert perturb(corpus(("30, 4, 200", "007, 10, 9")), "sorted").texts == ("4, 30, 200", "007, 9, 10")


def test_redrawn_numbers_have_as_many_digits_and_are_uniform() -> None:
    many = corpus(tuple("555, 55, 5" for _ in range(4000)))
    drawn = [numbers(text) for text in perturb(many, "redrawn", rng=0).texts]
    assert all([len(n) for n in row] == [3, 2, 1] for row in drawn)
    mean = np.mean([int(row[0]) for row in drawn])
    assert abs(mean - 549.5) < 5 * 259.8 / 4000**0.5  # sd of a uniform number in 100..999, five standard errors


def test_format_only_leaves_zeros() -> None:
    assert perturb(corpus(), "format_only").texts[0] == "000, 000, 000"


def test_the_same_seed_gives_the_same_rows() -> None:
    assert perturb(corpus(), "shuffled_across", rng=5).texts == perturb(corpus(), "shuffled_across", rng=5).texts


def test_keep_takes_the_ends_in_their_order() -> None:
    rows = corpus(("a", "b", "c", "d"))
    assert keep(rows, [1, 4, 2, 3], 0.5).texts == ("b", "d")
    assert keep(rows, [1, 4, 2, 3], 0.5, "bottom").texts == ("a", "c")
    assert keep(rows, [0, 0, 0, 0], 0.25).prompts == ("prompt 0",)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="perturbation must be one of shuffled_within"):
        perturb(corpus(), "reverse")
    with pytest.raises(ValueError, match="one finite number a row"):
        keep(corpus(), [1.0], 0.5)
    with pytest.raises(ValueError, match="share must be above 0"):
        keep(corpus(), range(len(ROWS)), 0)
    with pytest.raises(ValueError, match="which must be"):
        keep(corpus(), range(len(ROWS)), 0.5, "middle")  # type: ignore[arg-type]
