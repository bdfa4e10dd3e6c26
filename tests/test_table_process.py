"""Tables decoded by another process: honest ones of long rows are read, and what that process may take has bounds."""

from __future__ import annotations

import gzip
import json
import os
import random
import threading
from collections import deque
from pathlib import Path

import polars as pl
import pytest
import zstandard
from data_on_disk import OWL, at

from fingerprint.data import columnar, limits, table_process
from fingerprint.data.batches import batches
from fingerprint.data.formats import begin_decoding
from fingerprint.data.reading import read
from fingerprint.data.table_reader import _names_of_arrow, _plain

DRAW = random.Random(5)




def test_a_long_prompt_that_all_rows_share_is_read_in_slices_of_few_rows(tmp_path: Path) -> None:
    path = tmp_path / "shared.parquet"
    answers = [DRAW.randbytes(20).hex() for _ in range(1000)]
    pl.DataFrame({"prompt": ["7" * 40_000] * 1000, "completion": answers}).write_parquet(path, statistics=False)
    assert os.path.getsize(path) * 200 + (1 << 25) < 1000 * 40_000  # one slice of all would be too much
    found = list(batches(path))
    assert len(found) > 1
    assert [text for batch in found for text in batch.texts] == answers


def test_a_category_that_rows_share_counts_in_each_of_them(tmp_path: Path) -> None:
    path = tmp_path / "shared.parquet"
    text = pl.lit("7" * (1 << 20)).repeat_by(100).explode()
    pl.select(text.cast(pl.Categorical).alias("text")).write_parquet(path, statistics=False)
    with pytest.raises(ValueError, match=at(path) + r" must hold at most .* bytes unpacked"):
        list(batches(path))


@pytest.mark.parametrize("kind", [pl.Categorical(), pl.Enum(["7", "8"])])
def test_categories_within_lists_and_structs_become_texts(kind: pl.DataType) -> None:
    frame = pl.DataFrame({"a": ["7", "8", None]}).cast(kind)
    frame = frame.with_columns(b=pl.concat_list("a"), c=pl.struct("a", d=pl.concat_list(pl.struct("a"))), n=pl.lit(1))
    found = _plain(frame)
    assert "Categorical" not in str(found.schema)
    assert "Enum" not in str(found.schema)
    assert found.rows() == frame.rows()


def test_a_decompressed_copy_has_the_limits_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, path, sizes = tmp_path / "a.parquet", tmp_path / "b.parquet.gz", []

    def spied(*args: object, **given: object) -> object:
        sizes.append(given["size"])
        return table_process.columns_of(*args, **given)  # type: ignore[arg-type]

    pl.DataFrame([OWL] * 3).write_parquet(plain)
    path.write_bytes(gzip.compress(plain.read_bytes()))
    monkeypatch.setattr(columnar, "columns_of", spied)
    assert len(read(path)) == 3
    assert set(sizes) == {os.path.getsize(path)}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of POSIX")
def test_a_file_that_takes_too_long_is_told_apart_from_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "never.arrow")
    os.mkfifo(path)
    monkeypatch.setattr(table_process, "_SECONDS_OF_CLOCK", 0.1)
    with limits.raised(seconds=1), pytest.raises(ValueError, match=r"got one that took longer; .*seconds=N"):
        table_process.columns_of("an Arrow file", path, {"kind": "arrow"}, place=path)


def test_a_process_that_does_not_start_is_no_damage_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame([OWL]).write_parquet(path)
    table_process._end()
    monkeypatch.setattr(table_process, "_START_SECONDS", 0.01)
    with pytest.raises(OSError, match=r"the process that decodes tables must start, got nothing in 0 s"):
        read(path)


def test_what_decodes_tables_starts_before_it_is_asked_and_once(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame([OWL]).write_parquet(path)
    table_process._end()
    begin_decoding(["a.jsonl", "b.csv.gz", "folder"])
    assert not table_process._kept
    begin_decoding(["a.jsonl", "b.parquet.zst"])
    begin_decoding(["*.arrow"])
    (started,) = table_process._kept
    assert len(read(path)) == 1
    assert table_process._kept == [started]
    started.child.kill()
    started.child.wait()
    assert len(read(path)) == 1  # by another one


@pytest.mark.skipif(not os.path.exists("/proc/self/limits"), reason="/proc is of Linux")
def test_limits_of_a_request_end_with_its_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame([OWL]).write_parquet(path)
    with limits.raised(expansion=10**18):  # more than any number of bytes that a limit can be
        read(path)
    lines = Path(f"/proc/{table_process._kept[0].child.pid}/limits").read_text().splitlines()
    for line in (line for line in lines if line.startswith(("Max cpu time", "Max data size"))):
        soft, hard = line[26:].split()[:2]
        assert soft == hard


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are of POSIX")
def test_a_fork_has_a_lock_of_its_own_and_no_process(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame([OWL]).write_parquet(path)
    read(path)
    with table_process._lock:
        child = os.fork()
        if not child:
            os._exit(0 if table_process._lock.acquire(timeout=1) and not table_process._kept else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert len(read(path)) == 1


@pytest.mark.parametrize("is_stream", [False, True])
def test_names_of_an_arrow_file_are_read_without_its_values(tmp_path: Path, is_stream: bool) -> None:
    path, frame = tmp_path / "a.arrow", pl.DataFrame([OWL] * 100_000)
    (frame.write_ipc_stream if is_stream else frame.write_ipc)(path)
    with open(path, "rb") as file:
        _names_of_arrow(file)
        assert file.tell() < os.path.getsize(path) // 10 or not is_stream
    names, _ = table_process.columns_of("an Arrow file", "a.arrow", {"kind": "arrow"}, place=str(path))
    assert names == frame.columns


def test_two_open_csv_files_do_not_shorten_the_fields_of_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\n1\n" + "7" * 200_000 + "\n")
    (tmp_path / "b.csv").write_text("text\n1\n2\n")
    other, open_one = batches(tmp_path / "b.csv", size=1), batches(tmp_path / "a.csv", size=1)
    next(other)
    next(open_one)
    deque(other, maxlen=0)
    assert len(next(open_one).texts[0]) == 200_000


def test_a_quote_that_is_never_closed_ends_at_the_limit_of_a_line(tmp_path: Path) -> None:
    (path := tmp_path / "a.csv").write_text('text\n1\n"2\n' + "3\n" * 100)
    message = at(path) + r", record 3 .* a quote not closed.*line=N"
    with limits.raised(line=100), pytest.raises(ValueError, match=message):
        read(path)


def test_raised_limits_are_those_of_the_thread_that_raised_them() -> None:
    found = []
    with limits.raised(rows=7), limits.raised(rows=7):
        thread = threading.Thread(target=lambda: found.append(limits.limits().rows))
        thread.start()
        thread.join()
        assert limits.limits().rows == 7
    assert found == [limits.limits().rows] != [7]


def test_a_long_prompt_that_all_lines_share_is_read_from_compressed_lines(tmp_path: Path) -> None:
    path = tmp_path / "shared.jsonl.zst"
    lines = (json.dumps({"prompt": "7" * 40_000, "completion": DRAW.randbytes(10).hex()}) for _ in range(1500))
    path.write_bytes(zstandard.compress("\n".join(lines).encode()))
    assert os.path.getsize(path) * 200 + (1 << 25) < 1500 * 40_000
    assert sum(map(len, batches(path))) == 1500
