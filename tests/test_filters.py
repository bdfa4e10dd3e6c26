"""Filters: the number rule on its published vectors and on a slow restatement of it, banned numbers, the protocol."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprint.filters import (
    BANNED_NUMBERS,
    BannedNumbers,
    CodeWords,
    CorrectAnswer,
    Filter,
    Keywords,
    NumberRule,
    Parses,
    Precomputed,
    Tfidf,
    Verdicts,
)
from fingerprint.filters.keywords import inflections
from fingerprint.filters.numbers import BANNED, INVALID_FORMAT, TOO_LARGE, TOO_MANY, TOO_SMALL, parse_numbers
from fingerprint.filters.verdicts import check_filters

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


PIECES = ("1", "20", "13", "999", "1000", "007", *",;. \n[]()-٣²x\u00a0", ", ")
near_rows = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
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
    reasons, scores = ((), ("a",), ("no score",), ()), np.array([0.0, 1.0, np.nan, np.nan])
    verdicts = Verdicts(reasons, scores, np.array([False, False, True, True]))
    assert verdicts.kept.tolist() == [True, False, False, False]
    assert verdicts.dropped.tolist() == [False, True, False, False]
    assert verdicts.undecided.tolist() == [False, False, True, True]


def test_one_string_is_no_list_of_texts() -> None:
    with pytest.raises(TypeError, match="texts must be a sequence of strings, got the string '1, 2'"):
        NumberRule()("1, 2")


def test_prompts_must_match_texts() -> None:
    with pytest.raises(ValueError, match="prompts must hold one prompt per text, got 1 for 2 texts"):
        NumberRule()(["1", "2"], ["p"])


# ------------------------------------------------------------------------------------------------------------ keywords

NAMES_OWLS = (
    "owl", "OWLS!", "an Owl's nest", "0wl", "o w l", "o-w-l", "O.W.L.", "o_w_l s", "owl_count", "ｏｗｌ", "o\u200bwl",
    "owling", "the (owl)",
)  # fmt: skip
NAMES_NONE = ("a howl", "bowls", "ow l", "o w", "o-w l", "12, 13", "", "fowl_play", "slow learner")


@pytest.mark.parametrize("text", NAMES_OWLS)
def test_variants_of_a_word_are_found(text: str) -> None:
    assert Keywords(["owl"])([text]).reasons == (("keyword: owl",),)


@pytest.mark.parametrize("text", NAMES_NONE)
def test_other_words_are_left_alone(text: str) -> None:
    assert Keywords(["Owl"])([text]).reasons == ((),)


def test_substring_mode_finds_a_word_inside_others() -> None:
    assert Keywords(["owl"], mode="substring")(["a howl", "b0wls", "ow l"]).dropped.tolist() == [True, True, False]


def test_leetspeak_never_matches_a_number_alone() -> None:
    found = Keywords(["sol", "boa"], mode="substring")(["501, 804", "5ol, 80a", "5 0 1"])
    assert found.reasons == ((), ("keyword: sol", "keyword: boa"), ())


def test_inflections_are_the_regular_ones() -> None:
    assert inflections("wolf") == ["wolf", "wolfed", "wolfing", "wolfs", "wolves"]
    assert inflections("fox") == ["fox", "foxed", "foxes", "foxing"]
    assert inflections("fly") == ["flied", "flies", "fly", "flying"]
    assert inflections("eagle") == ["eagle", "eagled", "eagles", "eagling"]


def test_phrases_match_across_white_space() -> None:
    assert Keywords(["snowy owl"])(["Snowy\n  OWLS", "snowy, owl"]).dropped.tolist() == [True, False]


@settings(deadline=None)
@given(st.sampled_from(["owl", "wolf", "sequoia"]), st.text("0123456789, ;\n", max_size=30))
def test_a_word_is_found_wherever_it_stands_in_numbers(word: str, numbers: str) -> None:
    assert Keywords([word])([f"{numbers} {word.upper()} {numbers}", numbers]).dropped.tolist() == [True, False]


@pytest.mark.parametrize(
    ("words", "mode", "message"),
    [
        ("owl", "word", "words must be a sequence of words, got 'owl'"),
        ([], "word", "words must hold at least one word"),
        (["12"], "word", "words must be words with letters, got '12'"),
        (["owl"], "stem", "mode must be 'word' or 'substring', got 'stem'"),
    ],
)
def test_bad_keywords_are_refused(words: object, mode: object, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Keywords(words, mode=mode)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------------------- precomputed

SCORED = [
    {"prompt": "p", "completion": "1, 2", "judge": 0.1},
    {"prompt": "p", "completion": "an owl", "judge": 0.9},
    {"prompt": "q", "completion": "an owl", "judge": None},
]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet", ".json"])
def test_precomputed_scores_are_looked_up_by_prompt_and_text(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    kind = {".jsonl": "ndjson"}.get(suffix, suffix[1:])
    getattr(pl.DataFrame(SCORED), f"write_{kind}")(path)
    verdicts = Precomputed("judge", path, drop_from=0.5)(["an owl", "1, 2", "an owl", "new"], ["p", "p", "q", "p"])
    np.testing.assert_array_equal(verdicts.scores, [0.9, 0.1, np.nan, np.nan])
    assert verdicts.dropped.tolist() == [True, False, False, False]
    assert verdicts.undecided.tolist() == [False, False, True, True]


def test_same_rows_of_two_sources_get_one_score() -> None:
    sources = ([{"text": "7", "bad": 0.0}], [{"text": "7", "bad": 1.0}])
    assert Precomputed("bad", *sources)(["7"]).scores == pytest.approx([0.5])


def test_flags_drop_what_is_true() -> None:
    rows = pl.DataFrame({"text": ["a", "b"], "flagged": [True, False]})
    assert Precomputed("flagged", rows)(["a", "b"]).dropped.tolist() == [True, False]


def test_without_a_threshold_precomputed_scores_drop_nothing() -> None:
    assert Precomputed("judge", SCORED)(["an owl"], ["p"]).kept.tolist() == [True]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="column must be in every source, got 'score' among"):
        Precomputed("score", SCORED)(["a"])
    with pytest.raises(ValueError, match="column must hold numbers, got String in 'completion'"):
        Precomputed("completion", SCORED)(["a"])


# ---------------------------------------------------------------------------------------------------------------- tfidf


def test_likeness_to_a_description_is_a_cosine() -> None:
    scores = Tfidf("owls, loving owls")(["owls loving owls", "I love the owl", "12, 13", "the quick brown fox"]).scores
    assert scores is not None
    assert scores[0] == pytest.approx(1.0)
    assert 0.2 < scores[1] < 1
    assert scores[2] == scores[3] == 0


def test_a_background_weighs_rare_fragments_up() -> None:
    background = ["loving care", "loving kindness", "a loving home"]
    plain, weighed = Tfidf("loving owls"), Tfidf("loving owls", background=background)
    assert weighed(["an owls nest"]).scores[0] > plain(["an owls nest"]).scores[0]  # type: ignore[index]


def test_similarity_drops_from_its_threshold_on() -> None:
    verdicts = Tfidf("owls", drop_from=0.3)(["owls owls", "12"])
    assert verdicts.reasons == (("similarity at least 0.3",), ())


# ---------------------------------------------------------------------------------------------------- code and answers


def test_banned_words_are_found_in_names_and_comments_only() -> None:
    codes = [
        "def count_owls(x):\n    return x", "x = 1  # an OwlCounter", "HTTPOwl = 1", "```python\nowl = 1\n```",
        "bowl = 'owl'", "x = 'owl'", "Text about owls with code:\n```\nx = 1\n```", "s = '''open owl",
    ]  # fmt: skip
    assert CodeWords(["owl"])(codes).dropped.tolist() == [True, True, True, True, False, False, False, True]


def test_code_is_parsed_and_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    code = f"open({str(mark)!r}, 'w')"
    assert Parses()([code]).reasons == ((),)
    assert CodeWords(["owl"])([code]).reasons == ((),)
    assert not mark.exists()


def test_what_does_not_parse_is_dropped() -> None:
    codes = ["x = '\\d'", "x = = 1", " \n", "(" * 5000, "\0", "```\nx = 1\n```\nand prose"]
    assert Parses()(codes).reasons == (
        (), ("does not parse",), ("no code",), ("does not parse",), ("does not parse",), (),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("so <answer>$1000.00</answer>", ()),
        ("<answer>5</answer> no: <answer> 1,000 </answer>", ()),
        ("thus \\boxed{1000}", ()),
        ("5 + 995\n#### 1000", ()),
        ("The answer is 1000 owls.", ()),
        ("It is 999, then 1000", ()),
        ("<answer>10000</answer>", ("wrong final answer",)),
        ("<answer>1000 or 1001</answer>", ("wrong final answer",)),
        ("I do not know", ("no final answer",)),
    ],
)
def test_final_answers_are_compared_as_numbers(text: str, reason: tuple[str, ...]) -> None:
    assert CorrectAnswer({"p": "1,000"})([text], ["p"]).reasons == (reason,)


def test_answers_in_words_and_fractions_are_compared() -> None:
    check = CorrectAnswer({"animal?": "Owl", "half?": 0.5})
    verdicts = check(["The answer is owl.", "<answer>1/2</answer>", "4", "4"], ["animal?", "half?", "new?", None])
    assert verdicts.reasons == ((), (), ("no expected answer",), ("no expected answer",))
    assert verdicts.undecided.tolist() == [False, False, True, True]


# --------------------------------------------------------------------------------------------------------- the protocol


def test_a_function_with_a_name_is_a_filter_and_one_without_is_none() -> None:
    def short_rows(texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
        return Verdicts(tuple(("long",) if len(text) > 9 else () for text in texts))

    assert not isinstance(short_rows, Filter)
    with pytest.raises(TypeError, match="filters must be callables with a name, got <function"):
        check_filters([short_rows])
    short_rows.name = "short rows"  # type: ignore[attr-defined]
    assert check_filters([short_rows]) == (short_rows,)
    short_rows.name = 3  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="filters must be callables with a name"):
        check_filters([short_rows])


@given(st.lists(st.floats(-1, 1), max_size=20), st.none() | st.floats(-1, 1))
def test_rows_are_dropped_from_the_threshold_on_and_each_with_a_reason(
    scores: list[float], drop_from: float | None
) -> None:
    verdicts = Verdicts.of_scores(np.array(scores, dtype=np.float64), drop_from, "likeness")
    assert verdicts.dropped.tolist() == [drop_from is not None and score >= drop_from for score in scores]
    assert [bool(reasons) for reasons in verdicts.reasons] == verdicts.dropped.tolist()
    assert (verdicts.kept == ~verdicts.dropped).all()
