"""Tasks over shards on a Ray cluster: the same results as here, in whatever order they come, whatever dies on the way.

A task whose worker dies is done again by Ray, and as a task's result counts when it arrives, none counts twice.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar, cast, get_args

from fingerprint.data.extras import install_command

if TYPE_CHECKING:
    import ray

Engine: TypeAlias = Literal["local", "ray"]
# Bytes of shards that a task reads at least, where shards are small: sums take about .2 seconds to make, send and add,
# whatever they are of, and so many bytes some seconds to read.
LEAST_BYTES = 64 << 20
TASKS_A_CPU = 4  # so that workers are busy to the end although shards differ
TRIES = 4  # of a task whose worker died


class ShardsTask(Protocol):
    """What a task is told: at least which shards it reads."""

    @property
    def shards(self) -> Sequence[str]: ...


Task = TypeVar("Task", bound=ShardsTask)
Found = TypeVar("Found")


def named_engine(engine: object) -> Engine:
    """The engine of this name.

    Raises
    ------
    ValueError
        If there is none.
    """
    for known in get_args(Engine):
        if engine == known:
            return cast("Engine", known)
    raise ValueError(f"engine must be 'local' or 'ray', got {engine!r}; 'local' is usual")


@contextmanager
def cluster() -> Iterator[int]:
    """Processors of the cluster this process is in; of one on this machine, for the time being, where it is in none.

    Raises
    ------
    ImportError
        If Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            f"engine='ray' must have Ray, got no module ray; install it: {install_command('ray')}"
        ) from error
    is_ours = not ray.is_initialized()
    if is_ours:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield max(int(ray.cluster_resources().get("CPU", 1)), 1)
    finally:
        if is_ours:
            ray.shutdown()


def groups(files: Sequence[str], cpus: int) -> list[list[str]]:
    """Shards for one task each: neighbours, until they are large enough."""
    whole = sum(os.path.getsize(file) for file in files)
    return neighbours(files, max(LEAST_BYTES, whole // (TASKS_A_CPU * cpus)))


def neighbours(files: Sequence[str], enough: int) -> list[list[str]]:
    """Files in their order, as many together as hold so many bytes."""
    sizes = [os.path.getsize(file) for file in files]
    found: list[list[str]] = []
    filled = enough
    for file, size in zip(files, sizes, strict=True):
        if filled + size > enough:
            found.append([])
            filled = 0
        found[-1].append(file)
        filled += size
    return found


def value_or_error(task: Task, work: Callable[[Task], Found]) -> Found | Exception:
    """What a worker gives back: what the caller can mend comes as a value, as Ray would put its traceback around it."""
    missing = next((shard for shard in task.shards if not os.path.exists(shard)), None)
    if missing is not None:
        return FileNotFoundError(
            f"{missing} must be there on every node of the cluster, got none on {socket.gethostname()}; put shards on "
            "storage that all nodes share"
        )
    try:
        return work(task)
    except (ValueError, TypeError, OSError) as error:
        return error


def done(
    work: Callable[[Task], Found | Exception], tasks: Sequence[Task], cpus: int
) -> Iterator[tuple[Task, Found]]:
    """Tasks with what came of them, as they end; so many at a time that all processors are busy.

    Raises
    ------
    RuntimeError
        If a worker dies over the same shards again and again.
    """
    import ray

    remote = ray.remote(num_cpus=1, max_retries=TRIES - 1)(work)
    waiting = deque(tasks)
    running: dict[ray.ObjectRef[Found | Exception], Task] = {}
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
