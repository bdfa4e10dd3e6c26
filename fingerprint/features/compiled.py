"""When compiled code is used, and in how many threads. Results are the same either way: kernels equal the reference."""

from __future__ import annotations

import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from functools import partial
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")

# "1" or "0" takes compiled or reference code always, for tests and benchmarks.
FORCE = "FINGERPRINT_COMPILED"
# Seconds to load the first kernel that is on disk (numba's import and its tables of types, .45 processor seconds) and
# each further one (.015); seconds to compile a module of them, of which some are well above and none is far below; and
# what the reference reads meanwhile, in characters a second. `python benchmarks/speed.py features` measures all this.
LOAD_SECONDS = 0.5
KERNEL_SECONDS = 0.02
COMPILE_SECONDS = 8.0
REFERENCE_SPEED = 1.5e6

# Seconds after which a thread hands Python's lock to one that waits for it. With Python's own .005, work on arrays that
# needs the lock between any two steps of .1 ms got half as far beside a thread of plain Python; below .0005 that thread
# loses more than is won.
SWITCH_SECONDS = 0.0005

# Seconds of the reference in this process, by the kernels that could have done its work.
_spent: defaultdict[str, float] = defaultdict(float)
_FORESEEN = "foreseen"
_ready: set[str] = set()


def compiled(
    kernels: str,
    texts: Sequence[str],
    *,
    compile_seconds: float = COMPILE_SECONDS,
    reference_speed: float = REFERENCE_SPEED,
) -> bool:
    """Whether to read texts with compiled code; see `repays`.

    Parameters
    ----------
    kernels : str
        A module of `fingerprint.features.kernels`, or a kernel of one: "module.function".
    texts : sequence of str
        What is about to be read.
    compile_seconds : float
        Seconds to compile the kernels.
    reference_speed : float
        Characters that the reference reads in a second.
    """
    return repays(kernels, sum(map(len, texts)) / reference_speed, compile_seconds)


def repays(kernels: str, seconds: float, compile_seconds: float = COMPILE_SECONDS) -> bool:
    """Whether to use compiled code for what takes the reference so many seconds.

    Not before the reference has been at it, in this process, for as long as making compiled code ready takes: then
    nobody waits longer than about twice what the better choice takes, however many calls the work comes in. What all
    kernels share is loaded once, so the time for it is counted over all of them, with what `foresee` was told.
    """
    forced = os.environ.get(FORCE)
    if forced:
        return forced != "0"
    if kernels in _ready:
        return True
    _spent[kernels] += seconds
    spent = _spent[kernels]
    loads = spent >= KERNEL_SECONDS and sum(_spent.values()) >= LOAD_SECONDS
    if spent >= compile_seconds or (loads and _is_on_disk(kernels)):
        _ready.add(kernels)
    return kernels in _ready


def foresee(texts: Sequence[str], times: int) -> None:
    """Say that texts will be read about so many times by one family or another: kernels on disk are then loaded sooner.

    Nothing is compiled for it: what is foreseen may be less slow than it looks.
    """
    _spent[_FORESEEN] += times * sum(map(len, texts)) / REFERENCE_SPEED


def _is_on_disk(kernels: str) -> bool:
    from fingerprint.features.kernels import is_on_disk

    return is_on_disk(kernels)


def n_threads() -> int:
    """Threads for compiled code: OMP_NUM_THREADS, as matrix products have it, or the cores of this process."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if wanted.isdigit():
        return max(int(wanted), 1)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def own_threads() -> Iterator[None]:
    """Matrix products in one thread each, while this package works on several of them at a time.

    Threads inside of a product wait for one another by turning in circles: where anything else takes a core, a product
    by two threads takes four times as long as by one. With threads of our own, figures hang on no number of threads.
    Python's lock changes hands more often meanwhile. Both hold for the process: of several callers at a time, the first
    sets them and the last puts them back.
    """
    _OWN.enter()
    try:
        yield
    finally:
        _OWN.leave()


class _OwnThreads:
    """What `own_threads` has set, and for how many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_callers = 0
        self._before = ExitStack()

    def enter(self) -> None:
        from threadpoolctl import threadpool_limits

        with self._lock:
            self._n_callers += 1
            if self._n_callers == 1:
                interval = sys.getswitchinterval()
                self._before.callback(sys.setswitchinterval, interval)
                sys.setswitchinterval(min(interval, SWITCH_SECONDS))
                self._before.enter_context(threadpool_limits(1, "blas"))

    def leave(self) -> None:
        with self._lock:
            self._n_callers -= 1
            if self._n_callers == 0:
                self._before.close()


_OWN = _OwnThreads()


@contextmanager
def begun(work: Callable[[S], T], parts: Sequence[S]) -> Iterator[list[Callable[[], T]]]:
    """For each part what waits for `work(part)`, which is done in threads; at the end all of it is over.

    Threads have the context variables of the caller, such as limits that it has raised. Whoever leaves early waits for
    what has begun by then, and nothing else begins.
    """
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(max(min(n_threads(), len(parts)), 1))
    try:
        yield [pool.submit(copy_context().run, work, part).result for part in parts]
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def meanwhile(work: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """What waits for `work()`, which is done in a thread of its own; with one thread, when it is asked for."""
    if n_threads() <= 1:
        yield work
        return
    with begun(lambda _: work(), [None]) as (waiting,):
        yield waiting


def side_by_side(work: Callable[[S], T], parts: Sequence[S]) -> list[Callable[[], T]]:
    """For each part, in their order, what waits for `work(part)`: in threads, or done when it is asked for.

    Threads have the context variables of the caller. What waits for a part that fails waits for all that have begun,
    and nothing else begins.

    Notes
    -----
    No generator holds the threads: one that an error left half-way was closed by whoever collected garbage, in the
    middle of a lock of `threading` now and then, and to wait for threads there was to wait for ever.
    """
    if min(len(parts), n_threads()) <= 1:
        return [partial(work, part) for part in parts]
    from concurrent.futures import Future, ThreadPoolExecutor, wait

    pool = ThreadPoolExecutor(min(n_threads(), len(parts)))
    asked = [pool.submit(copy_context().run, work, part) for part in parts]
    pool.shutdown(wait=False)  # threads end with the last part

    def result(of_part: Future[T]) -> T:
        try:
            return of_part.result()
        except BaseException:
            for other in asked:
                other.cancel()
            wait(asked)
            raise

    return [partial(result, of_part) for of_part in asked]


def in_threads(work: Callable[[int], T], n_parts: int) -> list[T]:
    """`work(0)`, `work(1)`, ... side by side; kernels let go of Python's lock. Results in the order of the parts."""
    return [done() for done in side_by_side(work, range(n_parts))]
