"""Ray workers that are killed while they work: what tests of work on a cluster share."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Seconds between two looks at the processes: tasks of these tests take some tenths of one.
PAUSE = 0.01


@contextmanager
def killing(most: int, *names: str) -> Iterator[list[int]]:
    """Kill workers of this process, each once, until there have been so many; gives the numbers of those killed.

    Parameters
    ----------
    most : int
    names : str
        Beginnings of what Ray calls a process: ``ray::`` and what it does.
    """
    killed: list[int] = []
    stop = threading.Event()

    def kill() -> None:
        while len(killed) < most and not stop.is_set():
            process = next((one for one in _workers(names) if one not in killed), None)
            if process is not None:
                os.kill(process, signal.SIGKILL)
                killed.append(process)
            time.sleep(PAUSE)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        stop.set()
        killer.join()


def _workers(names: tuple[str, ...]) -> list[int]:
    """Processes below this one that do just now what is named so; other clusters may be running."""
    parents, busy = {}, []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            if (place / "cmdline").read_text().startswith(names):
                busy.append(int(place.name))
        except OSError:
            continue  # it has ended
    return sorted(process for process in busy if _is_below(process, parents))


def _is_below(process: int, parents: dict[int, int]) -> bool:
    while process in parents:
        process = parents[process]
        if process == os.getpid():
            return True
    return False
