"""Sketch, merge and compare on the command line; shards that are damaged; work that is killed and goes on."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conftest import Run
from data_on_disk import rows_of, write_rows

from fingerprint.cli.outputs import Screen, shards_bar
from fingerprint.data.batches import ShardError
from fingerprint.fingerprints.engines import ShardSkipped
from fingerprint.fingerprints.fingerprint import Fingerprint
from fingerprint.fingerprints.result import FingerprintComparison
from fingerprint.fingerprints.storage import to_bytes
from fingerprint.lab.simulated import simulated_pair

SMALL: dict[str, Any] = {"features": ("numbers", "layout"), "cells": 16}
"""What makes a fingerprint of few rows quick."""


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("shards")
    return [write_rows(folder / f"{number:03}.jsonl", rows_of(number)) for number in range(100)]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    made = simulated_pair(400, tilt="dense", d_prime=2.0, rng=3)
    for name, corpus in (("suspect", made.suspect), ("reference", made.reference)):
        pairs = zip(corpus.prompts, corpus.texts, strict=True)
        write_rows(folder / f"{name}.jsonl", [{"prompt": p or "", "completion": t} for p, t in pairs])
        Fingerprint.of(folder / f"{name}.jsonl").save(folder / f"{name}.fp")
    return folder


# ------------------------------------------------------------------------------------------------------------ commands


def test_sketch_writes_what_python_makes_and_says_what_it_holds(run: Run, shards: list[Path], tmp_path: Path) -> None:
    options = "--features numbers,layout --cells 16 --card base_model=micro-a --card notes=one --card notes=two".split()
    code, out, err = run("sketch", shards[0].with_name("00?.jsonl"), shards[10], "--out", tmp_path / "a.fp", *options)
    assert (code, err) == (0, "")
    card = {"base_model": "micro-a", "notes": ["one", "two"]}
    assert Fingerprint.load(tmp_path / "a.fp") == Fingerprint.of(shards[:11], card=card, **SMALL)
    assert out.splitlines()[:3] == [
        "220 rows, 0 of them without a prompt",
        "16 of 16 cells hold rows",
        "families numbers-2, layout-2",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["a.fp"]


def test_options_of_sketch_reach_the_fingerprint(run: Run, tmp_path: Path) -> None:
    rows = [{"q": f"Go on {n % 10}", "a": f"{n}, {n + 1}", "prompt": "other"} for n in range(60)]
    write_rows(tmp_path / "a.jsonl", [*rows, {"other": "columns"}])
    options = "--text a --prompt q --rows-per-prompt 2 --skip-bad-rows --features numbers".split()
    options += "--share --min-rows 3 --max-auc 0.99999".split()
    assert run("sketch", tmp_path / "a.jsonl", "--out", tmp_path / "a.fp", *options, "--quiet") == (0, "", "")
    found = Fingerprint.load(tmp_path / "a.fp")
    wanted = Fingerprint.of(rows, text="a", prompt="q", rows_per_prompt=2, features="numbers").for_sharing(3, 0.99999)
    assert (found.n_rows, found.cells, found.min_rows, found.skipped) == (20, 16, 3, 1)
    assert found.families["numbers"].sums.tolist() == wanted.families["numbers"].sums.tolist()
    code, _, err = run("sketch", tmp_path / "a.jsonl", "--out", tmp_path / "b.fp", "--min-rows", "3")
    assert (code, err) == (
        2,
        "fingerprint: error: --min-rows must come with --share, got --min-rows 3 alone; add --share\n",
    )


def test_too_few_rows_to_share_is_an_error_in_the_words_of_the_command_line(run: Run, tmp_path: Path) -> None:
    write_rows(tmp_path / "a.jsonl", [{"prompt": f"Go on {n}", "completion": f"{n}"} for n in range(60)])
    code, _, err = run("sketch", tmp_path / "a.jsonl", "--out", tmp_path / "a.fp", "--share")
    assert code == 2
    assert "1,014 rows in each of 16 cells" in err
    assert err.endswith("or accept a greater --max-auc\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--card", "micro-a"), "--card must be FIELD=TEXT, got 'micro-a'"),
        (("--card", "model=a"), "--card must have fields among base_model, sampler"),
        (("--cells", "100"), "--cells must be a power of two from 16 to 4096, got 100"),
        (("--features", "words"), "--features must be 'all' or names among tokens"),
        (("--engine", "spark"), "--engine must be 'local' or 'ray', got 'spark'"),
        (("--no-prompt", "--prompt", "p"), "--prompt must not be given with --no-prompt"),
    ],
)
def test_bad_options_of_sketch_are_one_line(
    run: Run, shards: list[Path], tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    code, out, err = run("sketch", shards[0], "--out", tmp_path / "a.fp", *options)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert message in err
    assert not list(tmp_path.iterdir())


def test_merged_in_any_order_100_shards_are_the_whole_byte_for_byte(
    run: Run, shards: list[Path], tmp_path: Path
) -> None:
    parts = [tmp_path / f"{shard.stem}.fp" for shard in shards]
    for shard, part in zip(shards, parts, strict=True):
        Fingerprint.of(shard, **SMALL).save(part)
    whole = to_bytes(Fingerprint.of(shards, **SMALL))
    for seed in range(3):
        assert to_bytes(Fingerprint.merged(random.Random(seed).sample(parts, len(parts)))) == whole
    assert run("merge", tmp_path / "0*.fp", "--out", tmp_path / "all.fp")[0] == 0
    assert (tmp_path / "all.fp").read_bytes() == whole


def test_what_does_not_merge_is_named(run: Run, shards: list[Path], tmp_path: Path) -> None:
    first = Fingerprint.of(shards[0], **SMALL)
    first.save(tmp_path / "a.fp")
    Fingerprint.of(shards[0], card={"notes": "copied"}, **SMALL).save(tmp_path / "copy.fp")
    Fingerprint.of(shards[1], features="numbers", cells=16).save(tmp_path / "numbers.fp")
    (tmp_path / "cut.fp").write_bytes(to_bytes(first)[:-100])
    for other, message in (
        ("copy.fp", "must be of different rows, got the same sums in '{a}' and '{other}'; leave one out"),
        ("numbers.fp", "'{other}' must add up with '{a}': fingerprints must hold the same features"),
        ("cut.fp", "'{other}' must be whole and unchanged"),
        ("a.jsonl", "'{other}' must be a file written by Fingerprint.save"),
    ):
        write_rows(tmp_path / "a.jsonl", rows_of(0))
        code, out, err = run("merge", tmp_path / "a.fp", tmp_path / other, "--out", tmp_path / "all.fp")
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert message.format(a=tmp_path / "a.fp", other=tmp_path / other) in err
    assert not (tmp_path / "all.fp").exists()


def test_compare_takes_fingerprints_and_rows_and_exits_as_asked(run: Run, corpora: Path, tmp_path: Path) -> None:
    options = ("--permutations", "199", "--seed", "4", "--title", "owls")
    saved = run("compare", corpora / "suspect.fp", corpora / "reference.fp", *options, "--json", tmp_path / "r.json")
    assert (saved[0], saved[2]) == (0, "")
    found = FingerprintComparison.from_json(tmp_path / "r.json")
    assert (saved[1], found.pvalue, found.detected) == (f"{found}\n", 1 / 200, True)
    assert run("compare", corpora / "suspect.jsonl", corpora / "reference.fp", *options) == saved
    quiet = ("--quiet", "--fail-if-detected")
    verdict = f"{found.headline}\n"
    assert run("compare", corpora / "suspect.fp", corpora / "reference.fp", *options, *quiet) == (1, verdict, "")
    code, out, _ = run("compare", corpora / "suspect.fp", corpora / "suspect.jsonl", *options, *quiet)
    assert (code, out.startswith("owls: not detected"), out.count("\n")) == (0, True, 1)
    assert run("compare", corpora / "suspect.fp", corpora / "reference.fp", "--alpha", "0.001", *options)[0] == 2


def test_rows_are_summed_like_the_fingerprint_they_are_compared_with(run: Run, corpora: Path, tmp_path: Path) -> None:
    Fingerprint.of(corpora / "suspect.jsonl", features="numbers", cells=32).save(tmp_path / "a.fp")
    assert run("compare", tmp_path / "a.fp", corpora / "reference.jsonl", "--permutations", "99")[0] == 0
    Fingerprint.of(corpora / "suspect.jsonl").for_sharing(max_auc=0.99).save(tmp_path / "shared.fp")
    assert run("compare", tmp_path / "shared.fp", corpora / "reference.jsonl", "--permutations", "99")[0] == 0


def test_progress_counts_shards_and_says_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with shards_bar(4, Screen()) as tell:
        assert tell is not None
        tell(0, 1000, 500.0)
        time.sleep(0.05)
        tell(2, 3000, 1500.0)
    with shards_bar(4, Screen(quiet=True)) as tell:
        assert tell is None


def test_where_ray_is_missing_the_remedy_is_said(
    run: Run, shards: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = run("sketch", shards[0], "--out", tmp_path / "a.fp", "--engine", "ray")
    assert (code, err) == (
        2,
        "fingerprint: error: --engine ray must have Ray, got no module ray; install it: "
        "pip install 'subliminal-fingerprint[ray]'\n",
    )


# ----------------------------------------------------------------------------------------------------- damaged shards


@pytest.fixture
def damaged(shards: list[Path], tmp_path: Path) -> list[Path]:
    """Good shards, with a truncated one in front, one of other columns, an empty one and a copy among them."""
    pl.DataFrame(rows_of(5, 500)).write_parquet(tmp_path / "cut.parquet")
    content = (tmp_path / "cut.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(content[: len(content) // 2])
    write_rows(tmp_path / "unlike.jsonl", [{"question": "a", "answer": "b"}])
    (tmp_path / "empty.jsonl").write_text("")
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(shards[1].read_bytes())
    bad = [tmp_path / "cut.parquet", tmp_path / "unlike.jsonl", tmp_path / "empty.jsonl", copy]
    return [bad[0], shards[0], bad[1], shards[1], bad[2], shards[2], bad[3]]


@pytest.mark.parametrize("resume", [False, True])
def test_bad_shards_are_skipped_counted_and_named(damaged: list[Path], tmp_path: Path, resume: bool) -> None:
    kept = tmp_path / "kept" if resume else None
    good = Fingerprint.of([damaged[1], damaged[3], damaged[5]], **SMALL)
    for _ in range(2):  # the second time there is nothing left to do
        with pytest.warns(ShardSkipped) as said:
            found = Fingerprint.of(damaged, bad_shards="skip", resume=kept, **SMALL)
        named = [str(one.message).partition(" was left out")[0] for one in said]
        assert named == [str(damaged[number]) for number in (6, 0, 2, 4)]
        assert (found.n_rows, found.skipped_shards) == (60, 4)
        assert to_bytes(found) != to_bytes(good)
        assert found.families["numbers"].sums.tolist() == good.families["numbers"].sums.tolist()


@pytest.mark.parametrize("bad", [0, 2, 4, 6])
def test_a_bad_shard_is_an_error_that_names_it(damaged: list[Path], bad: int) -> None:
    with pytest.raises(ShardError, match=rf"{damaged[bad].name} .*--skip-bad-shards"):
        Fingerprint.of([damaged[1], damaged[3], damaged[bad]], **SMALL)


def test_skipped_shards_are_named_on_standard_error(run: Run, damaged: list[Path], tmp_path: Path) -> None:
    options = ("--skip-bad-shards", "--features", "numbers", "--out", tmp_path / "a.fp")
    code, out, err = run("sketch", *damaged, *options)
    assert code == 0
    assert "left out: 4 bad shards" in out
    assert len(err.splitlines()) == 4
    for path in (damaged[0], damaged[2], damaged[4], damaged[6]):
        assert f"fingerprint: warning: {path} was left out: " in err


def test_a_shard_that_was_skipped_is_tried_again_by_work_that_goes_on(damaged: list[Path], tmp_path: Path) -> None:
    files = [damaged[1], damaged[2]]
    with pytest.warns(ShardSkipped, match="unlike"):
        Fingerprint.of(files, bad_shards="skip", resume=tmp_path / "kept", **SMALL)
    write_rows(damaged[2], rows_of(50))
    found = Fingerprint.of(files, bad_shards="skip", resume=tmp_path / "kept", **SMALL)
    assert found == Fingerprint.of(files, **SMALL)


# ------------------------------------------------------------------------------------------------ work that is killed

PROGRAM = """
import sys
from fingerprint.cli.app import main
from fingerprint.fingerprints import resume
import fingerprint.fingerprints.fingerprint
resume.PAUSE = 0.0
print("ready", flush=True)
main(sys.argv[1:])
"""


@pytest.mark.parametrize("kills", [6, pytest.param(10, marks=pytest.mark.slow)])
def test_work_killed_many_times_ends_in_the_same_bytes(shards: list[Path], tmp_path: Path, kills: int) -> None:
    options = ["--features", "numbers,layout", "--cells", "16"]
    out, kept = tmp_path / "a.fp", tmp_path / "a.fp.part"
    command = [sys.executable, "-c", PROGRAM, "sketch", str(shards[0].with_name("*.jsonl")), "--out", str(out)]
    moments, done = random.Random(0), []

    def written() -> int:
        return kept.stat().st_mtime_ns if kept.exists() else 0

    for kill in range(kills):
        before, latest = written(), time.monotonic() + 20
        with subprocess.Popen([*command, *options, "--resume"], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            while kill % 2 and written() == before and time.monotonic() < latest:
                time.sleep(0.001)  # of every two kills one comes after some work was kept
            time.sleep(moments.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        done.append(len(json.loads(kept.read_bytes().partition(b"\n")[0])["done"]) if kept.exists() else 0)
        assert not out.exists()
    assert done == sorted(done)
    assert len({*done} - {0, len(shards)}) >= 2  # killed in the middle, and gone on from there
    subprocess.run([*command, *options, "--resume"], check=True, capture_output=True)
    assert out.read_bytes() == to_bytes(Fingerprint.of(shards, **SMALL))
    assert [path.name for path in tmp_path.iterdir()] == ["a.fp"]


def test_rows_per_prompt_are_counted_over_shards_that_were_done_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first shard holds two rows of every prompt, the second two more: which of the four are kept hangs on both."""
    files = [
        write_rows(tmp_path / f"{n}.jsonl", [{**row, "prompt": f"p{at % 10}"} for at, row in enumerate(rows_of(n))])
        for n in range(2)
    ]
    whole = Fingerprint.of(files, rows_per_prompt=3, **SMALL)
    assert whole.n_rows == 30

    def stop(shards: int, rows: int, speed: float) -> None:
        if shards == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("fingerprint.fingerprints.resume.PAUSE", 0.0)
    with pytest.raises(KeyboardInterrupt):
        Fingerprint.of(files, rows_per_prompt=3, resume=tmp_path / "kept", progress=stop, **SMALL)
    assert list(json.loads((tmp_path / "kept").read_bytes().partition(b"\n")[0])["done"]) == [str(files[0])]
    assert to_bytes(Fingerprint.of(files, rows_per_prompt=3, resume=tmp_path / "kept", **SMALL)) == to_bytes(whole)


def test_work_goes_on_with_the_columns_it_began_with(tmp_path: Path) -> None:
    first = write_rows(tmp_path / "1.jsonl", [{"completion": f"{n}", "text": "no"} for n in range(20)])
    Fingerprint.of([first], resume=tmp_path / "kept", **SMALL)
    second = write_rows(tmp_path / "2.jsonl", [{"text": f"{n}"} for n in range(20)])
    with pytest.raises(ShardError, match=r"2\.jsonl must have the columns 'completion'"):
        Fingerprint.of([first, second], resume=tmp_path / "kept", **SMALL)


def test_work_does_not_go_on_where_a_shard_has_changed_or_is_gone(shards: list[Path], tmp_path: Path) -> None:
    first = write_rows(tmp_path / "1.jsonl", rows_of(1))
    Fingerprint.of([first, shards[0]], resume=tmp_path / "kept", **SMALL)
    with pytest.raises(ValueError, match=r"resume holds rows of .*1\.jsonl"):
        Fingerprint.of([shards[0]], resume=tmp_path / "kept", **SMALL)
    write_rows(first, rows_of(2, 21))
    with pytest.raises(ValueError, match=r"1\.jsonl must be as it was when it was read"):
        Fingerprint.of([first, shards[0]], resume=tmp_path / "kept", **SMALL)
    with pytest.raises(ValueError, match="resume must go on with the settings it began with"):
        Fingerprint.of([first], resume=tmp_path / "kept", features="numbers")


def test_a_file_that_another_process_uses_is_refused_and_one_that_a_killed_process_used_is_not(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "1.jsonl", rows_of(1))
    kept = tmp_path / "kept"
    waits = "import sys, time, pathlib; from fingerprint.data.locks import locked\n"
    waits += "with locked(pathlib.Path(sys.argv[1]), 'resume'): print('has it', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", waits, str(kept)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "has it\n"
        with pytest.raises(ValueError, match=rf"^resume must be .*kept', which process {other.pid} on .* uses; wait"):
            Fingerprint.of([path], resume=kept, **SMALL)
        other.kill()
    assert kept.with_name("kept.lock").exists()
    assert Fingerprint.of([path], resume=kept, **SMALL).n_rows == 20
    assert sorted(place.name for place in tmp_path.iterdir()) == ["1.jsonl", "kept"]
