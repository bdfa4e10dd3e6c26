"""Fingerprints on a real Ray cluster: equal to those made here, to the last bit, whatever dies on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import ray
from data_on_disk import rows_of, write_rows
from killed_workers import killing

from fingerprint.data import cluster
from fingerprint.data.batches import ShardError
from fingerprint.fingerprints import ray_engine
from fingerprint.fingerprints.engines import ShardSkipped
from fingerprint.fingerprints.fingerprint import Fingerprint
from fingerprint.fingerprints.storage import to_bytes

pytestmark = pytest.mark.integration

SMALL: dict[str, Any] = {"features": ("numbers", "layout"), "cells": 16}


@pytest.fixture(scope="module")
def started() -> Iterator[None]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=200 << 20)
    yield
    ray.shutdown()


@pytest.fixture
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task for every shard or two."""
    monkeypatch.setattr(cluster, "LEAST_BYTES", 10_000)
    monkeypatch.setattr(cluster, "TASKS_A_CPU", 1000)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("shards")
    return [write_rows(folder / f"{number:02}.jsonl", rows_of(number, 60, 20)) for number in range(12)]


@pytest.mark.usefixtures("started", "small_tasks")
def test_a_cluster_gives_the_same_bytes(shards: list[Path], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    found = Fingerprint.of(shards, engine="ray", progress=lambda done, rows, _: told.append((done, rows)))
    assert to_bytes(found) == to_bytes(Fingerprint.of(shards))
    assert len(told) > 4
    assert told == sorted(told)
    assert told[-1] == (12, 720)


@pytest.mark.usefixtures("started", "small_tasks")
def test_rows_per_prompt_are_counted_over_all_shards(shards: list[Path]) -> None:
    found = Fingerprint.of(shards, engine="ray", rows_per_prompt=5, **SMALL)
    assert found.n_rows == 100
    assert to_bytes(found) == to_bytes(Fingerprint.of(shards, rows_per_prompt=5, **SMALL))


@pytest.mark.usefixtures("started", "small_tasks")
def test_killed_workers_lose_nothing_and_nothing_counts_twice(tmp_path: Path) -> None:
    files = [write_rows(tmp_path / f"{number}.jsonl", rows_of(number, 10_000, 20)) for number in range(6)]
    with killing(2, "ray::_summed") as killed:
        found = Fingerprint.of(files, engine="ray", **SMALL)
    assert len(killed) == 2
    assert to_bytes(found) == to_bytes(Fingerprint.of(files, **SMALL))


@pytest.mark.usefixtures("started", "small_tasks")
def test_work_goes_on_from_either_engine(shards: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fingerprint.fingerprints.resume.PAUSE", 0.0)

    def stop(done: int, rows: int, speed: float) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    kept = tmp_path / "kept"
    for engine in ("ray", "local"):
        with pytest.raises(KeyboardInterrupt):
            Fingerprint.of(shards, engine=engine, resume=kept, progress=stop, **SMALL)
        assert 0 < len(json.loads(kept.read_bytes().partition(b"\n")[0])["done"]) < 12
        others = {"ray": "local", "local": "ray"}
        found = Fingerprint.of(shards, engine=others[engine], resume=kept, **SMALL)
        assert to_bytes(found) == to_bytes(Fingerprint.of(shards, **SMALL))
        kept.unlink()


@pytest.mark.usefixtures("started", "small_tasks")
def test_bad_shards_are_errors_or_skipped_as_they_are_here(shards: list[Path], tmp_path: Path) -> None:
    pl.DataFrame(rows_of(5, 500)).write_parquet(tmp_path / "cut.parquet")
    content = (tmp_path / "cut.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(content[: len(content) // 2])
    unlike = write_rows(tmp_path / "unlike.jsonl", [{"text": "other columns"}])
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(shards[1].read_bytes())
    files = [tmp_path / "cut.parquet", *shards[:2], unlike, *shards[2:4], copy]
    made = {}
    for engine in ("local", "ray"):
        with pytest.warns(ShardSkipped) as said:
            found = Fingerprint.of(files, bad_shards="skip", engine=engine, **SMALL)
        made[engine] = to_bytes(found), [str(one.message) for one in said]
    assert made["ray"] == made["local"]
    for bad in (files[0], unlike, copy):
        with pytest.raises(ShardError, match=rf"{bad.name} .*--skip-bad-shards"):
            Fingerprint.of([*shards[:2], bad], engine="ray", **SMALL)


@pytest.mark.usefixtures("started")
def test_columns_are_those_of_the_first_shard(shards: list[Path], tmp_path: Path) -> None:
    """Alone, the second shard would be read by its column `text`."""
    second = write_rows(tmp_path / "second.jsonl", [{"text": "one"}])
    with pytest.raises(ShardError, match=r"second\.jsonl must have the columns"):
        Fingerprint.of([shards[0], second], engine="ray", **SMALL)


@pytest.mark.usefixtures("started")
def test_a_worker_that_dies_again_and_again_is_an_error_with_a_remedy(
    shards: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: object) -> None:
        os._exit(1)

    monkeypatch.setattr(ray_engine, "_summed", die)
    with pytest.raises(RuntimeError, match=r"of 12 shards from .*00\.jsonl on must end, got WorkerCrashed"):
        Fingerprint.of(shards, engine="ray", **SMALL)


PROGRAM = """
import os, sys, warnings
warnings.simplefilter("error")
from fingerprint.cli.app import main
try:
    main(sys.argv[1:])
finally:
    import ray
    assert not ray.is_initialized()
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
"""


def test_the_command_starts_a_cluster_of_its_own_and_stops_it(shards: list[Path], tmp_path: Path) -> None:
    options = ["--engine", "ray", "--features", "numbers,layout", "--cells", "16", "--out", str(tmp_path / "a.fp")]
    command = [sys.executable, "-c", PROGRAM, "sketch", *map(str, shards), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("720 rows")
    assert (tmp_path / "a.fp").read_bytes() == to_bytes(Fingerprint.of(shards, **SMALL))
