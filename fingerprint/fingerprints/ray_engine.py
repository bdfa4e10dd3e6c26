"""Shards summed on a Ray cluster: the same sums as here, to the last bit, whatever dies on the way.

A task sums some shards and returns whole numbers; the driver adds up what comes back, in whatever order. A task whose
worker dies is done again by Ray, and as a task's sums count when they arrive, none counts twice.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fingerprint.data.arrays import Bools
from fingerprint.data.batches import SkippedShard
from fingerprint.data.columns import Columns
from fingerprint.fingerprints.building import Outcome, Rate, Sums, sketched
from fingerprint.fingerprints.kept import RowHashes, kept_rows, row_hashes
from fingerprint.fingerprints.resume import Checkpoint
from fingerprint.fingerprints.sketch import Sketch

if TYPE_CHECKING:
    import ray

T = TypeVar("T")

# Bytes of shards that a task reads at least, where shards are small: sums take about .2 seconds to make, send and add,
# whatever they are of, and so many bytes some seconds to read.
LEAST_BYTES = 64 << 20
TASKS_A_CPU = 4  # so that workers are busy to the end although shards differ
TRIES = 4  # of a task whose worker died


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
    with _cluster() as cpus:
        columns = checkpoint.columns or _settled(list(given), sketch)
        kept = None if sketch.rows_per_prompt is None else _kept(list(given), sketch, columns, cpus)
        sums, skipped, n_done = Sums(sketch, checkpoint.total), list[SkippedShard](), 0
        groups = _groups([os.path.abspath(file) for file in left], cpus)
        for task, part in _done(_summed, [_Task(group, sketch, columns, _of(kept, group)) for group in groups], cpus):
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


def _groups(files: Sequence[str], cpus: int) -> list[list[str]]:
    """Shards for one task each: neighbours, until they are large enough."""
    sizes = [os.path.getsize(file) for file in files]
    enough = max(LEAST_BYTES, sum(sizes) // (TASKS_A_CPU * cpus))
    groups: list[list[str]] = []
    filled = enough
    for file, size in zip(files, sizes, strict=True):
        if filled + size > enough:
            groups.append([])
            filled = 0
        groups[-1].append(file)
        filled += size
    return groups


def _kept(files: Sequence[str], sketch: Sketch, columns: Columns | None, cpus: int) -> dict[str, Bools]:
    """Rows that are kept, of all shards; as `kept_rows` in their order."""
    hashes: RowHashes = {}
    for _, found in _done(_hashed, [_Task(group, sketch, columns) for group in _groups(files, cpus)], cpus):
        hashes |= found
    return kept_rows({file: hashes[file] for file in files if file in hashes}, sketch.rows_per_prompt or 1)


def _of(kept: Mapping[str, Bools] | None, group: Sequence[str]) -> dict[str, Bools] | None:
    return None if kept is None else {file: kept[file] for file in group if file in kept}


# What a worker does. What the caller can mend comes back as a value: Ray would put its own traceback around it.


@dataclass(frozen=True)
class _Task:
    shards: list[str]
    sketch: Sketch
    columns: Columns | None
    kept: dict[str, Bools] | None = None


def _summed(task: _Task) -> Outcome | Exception:
    checkpoint = Checkpoint(None, "", columns=task.columns)
    rate = Rate(None, checkpoint)
    return _or_error(task, lambda paths: sketched(paths, task.sketch, task.kept, rate, checkpoint))


def _hashed(task: _Task) -> RowHashes | Exception:
    return _or_error(task, lambda paths: row_hashes(task.sketch.batches(paths, task.columns), task.sketch))


def _or_error(task: _Task, work: Callable[[list[Path]], T]) -> T | Exception:
    missing = next((shard for shard in task.shards if not os.path.exists(shard)), None)
    if missing is not None:
        return FileNotFoundError(
            f"{missing} must be there on every node of the cluster, got none on {socket.gethostname()}; put shards on "
            "storage that all nodes share"
        )
    try:
        return work([Path(shard) for shard in task.shards])
    except (ValueError, TypeError, OSError) as error:
        return error


# Ray


@contextmanager
def _cluster() -> Iterator[int]:
    """Processors of the cluster this process is in; of one on this machine, for the time being, where it is in none."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            "engine='ray' must have Ray, got no module ray; install it: pip install -c constraints.txt '.[ray]'"
        ) from error
    is_ours = not ray.is_initialized()
    if is_ours:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield max(int(ray.cluster_resources().get("CPU", 1)), 1)
    finally:
        if is_ours:
            ray.shutdown()


def _done(work: Callable[[_Task], T | Exception], tasks: Sequence[_Task], cpus: int) -> Iterator[tuple[_Task, T]]:
    """Tasks with what came of them, as they end; so many at a time that all processors are busy."""
    import ray

    remote = ray.remote(num_cpus=1, max_retries=TRIES - 1)(work)
    waiting = deque(tasks)
    running: dict[ray.ObjectRef[T | Exception], _Task] = {}
    try:
        while waiting or running:
            while waiting and len(running) < 2 * cpus:  # results that wait for the driver take memory
                task = waiting.popleft()
                running[remote.remote(task)] = task
            (ready,), _ = ray.wait(list(running), num_returns=1)
            task = running.pop(ready)
            try:
                found = ray.get(ready)
            except ray.exceptions.RayError as error:
                raise RuntimeError(
                    f"the task of {len(task.shards)} shards from {task.shards[0]} on must end, got "
                    f"{type(error).__name__} {TRIES} times; is there memory enough for as many tasks as processors? "
                    "Start Ray with fewer"
                ) from error
            if isinstance(found, Exception):
                raise found
            yield task, found
    finally:
        for ref in running:
            ray.cancel(ref, force=True)
