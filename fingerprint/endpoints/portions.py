"""Results of asynchronous work, in portions as they come, for callers that are not asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class _End:
    error: BaseException | None


def portions(work: Callable[[Callable[[Result], None]], Coroutine[object, object, None]]) -> Iterator[list[Result]]:
    """Run work that hands over results, and give on what has come since the last time.

    Parameters
    ----------
    work : coroutine function
        Called with a function that takes a result. It runs in a thread with an event loop of its own: notebooks have
        one that is running already.

    Raises
    ------
    BaseException
        What the work raised, after the results that came before.

    Notes
    -----
    Work is cancelled when the caller stops asking, or is interrupted.
    """
    found: SimpleQueue[Result | _End] = SimpleQueue()
    loop = asyncio.new_event_loop()
    task = loop.create_task(work(found.put))

    def run() -> None:
        error: BaseException | None = None
        try:
            loop.run_until_complete(task)
        except BaseException as raised:
            error = raised
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
            found.put(_End(error))

    thread = threading.Thread(target=run, name="requests", daemon=True)
    thread.start()
    try:
        end = None
        while end is None:
            portion, end = _portion(found)
            if portion:
                yield portion
        if end.error is not None:
            raise end.error
    finally:
        with suppress(RuntimeError):  # the loop is closed: nothing is under way
            loop.call_soon_threadsafe(task.cancel)
        thread.join()


def _portion(found: SimpleQueue[Result | _End]) -> tuple[list[Result], _End | None]:
    """At least one result, or the end; and all that is there."""
    portion: list[Result] = []
    while True:
        one = found.get()
        if isinstance(one, _End):
            return portion, one
        portion.append(one)
        if found.empty():
            return portion, None
