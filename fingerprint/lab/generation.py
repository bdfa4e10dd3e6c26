"""Corpora written by teachers: resumable, with the provenance of every row beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import IO

from fingerprint.data.corpus import Corpus
from fingerprint.data.files import room_on_disk
from fingerprint.data.reading import read
from fingerprint.lm.sampling import Sampled
from fingerprint.lm.teachers import Teacher

# Rows are sampled, sorted by prompt length, and saved this many batches at a time: what a kill can cost.
BATCHES_AT_ONCE = 4


def generate(
    teacher: Teacher,
    prompts: Sequence[str],
    path: str | os.PathLike[str],
    *,
    temperature: float = 1.0,
    max_new_tokens: int = 128,
    batch_size: int = 512,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Corpus:
    """Have a teacher answer prompts, one completion each, and keep the rows in a JSONL file.

    Parameters
    ----------
    teacher : Teacher
        Who writes.
    prompts : sequence of str
        User turns; row i of the file answers prompt i.
    path : path-like
        Where the rows go. Until all are there they stand in ``<path>.partial``; run again, the work goes on from there.
    temperature, max_new_tokens, batch_size
        As in `fingerprint.lm.sampling.sample`.
    seed : int
        Seed of this teacher's draws.
    progress : callable, optional
        Told the share of rows that are done.

    Returns
    -------
    Corpus
        The rows with their prompts.

    Raises
    ------
    FileExistsError
        If `path` or its partial file holds rows of another run.
    OSError
        If the disk is full; the rows written so far are kept.

    Notes
    -----
    Every row carries ``prompt``, ``completion``, ``finished`` (False where it was cut off at `max_new_tokens`) and its
    provenance: ``model``, ``model_digest``, ``teacher``, ``teacher_system``, ``temperature``, ``seed``, ``row`` and
    ``fingerprint_version``. Interrupted and started again on the same machine, the file is the same.
    """
    if not prompts:
        raise ValueError("prompts must be at least one, got none; see fingerprint.lm.prompts")
    target = Path(path)
    provenance: dict[str, object] = {
        "model": teacher.lm.name,
        "model_digest": teacher.lm.digest,
        "teacher": teacher.name,
        "teacher_system": teacher.system,
        "temperature": temperature,
        "max_new_tokens": max_new_tokens,
        "seed": seed,
        "fingerprint_version": version("subliminal-fingerprint"),
    }
    if target.exists():
        _check_rows(target, prompts, provenance, expected=len(prompts))
        return read(target)
    partial = target.with_name(target.name + ".partial")
    window = batch_size * BATCHES_AT_ONCE
    done = _resume(partial, prompts, provenance, window) if partial.exists() else 0
    with partial.open("ab") as file:
        for start in range(done, len(prompts), window):
            asked = prompts[start : start + window]
            answers = teacher.sample(
                asked,
                seed=seed,
                first_row=start,
                temperature=temperature,
                max_new_tokens=max_new_tokens,
                batch_size=batch_size,
            )
            lines = _lines(asked, answers, provenance, start)
            with room_on_disk(partial):
                append_durably(file, "".join(lines).encode())
            if progress is not None:
                progress((start + len(asked)) / len(prompts))
    os.replace(partial, target)
    return read(target)


def _lines(
    prompts: Sequence[str], answers: Sequence[Sampled], provenance: dict[str, object], first_row: int
) -> list[str]:
    """A line of JSON a row."""
    found = []
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True), first_row):
        written = {"prompt": prompt, "completion": answer.text, "finished": answer.finished}
        found.append(json.dumps({**written, **provenance, "row": row}, ensure_ascii=False) + "\n")
    return found


def append_durably(file: IO[bytes], data: bytes) -> None:
    """Write and wait until it is on the disk."""
    file.write(data)
    file.flush()
    os.fsync(file.fileno())


def _resume(partial: Path, prompts: Sequence[str], provenance: dict[str, object], window: int) -> int:
    """Cut a partial file back to its last whole window; how many rows that leaves."""
    lines = partial.read_bytes().split(b"\n")[:-1]  # what follows the last line break was cut off
    done = len(prompts) if len(lines) == len(prompts) else len(lines) // window * window
    with partial.open("r+b") as file:
        file.truncate(sum(len(line) + 1 for line in lines[:done]))
    if done:
        _check_rows(partial, prompts, provenance, expected=done)
    return done


def _check_rows(path: Path, prompts: Sequence[str], provenance: dict[str, object], expected: int) -> None:
    """Refuse a file that is not the work of this run."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    found = next((row for row in rows if any(row.get(key) != value for key, value in provenance.items())), None)
    remedy = "choose another path, or delete the file"
    if found is not None:
        key = next(key for key, value in provenance.items() if found.get(key) != value)
        raise FileExistsError(
            f"{path} must hold rows of the same run, got {key} {found.get(key)!r} for {provenance[key]!r}; {remedy}"
        )
    if len(rows) != expected or any(row["prompt"] != prompt for row, prompt in zip(rows, prompts, strict=False)):
        raise FileExistsError(f"{path} must answer the same prompts, got {len(rows)} other rows; {remedy}")
