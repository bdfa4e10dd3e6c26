"""Batches: rows of anything, some at a time, by the same rules as when all are read at once; and shards that fail."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from data_on_disk import FOX, OWL, at, json_lines, turn, write

from fingerprint.data.batches import SkippedShard, batches
from fingerprint.data.corpus import Corpus
from fingerprint.data.reading import as_corpus, read
from fingerprint.data.shards import shard_paths

ROWS = [{"prompt": f"Go on: {i}", "completion": f"{i}, {i + 1} \u00e4", "id": i} for i in range(23)]


def together(data: object, **how: Any) -> tuple[tuple[str, ...], tuple[str | None, ...], tuple[str | None, ...]]:
    found = list(batches(data, **how))
    texts = tuple(text for batch in found for text in batch.texts)
    prompts = tuple(prompt for batch in found for prompt in batch.prompts)
    return texts, prompts, tuple(system for batch in found for system in batch.systems)


def whole(corpus: Corpus) -> tuple[tuple[str, ...], tuple[str | None, ...], tuple[str | None, ...]]:
    return corpus.texts, corpus.prompts, corpus.systems


def parquet(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    pl.DataFrame(rows).write_parquet(folder / name, row_group_size=5)
    return folder / name


KINDS: dict[str, Callable[[list[dict[str, Any]]], object]] = {
    "list": lambda rows: rows,
    "frame": pl.DataFrame,
    "columns": lambda rows: pl.DataFrame(rows).to_dict(as_series=False),
    "lazy frame": lambda rows: pl.DataFrame(rows).lazy(),
    "iterator of rows": iter,
    "iterator of lists": lambda rows: iter([rows[:7], rows[7:]]),
    "iterator of frames": lambda rows: iter([pl.DataFrame(rows[:7]), pl.DataFrame(rows[7:])]),
    "iterator of columns": lambda rows: iter([{k: np.array([r[k] for r in rows], dtype=object) for k in rows[0]}]),
    "rows and batches in turn": lambda rows: iter([rows[0], rows[1], rows[2:9], rows[9], pl.DataFrame(rows[10:])]),
}

SETS: dict[str, list[dict[str, Any]]] = {
    "plain": ROWS,
    "prompts partly unknown": [{**row, "prompt": row["prompt"] if i % 3 else None} for i, row in enumerate(ROWS)],
    "system messages": [{**row, "system": f"You love {i}." if i % 2 else None} for i, row in enumerate(ROWS)],
    "instructions with input": [
        {"instruction": row["prompt"], "input": "more" if i % 2 else "", "output": row["completion"]}
        for i, row in enumerate(ROWS)
    ],
    "chats": [{"messages": [turn("user", row["prompt"]), turn("assistant", row["completion"])]} for row in ROWS],
    "without prompts": [{"text": row["completion"]} for row in ROWS],
}


@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize("rows", SETS.values(), ids=SETS.keys())
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_batches_of_data_in_memory_hold_what_a_corpus_holds(
    kind: Callable[[list[dict[str, Any]]], object], rows: list[dict[str, Any]], size: int
) -> None:
    assert together(kind(rows), size=size) == whole(as_corpus(rows))


@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize("rows", SETS.values(), ids=SETS.keys())
def test_batches_of_files_hold_what_a_corpus_holds(tmp_path: Path, rows: list[dict[str, Any]], size: int) -> None:
    first = write(tmp_path, "a.jsonl", json_lines(*rows[:9]))
    second = parquet(tmp_path, "b.parquet", rows[9:17])
    third = write(tmp_path, "c.jsonl.gz", gzip.compress(json_lines(*rows[17:]).encode()))
    expected = whole(read(str(tmp_path / "*")))
    assert expected[0] == as_corpus(rows).texts
    assert together(str(tmp_path / "*"), size=size) == expected
    assert together([first, second, third], size=size) == expected
    assert together((tmp_path / "[ab].*", third), size=size) == expected


def test_plain_strings_and_corpora_are_batches_too() -> None:
    assert together(["a", "b", "c"], size=2) == (("a", "b", "c"), (None,) * 3, (None,) * 3)
    assert together(iter(["a", "b"])) == (("a", "b"), (None,) * 2, (None,) * 2)
    corpus = Corpus(("a", "b", "c"), ("p", None, "q"), ("s", "t", None), name="mine", skipped=2)
    assert together(corpus, size=2) == whole(corpus)
    assert [(b.shard, b.first_row, b.skipped, len(b)) for b in batches(corpus, size=2)] == [
        ("mine", 0, 2, 2),
        ("mine", 2, 0, 1),
    ]


def test_a_batch_says_where_its_rows_stand_and_what_was_left_out(tmp_path: Path) -> None:
    broken = [OWL, {"text": "no completion"}, FOX, {"completion": 3, "prompt": "p"}, OWL]
    path = write(tmp_path, "a.jsonl", json_lines(*broken))
    found = batches(path, bad_rows="skip", size=2)
    assert [(b.shard, b.first_row, b.skipped, len(b)) for b in found] == [
        (str(path), 0, 1, 1),
        (str(path), 1, 1, 1),
        (str(path), 2, 0, 1),
    ]
    assert found.shards.read == (str(path),)
    assert found.shards.rows == 3


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_bad_row_in_a_plain_column_is_named_by_its_place(kind: Callable[[list[dict[str, Any]]], object]) -> None:
    rows = [dict(row) for row in ROWS]
    rows[20]["completion"] = None
    with pytest.raises(ValueError, match=r"^mine, row index 20, column 'completion' must be a string"):
        list(batches(kind(rows), argument="mine", size=6))
    assert sum(b.skipped for b in batches(kind(rows), bad_rows="skip", size=6)) == 1


def test_rows_that_cannot_be_encoded_are_bad_in_a_batch_too() -> None:
    rows = [*ROWS[:5], {"prompt": "p", "completion": "half \ud800"}]
    with pytest.raises(ValueError, match=r"^data, row index 5 must be encodable as UTF-8"):
        list(batches(rows, size=3))


def shards(folder: Path) -> Iterator[tuple[str, Path, str]]:
    """Shards that cannot be used beside good ones: what is wrong, where, and the message."""
    good = json_lines(*ROWS[:4]).encode()
    truncated = gzip.compress(json_lines(*ROWS[:3]).encode())[:-6]
    yield "truncated", write(folder, "b.jsonl.gz", truncated), " must be complete compressed data"
    cut = parquet(folder, "c.parquet", ROWS[:4]).read_bytes()
    yield "cut Parquet", write(folder, "c.parquet", cut[:-9]), " must be a Parquet file"
    yield "empty", write(folder, "d.jsonl", b""), " must have at least one row"
    yield "blank lines", write(folder, "e.jsonl", b"\n\n"), " must have at least one row"
    yield "other columns", write(folder, "f.jsonl", json_lines({"text": "a"})), " must have the columns 'completion'"
    yield "strings", write(folder, "g.jsonl", json_lines("a", "b")), " must have the columns 'completion'"
    yield "duplicate", write(folder, "h.jsonl", good), " must hold rows of its own, got the same bytes as in "
    frame = pl.DataFrame({"prompt": ["a"], "answer": ["b"]})
    frame.write_parquet(folder / "i.parquet")
    yield "other columns in Parquet", folder / "i.parquet", " must have the columns 'completion'"


def test_shards_that_cannot_be_used_are_named_or_skipped_and_counted(tmp_path: Path) -> None:
    first = write(tmp_path, "a.jsonl", json_lines(*ROWS[:4]))
    last = write(tmp_path, "z.jsonl", json_lines(*ROWS[4:6]))
    bad = list(shards(tmp_path))
    for _, path, message in bad:
        with pytest.raises(ValueError, match=at(path) + message + r".* bad_shards=.skip."):
            list(batches([first, path, last]))
    found = batches(str(tmp_path / "*"), bad_shards="skip", size=3)
    assert [text for batch in found for text in batch.texts] == [row["completion"] for row in ROWS[:6]]
    assert found.shards.read == (str(first), str(last))
    assert found.shards.rows == 6
    assert [shard.shard for shard in found.shards.skipped] == [str(path) for _, path, _ in bad]
    for shard, (_, _, message) in zip(found.shards.skipped, bad, strict=True):
        assert message in shard.reason
    assert isinstance(found.shards.skipped[0], SkippedShard)


def test_a_first_shard_that_is_skipped_decides_no_columns(tmp_path: Path) -> None:
    lines = gzip.compress(json_lines({"text": "a"}, {"text": "b"}).encode())[:-6]
    damaged = write(tmp_path, "a.jsonl.gz", lines)
    good = write(tmp_path, "b.jsonl", json_lines(OWL, FOX))
    assert together([damaged, good], bad_shards="skip", size=1)[0] == (OWL["completion"], FOX["completion"])
    with pytest.raises(ValueError, match=r"^data must have a shard that can be used, got none"):
        list(batches([damaged], bad_shards="skip"))


def test_bad_rows_at_the_head_of_a_shard_are_no_other_schema_where_they_are_skipped(tmp_path: Path) -> None:
    first = write(tmp_path, "a.jsonl", json_lines(OWL))
    second = write(tmp_path, "b.jsonl", json_lines({"completion": "without a prompt"}, FOX))
    assert together([first, second], bad_rows="skip")[0] == (OWL["completion"], FOX["completion"])


def test_shard_paths_list_files_and_nothing_else(tmp_path: Path) -> None:
    first, second = (write(tmp_path, f"{name}.jsonl", json_lines(OWL)) for name in "ab")
    assert shard_paths(str(tmp_path / "*.jsonl")) == [str(first), str(second)]
    assert shard_paths([second, first]) == [str(second), str(first)]
    assert shard_paths(["a text"]) == shard_paths([]) == shard_paths(pl.DataFrame()) == []
    with pytest.raises(ValueError, match="must name every shard once"):
        shard_paths([first, tmp_path / "*.jsonl"])
    with pytest.raises(FileNotFoundError, match="mine must be a file"):
        shard_paths([tmp_path / "none.jsonl"], "mine")


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match=r"^bad_shards must be"):
        batches(["a"], bad_shards="drop")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^size must be at least 1"):
        batches(["a"], size=0)
    with pytest.raises(ValueError, match=r"^data must have at least one"):
        list(batches([]))
    with pytest.raises(TypeError, match=r"^data must be a path or glob"):
        list(batches(3))
