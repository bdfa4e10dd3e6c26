"""When compiled code is used, and in how many threads. Results are the same either way: kernels equal the reference."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

# "1" or "0" takes compiled or reference code always, for tests and benchmarks.
FORCE = "FINGERPRINT_COMPILED"
# Characters that the reference reads in the time that it takes to load a module of kernels from disk (numba's import,
# .7 s, for the most part), and to compile it. `python benchmarks/speed.py start` measures both.
LOAD = 300_000
COMPILE = 3_000_000

_read: Counter[str] = Counter()
_ready: set[str] = set()


def compiled(module: str, texts: Sequence[str]) -> bool:
    """Whether to read texts with compiled code.

    Not before the reference has read, in this process, what takes it as long as making compiled code ready: then
    nobody waits longer than about twice what the better choice takes, however many calls the rows come in.

    Parameters
    ----------
    module : str
        A module of `fingerprint.features.kernels`.
    texts : sequence of str
        What is about to be read.
    """
    forced = os.environ.get(FORCE)
    if forced:
        return forced != "0"
    if module in _ready:
        return True
    _read[module] += sum(map(len, texts))
    if _read[module] >= COMPILE or (_read[module] >= LOAD and _is_on_disk(module)):
        _ready.add(module)
    return module in _ready


def _is_on_disk(module: str) -> bool:
    from fingerprint.features.kernels import is_on_disk

    return is_on_disk(module)


def n_threads() -> int:
    """Threads for compiled code: OMP_NUM_THREADS, as matrix products have it, or the cores of this process."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if wanted.isdigit():
        return max(int(wanted), 1)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(work: Callable[[int], T], n_parts: int) -> list[T]:
    """`work(0)`, `work(1)`, ... side by side; kernels let go of Python's lock. Results in the order of the parts."""
    if min(n_parts, n_threads()) <= 1:
        return [work(part) for part in range(n_parts)]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(n_threads(), n_parts)) as pool:
        return list(pool.map(work, range(n_parts)))
