"""One writer a file: a lock that the system releases when its process ends, however it ends."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def alone_with(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading and appending that no other writer holds; made where it is not there.

    Who writes stands in ``<path>.writer`` meanwhile, for the message of those who come later. A file that is empty in
    the end is deleted.

    Raises
    ------
    BlockingIOError
        If another writer holds it, with the number of its process.

    Notes
    -----
    The lock is advisory: it holds among writers that ask for it, on one machine and on network file systems that know
    locks. Windows has no such lock, and none is taken there.
    """
    note = _note(path)
    file = _locked(path, note)
    try:
        note.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield file
        file.flush()
    finally:
        # All this while the lock is held: nobody else can be writing here.
        with suppress(OSError):
            note.unlink(missing_ok=True)
            if _is_same_file(file, path) and path.stat().st_size == 0:
                path.unlink()
        file.close()


@contextmanager
def locked(path: Path, argument: str) -> Iterator[None]:
    """Keep others from using a file that is replaced while it is used: by a lock on ``<path>.lock`` beside it.

    Parameters
    ----------
    path : Path
    argument : str
        What messages call the file.

    Raises
    ------
    ValueError
        If another process, or another call of this one, uses the file.
    """
    lock = path.with_name(f"{path.name}.lock")
    with ExitStack() as held:
        try:
            held.enter_context(alone_with(lock))
        except BlockingIOError:
            raise ValueError(
                f"{argument} must be used by one process at a time, got {str(path)!r}, which {_named(_note(lock))} "
                "uses; wait until it has ended, or choose another file"
            ) from None
        yield


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.writer")


def _locked(path: Path, note: Path) -> IO[bytes]:
    while True:
        file = path.open("a+b")
        try:
            _lock(file)
        except BlockingIOError:
            file.close()
            raise BlockingIOError(
                f"{path} must have one writer, got a second beside {_named(note)}; wait until it is done"
            ) from None
        if _is_same_file(file, path):
            return file
        file.close()  # the writer before finished, and renamed or deleted it, between its opening and its locking


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_same_file(file: IO[bytes], path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    opened = os.fstat(file.fileno())
    return (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)


def _named(note: Path) -> str:
    try:
        return note.read_text(encoding="utf-8") or "another process"
    except OSError:
        return "another process"
