"""Asks another process for the columns of files that would take this one down (`fingerprint.data.table_reader`).

One such process is kept for all files, since starting it takes a third of a second; a file that ends it costs another.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import spawn
from typing import TYPE_CHECKING

from fingerprint.data.limits import how_to_raise, limits
from fingerprint.data.quoting import short
from fingerprint.data.table_reader import Message, receive, send

if TYPE_CHECKING:
    import polars as pl

# Memory of the process before it has read anything, and room to decode in: 0.4 GB of it is the libraries.
_MEMORY = 1 << 30
# Decoded, a column is there up to three times: as it is in the file, as it is held, and as it is sent.
_COPIES = 3
# Seconds of a processor for the smallest file, and bytes that any disk gives in one: decoding is 50 times as fast.
_SECONDS, _BYTES_A_SECOND = 10, 10_000_000
# More threads decode no faster than rows are taken, and the stack of each counts as memory.
_THREADS = "4"


class _Process:
    """A process that reads, and who started it: a fork of that one must not ask on its pipes."""

    def __init__(self) -> None:
        paths = [os.getcwd() if path == "" else path for path in sys.path]
        self.parent = os.getpid()
        self.child = subprocess.Popen(
            [os.fsdecode(spawn.get_executable() or sys.executable), "-P", "-m", "fingerprint.data.table_reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"POLARS_MAX_THREADS": _THREADS, **os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # Ctrl-C is for this process, which then closes that one's pipe
        )

    def ask(self, request: Mapping[str, object], content: bytes, seconds: float) -> Message | None:
        """The answer; None where the process ended over it, or took longer."""
        source, sink = self.child.stdout, self.child.stdin
        assert source is not None
        assert sink is not None
        clock = threading.Timer(seconds, self.child.kill)
        clock.start()
        try:
            send(sink, request, content)
            return receive(source)
        except OSError:
            return None
        finally:
            clock.cancel()

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
    place: str | None = None,
    content: bytes = b"",
    most: int | None = None,
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
    place : str, optional
        Where it is; `content` without.
    most : int, optional
        Bytes that it may hold unpacked; by default what its size allows.

    Raises
    ------
    ValueError
        If it is damaged, or takes more memory or time than a file of its size may.
    """
    import polars as pl

    size = os.path.getsize(place) if place is not None else len(content)
    usual, seconds = limits().unpacked(size), _SECONDS + size // _BYTES_A_SECOND
    most = usual if most is None else most
    bounds = {"most": most, "memory": _MEMORY + _COPIES * most + size, "seconds": seconds}
    where = {} if place is None else {"file": os.path.abspath(place)}
    answer, ended = _asked({**request, **where, **bounds}, content, 1.5 * seconds)
    if answer is None:
        raise ValueError(
            f"{file} must be {kind} that can be decoded in {bounds['memory'] >> 20:,} MiB and {seconds} s, got one "
            f"that ended what read it ({ended}): damaged, or made to do that; write or copy it again, or "
            f"{how_to_raise('expansion', ' and it is only large')}"
        )
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


def known_table(content: bytes, columns: Sequence[str], height: int, name: str) -> pl.DataFrame:
    """An Arrow table whose columns and rows are known before it is decoded: numbers of at most eight bytes.

    Raises
    ------
    ValueError
        If it is another one.
    """
    most = min((len(columns) * (8 * height + 1024)) + (1 << 20), limits().file)
    request = {"kind": "arrow", "columns": list(columns)}
    names, table = columns_of("a table", name, request, content=content, most=most)
    if list(names) != list(columns) or table.height != height:
        raise ValueError(
            f"{name} must hold {len(columns)} columns of {height} rows, got {len(names)} of {table.height}; make it "
            "again"
        )
    return table


def _asked(
    request: Mapping[str, object], content: bytes, seconds: float
) -> tuple[Message | None, str]:
    """The answer, or how the process ended that should have given it."""
    with _lock:
        if _kept and (_kept[0].parent != os.getpid() or _kept[0].child.poll() is not None):
            _kept.pop().end()
        if not _kept:
            _kept.append(_Process())
        try:
            answer = _kept[0].ask(request, content, seconds)
        except BaseException:  # Ctrl-C in the middle of an answer: the rest of it is no answer to the next request
            _kept.pop().end()
            raise
        if answer is not None:
            return answer, ""
        code = _kept.pop().end()
        return None, f"signal {-code}" if code < 0 else f"exit code {code}"


def _end() -> None:
    while _kept:
        _kept.pop().end()


atexit.register(_end)
