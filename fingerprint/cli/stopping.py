"""Ctrl-C and SIGTERM: one line on standard error and the exit code of shells, from the first import on.

Nothing heavy is imported here: what comes before the first line of `stoppable` is not covered.
"""

import _thread
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

# Seconds to clean up; then the process ends as it is. What stops a run may be swallowed where an exception has no way
# up (a finalizer, a library that catches everything), or wait for a library that computes.
GRACE = 5.0
_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Stopped(BaseException):
    """The process was asked to end."""


class _State:
    """Which signals came, and how far the run is."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.is_over = self.has_said = False


_STATE = _State()


def was_stopped() -> bool:
    """Whether the process was asked to end: what then fails does so because it is ending."""
    return bool(_STATE.asked)


def stoppable(run: Callable[[], object]) -> None:
    """Run what ends in `SystemExit`; asked to end meanwhile, say so in one line and exit with 128 and the signal.

    A second request, and one that comes when the work is over, ends the process at once.
    """
    try:
        try:
            for number in _WORDS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as a shell has it for what runs in its background
                    signal.signal(number, _stop)
            run()
        finally:
            _STATE.is_over = True
    except BaseException:
        if not _STATE.asked:
            raise
    if _STATE.asked:
        _say()
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # of what still ends, nothing has a last word
        raise SystemExit(128 + _STATE.asked[0])


def _stop(number: int, _: FrameType | None) -> None:
    _STATE.asked.append(number)
    if len(_STATE.asked) > 1 or _STATE.is_over:
        _end()
    _thread.start_new_thread(_end_later, ())
    raise Stopped


def _say() -> None:
    if not _STATE.has_said:
        _STATE.has_said = True
        with suppress(OSError):
            os.write(2, f"fingerprint: {_WORDS[signal.Signals(_STATE.asked[0])]}\n".encode())


def _end() -> NoReturn:
    _say()
    os._exit(128 + _STATE.asked[0])


def _end_later() -> None:
    time.sleep(GRACE)
    _end()
