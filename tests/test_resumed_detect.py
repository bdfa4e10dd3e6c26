"""Comparisons of shards that are killed and go on: the report is that of a run that nobody disturbed."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conftest import Run

from fingerprint import detect
from fingerprint.data import cluster, row_keys
from fingerprint.data.locks import locked
from fingerprint.detection import kept_results, streamed
from fingerprint.features import Layout
from fingerprint.lab.simulated import simulated_pair
from fingerprint.report.report import Report

QUICK: dict[str, Any] = {"ladder": False, "n_permutations": 499}
NUMBERS: dict[str, Any] = {**QUICK, "features": "numbers"}


@pytest.fixture(autouse=True)
def few_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "HELD_ROWS", 150)
    monkeypatch.setattr(streamed, "SAMPLE_ROWS", 120)
    monkeypatch.setattr(kept_results, "TOGETHER", 1)
    monkeypatch.setattr("fingerprint.fingerprints.resume.PAUSE", 0.0)


def written(folder: Path, design: str = "shared", shards: int = 5) -> list[str]:
    """Patterns of both sides' shards; some rows twice, and without prompts where there are none."""
    pair = simulated_pair(300, tilt="dense", d_prime=0.4, rng=3, design=design)  # type: ignore[arg-type]
    twice = [*range(300), *range(30, 90), *range(30, 60)]
    for name, corpus in (("a", pair.suspect), ("b", pair.reference)):
        columns = {"prompt": [corpus.prompts[i] for i in twice], "completion": [corpus.texts[i] for i in twice]}
        frame = pl.DataFrame(columns, schema_overrides={"prompt": pl.String})
        for number, part in enumerate(frame.iter_slices(-(-frame.height // shards))):
            part.write_parquet(folder / f"{name}-{number}.parquet")
    return [str(folder / f"{name}-*.parquet") for name in "ab"]


class Stopped(KeyboardInterrupt):
    """Somebody stopped it."""


def stopping_after(notes: int) -> Callable[[str, float], None]:
    """A listener that stops the work when it has been told of rows so many times."""
    heard = []

    def listen(name: str, done: float) -> None:
        heard.extend([name] * (" a second" in name))
        if len(heard) > notes:
            raise Stopped

    return listen


def same(one: Report, other: Report) -> None:
    assert one.to_json() == other.to_json()
    assert one.rows.equals(other.rows)


@pytest.mark.parametrize("design", ["shared", "independent"])
def test_work_that_is_stopped_again_and_again_ends_as_if_it_had_not_been(
    design: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fingerprint.data.progress.NOTE_SECONDS", 0.0)
    files = written(tmp_path, design)
    whole = detect(*files, scores=tmp_path / "whole.parquet", **NUMBERS)
    asked: dict[str, Any] = {"resume": tmp_path / "kept", "scores": tmp_path / "scores.parquet", **NUMBERS}
    read: list[str] = []
    shards_of = cluster.neighbours

    def noted(shards: Sequence[str], enough: int) -> list[list[str]]:
        read.extend(shards)
        return shards_of(shards, enough)

    monkeypatch.setattr(cluster, "neighbours", noted)
    stops = 0
    while stops < 40:
        try:
            found = detect(*files, progress=stopping_after(4 * stops), **asked)
            break
        except Stopped:
            stops += 1
    assert 3 <= stops < 40  # later each time: while keys are made of ten shards, then while they are added up
    same(found, whole)
    assert pl.read_parquet(tmp_path / "scores.parquet").equals(pl.read_parquet(tmp_path / "whole.parquet"))
    read.clear()
    same(detect(*files, **asked), whole)
    assert not read  # all of it is kept


def test_a_share_of_the_prompts_is_the_same_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_keys, "KEPT_ROWS", 200)
    monkeypatch.setattr("fingerprint.data.progress.NOTE_SECONDS", 0.0)
    files = written(tmp_path)
    asked: dict[str, Any] = {"features": "numbers", **QUICK}
    whole = detect(*files, **asked)
    assert whole.sample is not None
    assert whole.sample.share == 0.25
    with pytest.raises(Stopped):
        detect(*files, resume=tmp_path / "kept", progress=stopping_after(7), **asked)
    same(detect(*files, resume=tmp_path / "kept", **asked), whole)


def test_bad_shards_are_tried_again_and_rows_without_a_score_are_few(tmp_path: Path) -> None:
    files = written(tmp_path)
    content = (tmp_path / "b-2.parquet").read_bytes()
    (tmp_path / "b-2.parquet").write_bytes(content[: len(content) // 2])
    asked: dict[str, Any] = {**QUICK, "features": "layout", "bad_shards": "skip"}
    whole = detect(*files, **asked)
    assert [w.value for w in whole.warnings if w.code == "shards_skipped"] == [1.0]
    same(detect(*files, resume=tmp_path / "kept", **asked), whole)
    same(detect(*files, resume=tmp_path / "kept", **asked), whole)
    (tmp_path / "b-2.parquet").write_bytes(content)
    same(detect(*files, resume=tmp_path / "kept", **asked), detect(*files, **asked))


def test_what_does_not_fit_what_is_kept_is_refused(tmp_path: Path) -> None:
    files, asked = written(tmp_path), {"features": "layout", "resume": tmp_path / "kept", **QUICK}
    detect(*files, **asked)
    for other in ({"rng": 1}, {"features": "numbers"}, {"prompt": False}, {"bad_rows": "skip"}, {"text": "completion"}):
        with pytest.raises(ValueError, match=r"^resume must go on with the settings it began with, got others in"):
            detect(*files, **{**asked, **other})
    with pytest.raises(ValueError, match=r"^resume holds rows of .*a-4\.parquet', which is not among the shards"):
        detect(str(tmp_path / "a-[0-3].parquet"), files[1], **asked)
    os.utime(tmp_path / "a-1.parquet", ns=(1, 1))
    with pytest.raises(ValueError, match=r"a-1\.parquet must be as it was when it was read, got another size or time"):
        detect(*files, **asked)
    with pytest.MonkeyPatch.context() as patch:  # an upgrade between two calls
        patch.setattr(Layout, "definition", "layout-99")
        with pytest.raises(ValueError, match=r"^resume must go on with the settings it began with"):
            detect(*files, **asked)
    (tmp_path / "other").write_text("no such file")
    with pytest.raises(ValueError, match=r"^resume must be a file of an earlier call, got .*other'; choose another"):
        detect(*files, **{**asked, "resume": tmp_path / "other"})
    with pytest.raises(ValueError, match=r"^suspect must be files where resume is given"):
        detect(["1, 2"] * 20, files[1], **asked)
    with locked(tmp_path / "kept", "resume"), pytest.raises(ValueError, match=r"^resume must be used by one process"):
        detect(*files, **asked)


def test_a_shard_that_comes_later_is_read_too(tmp_path: Path) -> None:
    files, asked = written(tmp_path), {"features": "layout", "resume": tmp_path / "kept", **QUICK}
    detect(str(tmp_path / "a-[0-3].parquet"), files[1], **asked)
    same(detect(*files, **asked), detect(*files, features="layout", **QUICK))
    # A copy that comes before a shard that is kept takes its place.
    (tmp_path / "a--.parquet").write_bytes((tmp_path / "a-3.parquet").read_bytes())
    asked |= {"bad_shards": "skip", "resume": tmp_path / "again"}
    named = [str(tmp_path / f"a-{number}.parquet") for number in range(5)]
    detect([Path(one) for one in named], files[1], **asked)
    found = detect([tmp_path / "a--.parquet", *map(Path, named)], files[1], **asked)
    assert found.design.rows_suspect == 390


def test_the_command_keeps_what_is_done_beside_its_output(run: Run, tmp_path: Path) -> None:
    files = written(tmp_path)
    out, kept = tmp_path / "report.json", tmp_path / "report.json.part"
    asked = ("detect", *files, "--features", "layout", "--no-ladder", "--quiet", "--resume")
    code, _, err = run(*asked)
    assert code == 2
    assert "--resume must come with --json, --html, --scores, --junit or several, got none" in err
    kept.write_text("no such file")
    code, _, err = run(*asked, "--json", out)
    assert code == 2
    assert "--resume must be a file of an earlier call" in err
    kept.unlink()
    assert run(*asked, "--json", out)[0] == 0
    assert Report.from_json(out).sample is not None
    assert not list(tmp_path.glob("*.part*"))


PROGRAM = """
import sys
from fingerprint.cli.app import main
from fingerprint.detection import detect, kept_results, streamed
from fingerprint.fingerprints import resume
streamed.HELD_ROWS, streamed.SAMPLE_ROWS, kept_results.TOGETHER, resume.PAUSE = 150, 120, 1, 0.0
print("ready", flush=True)
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_counts_twice_though_it_is_killed_ten_times(tmp_path: Path) -> None:
    files = written(tmp_path, shards=60)
    whole = detect(*files, scores=tmp_path / "whole.parquet", **NUMBERS)
    out, scores, kept = tmp_path / "r.json", tmp_path / "s.parquet", tmp_path / "r.json.part"
    command = [sys.executable, "-c", PROGRAM, "detect", *files, "--features", "numbers", "--no-ladder", "--quiet"]
    command += ["--permutations", "499", "--resume", "--json", str(out), "--scores", str(scores)]
    moments, done = random.Random(0), []

    def changed() -> int:
        return kept.stat().st_mtime_ns if kept.exists() else 0

    for kill in range(10):
        before, latest = changed(), time.monotonic() + 20
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            while kill % 3 and changed() == before and time.monotonic() < latest:
                time.sleep(0.001)  # of every three kills two come after some work was kept
            time.sleep(moments.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        done.append(results(kept))
        assert not out.exists()
    assert done == sorted(done)
    assert len({*done} - {0}) >= 4
    assert done[-1] < 120 + 120  # keys and scores of each shard: killed in the middle to the last
    subprocess.run(command, check=True, capture_output=True)
    assert json.loads(out.read_text()) == json.loads(whole.to_json())
    assert pl.read_parquet(scores).equals(pl.read_parquet(tmp_path / "whole.parquet"))
    assert not list(tmp_path.glob("r.json.part*"))


def results(kept: Path) -> int:
    """Shards whose keys are kept, and those that are in the sums."""
    if not kept.exists():
        return 0
    with closing(sqlite3.connect(kept)) as file:
        asked = "select count(*) from kept where step like 'keys %' or name like 'scores %'"
        return int(file.execute(asked).fetchone()[0])
