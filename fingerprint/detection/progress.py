"""Progress: which step runs, and what share of the work is done, by what each step costs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

# A step that takes minutes says so often how far it has come: a line for a reader, and no load.
NOTE_SECONDS = 2.0

# Told the name of the step that begins, and the share of the work that is done, from 0 to 1.
Listener = Callable[[str, float], None]


@dataclass(frozen=True)
class Step:
    """A step of the work.

    Attributes
    ----------
    name : str
        Unique within a run.
    cost : float
        Seconds on 2,000 + 2,000 rows of numbers, one core of a small machine; only their ratios count.
    """

    name: str
    cost: float


class Progress:
    """Tells a listener which step begins.

    Parameters
    ----------
    listener : bool or callable
        False for silence, True for lines on standard error.
    first : str
        The step that begins now: what follows is planned when it is done.
    """

    def __init__(self, listener: bool | Listener, first: str) -> None:
        self._listener = listener if callable(listener) else _print if listener else None
        self._done = {first: 0.0}
        self._ends: dict[str, float] = {}
        self._running, self._told = first, monotonic()
        self(first)

    def plan(self, steps: Sequence[Step]) -> None:
        """Say which steps there are, in their order, the first one included."""
        total, sofar = sum(step.cost for step in steps), 0.0
        for step in steps:
            self._done[step.name] = sofar / total
            sofar += step.cost
            self._ends[step.name] = sofar / total

    def __call__(self, name: str) -> None:
        """A planned step begins."""
        self._running = name
        if self._listener is not None:
            self._listener(name, self._done[name])

    def within(self, note: str, share: float = 0.0) -> None:
        """How far the step that runs has come, and which share of it is done: told every `NOTE_SECONDS` at most."""
        now = monotonic()
        if self._listener is not None and now - self._told >= NOTE_SECONDS:
            self._told = now
            begin = self._done[self._running]
            done = begin + share * (self._ends.get(self._running, begin) - begin)
            self._listener(f"{self._running}: {note}", done)


def _print(step: str, done: float) -> None:
    print(f"fingerprint: {step}", file=sys.stderr)
