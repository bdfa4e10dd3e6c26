"""Progress: which step runs, and what share of the work is done, by what each step costs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

# A step that takes minutes says so often how far it has come: a line for a reader, and no load.
NOTE_SECONDS = 2.0
# From when on the time left is told: earlier, a step that happens to be quick says nothing about the others.
LEAST_SHARE, LEAST_SECONDS = 0.02, 1.0

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
        self._listener = listener_of(listener) if listener else None
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


class TimeLeft:
    """Seconds of work that are left, by what was done in the time since this was made.

    Parameters
    ----------
    now : callable
        The clock, in seconds.

    Examples
    --------
    >>> times = iter([0.0, 10.0])
    >>> TimeLeft(lambda: next(times))(0.25)
    30.0
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now, self._began = now, now()

    def __call__(self, share: float) -> float | None:
        """By the share done, in [0, 1]; None while too little is done to tell."""
        passed = self._now() - self._began
        return passed * (1 - share) / share if share >= LEAST_SHARE and passed >= LEAST_SECONDS else None


def duration(seconds: float) -> str:
    """A duration in its largest unit that goes into it twice."""
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    length, unit = next((one for one in units if seconds >= 2 * one[0]), units[-1])
    return f"{seconds / length:.0f} {unit}"


def listener_of(progress: bool | Listener | None) -> Listener:
    """Whom to tell: the caller's own, lines on standard error for True, nobody for False and None."""
    if callable(progress):
        return progress
    return _printer() if progress else lambda step, done: None


def _printer() -> Listener:
    left = TimeLeft()

    def tell(step: str, done: float) -> None:
        seconds = left(done)
        told = "" if seconds is None else f" ({done:.0%} done, about {duration(seconds)} left)"
        print(f"fingerprint: {step}{told}", file=sys.stderr)

    return tell
