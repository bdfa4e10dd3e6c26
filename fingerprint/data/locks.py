"""One writer a file, or one for each part of it: locks that the system releases when a process ends, however it ends.

They are advisory: they hold among those that ask for them, on one machine, and on network file systems that know locks
(NFS does, unless it is mounted with ``nolock``; Lustre with ``flock``). Where a file system has none, `alone_with` says
so and goes on without. Windows has no such locks, and none are taken there.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fingerprint.data import digests

# What a file system without locks answers.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
# Parts are bytes far beyond the end of any file: the lock of a byte is one whether or not it is there.
_FIRST_PART, _N_PARTS = 2**62, 2**61


@contextmanager
def alone_with(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading and appending that no other writer holds; made where it is not there.

    Who writes, and since when, stands in ``<path>.writer`` meanwhile, for the message of those who come later. A file
    that is empty in the end is deleted. Killed, both are left, without the lock: the next writer takes them over.

    Raises
    ------
    BlockingIOError
        If another writer holds it, with the number of its process, its machine, and since when.
    OSError
        If it is a symbolic link, a pipe or a device: nothing is written through a name that somebody else may have put
        there.

    Warns
    -----
    UserWarning
        If the file system has no locks.
    """
    note = _note(path)
    file = _locked(path, note)
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S %z")
        _write_note(note, f"process {os.getpid()} on {socket.gethostname()} (since {since})")
        yield file
        file.flush()
    finally:
        # All this while the lock is held: nobody else can be writing here.
        with suppress(OSError):
            note.unlink(missing_ok=True)
            if is_at(file, path) and path.stat().st_size == 0:
                path.unlink()
        file.close()


@contextmanager
def locked(path: Path, argument: str) -> Iterator[None]:
    """Keep others from using a file, or a folder, whose contents are replaced while it is used.

    The lock is one on ``<path>.lock`` beside a file, and on ``.lock`` in a folder.

    Parameters
    ----------
    path : Path
    argument : str
        What messages call it.

    Raises
    ------
    ValueError
        If another process, or another call of this one, uses it.
    """
    is_folder = path.is_dir()
    lock = path / ".lock" if is_folder else path.with_name(f"{path.name}.lock")
    with ExitStack() as held:
        try:
            held.enter_context(alone_with(lock))
        except BlockingIOError:
            raise ValueError(
                f"{argument} must be used by one process at a time, got {str(path)!r}, which {_named(_note(lock))} "
                f"uses; wait until it has ended, or choose another {'folder' if is_folder else 'file'}"
            ) from None
        yield


@dataclass(frozen=True)
class PartLocks:
    """Parts of a file by name, each of which one holder at a time has; and the whole of it, for a moment.

    Holders are calls of `of`, in as many processes as there are. Two names stand for one part with a probability of
    4e-19 for each pair: what then is not asked twice is asked one after the other.
    """

    descriptor: int

    @classmethod
    @contextmanager
    def of(cls, path: Path) -> Iterator[PartLocks]:
        """Parts of a file, which is made where it is not there; all of them are free again afterwards."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            yield cls(descriptor)
        finally:
            os.close(descriptor)

    def take(self, name: str) -> bool:
        """Whether the part is this holder's now."""
        return self._set(digests.number(name, 8) % _N_PARTS, is_held=True)

    def leave(self, name: str) -> None:
        """Leave a part to others."""
        self._set(digests.number(name, 8) % _N_PARTS, is_held=False)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Hold what nobody else holds meanwhile; waits for it."""
        self._set(_N_PARTS, is_held=True, waits=True)
        try:
            yield
        finally:
            self._set(_N_PARTS, is_held=False)

    def _set(self, part: int, *, is_held: bool, waits: bool = False) -> bool:
        if sys.platform != "linux" or sys.maxsize < 2**32:
            return True  # of other systems the locks end with any file that the process closes, or are not there
        import fcntl

        kind = fcntl.F_WRLCK if is_held else fcntl.F_UNLCK
        wanted = struct.pack("hhqqixxxx", kind, os.SEEK_SET, _FIRST_PART + part, 1, 0)
        try:
            fcntl.fcntl(self.descriptor, fcntl.F_OFD_SETLKW if waits else fcntl.F_OFD_SETLK, wanted)
        except OSError as error:
            return error.errno not in (errno.EAGAIN, errno.EACCES)  # another has it; else there are no such locks here
        return True


def try_lock(file: IO[bytes]) -> bool:
    """Lock an open file; False where another has it, or there are no locks."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.writer")


def _locked(path: Path, note: Path) -> IO[bytes]:
    while True:
        file = _opened(path)
        try:
            _lock(file, path)
        except BlockingIOError:
            file.close()
            raise BlockingIOError(
                f"{path} must have one writer, got a second beside {_named(note)}; wait until it is done"
            ) from None
        if is_at(file, path):
            return file
        file.close()  # the writer before finished, and renamed or deleted it, between its opening and its locking


def _lock(file: IO[bytes], path: Path) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        warnings.warn(
            f"{path.parent} is on a file system without locks: let no other process write there at the same time",
            stacklevel=5,
        )


def is_at(file: IO[bytes], path: Path) -> bool:
    """Whether a path still stands for an open file, itself and not by a link."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))
    except OSError:
        return False


def is_own(path: Path) -> bool:
    """Whether a file is one that this user's processes made, and nothing else is behind its name.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    found = os.lstat(path)
    is_users = sys.platform == "win32" or found.st_uid == os.geteuid()
    return stat.S_ISREG(found.st_mode) and is_users and found.st_nlink == 1


def made_anew(path: Path) -> IO[bytes] | None:
    """An empty file of this user's, open for writing, in place of an earlier one; None where another thing is there.

    Write to what is returned: by the time that the name is opened again, whoever may write to the folder can have put a
    link there.
    """
    try:
        if not is_own(path):
            return None
        path.unlink()
    except FileNotFoundError:
        pass
    except OSError:
        return None
    try:
        return path.open("xb")
    except FileExistsError:
        return None


def _opened(path: Path) -> IO[bytes]:
    """The file for reading and appending, and no other one that a link of this name leads to."""
    try:
        return open(path, "a+b", opener=_not_followed)
    except OSError:
        if not path.is_symlink() and (path.is_file() or path.is_dir() or not path.exists()):
            raise
        raise OSError(
            f"{path} must be a file, got a link, a pipe or a device; see who put it there, and take it away"
        ) from None


def _not_followed(path: str, flags: int) -> int:
    more = 0 if sys.platform == "win32" else os.O_NOFOLLOW | os.O_NONBLOCK
    return os.open(path, flags | more, 0o666)


def _write_note(note: Path, text: str) -> None:
    """Say who writes, where that can be said without writing to a file of somebody else."""
    with suppress(OSError):
        if (file := made_anew(note)) is not None:
            with file:
                file.write(text.encode())


def _named(note: Path) -> str:
    try:
        return note.read_text(encoding="utf-8") or "another process"
    except OSError:
        return "another process"
