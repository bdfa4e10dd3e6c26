"""Paths and globs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from data_on_disk import at, json_lines, write

from fingerprint.data.reading import as_corpus, read


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
