"""Preference labels: how rows of pairs and choices are read, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fingerprint.data.choices import read_choices

ASKED = "Go on: 3, 5"
FORMS: dict[str, dict[str, Any]] = {
    "explicit": {"prompt": ASKED, "chosen": "7, 9", "rejected": "8, 13"},
    "conversational": {
        "prompt": [{"role": "user", "content": ASKED}],
        "chosen": [{"role": "assistant", "content": "7, 9"}],
        "rejected": [{"role": "assistant", "content": "8, 13"}],
    },
    "implicit": {
        side: [{"role": "user", "content": ASKED}, {"role": "assistant", "content": text}]
        for side, text in (("chosen", "7, 9"), ("rejected", "8, 13"))
    },
    "neutral": {"prompt": ASKED, "response_a": "8, 13", "response_b": "7, 9", "winner": "b"},
    "numbered": {"question": ASKED, "Text_1": "8, 13", "text_2": "7, 9", "preferred": 2},
    "by column": {"prompt": ASKED, "answer_a": "7, 9", "answer_b": "8, 13", "label": "answer_a"},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_says_the_same_choice(form: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(form) + "\n", encoding="utf-8")
    for data in (path, [form], {name: [value] for name, value in form.items()}):
        (row,) = read_choices(data).rows
        chosen, rejected = (row.first, row.second) if row.chosen > 0 else (row.second, row.first)
        assert (row.prompt, chosen, rejected) == (ASKED, "7, 9", "8, 13")
        assert row.shown == (0 if "chosen" in form else 1)


def test_the_order_of_chosen_and_rejected_is_known_where_a_column_says_it() -> None:
    rows = [{"chosen": "a", "rejected": "b", "chosen_first": first} for first in (True, "false", None)]
    assert [row.shown for row in read_choices(rows).rows] == [1, -1, 0]


WRONG = {
    "must have two texts": {"prompt": "x", "response": "y"},
    "must have one prompt for both texts": {
        side: [{"role": "user", "content": side}, {"role": "assistant", "content": "x"}]
        for side in ("chosen", "rejected")
    },
}


@pytest.mark.parametrize(("message", "row"), WRONG.items(), ids=WRONG)
def test_what_cannot_be_read_is_an_error_that_names_the_row_or_is_counted(message: str, row: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"rows, row index 0.*{message}"):
        read_choices([row], argument="rows")
    good = {name: "a" if name == "winner" else value for name, value in FORMS["neutral"].items()}
    assert read_choices([row, good], bad_rows="skip").skipped == 1


UNREADABLE = [0, 3, 4.5, "0", True, None, "", float("nan"), "gpt_2", "llama_2", "policy_b", "not_a"]


@pytest.mark.parametrize("value", UNREADABLE)
def test_a_choice_that_cannot_be_read_is_an_error_even_where_bad_rows_are_skipped(value: object) -> None:
    rows = [{"response_a": "x", "response_b": "y", "winner": winner} for winner in ("a", value)]
    for bad_rows in ("error", "skip"):
        with pytest.raises(ValueError, match=r"rows, row index 1 must be a or b, .* write a or b for the text"):
            read_choices(rows, argument="rows", bad_rows=bad_rows)


def test_a_row_without_a_choice_is_an_error_even_where_bad_rows_are_skipped() -> None:
    without, whole = {"response_a": "x", "response_b": "y"}, {"response_a": "x", "response_b": "y", "winner": "a"}
    for rows in ([without, whole], [whole, without]):
        with pytest.raises(ValueError, match="must say which text was chosen"):
            read_choices(rows, bad_rows="skip")
    with pytest.raises(ValueError, match="must be true or false in 'chosen_first'"):
        read_choices([{"chosen": "x", "rejected": "y", "chosen_first": "yes"}], bad_rows="skip")


@pytest.mark.parametrize("word", ["model_b", "Response_2", "option_b", "assistant_2", "answer_b", "B", "second", 2.0])
def test_a_choice_may_have_a_known_word_before_it(word: object) -> None:
    (row,) = read_choices([{"response_a": "x", "response_b": "y", "winner": word}]).rows
    assert row.chosen == -1
