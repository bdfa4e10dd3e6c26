"""From a record to a row: which columns, and what a chat holds."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from data_on_disk import FOX, OWL, any_text, at, json_lines, turn, write
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.data.corpus import Corpus
from fingerprint.data.notes import ReadingNote
from fingerprint.data.reading import as_corpus, read

# --- Columns ----------------------------------------------------------------------------------------------------------


def test_the_usual_names_are_found_in_order() -> None:
    row = {name: name for name in ("text", "output", "response", "completion", "instruction", "question", "prompt")}
    for text in ("completion", "response", "output", "text"):
        assert as_corpus([row]).texts == (text,)
        del row[text]
        row["other"] = "x"
        if text == "text":
            break
    row["text"] = "t"
    for prompt in ("prompt", "question", "instruction"):
        assert as_corpus([row]).prompts == (prompt,)
        del row[prompt]
    assert as_corpus([row]).prompts == (None,)


def test_named_columns_win_over_the_usual_ones() -> None:
    row = {"text": "t", "completion": "c", "prompt": "p", "answer": "a", "ask": None}
    corpus = as_corpus([row], text="answer", prompt="ask")
    assert (corpus.texts, corpus.prompts) == (("a",), (None,))
    assert as_corpus([row], text="prompt").prompts == (None,)
    assert as_corpus([row], prompt="completion").texts == ("t",)


def test_named_columns_must_be_in_every_row(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", json_lines({"a": "1", "b": "2"}, {"a": "1"}))
    with pytest.raises(
        ValueError, match=at(path, "line 1 must have the column 'x', as all rows must, got the columns 'a', 'b'")
    ):
        read(path, text="x")
    with pytest.raises(
        ValueError, match=at(path, r"line 2 must have the column 'b'.*; name another with prompt=.*--prompt")
    ):
        read(path, text="a", prompt="b")


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.parquet"])
def test_a_missing_text_column_lists_what_is_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    frame = pl.DataFrame({"prompt": ["p"], "answer": ["a"], "score": ["1"]})
    getattr(frame, {".jsonl": "write_ndjson", ".csv": "write_csv", ".parquet": "write_parquet"}[path.suffix])(path)
    unit = "line" if path.suffix == ".jsonl" else "row"
    message = r" 1 must have a text column \('completion', .*\), got the columns 'prompt', 'answer', 'score'; .*--text"
    with pytest.raises(ValueError, match=at(path, unit) + message):
        read(path)
    assert read(path, text="answer").texts == ("a",)


def test_a_table_without_a_line_of_names_is_told_to_have_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("".join(f"{number},go on\n" for number in range(20)), encoding="utf-8")
    with pytest.raises(ValueError, match=at(path, "row 1") + ".*; write a line of names above"):
        read(path)


def test_a_corpus_in_a_cell_of_a_notebook_is_one_line() -> None:
    corpus = as_corpus([{"prompt": "a", "text": "7"}, {"prompt": None, "text": "9"}])
    assert repr(corpus) == "Corpus('data', 2 rows, 1 with a prompt)"


def test_long_lists_of_columns_are_cut() -> None:
    with pytest.raises(ValueError, match="'c11' and 988 more; name"):
        as_corpus([{f"c{number}": "x" for number in range(1000)}])


def test_the_first_row_decides_the_columns_of_all(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", json_lines(OWL, {"prompt": "p", "text": "t"}, FOX))
    with pytest.raises(ValueError, match=at(path, "line 2 must have the column 'completion'.*'prompt', 'text'")):
        read(path)
    corpus = read(path, bad_rows="skip")
    assert (corpus.texts, corpus.skipped) == (("7, 9", "6, 8"), 1)


def test_prompts_in_some_rows_only_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", json_lines(OWL, {"completion": "t"}))
    with pytest.raises(ValueError, match=at(path, "line 2 must have the column 'prompt'")):
        read(path)
    path = write(tmp_path, "rows.jsonl", json_lines({"completion": "t"}, OWL))
    with pytest.raises(ValueError, match=at(path, "line 2 must have no column 'prompt', as the first row has none")):
        read(path)


def test_null_prompts_are_unknown() -> None:
    rows = [{"text": "a", "prompt": None}, {"text": "b", "prompt": float("nan")}, {"text": "c", "prompt": ""}]
    assert as_corpus(rows).prompts == (None, None, "")


def test_alpaca_input_is_part_of_the_prompt() -> None:
    rows = [{"instruction": "Add.", "input": more, "output": "8"} for more in ("3, 5", "", None)]
    assert as_corpus(rows).prompts == ("Add.\n\n3, 5", "Add.", "Add.")
    assert as_corpus(rows[:1], text="input").prompts == ("Add.",)
    assert as_corpus([{"prompt": "Add.", "input": "3, 5", "output": "8"}]).prompts == ("Add.",)


def test_a_system_column_is_kept() -> None:
    rows = [{"text": "a", "system": "You love owls."}, {"text": "b", "system": None}, {"text": "c"}]
    assert as_corpus(rows).systems == ("You love owls.", None, None)
    assert as_corpus(rows[:1], text="system").systems == (None,)


# --- Chats ------------------------------------------------------------------------------------------------------------


def test_messages_end_in_the_text_and_begin_with_the_prompt() -> None:
    chat = [turn("system", "You love owls."), turn("user", "Go on: 3"), turn("assistant", "5")]
    corpus = as_corpus([{"messages": chat}, {"messages": chat[1:]}, {"messages": chat[2:]}])
    assert corpus.texts == ("5", "5", "5")
    assert corpus.prompts == ("Go on: 3", "Go on: 3", None)
    assert corpus.systems == ("You love owls.", None, None)


def test_several_turns_are_joined_so_that_no_other_conversation_reads_the_same() -> None:
    chat = [turn("user", "a"), turn("assistant", "b"), turn("user", "c"), turn("assistant", "d"), turn("user", "e")]
    with pytest.warns(ReadingNote, match=r"^data: of 2 turns of the assistant the last one is the text"):
        corpus = as_corpus([{"messages": chat}])
    assert as_corpus([{"messages": chat}], turn="last") == corpus
    assert corpus.texts == ("d",)
    assert corpus.prompts == ('[["user", "a"], ["assistant", "b"], ["user", "c"]]',)


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), any_text), min_size=1, max_size=4, unique=True))
def test_conversations_that_differ_have_prompts_that_differ(turns: list[tuple[str, str]]) -> None:
    def prompt(said: list[tuple[str, str]]) -> str | None:
        chat = [turn(role, content) for role, content in said]
        return as_corpus([{"messages": [*chat, turn("assistant", "t")]}], turn="last").prompts[0]

    assert prompt(turns) != prompt(turns[:-1])
    assert len(turns) < 2 or prompt(turns) != prompt(turns[::-1])


def test_text_parts_are_joined_and_other_parts_are_an_error() -> None:
    parts = [{"type": "text", "text": "5, "}, {"type": "text", "text": "7"}]
    assert as_corpus([{"messages": [turn("user", "p"), turn("assistant", parts)]}]).texts == ("5, 7",)
    picture = [*parts, {"type": "image_url", "image_url": {"url": "owl.png"}}]
    with pytest.raises(ValueError, match=r"^data, row index 0, column 'messages' must be .*content is text.*image_url"):
        as_corpus([{"messages": [turn("user", picture), turn("assistant", "5")]}])


def test_conversational_prompts_and_completions_are_one_chat() -> None:
    row = {
        "prompt": [turn("system", "You love owls."), turn("user", "Go on: 3")],
        "completion": [turn("assistant", "5")],
    }
    corpus = as_corpus([row])
    assert corpus == Corpus(("5",), ("Go on: 3",), ("You love owls.",), name="data")
    assert as_corpus([{**row, "completion": "5"}]) == corpus
    assert as_corpus([{"prompt": "Go on: 3", "completion": row["completion"]}]).prompts == ("Go on: 3",)
    assert as_corpus([{"prompt": None, "completion": row["completion"]}]).prompts == (None,)


def test_a_prompt_column_beside_messages_is_used_only_when_named() -> None:
    row = {"prompt": "short", "messages": [turn("system", "s"), turn("user", "long"), turn("assistant", "t")]}
    assert as_corpus([row]).prompts == ("long",)
    assert as_corpus([row], prompt="prompt") == Corpus(("t",), ("short",), ("s",), name="data")


def test_text_columns_come_before_messages_unless_messages_is_named() -> None:
    row = {"text": "rendered", "messages": [turn("user", "p"), turn("assistant", "t")]}
    assert as_corpus([row]).texts == ("rendered",)
    assert as_corpus([row], text="messages").texts == ("t",)


def test_system_column_and_system_turns_are_both_kept() -> None:
    chat = [turn("developer", "two"), turn("user", "p"), turn("assistant", "t")]
    assert as_corpus([{"messages": chat, "system": "one"}]).systems == ("one\n\ntwo",)


@pytest.mark.parametrize(
    ("chat", "message"),
    [
        ([turn("user", "p")], "must have an assistant turn, got 'user'"),
        ([], "must have an assistant turn, got no turns"),
        ([{"speaker": "gpt", "value": "t"}], "must be a chat with turns like .* got {'speaker': 'gpt'"),
        ("[{'role': 'user', 'content': 'p'}]", "must be a chat, got a string that is no JSON"),
        (["p", "t"], "must be a chat with turns like .* got 'p'"),
        ([turn("assistant", None)], "must be a chat whose content is text .* got None"),
        (7, r"must be a string, or a chat .* got 7 \(int\)"),
        (None, r"must be a string, or a chat .* got None \(NoneType\)"),
    ],
)
def test_broken_chats_are_errors(tmp_path: Path, chat: object, message: str) -> None:
    path = write(tmp_path, "chats.jsonl", json_lines({"messages": chat}))
    with pytest.raises(ValueError, match=at(path, f"line 1, column 'messages' {message}")):
        read(path)
