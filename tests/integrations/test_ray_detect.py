"""Corpora that are not held, read on a real Ray cluster: every figure as here, to the last bit, whatever dies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import ray
from killed_workers import killing
from polars.testing import assert_frame_equal

from fingerprint import detect
from fingerprint.data import cluster, row_keys
from fingerprint.data.corpus import Corpus
from fingerprint.detection import streamed
from fingerprint.lab.simulated import simulated_pair
from fingerprint.report.report import Report

pytestmark = pytest.mark.integration

QUICK: dict[str, Any] = {"ladder": False, "n_permutations": 499}


@pytest.fixture(scope="module", autouse=True)
def started() -> Iterator[None]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=200 << 20)
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def few_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "HELD_ROWS", 150)
    monkeypatch.setattr(streamed, "SAMPLE_ROWS", 120)
    monkeypatch.setattr(cluster, "LEAST_BYTES", 1_000)
    monkeypatch.setattr(cluster, "TASKS_A_CPU", 1000)


def written(folder: Path, name: str, corpus: Corpus, shards: int = 5) -> str:
    frame = pl.DataFrame({"prompt": corpus.prompts, "completion": corpus.texts}, schema_overrides={"prompt": pl.String})
    for number, part in enumerate(frame.iter_slices(-(-frame.height // shards))):
        part.write_parquet(folder / f"{name}-{number}.parquet")
    return str(folder / f"{name}-*.parquet")


def both_engines(folder: Path, sides: tuple[Corpus, Corpus], **asked: Any) -> tuple[Report, Report]:
    files = [written(folder, name, corpus) for name, corpus in zip("ab", sides, strict=True)]
    made = []
    for engine in ("local", "ray"):
        scores = folder / f"scores-{engine}.parquet"
        made.append(detect(files[0], files[1], engine=engine, scores=scores, **QUICK, **asked))
    assert_frame_equal(*(pl.read_parquet(folder / f"scores-{engine}.parquet") for engine in ("local", "ray")))
    return made[0], made[1]


def drawn(design: str) -> tuple[Corpus, Corpus]:
    """Some rows twice; where designs are mixed, some prompts of one side, some of several rows, some rows without."""
    pair = simulated_pair(300, tilt="dense", d_prime=0.4, rng=3, design="shared" if design == "mixed" else design)  # type: ignore[arg-type]
    first, second = pair.suspect, pair.reference
    if design == "mixed":
        of_first = [f"{p} again" if i % 3 == 0 else p for i, p in enumerate(first.prompts)]
        of_second = [None if i % 40 == 1 else p for i, p in enumerate(second.prompts)]
        first, second = Corpus(first.texts, tuple(of_first)), Corpus(second.texts, tuple(of_second))
    twice = [*range(300), *range(30, 90), *range(30, 60)]
    rows = [Corpus(tuple(c.texts[i] for i in twice), tuple(c.prompts[i] for i in twice)) for c in (first, second)]
    return rows[0], rows[1]


@pytest.mark.parametrize("design", ["shared", "mixed", "independent"])
def test_a_cluster_gives_the_same_report(design: str, tmp_path: Path) -> None:
    here, there = both_engines(tmp_path, drawn(design))
    assert here.sample is not None
    assert here.sample.covers_all
    assert there.to_json() == here.to_json()
    assert_frame_equal(there.rows, here.rows)


def test_a_share_of_the_prompts_is_the_same_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_keys, "KEPT_ROWS", 200)
    here, there = both_engines(tmp_path, drawn("shared"), features="numbers")
    assert here.sample is not None
    assert here.sample.share == 0.25
    assert there.to_json() == here.to_json()


def test_bad_shards_are_left_out_as_they_are_here(tmp_path: Path) -> None:
    sides = drawn("shared")
    files = [written(tmp_path, name, corpus) for name, corpus in zip("ab", sides, strict=True)]
    (tmp_path / "a-7.parquet").write_bytes((tmp_path / "a-1.parquet").read_bytes())
    content = (tmp_path / "b-2.parquet").read_bytes()
    (tmp_path / "b-2.parquet").write_bytes(content[: len(content) // 2])
    asked: dict[str, Any] = {**QUICK, "features": "layout"}
    here, there = (detect(*files, bad_shards="skip", engine=engine, **asked) for engine in ("local", "ray"))
    assert [w.value for w in here.warnings if w.code == "shards_skipped"] == [2.0]
    assert there.to_json() == here.to_json()
    with pytest.raises(ValueError, match=r"a-7\.parquet must hold rows of its own"):
        detect(*files, engine="ray", **asked)


def test_work_goes_on_from_either_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fingerprint.fingerprints.resume.PAUSE", 0.0)
    monkeypatch.setattr("fingerprint.detection.kept_results.TOGETHER", 1)
    monkeypatch.setattr("fingerprint.data.progress.NOTE_SECONDS", 0.0)
    files = [written(tmp_path, name, corpus) for name, corpus in zip("ab", drawn("shared"), strict=True)]
    asked: dict[str, Any] = {**QUICK, "features": "numbers"}
    whole = detect(*files, **asked)
    pairs: list[tuple[cluster.Engine, cluster.Engine]] = [("local", "ray"), ("ray", "local")]
    for first, then in pairs:
        kept = tmp_path / first
        for engine, most in ((first, 4), (then, 15)):  # notes of rows read: ten of keys, ten of sums
            heard: list[str] = []

            def listen(name: str, done: float, heard: list[str] = heard, most: int = most) -> None:
                heard.extend([name] * (" a second" in name))
                if len(heard) > most:
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                detect(*files, engine=engine, resume=kept, progress=listen, **asked)
        assert detect(*files, engine=first, resume=kept, **asked).to_json() == whole.to_json()


def test_rows_that_are_in_no_files_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^suspect must be files where engine='ray' is given"):
        detect(*drawn("shared"), engine="ray", **QUICK)


def test_killed_workers_change_nothing(tmp_path: Path) -> None:
    pair = simulated_pair(30_000, tilt="dense", d_prime=0.1, rng=3)
    files = [written(tmp_path, name, c, 8) for name, c in (("a", pair.suspect), ("b", pair.reference))]
    here = detect(*files, features="numbers", **QUICK)
    with killing(2, "ray::summed_by_block", "ray::keyed") as killed:
        there = detect(*files, features="numbers", engine="ray", **QUICK)
    assert len(killed) == 2
    assert there.to_json() == here.to_json()
