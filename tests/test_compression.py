"""Compressed files, whole, in pieces, truncated and damaged."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import zstandard
from data_on_disk import FOX, OWL, at, json_lines, write

from fingerprint.data.reading import read


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
    zst = zstandard.ZstdCompressor(write_checksum=True).compress(content)  # as the command zstd writes it
    for name, packed in (("a.jsonl.gz", gzip.compress(content)), ("a.jsonl.zst", zst)):
        half = len(packed) // 2
        path = write(tmp_path, name, packed[:half] + bytes(64) + packed[half + 64 :])
        with pytest.raises(ValueError, match=at(path) + " must be complete compressed data"):
            read(path)


def test_a_name_that_promises_compression_must_keep_its_promise(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl.gz", json_lines(OWL))
    with pytest.raises(ValueError, match=at(path) + " must be compressed, as its name says, got the bytes .*; rename"):
        read(path)
