"""Asks another process for the columns of files that would take this one down (`fingerprint.data.table_reader`).

One such process is kept for all files, since starting it takes a third of a second; a file that ends it costs another.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from fingerprint.data.limits import how_to_raise, limits
from fingerprint.data.quoting import short
from fingerprint.data.table_reader import READY, Message, receive, send

if TYPE_CHECKING:
    import polars as pl

# Memory of the process before it has read anything, and room to decode in: 0.4 GB of it is the libraries.
_MEMORY = 1 << 30
# Decoded, a column is there up to three times: as it is in the file, as it is held, and as it is sent.
_COPIES = 3
# Unpacked bytes that a processor decodes, copies and sends in a second beside whatever else it does, a fiftieth of what
# it does alone; and how many of these a request is given seconds for: of larger files, parts are asked for.
_BYTES_A_SECOND, _BYTES_ASKED_FOR = 20_000_000, 1 << 33
# Seconds of a clock for each of a processor: a machine may be busy, and a disk slow.
_SECONDS_OF_CLOCK = 10.0
# Seconds of a clock for the libraries to be loaded: a third of one alone, 15 from a file server that is busy.
_START_SECONDS = 300.0
# More threads decode no faster than rows are taken, and the stack of each counts as memory.
_THREADS = "4"


class _LateError(Exception):
    """The process took longer than it may."""


class _Process:
    """A process that reads, and who started it: a fork of that one must not ask on its pipes."""

    def __init__(self) -> None:
        from multiprocessing import spawn

        paths = [os.getcwd() if path == "" else path for path in sys.path]
        self.parent = os.getpid()
        self._is_ready = False
        self.child = subprocess.Popen(
            [os.fsdecode(spawn.get_executable() or sys.executable), "-P", "-m", "fingerprint.data.table_reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"POLARS_MAX_THREADS": _THREADS, **os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # Ctrl-C is for this process, which then closes that one's pipe
        )

    def ask(self, request: Mapping[str, object], seconds: float) -> Message:
        """The answer.

        Raises
        ------
        _LateError
            Where it took longer; EOFError where the process ended over it.
        """
        source, sink = self.child.stdout, self.child.stdin
        assert source is not None
        assert sink is not None
        with self._within(seconds):
            try:
                send(sink, request)
                answer = receive(source)
            except OSError:
                answer = None
        if answer is None:
            raise EOFError
        return answer

    def wait_until_ready(self) -> None:
        """Wait for the first message, if it has not come.

        Raises
        ------
        _LateError
            Where it took longer than libraries take to load; EOFError where the process ended.
        """
        if self._is_ready:
            return
        assert self.child.stdout is not None
        with self._within(_START_SECONDS):
            answer = receive(self.child.stdout)
        if answer is None or answer[0] != READY:
            raise EOFError
        self._is_ready = True

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        is_late = threading.Event()

        def stop() -> None:
            is_late.set()
            self.child.kill()

        clock = threading.Timer(seconds, stop)
        clock.start()
        try:
            yield
        finally:
            clock.cancel()
        if is_late.is_set():
            raise _LateError

    def end(self) -> int:
        """End it, and say how it ended."""
        if os.getpid() != self.parent:
            return 0
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was still to be sent has nobody to go to
                    pipe.close()
        try:
            return self.child.wait(1.0)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.wait()


_lock = threading.Lock()
_kept: list[_Process] = []


def columns_of(
    kind: str,
    file: str,
    request: Mapping[str, object],
    *,
    place: str,
    size: int | None = None,
) -> tuple[list[str], pl.DataFrame]:
    """Names of all columns of a file, and the columns that are asked for.

    Parameters
    ----------
    kind : str
        What messages call the format.
    file : str
        What messages call the file.
    request : mapping
        See `fingerprint.data.table_reader`; limits are added.
    place : str
        Where it is.
    size : int, optional
        Bytes of the file that the caller was given, where `place` is a copy of it that was decompressed.

    Raises
    ------
    ValueError
        If it is damaged, or takes more memory or time than a file of its size may.
    """
    import polars as pl

    length = os.path.getsize(place)
    size = length if size is None else size
    most = limits().unpacked(size)
    seconds = limits().seconds + min(most, _BYTES_ASKED_FOR) // _BYTES_A_SECOND
    bounds = {"most": most, "memory": _MEMORY + _COPIES * most + length, "seconds": seconds}
    try:
        asked = {**request, "file": os.path.abspath(place), **bounds}
        answer = _asked(asked, _SECONDS_OF_CLOCK * seconds)
    except _LateError:
        raise ValueError(
            f"{file} must be {kind} that is decoded in {seconds} s of a processor and {_SECONDS_OF_CLOCK:.0f} times as "
            f"long of a clock, got one that took longer; copy it to a faster disk, or {how_to_raise('seconds')}"
        ) from None
    except EOFError as error:
        raise ValueError(
            f"{file} must be {kind} that can be decoded in {bounds['memory'] >> 20:,} MiB, got one that ended what "
            f"read it ({error}): damaged, or made to do that; write or copy it again, or "
            f"{how_to_raise('expansion', ' and it is only large')}"
        ) from None
    header, sent = answer
    if "size" in header:
        raise ValueError(
            f"{file} must hold at most {most:,} bytes unpacked, got {header['size']:,} from {size:,}; "
            f"{how_to_raise('expansion')}"
        )
    if "error" in header:
        raise ValueError(f"{file} must be {kind}, got: {short(str(header['error']))}; write or copy it again")
    names = header["names"]
    assert isinstance(names, list)
    return names, pl.read_ipc_stream(sent) if sent else pl.DataFrame()


def _asked(request: Mapping[str, object], seconds: float) -> Message:
    """The answer.

    Raises
    ------
    _LateError
        Where it took longer; EOFError, with how it ended, where the process ended that should have given it.
    """
    with _lock:
        if _kept and (_kept[0].parent != os.getpid() or _kept[0].child.poll() is not None):
            _kept.pop().end()
        if not _kept:
            _kept.append(_Process())
        _wait_for_start()
        try:
            return _kept[0].ask(request, seconds)
        except EOFError:
            code = _kept.pop().end()
            if -code == getattr(signal, "SIGXCPU", None):
                raise _LateError from None
            raise EOFError(_how(code)) from None
        except BaseException:  # Ctrl-C in the middle of an answer: the rest of it is no answer to the next request
            _kept.pop().end()
            raise


def begin() -> None:
    """Start the process and do not wait: who asks it later loads libraries of its own meanwhile."""
    with _lock, suppress(OSError):  # whoever asks it starts it then, and says why it does not
        if not _kept:
            _kept.append(_Process())


def _wait_for_start() -> None:
    process = _kept[0]
    try:
        process.wait_until_ready()
    except (_LateError, EOFError) as error:
        how = f"nothing in {_START_SECONDS:.0f} s" if isinstance(error, _LateError) else _how(process.end())
        _kept.pop().end()
        raise OSError(
            f"the process that decodes tables must start, got {how}; check `{sys.executable} -c 'import polars'`"
        ) from None
    except BaseException:
        _kept.pop().end()
        raise


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _end() -> None:
    while _kept:
        _kept.pop().end()


def _forget() -> None:
    """In a fork: the lock may be held by a thread that is not here, and the process is of the one that was forked."""
    global _lock
    _lock = threading.Lock()
    nothing = os.open(os.devnull, os.O_RDWR)
    for pipe in (pipe for kept in _kept for pipe in (kept.child.stdin, kept.child.stdout) if pipe and not pipe.closed):
        os.dup2(nothing, pipe.fileno())  # what was still to be sent is sent by that one
    os.close(nothing)
    _kept.clear()


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
