"""Shards summed on a Ray cluster: the same sums as here, to the last bit, whatever dies on the way.

A task sums some shards and returns whole numbers; the driver adds up what comes back, in whatever order.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fingerprint.data.arrays import Bools
from fingerprint.data.batches import SkippedShard
from fingerprint.data.cluster import cluster, done, groups, value_or_error
from fingerprint.data.columns import Columns
from fingerprint.fingerprints.building import Outcome, Rate, Sums, sketched
from fingerprint.fingerprints.kept import RowHashes, kept_rows, row_hashes
from fingerprint.fingerprints.resume import Checkpoint
from fingerprint.fingerprints.sketch import Sketch


def sketched_by_ray(
    left: Sequence[str], files: Sequence[str], sketch: Sketch, rate: Rate, checkpoint: Checkpoint
) -> Outcome:
    """Sum the shards that are left; `files` are all, of which rows per prompt are counted.

    Raises
    ------
    ImportError
        If Ray is not installed.
    ValueError, TypeError, FileNotFoundError
        As `fingerprint.fingerprints.building.sketched`; if a node does not see a shard.
    RuntimeError
        If a worker dies over the same shards again and again.
    """
    given = {os.path.abspath(file): file for file in files}  # workers may be in another folder
    with cluster() as cpus:
        columns = checkpoint.columns or _settled(list(given), sketch)
        kept = None if sketch.rows_per_prompt is None else _kept(list(given), sketch, columns, cpus)
        sums, skipped, n_done = Sums(sketch, checkpoint.total), list[SkippedShard](), 0
        of_tasks = groups([os.path.abspath(file) for file in left], cpus)
        for task, part in done(_summed, [_Task(group, sketch, columns, _of(kept, group)) for group in of_tasks], cpus):
            sums.add_sums(part.total)
            skipped += part.skipped
            n_done += len(task.shards)
            out = {shard.shard for shard in part.skipped}
            checkpoint.note([given[shard] for shard in task.shards if shard not in out], columns)
            rate.done(n_done, part.total.n_rows)
            if checkpoint.is_due:
                checkpoint.write(sums.summed())
    place = {shard: number for number, shard in enumerate(given)}
    skipped.sort(key=lambda shard: place[shard.shard])
    return Outcome(sums.summed(), tuple(SkippedShard(given[one.shard], one.reason) for one in skipped))


def _settled(files: Sequence[str], sketch: Sketch) -> Columns | None:
    """Columns of the first usable row of all, which every shard has to have."""
    found = sketch.batches([Path(file) for file in files])
    while found.columns is None and next(found, None) is not None:
        pass
    return found.columns


def _kept(files: Sequence[str], sketch: Sketch, columns: Columns | None, cpus: int) -> dict[str, Bools]:
    """Rows that are kept, of all shards; as `kept_rows` in their order."""
    hashes: RowHashes = {}
    for _, found in done(_hashed, [_Task(group, sketch, columns) for group in groups(files, cpus)], cpus):
        hashes |= found
    return kept_rows({file: hashes[file] for file in files if file in hashes}, sketch.rows_per_prompt or 1)


def _of(kept: Mapping[str, Bools] | None, group: Sequence[str]) -> dict[str, Bools] | None:
    return None if kept is None else {file: kept[file] for file in group if file in kept}


# What a worker does.


@dataclass(frozen=True)
class _Task:
    shards: list[str]
    sketch: Sketch
    columns: Columns | None
    kept: dict[str, Bools] | None = None


def _summed(task: _Task) -> Outcome | Exception:
    checkpoint = Checkpoint(None, "", columns=task.columns)
    rate = Rate(None, checkpoint)
    paths = [Path(shard) for shard in task.shards]
    return value_or_error(task, lambda task: sketched(paths, task.sketch, task.kept, rate, checkpoint))


def _hashed(task: _Task) -> RowHashes | Exception:
    paths = [Path(shard) for shard in task.shards]
    return value_or_error(task, lambda task: row_hashes(task.sketch.batches(paths, task.columns), task.sketch))
