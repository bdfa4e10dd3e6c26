"""Which shards are to be read, and by whom: here, or on a Ray cluster."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from fingerprint.data.batches import OR_SKIP_SHARDS, ShardError, SkippedShard, copy_of
from fingerprint.data.cluster import named_engine
from fingerprint.data.locks import locked
from fingerprint.data.shards import duplicate_shards, shard_paths
from fingerprint.fingerprints.building import Listener, Outcome, Rate, sketched
from fingerprint.fingerprints.kept import kept_rows, row_hashes
from fingerprint.fingerprints.resume import Checkpoint
from fingerprint.fingerprints.sketch import Sketch
from fingerprint.fingerprints.summed_rows import SummedRows


class ShardSkipped(UserWarning):
    """A shard was left out of a fingerprint."""


def built(
    data: object, sketch: Sketch, *, engine: str, resume: str | os.PathLike[str] | None, progress: Listener | None
) -> SummedRows:
    """A fingerprint by an engine; see `Fingerprint.of`."""
    named_engine(engine)
    files = shard_paths(data)
    if not files and (engine != "local" or resume is not None):
        argument = "resume" if resume is not None else f"engine={engine!r}"
        raise ValueError(f"data must be files where {argument} is given, got {type(data).__name__}; pass shards")
    with nullcontext() if resume is None else locked(Path(resume), "resume"):
        return _built(data, files, sketch, engine, resume, progress)


def _built(
    data: object,
    files: Sequence[str],
    sketch: Sketch,
    engine: str,
    resume: str | os.PathLike[str] | None,
    progress: Listener | None,
) -> SummedRows:
    checkpoint = Checkpoint.at(resume, sketch)
    rate = Rate(progress, checkpoint)
    found = _of_files(files, sketch, engine, rate, checkpoint) if files else _in_memory(data, sketch, rate, checkpoint)
    for skipped in found.skipped:
        warnings.warn(f"{skipped.shard} was left out: {skipped.reason}", ShardSkipped, stacklevel=4)
    checkpoint.write(found.total)  # without the shards that were skipped: they are tried again if it goes on
    return replace(found.total, skipped_shards=len(found.skipped))


def _in_memory(data: object, sketch: Sketch, rate: Rate, checkpoint: Checkpoint) -> Outcome:
    kept = None
    if sketch.rows_per_prompt is not None:
        if isinstance(data, Iterator):
            raise ValueError(
                "data must be readable twice where rows_per_prompt is given, got an iterator; pass the files"
            )
        kept = kept_rows(row_hashes(sketch.batches(data), sketch), sketch.rows_per_prompt)
    return sketched(data, sketch, kept, rate, checkpoint)


def _of_files(files: Sequence[str], sketch: Sketch, engine: str, rate: Rate, checkpoint: Checkpoint) -> Outcome:
    """Shards that are not done yet. A copy of one that is done is a copy as well, so all are looked at."""
    left = checkpoint.left(files)
    is_one_pass = engine == "local" and len(left) == len(files) and sketch.bad_shards == "error"
    copies = {} if is_one_pass else duplicate_shards(files)  # in one pass they are found on the way
    skipped = tuple(SkippedShard(file, copy_of(file, copies[file])) for file in left if file in copies)
    if skipped and sketch.bad_shards == "error":
        raise ShardError(f"{skipped[0].reason}, {OR_SKIP_SHARDS}")
    left, whole = ([file for file in some if file not in copies] for some in (left, files))
    if not left and checkpoint.total is not None:
        return Outcome(checkpoint.total, skipped)
    if engine == "ray":
        from fingerprint.fingerprints.ray_engine import sketched_by_ray  # needs ray

        found = sketched_by_ray(left, whole, sketch, rate, checkpoint)
    else:
        kept = None
        if sketch.rows_per_prompt is not None:  # of all shards, done or not: which rows are kept hangs on all of them
            paths = [Path(file) for file in whole]
            kept = kept_rows(row_hashes(sketch.batches(paths), sketch), sketch.rows_per_prompt)
        found = sketched([Path(file) for file in left], sketch, kept, rate, checkpoint)
    return Outcome(found.total, (*skipped, *found.skipped))
