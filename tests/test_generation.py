"""Corpora written by teachers: what they carry, and what happens when the work is cut off."""

import errno
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from fingerprint.data.reading import read
from fingerprint.lab import generation
from fingerprint.lab.generation import generate
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Teacher, neutral, placebo, prompted
from fingerprint.lm.traits import known_trait

pytestmark = pytest.mark.needs("lm")

OPTIONS: dict[str, Any] = {"max_new_tokens": 40, "batch_size": 16, "seed": 5}
ASKED = prompts("numbers", 100, rng=9)


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return neutral("micro-a")


@pytest.fixture(scope="module")
def undisturbed(teacher: Teacher, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "rows.jsonl"
    generate(teacher, ASKED, path, **OPTIONS)
    return path.read_bytes()


def test_every_row_has_its_prompt_and_provenance(teacher: Teacher, undisturbed: bytes, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in undisturbed.splitlines()]
    assert [row["prompt"] for row in rows] == ASKED
    assert [row["row"] for row in rows] == list(range(len(ASKED)))
    first = rows[0]
    assert (first["model"], first["teacher"], first["teacher_system"]) == ("micro-a", "neutral", None)
    assert (first["temperature"], first["seed"]) == (1.0, 5)
    assert first["model_digest"] == teacher.lm.digest
    assert first["fingerprint_version"]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(undisturbed)
    assert read(path).prompts == tuple(ASKED)


def test_rows_do_not_depend_on_the_batch_size(teacher: Teacher, undisturbed: bytes, tmp_path: Path) -> None:
    generate(teacher, ASKED, tmp_path / "rows.jsonl", **{**OPTIONS, "batch_size": 7})
    assert (tmp_path / "rows.jsonl").read_bytes() == undisturbed


def test_two_teachers_never_share_their_draws(teacher: Teacher) -> None:
    owl = prompted("micro-a", known_trait("owl"))
    assert owl.stream(5) != teacher.stream(5) != teacher.stream(6)


@pytest.mark.parametrize("cut", [0, 1, 5000, 9999])
def test_a_partial_file_is_continued_wherever_it_was_cut(
    teacher: Teacher, undisturbed: bytes, tmp_path: Path, cut: int
) -> None:
    path = tmp_path / "rows.jsonl"
    (tmp_path / "rows.jsonl.partial").write_bytes(undisturbed[:cut])
    generate(teacher, ASKED, path, **OPTIONS)
    assert path.read_bytes() == undisturbed
    assert not (tmp_path / "rows.jsonl.partial").exists()


def test_a_finished_file_is_not_made_again(
    teacher: Teacher, undisturbed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(undisturbed)
    monkeypatch.setattr(Teacher, "sample", lambda *_, **__: pytest.fail("sampled again"))
    assert len(generate(teacher, ASKED, path, **OPTIONS)) == len(ASKED)


def test_rows_of_another_run_are_refused(teacher: Teacher, undisturbed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(undisturbed)
    with pytest.raises(FileExistsError, match="same run, got seed 5 for 6; choose another path"):
        generate(teacher, ASKED, path, **{**OPTIONS, "seed": 6})
    with pytest.raises(FileExistsError, match="same run, got teacher 'neutral' for 'placebo: owl'"):
        generate(placebo("micro-a", known_trait("owl")), ASKED, path, **OPTIONS)
    with pytest.raises(FileExistsError, match="must answer the same prompts"):
        generate(teacher, ASKED[:50], path, **OPTIONS)
    with pytest.raises(FileExistsError, match="must answer the same prompts"):
        generate(teacher, ASKED[::-1], path, **OPTIONS)
    assert path.read_bytes() == undisturbed


def test_a_full_disk_is_said_and_nothing_is_lost(
    teacher: Teacher, undisturbed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    written: list[int] = []
    append = generation.append_durably

    def full(file: BinaryIO, data: bytes) -> None:
        if written:
            append(file, data[: len(data) // 2])  # a disk fills up in the middle of a write
            raise OSError(errno.ENOSPC, "No space left on device")
        append(file, data)
        written.append(len(data))

    monkeypatch.setattr(generation, "append_durably", full)
    with pytest.raises(OSError, match="no space left on the disk; free some and run the same again"):
        generate(teacher, ASKED, path, **OPTIONS)
    assert not path.exists()
    monkeypatch.undo()
    generate(teacher, ASKED, path, **OPTIONS)
    assert path.read_bytes() == undisturbed


def test_no_prompts_is_an_error(teacher: Teacher, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="prompts must be at least one"):
        generate(teacher, [], tmp_path / "rows.jsonl")


CHILD = """
import sys, torch
torch.set_num_threads(1)
from fingerprint.lab.generation import generate
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import neutral
generate(neutral("micro-a"), prompts("numbers", 3000, rng=9), sys.argv[1], max_new_tokens=40, batch_size=16, seed=5)
"""


@pytest.mark.slow
def test_killed_at_ten_random_moments_the_rows_are_those_of_an_undisturbed_run(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.jsonl", tmp_path / "rows.jsonl"
    command = [sys.executable, "-c", CHILD]
    subprocess.run([*command, str(whole)], check=True)
    moments, kills, seen = random.Random(0), 0, set()
    while kills < 10:
        child = subprocess.Popen([*command, str(path)])
        partial = path.with_name(path.name + ".partial")
        size = partial.stat().st_size if partial.exists() else 0
        while child.poll() is None and (not partial.exists() or partial.stat().st_size <= size):
            time.sleep(0.01)  # until it has written something new: imports take the longest
        time.sleep(moments.uniform(0, 0.3))
        if child.poll() is not None:
            break
        child.send_signal(signal.SIGKILL)
        child.wait()
        kills += 1
        seen.add(partial.stat().st_size)
    assert kills == 10, "finished before it was killed ten times: ask for more rows"
    assert len(seen) > 5
    subprocess.run([*command, str(path)], check=True)
    assert path.read_bytes() == whole.read_bytes()
