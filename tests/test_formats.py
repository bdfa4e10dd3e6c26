"""Every file format that a corpus comes in."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import threading
from pathlib import Path

import polars as pl
import pytest
import zstandard
from data_on_disk import FOX, OWL, any_text, at, json_lines, on_disk, some_texts, turn, write
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.data.columns import CHATS, CHOSEN, PROMPT_COLUMNS, REJECTED, STEPS, TEXT_COLUMNS, TOOL_CALLS
from fingerprint.data.compression import COMPRESSIONS
from fingerprint.data.corpus import Corpus
from fingerprint.data.formats import FORMATS
from fingerprint.data.notes import ReadingNote
from fingerprint.data.reading import as_corpus, read


def test_the_documentation_of_read_lists_every_format() -> None:
    assert read.__doc__ is not None
    assert [ending for ending in FORMATS if f"``{ending}``" not in read.__doc__] == []


def test_the_page_on_inputs_lists_every_format_and_every_column() -> None:
    page = (Path(__file__).parents[1] / "docs" / "reference" / "inputs.md").read_text(encoding="utf-8")
    names = (*FORMATS, *COMPRESSIONS, *TEXT_COLUMNS, *PROMPT_COLUMNS, *CHATS, CHOSEN, REJECTED, STEPS, TOOL_CALLS)
    assert [name for name in names if f"`{name}`" not in page] == []


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


def test_rows_under_a_name_of_their_own_are_pointed_to(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.json", json.dumps({"model": "m", "results": [OWL, FOX]}))
    with pytest.raises(ValueError, match=at(path) + ".* got 'm' .* 'model'; write the list in 'results' alone"):
        read(path)


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


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_what_separates_fields_is_seen_in_the_header_and_said(tmp_path: Path, separator: str, name: str) -> None:
    content = f'id{separator}prompt{separator}text\n1{separator}p{separator}"7, 9{separator} ""x"""\n'
    path = write(tmp_path, "rows.csv", content)
    with pytest.warns(ReadingNote, match=at(path) + f": its fields are separated by {name}, as its header shows"):
        corpus = read(path)
    assert (corpus.texts, corpus.prompts) == ((f'7, 9{separator} "x"',), ("p",))
    with pytest.warns(ReadingNote), pytest.raises(ValueError, match=r"got the columns 'frage', 'antwort'; name"):
        read(write(tmp_path, "german.csv", f"frage{separator}antwort\n1{separator}2\n"))


def test_a_separator_is_only_another_where_the_header_has_more_known_columns_with_it(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.csv", "text\na;b\n")).texts == ("a;b",)
    assert read(write(tmp_path, "b.csv", "text,a;b;c\nx,y\n")).texts == ("x",)
    assert read(write(tmp_path, "c.psv", "prompt|text\np|a,b\n")).texts == ("a,b",)
    with pytest.warns(ReadingNote, match="separated by commas"):
        assert read(write(tmp_path, "d.tsv", "prompt,text\np,x\n")).texts == ("x",)


def test_blanks_before_quotes_and_around_names_of_columns_are_no_part_of_the_fields(tmp_path: Path) -> None:
    corpus = read(write(tmp_path, "a.csv", '"prompt", "text"\n"p", "a, b"\n'))
    assert (corpus.texts, corpus.prompts) == (("a, b",), ("p",))
    corpus = read(write(tmp_path, "b.csv", "prompt, text\n, 7\n"))
    assert (corpus.texts, corpus.prompts) == ((" 7",), (None,))


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


@pytest.mark.parametrize("ending", [".arrow", ".feather", ".ipc", ".arrow.gz"])
@pytest.mark.parametrize("is_stream", [False, True])
def test_arrow_files_and_streams_follow_the_same_rules(tmp_path: Path, ending: str, is_stream: bool) -> None:
    columns = {"system": ["s", None], "response": ["7", ""], "embedding": [[0.5], [1.5]], "question": ["p", None]}
    frame = pl.DataFrame(columns)
    content = io.BytesIO()
    (frame.write_ipc_stream if is_stream else frame.write_ipc)(content)
    whole = content.getvalue()
    path = write(tmp_path, f"rows{ending}", gzip.compress(whole) if ending.endswith(".gz") else whole)
    assert read(path) == Corpus(("7", ""), ("p", None), ("s", None), name=str(path))
    for length in (4, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        with pytest.raises(ValueError, match=at(path) + " must be a"):
            read(write(tmp_path, f"rows{ending}", gzip.compress(whole[:length])))


def test_other_files_under_an_arrow_name_are_refused(tmp_path: Path) -> None:
    for content, message in ((b"FEA1" + bytes(99), "got Feather of version 1"), (b'{"text": "7"}', "without its end")):
        with pytest.raises(ValueError, match=message):
            read(write(tmp_path, "rows.arrow", content))


@pytest.mark.parametrize("name", ["rows.txt", "rows", "rows.txt.gz"])
def test_plain_text_is_one_row_a_line_and_blank_lines_are_rows(tmp_path: Path, name: str) -> None:
    content = b"7, 9\n\n  spaced \r\n[1]\n\n"
    path = write(tmp_path, name, gzip.compress(content) if name.endswith(".gz") else content)
    assert read(path).texts == ("7, 9", "", "  spaced ", "[1]", "")


def test_a_file_of_an_unknown_format_is_read_line_by_line_and_that_is_said(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.md", b"7, 9\n\n8\n")
    with pytest.warns(ReadingNote, match=at(path) + r": each line is a row, for \.md is the name of no format"):
        assert read(path).texts == ("7, 9", "", "8")


def test_json_lines_without_a_telling_suffix_are_not_taken_for_plain_text(tmp_path: Path) -> None:
    assert read(write(tmp_path, "rows", json_lines(OWL))).texts == ("7, 9",)
    assert read(write(tmp_path, "rows.dat", '\ufeff \n{ "text": "7"}\n')).texts == ("7",)
    path = write(tmp_path, "rows.txt", json_lines(OWL))
    with pytest.warns(ReadingNote, match=at(path) + ": a line is a text, though the first is an object"):
        assert read(path).texts == (json.dumps(OWL),)
    assert read(write(tmp_path, "other.txt", '{"owl": 1}\n{\n')).texts == ('{"owl": 1}', "{")


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
