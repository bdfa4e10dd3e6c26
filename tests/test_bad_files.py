"""Files that hold no rows, no text, or something else than their name says."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from data_on_disk import OWL, at, json_lines, write

from fingerprint.data.reading import read


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
        ("b.jsonl.gz", gzip.compress(b"", mtime=0)),
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
        (gzip.compress(gzip.compress(b"text", mtime=0), mtime=0), "gzip data, compressed twice"),
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
        ("[" + "9" * 5000 + "]", "must be JSON that Python can hold, got Exceeds the limit"),
    ],
)
def test_json_documents_that_hold_no_rows_are_errors(tmp_path: Path, content: str, message: str) -> None:
    path = write(tmp_path, "rows.json", content)
    with pytest.raises(ValueError, match=at(path) + " " + message):
        read(path)
