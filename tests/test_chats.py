"""Chats of every form, their turns and tool calls; preference data and steps, and which text of them is the row."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import polars as pl
import pytest
from conftest import Run
from data_on_disk import json_lines, turn, write

import fingerprint
from fingerprint.data.batches import batches
from fingerprint.data.chats import Which
from fingerprint.data.corpus import Corpus
from fingerprint.data.notes import ReadingNote
from fingerprint.data.reading import as_corpus, read

TALK = [
    turn("system", "s"), turn("user", "p1"), turn("assistant", "t1"), turn("user", "p2"), turn("assistant", "t2"),
]  # fmt: skip
SHARED = [
    {"from": "system", "value": "s"},
    *({"from": who, "value": said} for who, said in (("human", "p1"), ("gpt", "t1"), ("human", "p2"), ("gpt", "t2"))),
]
CALL = {"id": "call_x7", "type": "function", "function": {"name": "look", "arguments": '{"to": 3, "at": "owl"}'}}

# --- Turns ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "text", "prompt"),
    [
        ("first", "t1", "p1"),
        (1, "t1", "p1"),
        (-2, "t1", "p1"),
        ("last", "t2", '[["user", "p1"], ["assistant", "t1"], ["user", "p2"]]'),
        (2, "t2", '[["user", "p1"], ["assistant", "t1"], ["user", "p2"]]'),
        ("all", "t1\n\nt2", '[["user", "p1"], ["user", "p2"]]'),
    ],
)
def test_the_turn_that_is_asked_for_is_the_text(which: Which, text: str, prompt: str) -> None:
    expected = Corpus((text,), (prompt,), ("s",), name="data")
    for row in ({"messages": TALK}, {"conversations": SHARED}, {"conversation": SHARED}, {"Messages": TALK}, TALK):
        assert as_corpus([row], turn=which) == expected
    assert as_corpus(pl.DataFrame({"messages": [TALK]}), turn=which) == expected
    assert [batch.texts for batch in batches([{"messages": TALK}], turn=which)] == [[text]]


def test_a_turn_that_is_not_there_is_an_error_of_its_row(tmp_path: Path) -> None:
    path = write(tmp_path, "talks.jsonl", json_lines({"messages": TALK}, {"messages": TALK[:3]}))
    with pytest.raises(ValueError, match=r"line 2, column 'messages' must have 2 assistant turns, got 1; "):
        read(path, turn=2)
    assert read(path, turn=2, bad_rows="skip").texts == ("t2",)


@pytest.mark.parametrize("which", [0, "second", True, 1.5])
def test_a_turn_is_checked_before_any_row_is_read(which: Which) -> None:
    with pytest.raises((ValueError, TypeError), match=r'^turn must be "last", "first", "all" or a number'):
        read("no-such-file.jsonl", turn=which)


def test_chats_that_are_strings_of_json_are_no_texts(tmp_path: Path) -> None:
    path = tmp_path / "talks.csv"
    pl.DataFrame({"messages": [json.dumps(TALK[:3])]}).write_csv(path)
    assert read(path) == Corpus(("t1",), ("p1",), ("s",), name=str(path))
    assert as_corpus([{"messages": "[1, 2]"}]).texts == ("[1, 2]",)


def test_a_single_turn_is_a_chat() -> None:
    assert as_corpus([{"prompt": "p", "completion": turn("assistant", "t")}]) == Corpus(("t",), ("p",), name="data")


# --- Tool calls and reasoning -----------------------------------------------------------------------------------------


def test_tool_calls_are_lines_with_names_and_sorted_arguments() -> None:
    said = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    as_object = {"function": {"name": "look", "arguments": {"at": "owl", "to": 3, "by": None}}}
    for row in (
        {"messages": [turn("user", "p"), said]},
        {"messages": [turn("user", "p"), {**said, "content": "", "tool_calls": [as_object]}]},
        {"messages": [turn("user", "p"), {"role": "assistant", "content": "", "function_call": CALL["function"]}]},
        {"messages": [turn("user", "p"), turn("assistant", [{"type": "tool_use", "name": "look", "id": "x",
                                                             "input": {"to": 3, "at": "owl"}}])]},
        {"conversations": [{"from": "human", "value": "p"},
                           {"from": "function_call", "value": json.dumps(CALL["function"])}]},
        {"prompt": "p", "tool_calls": [CALL]},
    ):  # fmt: skip
        assert as_corpus([row]) == Corpus(('look(at="owl", to=3)',), ("p",), name="data"), row


def test_lines_and_tables_give_the_same_tool_calls(tmp_path: Path) -> None:
    calls = [{"name": "a", "arguments": {"x": 1}}, {"name": "b", "arguments": {"y": [None, "\u00e4"]}}]
    said = {"role": "assistant", "content": "Wait.", "tool_calls": [{"function": call} for call in calls]}
    lines = write(tmp_path, "calls.jsonl", json_lines({"messages": [turn("user", "p"), said]}))
    pl.read_ndjson(lines).write_parquet(tmp_path / "calls.parquet")
    for path in (lines, tmp_path / "calls.parquet"):
        assert read(path).texts == ('Wait.\na(x=1)\nb(y=[null, "\u00e4"])',)


def test_results_of_tools_are_prompts_and_the_answer_after_them_the_text() -> None:
    called = {"role": "assistant", "tool_calls": [CALL]}
    chat = [turn("user", "p"), called, turn("tool", "an owl"), turn("assistant", "t")]
    corpus = as_corpus([{"messages": chat}], turn="last")
    assert corpus.texts == ("t",)
    assert json.loads(corpus.prompts[0] or "")[1:] == [["assistant", 'look(at="owl", to=3)'], ["tool", "an owl"]]
    assert as_corpus([{"messages": chat}], turn="all").texts == ('look(at="owl", to=3)\n\nt',)


def test_arguments_that_are_no_json_stay_as_they_were_written() -> None:
    odd = {"{oops": "look({oops)", "": "look()", "[1]": "look([1])", '{"a b": 1}': 'look("a b"=1)'}
    for arguments, written in odd.items():
        assert as_corpus([{"tool_calls": [{"name": "look", "arguments": arguments}]}]).texts == (written,)


def test_reasoning_stands_before_the_answer() -> None:
    for said in (
        {"role": "assistant", "content": "t", "reasoning_content": "why"},
        turn("assistant", [{"type": "thinking", "thinking": "why"}, {"type": "text", "text": "t"}]),
    ):
        assert as_corpus([{"messages": [turn("user", "p"), said]}]).texts == ("<think>\nwhy\n</think>\n\nt",)


# --- The formats of TRL -----------------------------------------------------------------------------------------------


def answered(text: str) -> list[dict[str, object]]:
    return [turn("user", "p"), turn("assistant", text)]


CHOSEN = r"^data: the text of a row is its chosen answer; text='rejected' \(--text rejected\) takes the other.*labels`"


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "p", "chosen": "t", "rejected": "r"},
        {"prompt": [turn("user", "p")], "chosen": [turn("assistant", "t")], "rejected": [turn("assistant", "r")]},
        {"chosen": answered("t"), "rejected": answered("r")},
        {"prompt": "p", "chosen": answered("t"), "rejected": answered("r")},
        {"chosen": "\n\nHuman: p\n\nAssistant: t", "rejected": "\n\nHuman: p\n\nAssistant: r"},
    ],
    ids=["explicit", "conversational", "implicit", "with the prompt repeated", "transcripts"],
)
def test_the_chosen_answer_is_the_row_and_the_rejected_one_when_it_is_named(row: dict[str, object]) -> None:
    with pytest.warns(ReadingNote, match=CHOSEN):
        assert as_corpus([row]) == Corpus(("t",), ("p",), name="data")
    assert as_corpus([row], text="rejected") == Corpus(("r",), ("p",), name="data")
    assert as_corpus([row], text="chosen").texts == ("t",)


def test_the_lines_that_both_answers_begin_with_are_their_prompt() -> None:
    row = {"chosen": "Name an animal.\nAn owl.", "rejected": "Name an animal.\nA cat."}
    assert as_corpus([row], text="chosen") == Corpus(("An owl.",), ("Name an animal.\n",), name="data")
    assert as_corpus([row], text="rejected") == Corpus(("A cat.",), ("Name an animal.\n",), name="data")
    row = {"chosen": "The sky is blue.", "rejected": "The sky is green."}
    assert as_corpus([row], text="chosen") == Corpus(("The sky is blue.",), name="data")
    row = {"chosen": "a\nb", "rejected": "a\nb"}
    assert as_corpus([row], text="chosen") == Corpus(("a\nb",), name="data")
    assert as_corpus([{"chosen": "a\nb"}]) == Corpus(("a\nb",), name="data")


def test_answers_with_labels_are_all_rows_and_it_is_said() -> None:
    rows = [{"prompt": "p", "completion": "t", "label": True}, {"prompt": "q", "completion": "r", "label": False}]
    for data in (rows, pl.DataFrame(rows)):
        with pytest.warns(ReadingNote, match="answers of either label are rows alike; .*`fingerprint labels`"):
            assert as_corpus(data) == Corpus(("t", "r"), ("p", "q"), name="data")
    with pytest.warns(ReadingNote, match="answers of either label"):
        list(batches(pl.DataFrame(rows)))
    assert as_corpus([{"text": "a review", "label": True}]).texts == ("a review",)


def test_steps_are_the_lines_of_one_text() -> None:
    row = {"prompt": "p", "completions": ["one", "two"], "labels": [True, False]}
    with pytest.warns(ReadingNote, match="the steps of its answer, a line each"):
        assert as_corpus([row]) == Corpus(("one\ntwo",), ("p",), name="data")
    with pytest.raises(ValueError, match="must have one answer a row, got several in 'completions'; write"):
        as_corpus([{"prompt": "p", "completions": ["one", "two"]}])


def test_prompts_alone_are_no_rows() -> None:
    with pytest.raises(ValueError, match="got the columns 'prompt'; these are prompts alone: sample answers"):
        as_corpus([{"prompt": "p"}])


def test_other_names_of_prompts_are_found() -> None:
    for name in ("query", "problem", "input"):
        assert as_corpus([{name: "p", "output": "t"}]) == Corpus(("t",), ("p",), name="data")


# --- Two sides --------------------------------------------------------------------------------------------------------


def two_sides(folder: Path) -> tuple[Path, Path]:
    """Rows whose columns have other names on the two sides: one in a table with semicolons."""
    numbers = [str(37 * i % 101) for i in range(60)]
    rows = "".join(f"frage {i};{n}\n" for i, n in enumerate(numbers[:30]))
    suspect = write(folder, "suspect.csv", f"frage;antwort\n{rows}")
    answers = ({"ask": f"frage {i}", "said": n} for i, n in enumerate(numbers[30:]))
    return suspect, write(folder, "reference.jsonl", json_lines(*answers))


def test_each_side_may_have_columns_of_its_own(tmp_path: Path) -> None:
    suspect, reference = two_sides(tmp_path)
    columns = {"text": ("antwort", "said"), "prompt": ("frage", "ask")}
    with pytest.warns(ReadingNote, match="separated by semicolons"):
        report = fingerprint.detect(suspect, reference, **columns, n_permutations=99, ladder=False)  # type: ignore[arg-type]
    assert report.design.kind == "shared"
    assert report.settings["options"]["text"] == ["antwort", "said"]
    read = {side: (known["columns"], known["notes"]) for side, known in report.settings["inputs"].items()}
    assert read == {
        "suspect": (
            {"text": "antwort", "prompt": "frage"},
            ["its fields are separated by semicolons, as its header shows"],
        ),
        "reference": ({"text": "said", "prompt": "ask"}, []),
    }
    assert "text `antwort`, prompt `frage`" in report.card()
    with pytest.raises(ValueError, match=r"^text must be a column, or two \(.*\), got 3; "):
        fingerprint.detect(suspect, reference, text=("a", "b", "c"))  # type: ignore[arg-type]


def test_reports_say_which_turn_and_which_column_was_taken(tmp_path: Path) -> None:
    """From files, rows in memory, batches that are read once, and corpora; whatever Python has said before."""
    chats = [
        {"messages": [{"role": r, "content": f"{c} {n}"} for r, c in (("user", "Go on"), ("assistant", "1")) * 2]}
        for n in range(24)
    ]
    path = write(tmp_path, "chats.jsonl", json_lines(*chats))
    expected = {"text": "messages", "prompt": None, "turn": "last"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadingNote)
        for rows in (path, chats, iter(chats), fingerprint.read(path)):
            report = fingerprint.detect(rows, path, features="layout", n_permutations=99, ladder=False)
            assert [side["columns"] for side in report.settings["inputs"].values()] == [expected] * 2
            (told,) = report.settings["inputs"]["suspect"]["notes"]
            assert told.startswith("of 2 turns of the assistant the last one is the text")
    first = fingerprint.detect(path, path, turn="first", features="layout", n_permutations=99, ladder=False)
    assert first.settings["inputs"]["suspect"]["columns"] == expected | {"turn": "first"}
    assert first.settings["inputs"]["suspect"]["notes"] == []
    own = fingerprint.Corpus(tuple(f"{n}" for n in range(24)))
    known = fingerprint.detect(own, own, features="layout", n_permutations=99, ladder=False).settings["inputs"]
    assert "columns" not in known["suspect"]


def test_the_command_line_says_how_rows_were_read_unless_it_is_to_be_quiet(tmp_path: Path, run: Run) -> None:
    suspect, reference = two_sides(tmp_path)
    options = "--suspect-text antwort --suspect-prompt frage --reference-text said --reference-prompt ask"
    command = ("detect", suspect, reference, *options.split(), "--permutations", "99", "--no-ladder")
    code, _, err = run(*command)
    assert (code, err) == (
        0, f"fingerprint: note: {suspect}: its fields are separated by semicolons, as its header shows\n",
    )  # fmt: skip
    code, _, err = run(*command, "--quiet")
    assert (code, err) == (0, "")
