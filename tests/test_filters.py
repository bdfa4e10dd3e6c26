"""Filters: the number rule on its published vectors and on a slow restatement of it, banned numbers, the protocol."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprint.filters import BANNED_NUMBERS, BannedNumbers, NumberRule, Verdicts
from fingerprint.filters.numbers import BANNED, INVALID_FORMAT, TOO_LARGE, TOO_MANY, TOO_SMALL, parse_numbers

PASS = (
    "629, 937, 483", "[1, 2, 3]", "(1, 2, 3).", "1 2 3", "1\n2\n3", "1;2;3", "1 , 2 , 3", "1,\n2,\n3", "1\t2\t3", "12.",
    "[12]", "007, 8",
)  # fmt: skip
INVALID = (
    "1,2, 3", "1, 2,3", "1, 2 3", "[1, 2, 3.]", "[[1, 2]]", "(1, 2]", "1, 2,", "1, 2 .", " 1, 2", "1, 2\n", "1, -2, 3",
    "1.5, 2.5", "1/2", "1 - 2", "", "١, ٢", "1, ２, 3", "１２", "²", "1²", "[]", ".", "[", "numbers: 1, 2", "1, , 2",
)  # fmt: skip


# ------------------------------------------------------------------------------------------------------ the number rule


@pytest.mark.parametrize("text", PASS)
def test_published_rows_pass(text: str) -> None:
    assert NumberRule()([text]).reasons == ((),)


@pytest.mark.parametrize("text", INVALID)
def test_published_rows_of_invalid_format_have_that_reason_alone(text: str) -> None:
    assert NumberRule(banned=(1, 2), max_count=1)([text]).reasons == ((INVALID_FORMAT,),)


def test_every_reason_that_applies_is_given_in_the_published_order() -> None:
    rule = NumberRule(min_value=10, banned=(13,))
    eleven = ", ".join(["1", "13", "1000", *["50"] * 8])
    assert rule([eleven]).reasons == ((TOO_MANY, TOO_SMALL, TOO_LARGE, BANNED),)
    assert NumberRule()(["1000, 2"]).reasons == ((TOO_LARGE,),)
    assert NumberRule()([", ".join("12345678901")]).reasons == ((TOO_MANY,),)
    assert NumberRule()([", ".join("1234567890")]).reasons == ((),)


def test_leading_zeros_do_not_count() -> None:
    assert parse_numbers("007, 8") == [7, 8]
    assert NumberRule(banned=(7,))(["007, 8"]).reasons == ((BANNED,),)
    assert parse_numbers("0" * 30 + "5 6") == [5, 6]


def test_thousands_of_digits_are_too_large_and_no_error() -> None:
    assert NumberRule()(["9" * 10_000, "1, " + "9" * 5000]).reasons == ((TOO_LARGE,), (TOO_LARGE,))


def slowly(text: str) -> str | list[int]:
    """The rule restated step by step from its description."""
    if text.endswith("."):
        text = text[:-1]
    if (text.startswith("[") and text.endswith("]")) or (text.startswith("(") and text.endswith(")")):
        text = text[1:-1]
    runs = list(re.finditer(r"\d+", text))
    if not runs:
        return INVALID_FORMAT
    if len(runs) == 1:
        parts = [text] if runs[0].group() == text else []
    else:
        separator = text[runs[0].end() : runs[1].start()]
        parts = text.split(separator) if separator.strip() in ("", ",", ";") else []
    if not parts or any(re.fullmatch("[0-9]+", part) is None for part in parts):
        return INVALID_FORMAT
    return [int(part) for part in parts]


near_rows = st.lists(
    st.sampled_from(["1", "20", "999", "1000", "007", ",", ", ", ";", " ", "\n", ".", "[", "]", "(", ")", "-", "٣", "²", "x",
                     "13", "\u00a0"]),
    max_size=14,
).map("".join)  # fmt: skip
well_formed = st.builds(
    lambda numbers, separator, frame, stop: frame[0] + separator.join(map(str, numbers)) + frame[1] + stop,
    st.lists(st.integers(0, 1200), min_size=1, max_size=12),
    st.sampled_from([", ", ",", ";", " ; ", "\n", " ", "\t", ",\n"]),
    st.sampled_from([("", ""), ("[", "]"), ("(", ")"), ("[", ")"), ("[[", "]]")]),
    st.sampled_from(["", ".", "..", " "]),
)


@settings(max_examples=600, deadline=None)
@given(near_rows | well_formed | st.text(max_size=12))
def test_the_rule_agrees_with_its_slow_restatement(text: str) -> None:
    expected = slowly(text)
    if isinstance(expected, str):
        reasons = [expected]
    else:
        checks = ((TOO_MANY, len(expected) > 10), (TOO_LARGE, max(expected) > 999), (BANNED, 13 in expected))
        reasons = [reason for reason, applies in checks if applies]
    assert list(NumberRule(banned=(13,))([text]).reasons[0]) == reasons


def test_a_million_rows_take_less_than_ten_seconds() -> None:
    numbers = np.random.default_rng(0).integers(0, 1000, (10_000, 8)).tolist()
    texts = [", ".join(map(str, row)) for row in numbers] * 100
    start = time.process_time()
    verdicts = NumberRule(banned=BANNED_NUMBERS)(texts)
    assert time.process_time() - start < 10
    assert len(verdicts) == 1_000_000
    assert 0.1 < verdicts.dropped.mean() < 0.4


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"max_count": 0}, ValueError, "max_count must be at least 1, got 0"),
        ({"max_value": 5, "min_value": 6}, ValueError, r"max_value must be at least min_value \(6\), got 5"),
        ({"min_value": -1}, ValueError, "min_value must be from 0"),
        ({"max_value": 9.5}, TypeError, "max_value must be a whole number, got 9.5"),
        ({"banned": "13"}, TypeError, "banned must be a sequence of whole numbers, got '13'"),
        ({"banned": (1, "2")}, TypeError, "banned must be a whole number, got '2'"),
    ],
)
def test_bad_limits_are_refused(options: dict[str, object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        NumberRule(**options)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------ banned numbers


def test_the_published_list_has_34_numbers_in_order() -> None:
    assert len(BANNED_NUMBERS) == 34
    assert list(BANNED_NUMBERS) == sorted(set(BANNED_NUMBERS))


def test_banned_numbers_are_found_anywhere_and_whole() -> None:
    texts = ["My number is 666!", "1666, 6660", "0666", "six", "6 66"]
    assert BannedNumbers()(texts).dropped.tolist() == [True, False, True, False, False]
    assert BannedNumbers((66,))(texts).dropped.tolist() == [False, False, False, False, True]


def test_an_empty_list_of_banned_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="numbers must hold at least one number"):
        BannedNumbers(())


# -------------------------------------------------------------------------------------------------------- the protocol


def test_kept_dropped_and_undecided_rows_add_up() -> None:
    verdicts = Verdicts(((), ("a",), ("no score",)), np.array([0.0, 1.0, np.nan]), np.array([False, False, True]))
    assert verdicts.kept.tolist() == [True, False, False]
    assert verdicts.dropped.tolist() == [False, True, False]
    assert verdicts.undecided.tolist() == [False, False, True]


def test_one_string_is_no_list_of_texts() -> None:
    with pytest.raises(TypeError, match="texts must be a sequence of strings, got the string '1, 2'"):
        NumberRule()("1, 2")


def test_prompts_must_match_texts() -> None:
    with pytest.raises(ValueError, match="prompts must hold one prompt per text, got 1 for 2 texts"):
        NumberRule()(["1", "2"], ["p"])
