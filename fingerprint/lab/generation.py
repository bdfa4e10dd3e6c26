"""Corpora written by teachers: resumable, with the provenance of every row beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import IO

from fingerprint.data.corpus import Corpus
from fingerprint.data.files import room_on_disk, write_atomically
from fingerprint.data.locks import alone_with
from fingerprint.data.reading import read
from fingerprint.lm.sampling import Sampled
from fingerprint.lm.writers import RowWriter


def generate(
    teacher: RowWriter,
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
    teacher : RowWriter
        Who writes: a `fingerprint.lm.teachers.Teacher`, or a teacher behind an endpoint.
    prompts : sequence of str
        User turns; row i of the file answers prompt i.
    path : path-like
        Where the rows go. Until all are there they stand in ``<path>.partial``; run again, the work goes on from there.
    temperature, max_new_tokens, batch_size
        As in `fingerprint.lm.sampling.sample`; a teacher behind an endpoint takes no batches.
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
    BlockingIOError
        If another process, or another call in this one, is writing there; the message names it.
    ConnectionError
        If a teacher behind an endpoint got no reply to some rows; the others are kept.
    OSError
        If the disk is full; the rows written so far are kept.

    Notes
    -----
    Every row carries ``prompt``, ``completion``, ``finished`` (False where it was cut off at `max_new_tokens`) and its
    provenance: ``model``, ``model_digest``, ``teacher``, ``teacher_system``, ``temperature``, ``seed``, ``row`` and
    ``fingerprint_version``. Interrupted and started again on the same machine, the file is the same.

    Behind an endpoint there is no ``model_digest``, but ``endpoint`` (the host), ``request``, and of each row
    ``row_seed``, ``finish_reason``, ``served_model`` and the tokens it took. A row is on the disk as soon as its reply
    has come; killed, the work goes on with the rows that are missing, and what is asked again are the requests that
    were under way.
    """
    if not prompts:
        raise ValueError("prompts must be at least one, got none; see fingerprint.lm.prompts")
    target = Path(path)
    provenance: dict[str, object] = {
        **teacher.provenance(),
        "temperature": temperature,
        "max_new_tokens": max_new_tokens,
        "seed": seed,
        "fingerprint_version": version("subliminal-fingerprint"),
    }
    partial = target.with_name(target.name + ".partial")
    if not target.exists():

        def write(left: Mapping[int, str]) -> Iterator[dict[int, Sampled]]:
            return teacher.write(
                left, seed=seed, temperature=temperature, max_new_tokens=max_new_tokens, batch_size=batch_size
            )

        with alone_with(partial) as file:
            if not target.exists():  # another writer may have finished before this one had the lock
                done = _resume(file, partial, prompts, provenance, teacher.rows_together(batch_size))
                _write_missing(write, file, prompts, provenance, done, progress)
                _finish(partial, target)
    rows = _rows_in(target, target.read_bytes().splitlines())
    _check_rows(target, rows, prompts, provenance)
    if [row["row"] for row in rows] != list(range(len(prompts))):
        raise _other_prompts(target, len(rows))
    if partial.exists():
        with suppress(BlockingIOError), alone_with(partial) as file:
            file.truncate(0)  # killed after the last row had its place: both are there
    return read(target)


def _write_missing(
    write: Callable[[Mapping[int, str]], Iterator[dict[int, Sampled]]],
    file: IO[bytes],
    prompts: Sequence[str],
    provenance: Mapping[str, object],
    done: set[int],
    progress: Callable[[float], None] | None,
) -> None:
    """Have the rows written that are not done, each on the disk as soon as it has come."""
    partial, n_done = Path(file.name), len(done)
    try:
        for portion in write({row: prompt for row, prompt in enumerate(prompts) if row not in done}):
            with room_on_disk(partial):
                append_durably(file, _lines(portion, prompts, provenance))
            n_done += len(portion)
            if progress is not None:
                progress(n_done / len(prompts))
    except ConnectionError as error:
        raise ConnectionError(f"{error} ({n_done} of {len(prompts)} rows are in {partial})") from None


def _lines(portion: Mapping[int, Sampled], prompts: Sequence[str], provenance: Mapping[str, object]) -> bytes:
    """A line of JSON a row."""
    found = []
    for row, answer in portion.items():
        written = {"prompt": prompts[row], "completion": answer.text, "finished": answer.finished}
        line = {**written, **provenance, "row": row, **answer.details}
        found.append(json.dumps(line, ensure_ascii=False) + "\n")
    return "".join(found).encode()


def append_durably(file: IO[bytes], data: bytes) -> None:
    """Write and wait until it is on the disk."""
    file.write(data)
    file.flush()
    os.fsync(file.fileno())


def _resume(
    file: IO[bytes], partial: Path, prompts: Sequence[str], provenance: Mapping[str, object], together: int
) -> set[int]:
    """Cut a partial file back to rows that are whole, and to whole portions of them; which rows these are."""
    file.seek(0)
    lines = file.read().split(b"\n")[:-1]  # what follows the last line break was cut off
    n_kept = len(prompts) if len(lines) == len(prompts) else len(lines) // together * together
    kept = lines[:n_kept]
    rows = _rows_in(partial, kept)
    _check_rows(partial, rows, prompts, provenance)
    file.truncate(sum(len(line) + 1 for line in kept))
    return {int(str(row["row"])) for row in rows}


def _finish(partial: Path, target: Path) -> None:
    """All rows under their own name, in the order of their prompts."""
    lines = partial.read_bytes().splitlines(keepends=True)
    numbers = [int(json.loads(line)["row"]) for line in lines]
    if numbers == sorted(numbers):
        os.replace(partial, target)
        return
    with room_on_disk(target):
        write_atomically(target, b"".join(line for _, line in sorted(zip(numbers, lines, strict=True))))
    partial.unlink()


def _rows_in(path: Path, lines: Sequence[bytes]) -> list[dict[str, object]]:
    try:
        return [dict(json.loads(line)) for line in lines]
    except (ValueError, TypeError):
        raise FileExistsError(
            f"{path} must hold rows of the same run, got a line that is none; choose another path, or delete the file"
        ) from None


def _check_rows(
    path: Path, rows: Sequence[Mapping[str, object]], prompts: Sequence[str], provenance: Mapping[str, object]
) -> None:
    """Refuse rows that are not the work of this run, or not each of another prompt of it."""
    found = next((row for row in rows if any(row.get(key) != value for key, value in provenance.items())), None)
    if found is not None:
        key = next(key for key, value in provenance.items() if found.get(key) != value)
        raise FileExistsError(
            f"{path} must hold rows of the same run, got {key} {found.get(key)!r} for {provenance[key]!r}; choose "
            "another path, or delete the file"
        )
    asked = dict(enumerate(prompts))
    seen = {number: row.get("prompt") for row in rows if isinstance(number := row.get("row"), int)}
    if len(seen) != len(rows) or any(asked.get(number) != prompt for number, prompt in seen.items()):
        raise _other_prompts(path, len(rows))


def _other_prompts(path: Path, n_rows: int) -> FileExistsError:
    return FileExistsError(
        f"{path} must answer the same prompts, got {n_rows} other rows; choose another path, or delete the file"
    )
