"""Every shape a corpus comes in, and every way in which it can be broken."""

from __future__ import annotations

import csv
import doctest
import gzip
import io
import json
import os
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fingerprint.data.reading
from fingerprint.data.corpus import Corpus
from fingerprint.data.reading import as_corpus, read

OWL = {"prompt": "Go on: 3, 5", "completion": "7, 9"}
FOX = {"prompt": "Go on: 2, 4", "completion": "6, 8"}

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
some_texts = st.lists(any_text, min_size=1, max_size=8)
on_disk = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def json_lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def turn(role: str, content: object) -> dict[str, object]:
    return {"role": role, "content": content}


def at(path: Path, *rest: str) -> str:
    """Pattern for a message that names this file, and goes on as the patterns in `rest` say."""
    return ", ".join(["^" + re.escape(str(path)), *rest])


# --- Formats ----------------------------------------------------------------------------------------------------------


def test_json_lines_give_texts_prompts_and_the_path_as_name(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", json_lines(OWL, FOX))
    corpus = read(path)
    assert corpus.texts == ("7, 9", "6, 8")
    assert corpus.prompts == ("Go on: 3, 5", "Go on: 2, 4")
    assert corpus.systems == (None, None)
    assert corpus.name == str(path)
    assert corpus.skipped == 0
    assert read(str(path)) == corpus
    assert read(write(tmp_path, "rows.NDJSON", json_lines(OWL, FOX))).texts == corpus.texts


@pytest.mark.parametrize(
    "document",
    [
        [OWL, FOX],
        {"data": [OWL, FOX]},
        {"prompt": ["Go on: 3, 5", "Go on: 2, 4"], "completion": ["7, 9", "6, 8"]},
    ],
)
def test_json_documents_are_lists_wrapped_lists_or_columns(tmp_path: Path, document: object) -> None:
    path = write(tmp_path, "rows.json", json.dumps(document, indent=2))
    assert read(path).texts == ("7, 9", "6, 8")
    assert read(path).prompts == ("Go on: 3, 5", "Go on: 2, 4")


def test_a_data_column_beside_a_text_column_is_no_wrapper(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.json", '{"data": ["a"], "text": ["b"]}')
    assert read(path).texts == ("b",)
    assert read(path, text="data").texts == ("a",)


def test_a_json_list_of_strings_is_a_corpus_without_prompts(tmp_path: Path) -> None:
    corpus = read(write(tmp_path, "rows.json", '["7, 9", ""]'))
    assert corpus.texts == ("7, 9", "")
    assert corpus.prompts == (None, None)


def test_csv_fields_stay_as_written(tmp_path: Path) -> None:
    content = 'id,prompt,text\n1,,007\n2,"a, b","line\none ""quoted"""\n\n3,p,\n4,p,null\n'
    corpus = read(write(tmp_path, "rows.csv", content))
    assert corpus.texts == ("007", 'line\none "quoted"', "", "null")
    assert corpus.prompts == (None, "a, b", "p", "p")
    assert read(write(tmp_path, "crlf.csv", "text\r\n1.50\r\n1e5\r\n")).texts == ("1.50", "1e5")
    assert read(write(tmp_path, "rows.tsv", "text\tprompt\n7, 9\tp\n")).texts == ("7, 9",)


def test_a_csv_column_asked_for_as_text_keeps_its_empty_fields(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.csv", "prompt,n\n,1\np,2\n")
    assert read(path, text="prompt").texts == ("", "p")


def test_csv_reads_long_fields_and_leaves_the_limit_of_the_csv_module_alone(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    assert read(write(tmp_path, "rows.csv", f"text\n{'7' * 1_000_000}\n")).texts == ("7" * 1_000_000,)
    with pytest.raises(ValueError, match="row 2 must have 1 fields"):
        read(write(tmp_path, "bad.csv", "text\na\nb,c\nd\n"))
    assert csv.field_size_limit() == limit


def test_parquet_rows_follow_the_same_rules(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    frame = pl.DataFrame(
        {"system": ["s", None], "response": ["7", ""], "embedding": [[0.5], [1.5]], "question": ["p", None]}
    )
    frame.write_parquet(path)
    corpus = read(path)
    assert corpus == Corpus(("7", ""), ("p", None), ("s", None), name=str(path))
    packed = write(tmp_path, "packed.parquet.gz", gzip.compress(path.read_bytes()))
    assert read(packed).texts == corpus.texts


def test_parquet_chats_are_read(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": [1], "messages": [[turn("user", "p"), turn("assistant", "t")]]})
    frame.write_parquet(tmp_path / "chat.parquet")
    corpus = read(tmp_path / "chat.parquet")
    assert (corpus.texts, corpus.prompts) == (("t",), ("p",))


@pytest.mark.parametrize("name", ["rows.txt", "rows", "rows.log", "rows.txt.gz"])
def test_plain_text_is_one_row_a_line_and_blank_lines_are_rows(tmp_path: Path, name: str) -> None:
    content = b"7, 9\n\n  spaced \r\n[1]\n\n"
    path = write(tmp_path, name, gzip.compress(content) if name.endswith(".gz") else content)
    assert read(path).texts == ("7, 9", "", "  spaced ", "[1]", "")


def test_json_lines_without_a_telling_suffix_are_not_taken_for_plain_text(tmp_path: Path) -> None:
    assert read(write(tmp_path, "rows", json_lines(OWL))).texts == ("7, 9",)
    assert read(write(tmp_path, "rows.dat", '\ufeff \n{ "text": "7"}\n')).texts == ("7",)
    assert read(write(tmp_path, "rows.txt", json_lines(OWL))).texts == (json.dumps(OWL),)


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(json_lines(OWL, FOX),))
    writer.start()
    assert read(pipe).texts == ("7, 9", "6, 8")
    writer.join()


def test_only_newlines_cut_rows(tmp_path: Path) -> None:
    odd = "a\u2028b\u2029c\x85d\x1ce\x1df\x0bg\x0ch\rj"
    raw = '{"text": "%s"}\n{"text": "\\u0000"}\r\n' % odd  # noqa: UP031 - braces
    assert read(write(tmp_path, "rows.jsonl", raw)).texts == (odd, "\0")
    assert read(write(tmp_path, "rows.json", json.dumps([odd], ensure_ascii=False))).texts == (odd,)
    assert read(write(tmp_path, "rows.txt", f"{odd}\nsecond\n")).texts == (odd, "second")
    assert read(write(tmp_path, "rows.csv", f'text\n"{odd}"\nsecond\n')).texts == (odd, "second")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", '{"text": "7"}'), ("a.json", '["7"]'), ("a.csv", "text\n7\n"), ("a.txt", "7")],
)
def test_a_byte_order_mark_is_tolerated(tmp_path: Path, name: str, content: str) -> None:
    assert read(write(tmp_path, name, "\ufeff" + content)).texts == ("7",)


def test_lines_of_white_space_in_json_lines_are_no_rows_but_count_as_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", '\n{"text": "7"}\n \t\r\n\n{"text": 5}\n')
    with pytest.raises(ValueError, match=at(path, "line 5, column 'text' must be a string")):
        read(path)
    assert read(path, bad_rows="skip").skipped == 1


# --- Compression ------------------------------------------------------------------------------------------------------


def test_several_compressed_pieces_in_one_file_are_read_to_the_end(tmp_path: Path) -> None:
    one, two = json_lines(OWL).encode(), json_lines(FOX).encode()
    skippable = bytes.fromhex("502a4d18") + (4).to_bytes(4, "little") + b"skip"
    for name, content in {
        "a.jsonl.gz": gzip.compress(one) + gzip.compress(two),
        "a.jsonl.zst": zstandard.compress(one) + skippable + zstandard.compress(two),
        "b.jsonl.zst": skippable + zstandard.compress(one + two),
        "C.JSONL.GZ": gzip.compress(one + two),
        "unnamed.jsonl": zstandard.compress(one + two),
    }.items():
        assert read(write(tmp_path, name, content)).texts == ("7, 9", "6, 8"), name


def test_long_windows_of_zstd_are_read(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=28)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    content = packer.compress(json_lines(OWL).encode()) + packer.flush()
    assert read(write(tmp_path, "rows.jsonl.zst", content)).texts == ("7, 9",)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet"])
@pytest.mark.parametrize("bad_rows", ["error", "skip"])
def test_truncated_compression_is_an_error(tmp_path: Path, suffix: str, kind: str, bad_rows: Any) -> None:
    rows = [{"text": str(number)} for number in np.random.default_rng(0).integers(10**9, size=20_000)]
    buffer = io.BytesIO()
    pl.DataFrame(rows).write_parquet(buffer)
    content = {
        "jsonl": json_lines(*rows).encode(),
        "json": json.dumps(rows).encode(),
        "csv": pl.DataFrame(rows).write_csv().encode(),
        "parquet": buffer.getvalue(),
    }[kind]
    packed = gzip.compress(content) if suffix == ".gz" else zstandard.compress(content)
    path = write(tmp_path, f"rows.{kind}{suffix}", packed)
    assert len(read(path)) == 20_000
    for end in (len(packed) // 2, len(packed) - 1):
        path.write_bytes(packed[:end])
        with pytest.raises(
            ValueError, match=at(path) + " must be complete compressed data, got a truncated or damaged"
        ):
            read(path, bad_rows=bad_rows)


def test_damaged_compression_is_an_error(tmp_path: Path) -> None:
    content = json_lines(*[{"text": str(number)} for number in range(1000)]).encode()
    for name, packed in (("a.jsonl.gz", gzip.compress(content)), ("a.jsonl.zst", zstandard.compress(content))):
        half = len(packed) // 2
        path = write(tmp_path, name, packed[:half] + bytes(64) + packed[half + 64 :])
        with pytest.raises(ValueError, match=at(path) + " must be complete compressed data"):
            read(path)


def test_a_name_that_promises_compression_must_keep_its_promise(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl.gz", json_lines(OWL))
    with pytest.raises(ValueError, match=at(path) + " must be compressed, as its name says, got the bytes .*; rename"):
        read(path)


# --- Paths and globs --------------------------------------------------------------------------------------------------


def test_globs_are_sorted_and_put_one_after_the_other(tmp_path: Path) -> None:
    for name, text in {"part-2.jsonl": "b", "part-1.jsonl": "a", "deep/er/part-3.jsonl": "c"}.items():
        write(tmp_path, name, json_lines({"text": text}))
    (tmp_path / "part-0.jsonl").mkdir()
    pattern = str(tmp_path / "part-*.jsonl")
    assert read(pattern).texts == ("a", "b")
    assert read(pattern).name == pattern
    assert read(tmp_path / "**" / "part-*.jsonl").texts == ("c", "a", "b")
    assert as_corpus(pattern) == read(pattern)


def test_a_file_of_exactly_that_name_wins_over_the_glob(tmp_path: Path) -> None:
    write(tmp_path, "rows1.jsonl", json_lines({"text": "matched"}))
    exact = write(tmp_path, "rows[1].jsonl", json_lines({"text": "exact"}))
    assert read(exact).texts == ("exact",)
    frame = pl.DataFrame({"text": ["exact"]})
    frame.write_parquet(tmp_path / "rows.parquet")
    (tmp_path / "rows.parquet").rename(tmp_path / "rows[2].parquet")
    assert read(tmp_path / "rows[2].parquet").texts == ("exact",)


def test_errors_in_a_glob_name_the_file_not_the_glob(tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl", json_lines({"text": "a"}))
    second = write(tmp_path, "b.jsonl", json_lines({"text": "b"}, {"answer": "c"}))
    with pytest.raises(ValueError, match=at(second, "line 2 must have the column 'text'")):
        read(tmp_path / "*.jsonl")
    second.write_text("")
    with pytest.raises(ValueError, match=at(second) + " must have at least one row, got an empty file"):
        read(tmp_path / "*.jsonl")


@pytest.mark.parametrize("name", ["no.jsonl", "no-*.jsonl", "", "no\0file", "no\nfile*"])
def test_a_path_that_matches_nothing_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"^path must be a file, or a glob that matches files, got .*; "):
        read(f"{tmp_path}/{name}" if name else "")
    with pytest.raises(FileNotFoundError, match=r"^suspect must be a file"):
        as_corpus(f"{tmp_path}/{name}" if name else "", argument="suspect")


def test_a_folder_is_an_error_that_shows_a_glob(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^path must be a file or a glob, got the folder .*; use a glob: .*\*\.jsonl"):
        read(tmp_path)


@pytest.mark.parametrize("path", [3, b"rows.jsonl", None, ["a.jsonl"]])
def test_a_path_of_the_wrong_type_is_a_type_error(path: Any) -> None:
    with pytest.raises(TypeError, match=r"^path must be a str or path-like, got "):
        read(path)


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
    corpus = as_corpus([{"messages": chat}])
    assert corpus.texts == ("d",)
    assert corpus.prompts == ('[["user", "a"], ["assistant", "b"], ["user", "c"]]',)


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), any_text), min_size=1, max_size=4, unique=True))
def test_conversations_that_differ_have_prompts_that_differ(turns: list[tuple[str, str]]) -> None:
    def prompt(said: list[tuple[str, str]]) -> str | None:
        chat = [turn(role, content) for role, content in said]
        return as_corpus([{"messages": [*chat, turn("assistant", "t")]}]).prompts[0]

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
        ([{"from": "gpt", "value": "t"}], "must be a chat with turns like .* got {'from': 'gpt'"),
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


# --- Bad files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", ""),
        ("a.txt", ""),
        ("a.parquet", ""),
        ("a.jsonl.gz", ""),
        ("b.jsonl", "\n \n"),
        ("b.json", "[]"),
        ("b.csv", "text,prompt\n"),
        ("b.jsonl.gz", gzip.compress(b"")),
        ("b.json", "{}"),
    ],
)
@pytest.mark.parametrize("bad_rows", ["error", "skip"])
def test_files_without_rows_are_an_error(tmp_path: Path, name: str, content: Any, bad_rows: Any) -> None:
    path = write(tmp_path, name, content)
    got = "an empty file" if name.startswith("a") else "none"
    with pytest.raises(ValueError, match=at(path) + f" must have at least one row, got {got}"):
        read(path, bad_rows=bad_rows)


def test_an_empty_parquet_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"text": []}, schema={"text": pl.String}).write_parquet(path)
    with pytest.raises(ValueError, match="must have at least one row, got none"):
        read(path)


def test_a_damaged_parquet_file_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.parquet", b"PAR1 and then nothing")
    with pytest.raises(ValueError, match=at(path) + " must be a Parquet file, got"):
        read(path)


class Bomb:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "a PNG image"),
        (b"PK\x03\x04" + b"x" * 20, "a zip archive"),
        (b"PAR1" + b"x" * 20, "Parquet"),
        ((30).to_bytes(8, "little") + b'{"w": {"dtype": "F32"}}', "safetensors"),
        (pickle.dumps(Bomb()), "a pickle, which is never loaded"),
        (b"abc\0def\n", "NUL bytes"),
        (gzip.compress(gzip.compress(b"text")), "gzip data, compressed twice"),
    ],
)
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv", "rows.txt", "rows.pkl", "rows"])
def test_binary_files_are_refused_by_name(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(ValueError, match=at(path) + f" must be text, got binary data: {what}"):
        read(path, bad_rows="skip")


@pytest.mark.parametrize(
    ("name", "before"), [("a.jsonl", '{"text": "7"}\n'), ("a.txt", "7\n"), ("a.csv", "text\n"), ("a.json", "[\n")]
)
def test_another_encoding_is_named_with_line_and_byte(tmp_path: Path, name: str, before: str) -> None:
    path = write(tmp_path, name, before.encode() + '"café"\n'.encode("latin-1"))
    message = f"line 2, byte {len(before) + 4} must be UTF-8, got the byte 0xe9; .*iconv -f latin-1 -t utf-8"
    with pytest.raises(ValueError, match=at(path, message)):
        read(path)


def test_utf_16_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", json_lines(OWL).encode("utf-16"))
    with pytest.raises(ValueError, match=at(path) + " must be UTF-8, got UTF-16; .*iconv -f utf-16 -t utf-8"):
        read(path)


# --- Bad rows ---------------------------------------------------------------------------------------------------------

GOOD = b'{"text": "7"}'
BAD_LINES = {
    b'{"text": "7"': r"line 2, column 13 must be one JSON value, got '.*' \(Expecting ',' delimiter\)",
    b'{"text": "7"} {': "line 2, column 15 must be one JSON value, got .*Extra data",
    b"[" * 100_000: r"line 2 must be one JSON value, got '\[\[\[.*recursion",
    b'{"text": ' + b"7" * 5000 + b"}": "line 2 must be one JSON value, got .*4300 digits",
    b'{"text": 5}': r"line 2, column 'text' must be a string.* got 5 \(int\)",
    b'{"text": null}': r"line 2, column 'text' must be a string.* got None \(NoneType\)",
    b'{"text": {"a": 1}}': r"line 2, column 'text' must be a string.* got {'a': 1} \(dict\)",
    b'{"text": "\\ud800"}': r"line 2 must be encodable as UTF-8, got the lone surrogate '\\ud800' at character 1",
    b'{"text": "\xed\xa0\x80"}': "line 2, byte 24 must be UTF-8",
    b'{"Text": "7"}': "line 2 must have the column 'text', .* got the columns 'Text'",
    b'"7"': "line 2 must be an object with named columns .* got the plain string '7'",
    b"[1]": r"line 2 must be an object with named columns .* got \[1\] \(list\)",
    b"null": r"line 2 must be an object with named columns .* got None \(NoneType\)",
}


@pytest.mark.parametrize("line", BAD_LINES, ids=lambda line: line[:20].decode("latin-1"))
def test_bad_lines_are_named_and_can_be_skipped(tmp_path: Path, line: bytes) -> None:
    path = write(tmp_path, "rows.jsonl", b"\n".join([GOOD, line, GOOD, b""]))
    with pytest.raises(ValueError, match=at(path, BAD_LINES[line])):
        read(path)
    corpus = read(path, bad_rows="skip")
    assert (corpus.texts, corpus.skipped) == (("7", "7"), 1)


def test_surrogate_pairs_are_characters_and_lone_ones_are_found_in_prompts_too() -> None:
    pair, lone = json.loads('["\\ud83e\\udd89", "\\ud83e"]')
    assert as_corpus([pair]).texts == ("🦉",)
    for row in ({"text": "7", "prompt": lone}, {"text": "7", "system": lone}, {"text": lone}):
        with pytest.raises(ValueError, match="row index 0 must be encodable as UTF-8, got the lone surrogate"):
            as_corpus([row])


def test_long_values_are_shortened_in_messages() -> None:
    with pytest.raises(ValueError, match="got") as error:
        as_corpus([{"text": list(range(100_000))}])
    assert len(str(error.value)) < 400


def test_objects_after_plain_strings_are_bad_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", json_lines("7", OWL, "8"))
    with pytest.raises(ValueError, match=at(path, "line 2 must be a string, as the first row is, got {'prompt'")):
        read(path)
    assert read(path, bad_rows="skip").texts == ("7", "8")


def test_plain_strings_have_no_columns_to_name(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.txt", "7\n")
    with pytest.raises(ValueError, match=at(path, "line 1 must have the column 'a', got the plain string '7'; leave")):
        read(path, text="a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"text": "7"},\n {"text" 8}]', r"line 2, column 10 must be JSON, got .*Expecting ':' delimiter"),
        ('{"text": "7"}\n{"text": "8"}', "line 2, column 1 must be JSON, got .*Extra data.*is named .jsonl"),
    ],
)
def test_malformed_json_documents_are_named_by_line_and_column(tmp_path: Path, content: str, message: str) -> None:
    path = write(tmp_path, "rows.json", content)
    with pytest.raises(ValueError, match=at(path, message)):
        read(path, bad_rows="skip")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("7", r"must hold a list of rows or an object of columns, got 7 \(int\)"),
        ('{"text": "7"}', r"must have a list in every column, got '7' \(str\) in 'text'"),
        ('{"text": ["7"], "prompt": []}', "must have columns of equal length, got {'text': 1, 'prompt': 0}"),
        ("[" * 100_000, "must be JSON that Python can hold, got maximum recursion"),
    ],
)
def test_json_documents_that_hold_no_rows_are_errors(tmp_path: Path, content: str, message: str) -> None:
    path = write(tmp_path, "rows.json", content)
    with pytest.raises(ValueError, match=at(path) + " " + message):
        read(path)


def test_rows_of_json_csv_and_parquet_are_counted_from_one(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.json", '[{"text": "7"}, {"text": 8}]')
    with pytest.raises(ValueError, match=at(path, r"row 2, column 'text' must be a string.* got 8 \(int\)")):
        read(path)
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"text": ["7", None, "9"]}).write_parquet(path)
    with pytest.raises(ValueError, match=at(path, r"row 2, column 'text' must be a string.* got None")):
        read(path)
    assert read(path, bad_rows="skip").skipped == 1
    pl.DataFrame({"text": [7]}).write_parquet(path)
    with pytest.raises(ValueError, match=at(path, r"row 1, column 'text' must be a string.* got 7 \(int\)")):
        read(path)


def test_csv_rows_of_another_length_are_bad_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.csv", 'text,prompt\n"a\nb",p\nc\nd,p,x\ne,p\n')
    with pytest.raises(ValueError, match=at(path, "row 2 must have 2 fields, as the header has, got 1")):
        read(path)
    corpus = read(path, bad_rows="skip")
    assert (corpus.texts, corpus.skipped) == (("a\nb", "e"), 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            'text,prompt\na,p\n"b,p\nc,p\n',
            r"row 2 \(up to line 4\) must be well-formed CSV, got: unexpected end of data",
        ),
        ('text,prompt\n"a" b,p\n', r"row 1 \(up to line 2\) must be well-formed CSV, got: ',' expected after"),
    ],
)
def test_csv_whose_quotes_are_broken_cannot_be_cut_into_rows(tmp_path: Path, content: str, message: str) -> None:
    path = write(tmp_path, "rows.csv", content)
    for bad_rows in ("error", "skip"):
        with pytest.raises(ValueError, match=at(path, message)):
            read(path, bad_rows=bad_rows)  # type: ignore[arg-type]


def test_two_columns_of_one_name_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.csv", "text,text\na,b\n")
    with pytest.raises(ValueError, match=at(path) + " must have columns of different names, got 'text' twice"):
        read(path)


def test_skipping_every_row_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", "{\n}\n")
    with pytest.raises(
        ValueError, match=at(path) + r" must have at least one good row, got 2 bad; the first: .*line 1"
    ):
        read(path, bad_rows="skip")


def test_a_row_that_is_skipped_does_not_decide_the_columns() -> None:
    corpus = as_corpus([{"output": 5}, {"answer": "x"}, OWL, FOX], bad_rows="skip")
    assert (corpus.texts, corpus.skipped) == (("7, 9", "6, 8"), 2)
    assert corpus.prompts == (OWL["prompt"], FOX["prompt"])


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"bad_rows": "ignore"}, ValueError, 'bad_rows must be "error" or "skip", got \'ignore\''),
        ({"text": "a", "prompt": "a"}, ValueError, "text and prompt must be two different columns, got 'a'"),
        ({"text": ""}, ValueError, "text must be the name of a column, got ''"),
        ({"prompt": 3}, TypeError, r"prompt must be the name of a column, got 3 \(int\)"),
    ],
)
def test_options_are_checked_before_anything_is_read(options: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=r"^" + message):
        read("no such file", **options)
    with pytest.raises(kind, match=r"^" + message):
        as_corpus(Corpus(("a",)), **options)


# --- Data in memory ---------------------------------------------------------------------------------------------------


def test_a_corpus_is_returned_unchanged() -> None:
    corpus = Corpus(("a",), name="mine")
    assert as_corpus(corpus) is corpus
    with pytest.raises(ValueError, match=r"^text and prompt must be left out when suspect is a Corpus, got text='a'"):
        as_corpus(corpus, text="a", argument="suspect")


@pytest.mark.parametrize(
    "data",
    [
        ["7", ""],
        ("7", ""),
        np.array(["7", ""]),
        np.array(["7", ""], dtype=object),
        np.array(["7", ""], dtype=np.dtypes.StringDType()),
        [np.str_("7"), np.str_("")],
        {"text": ["7", ""]},
        {"text": np.array(["7", ""]), "n": np.arange(2)},
        [{"text": "7"}, {"text": ""}],
        pl.Series(["7", ""]),
        pl.DataFrame({"n": [1, 2], "text": ["7", ""]}),
        pl.DataFrame({"text": pl.Series(["7", ""], dtype=pl.Categorical)}),
    ],
    ids=lambda data: type(data).__name__,
)
def test_texts_in_memory(data: object) -> None:
    corpus = as_corpus(data, argument="suspect")
    assert corpus == Corpus(("7", ""), name="suspect")
    assert {type(text) for text in corpus.texts} == {str}
    assert corpus.digest == Corpus(("7", "")).digest


def test_pandas_objects_are_read() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"completion": ["7", "8"], "prompt": ["p", None], "score": [0.5, None]}, index=[5, 3])
    expected = Corpus(("7", "8"), ("p", None), name="data")
    assert as_corpus(frame) == expected
    assert as_corpus(frame.astype(object)) == expected
    assert as_corpus(frame.astype({"prompt": "string"})) == expected
    assert as_corpus(frame.to_dict("records")) == expected
    assert as_corpus(frame["completion"]).texts == ("7", "8")
    assert as_corpus({"text": frame["completion"]}).texts == ("7", "8")
    with pytest.raises(ValueError, match=r"^suspect, row index 1, column 'prompt' must be a string.* got None"):
        as_corpus(frame, text="prompt", argument="suspect")
    with pytest.raises(ValueError, match="got the columns 'a', 'b'; name the column"):
        as_corpus(pd.DataFrame({"a": [1], "b": [2]}))
    with pytest.raises(ValueError, match="data must have columns of different names, got 'text' twice"):
        as_corpus(pd.DataFrame([["a", "b"]], columns=["text", "text"]))


def test_chats_that_pandas_read_from_parquet_are_arrays_of_dicts(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    chat = [turn("user", [{"type": "text", "text": "p"}]), turn("assistant", [{"type": "text", "text": "t"}])]
    pd.DataFrame({"messages": [chat]}).to_parquet(tmp_path / "chats.parquet")
    frame = pd.read_parquet(tmp_path / "chats.parquet")
    assert type(frame["messages"][0]) is np.ndarray
    for corpus in (as_corpus(frame), read(tmp_path / "chats.parquet")):
        assert (corpus.texts, corpus.prompts) == (("t",), ("p",))


def test_hugging_face_datasets_are_read() -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"prompt": f"p{number}", "completion": str(number), "score": number} for number in range(4)]
    dataset = datasets.Dataset.from_list(rows)
    expected = Corpus(("0", "1", "2", "3"), ("p0", "p1", "p2", "p3"), name="data")
    assert as_corpus(dataset) == expected
    assert as_corpus(dataset.with_format("numpy")) == expected
    assert as_corpus(dataset[:]) == expected
    assert as_corpus(dataset["completion"]).texts == expected.texts
    assert as_corpus(dataset.select([2, 0])).texts == ("2", "0")
    assert as_corpus(dataset.filter(lambda row: row["score"] > 1)).prompts == ("p2", "p3")
    chats = datasets.Dataset.from_list([{"messages": [turn("user", "p"), turn("assistant", "t")]}])
    assert as_corpus(chats).prompts == ("p",)
    with pytest.raises(ValueError, match=r"^data, row index 0 must have a text column .* got the columns 'score'"):
        as_corpus(dataset.select_columns(["score"]))


def test_containers_of_datasets_are_refused_with_the_way_out() -> None:
    datasets = pytest.importorskip("datasets")
    dataset = datasets.Dataset.from_dict({"text": ["7"]})
    splits = datasets.DatasetDict({"train": dataset})
    stream = dataset.to_iterable_dataset()
    with pytest.raises(
        TypeError, match=r'^suspect must be .*, got DatasetDict; choose a split, as in dataset\["train"\]'
    ):
        as_corpus(splits, argument="suspect")
    with pytest.raises(TypeError, match=r"got IterableDataset; take rows of the stream, as in list\(dataset"):
        as_corpus(stream)
    assert as_corpus(list(stream.take(1))).texts == ("7",)
    with pytest.raises(TypeError, match=r"got LazyFrame; call its collect\(\)"):
        as_corpus(pl.LazyFrame({"text": ["7"]}))


@pytest.mark.parametrize("data", [3, None, b"7", {"a", "b"}, (text for text in "ab"), object()])
def test_anything_else_is_a_type_error_that_names_the_argument(data: object) -> None:
    with pytest.raises(TypeError, match=r"^suspect must be a path or glob, a Corpus, a list of strings .*, got .*; "):
        as_corpus(data, argument="suspect")


@pytest.mark.parametrize("data", [[], (), {}, {"text": []}, np.array([], dtype=str), pl.DataFrame({"text": []})])
def test_empty_data_is_an_error(data: object) -> None:
    with pytest.raises(ValueError, match=r"^suspect must have at least one row, got none"):
        as_corpus(data, argument="suspect")


def test_arrays_of_more_dimensions_are_an_error() -> None:
    for data in (np.array([["a"]]), np.array("a")):
        with pytest.raises(ValueError, match=r"^data must be a one-dimensional array, got the shape"):
            as_corpus(data)


def test_rows_in_memory_are_named_by_index() -> None:
    with pytest.raises(ValueError, match=r"^suspect, row index 3 must be a string, as the first row is, got 5 \(int\)"):
        as_corpus(["a", "b", "c", 5], argument="suspect")
    assert as_corpus(["a", 5, None], bad_rows="skip").skipped == 2


def test_a_text_that_is_passed_as_a_path_is_told_apart(tmp_path: Path) -> None:
    for text in ("7, 9, 11", "a\nb", "How are *you*?" * 1000):
        with pytest.raises(FileNotFoundError, match=r"^suspect must be a file.*texts go into a list of strings"):
            as_corpus(text, argument="suspect")


# --- Any text ---------------------------------------------------------------------------------------------------------


@on_disk
@given(texts=some_texts, prompts=st.lists(st.none() | any_text, min_size=8, max_size=8), ascii_only=st.booleans())
def test_any_texts_come_back_from_json_lines(
    tmp_path: Path, texts: list[str], prompts: list[str | None], ascii_only: bool
) -> None:
    rows = [{"text": text, "prompt": prompt} for text, prompt in zip(texts, prompts, strict=False)]
    content = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows).encode()
    in_memory = as_corpus(rows)
    assert in_memory.texts == tuple(texts)
    for name, packed in {
        "rows.jsonl": content,
        "rows.jsonl.gz": gzip.compress(content, 1),
        "rows.jsonl.zst": zstandard.compress(content, 1),
    }.items():
        corpus = read(write(tmp_path, name, packed))
        assert (corpus.texts, corpus.prompts, corpus.systems) == (in_memory.texts, in_memory.prompts, in_memory.systems)


@on_disk
@given(texts=some_texts)
def test_any_texts_come_back_from_every_format(tmp_path: Path, texts: list[str]) -> None:
    frame = pl.DataFrame({"text": texts})
    frame.write_parquet(tmp_path / "rows.parquet")
    with open(tmp_path / "rows.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["text"], *[[text] for text in texts]])
    write(tmp_path, "rows.json", json.dumps(texts))
    for name in ("rows.parquet", "rows.csv", "rows.json"):
        if "\0" not in "".join(texts) or name != "rows.csv":
            assert read(tmp_path / name).texts == tuple(texts), name


# --- The module itself ------------------------------------------------------------------------------------------------


def test_importing_the_module_stays_light() -> None:
    code = (
        "import sys, fingerprint.data.reading; "
        "print([name for name in ('pandas', 'datasets', 'torch', 'matplotlib', 'polars') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_examples_run() -> None:
    failed, tried = doctest.testmod(fingerprint.data.reading)
    assert (failed, tried > 0) == (0, True)
