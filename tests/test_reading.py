"""Rows that cannot be used: named by their place, or left out and counted."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from data_on_disk import FOX, OWL, at, json_lines, write

import fingerprint.data.reading
from fingerprint.data.corpus import Corpus
from fingerprint.data.reading import as_corpus, read

GOOD = b'{"text": "7"}'
BAD_LINES = {
    b'{"text": "7"': r"line 2, column 13 must be one JSON value, got '.*' \(Expecting ',' delimiter\)",
    b'{"text": "7"} {': "line 2, column 15 must be one JSON value, got .*Extra data",
    b"[" * 100_000: r"line 2, column 101 must be one JSON value, got brackets within brackets 101 deep",
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
            read(path, bad_rows=bad_rows)


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
