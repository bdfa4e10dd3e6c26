"""Paths and globs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from data_on_disk import at, json_lines, write

from fingerprint.data.batches import batches
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


def test_strings_that_are_all_files_are_shards_and_never_texts(tmp_path: Path) -> None:
    first, second = (write(tmp_path, f"{name}.jsonl", json_lines({"text": name})) for name in "ab")
    assert as_corpus([str(first), str(second)]).texts == ("a", "b")
    assert as_corpus((str(second), first)).texts == ("b", "a")
    assert as_corpus([str(tmp_path / "*.jsonl")]).texts == ("a", "b")
    assert [batch.texts for batch in batches([str(first), str(second)])] == [["a"], ["b"]]
    missing = str(tmp_path / "c.jsonl")
    with pytest.raises(FileNotFoundError, match=r"^suspect must be a file.*c\.jsonl.*file names go into dicts"):
        as_corpus([str(first), missing], argument="suspect")
    with pytest.raises(ValueError, match=r"^data, row index 0 must be a text, got the name of a file"):
        as_corpus([str(first), "a text"])
    assert as_corpus(["Write it to rows.txt", "7.5", ""]).texts == ("Write it to rows.txt", "7.5", "")
    assert as_corpus([{"text": "rows.txt"}]).texts == ("rows.txt",)


def test_names_of_files_are_no_texts_wherever_they_stand(tmp_path: Path) -> None:
    path = str(write(tmp_path, "a.jsonl", json_lines({"text": "a"})))
    listed = write(tmp_path, "list.txt", f"{path}\n{path}\n")
    for data in (pl.Series([path]), pl.DataFrame({"text": [path]}), iter([path]), {"text": [path]}, listed):
        with pytest.raises(ValueError, match=r" must be a text, got the name of a file, .*; pass the files themselves"):
            as_corpus(data)


def test_a_near_name_is_suggested(tmp_path: Path) -> None:
    write(tmp_path, "suspect.jsonl", json_lines({"text": "a"}))
    with pytest.raises(FileNotFoundError, match=r"did you mean '.*suspect\.jsonl'\?$"):
        read(tmp_path / "suspct.jsonl")


def test_a_folder_is_answered_with_the_glob_of_its_rows(tmp_path: Path) -> None:
    for name in ("logs/a.txt", "data/b.jsonl.gz", "data/c.jsonl.gz", "state.bin"):
        write(tmp_path, name, "x")
    with pytest.raises(ValueError, match=r"use a glob: '.*/\*\*/\*\.jsonl\.gz'$"):
        read(tmp_path)
    with pytest.raises(ValueError, match=r"use a glob: '.*/logs/\*\.txt'$"):
        read(tmp_path / "logs")


def test_saved_datasets_are_read_from_their_folder(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"prompt": f"p{number}", "completion": str(number)} for number in range(5)]
    dataset = datasets.Dataset.from_list(rows)
    dataset.select([4, 2, 0]).save_to_disk(tmp_path / "one", num_shards=2)
    assert read(tmp_path / "one").texts == ("4", "2", "0")
    assert read(tmp_path / "one").prompts == ("p4", "p2", "p0")
    assert [batch.texts for batch in batches(tmp_path / "one")] == [["4", "2"], ["0"]]
    datasets.DatasetDict({"train": dataset, "test": dataset}).save_to_disk(tmp_path / "two")
    with pytest.raises(ValueError, match=r"^path must be one data set, .* with the splits 'train', 'test'.*/train'$"):
        read(tmp_path / "two")
    assert read(tmp_path / "two" / "train").texts == ("0", "1", "2", "3", "4")
    datasets.DatasetDict({"only": dataset}).save_to_disk(tmp_path / "three")
    assert read(tmp_path / "three").texts == ("0", "1", "2", "3", "4")
    (tmp_path / "one" / "state.json").write_text("{}")
    with pytest.raises(ValueError, match=r"state\.json must be written by Dataset\.save_to_disk"):
        read(tmp_path / "one")
