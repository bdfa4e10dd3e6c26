"""Filters and token scores on a real Ray cluster: what they are here, whatever dies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import ray
from conftest import Run
from data_on_disk import rows_of, write_rows
from killed_workers import killing
from polars.testing import assert_frame_equal

from fingerprint.data import cluster
from fingerprint.filters import Keywords, NumberRule, apply_by_shard
from fingerprint.lm.scoring import token_scores

pytestmark = pytest.mark.integration

FILTERS = [NumberRule(), Keywords(["owl"])]


@pytest.fixture(scope="module", autouse=True)
def started() -> Iterator[None]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=200 << 20)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("shards")
    made = [[*rows_of(number, 39), {"prompt": "Go on", "completion": f"an owl, {number}"}] for number in range(12)]
    return [write_rows(folder / f"{number:02}.jsonl", rows) for number, rows in enumerate(made)]


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "LEAST_BYTES", 5_000)
    monkeypatch.setattr(cluster, "TASKS_A_CPU", 1000)


def test_filters_say_the_same_of_shards_in_the_same_order(shards: list[Path]) -> None:
    here, there = (pl.concat(apply_by_shard(shards, FILTERS, engine=engine)) for engine in ("local", "ray"))  # type: ignore[arg-type]
    assert_frame_equal(there, here)
    assert here["shard"].unique(maintain_order=True).to_list() == list(map(str, shards))
    assert 0 < here["kept"].sum() < here.height == 480


def test_the_filter_command_writes_the_same_files(run: Run, shards: list[Path], tmp_path: Path) -> None:
    corpus = str(shards[0].with_name("*.jsonl"))
    for engine in ("local", "ray"):
        out, kept = tmp_path / f"{engine}.jsonl", tmp_path / f"{engine}-kept.jsonl"
        options = ("--filter", "keywords=owl", "--out", out, "--kept", kept, "--engine", engine, "--quiet")
        assert run("filter", corpus, *options) == (0, "", "")
    for name in ("", "-kept"):
        assert (tmp_path / f"ray{name}.jsonl").read_bytes() == (tmp_path / f"local{name}.jsonl").read_bytes()


def test_scores_are_the_same_though_an_actor_is_killed(tmp_path: Path) -> None:
    rows = rows_of(1, 2200)
    prompts, completions = [row["prompt"] for row in rows], [row["completion"] for row in rows]
    here = token_scores("micro-a", prompts, completions, batch_size=32)
    told: list[int] = []
    with killing(1, "ray::Scorer.scores") as killed:
        there = token_scores("micro-a", prompts, completions, batch_size=32, engine="ray", progress=told.append)
    assert len(killed) == 1
    assert told[-1] == 2200
    for one, other in zip(there, here, strict=True):
        assert one.ids == other.ids
        np.testing.assert_array_equal(one.logprobs, other.logprobs)
        np.testing.assert_array_equal(one.ranks, other.ranks)


def test_an_error_names_the_row_among_all_rows() -> None:
    prompts = ["Go on"] * 1100
    completions = ["1, 2"] * 1050 + ["9, " * 20_000] + ["1, 2"] * 49
    with pytest.raises(ValueError, match="in row 1051;"):
        token_scores("micro-a", prompts, completions, batch_size=32, engine="ray")
