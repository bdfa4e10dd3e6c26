"""Output files: checked before the work starts, never left half-written, and as their owners keep them.

A file is written beside its target, under a hidden name, and renamed over it. What was there keeps its permissions and,
where the process may give files away, its owner and group; a symbolic link stays one, to the new content. Extended
attributes are not kept, and other hard links keep the old content. Killed while it writes, a process leaves one hidden
file, which the next one that writes the same target takes away.
"""

from __future__ import annotations

import errno
import os
import secrets
import signal
import stat
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from fingerprint.data import digests
from fingerprint.data.locks import alone_with, is_at, made_anew, try_lock

_LONGEST_NAME = 240  # bytes of a name that still has room for what is added to it, of the 255 that file systems take


def check_output(path: str | os.PathLike[str], argument: str) -> None:
    """Raise, before any work is done, if a file could not be written to `path`.

    Parameters
    ----------
    path : path-like
        Where the file is to go.
    argument : str
        What to call the argument in the message.

    Raises
    ------
    ValueError
        If `path` is a folder, or a symbolic link that leads back to itself.
    FileNotFoundError
        If its folder does not exist.
    PermissionError
        If its folder, or the file that is there, cannot be written to.
    """
    target = Path(path)
    try:
        real = _real(target)
    except OSError:
        raise ValueError(
            f"{argument} must be a file, got {os.fspath(path)!r}, a symbolic link that leads nowhere; name another"
        ) from None
    if target.is_dir():
        raise ValueError(f"{argument} must be a file, got the folder {os.fspath(path)!r}; add a file name to it")
    folder = real.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{argument} must be in a folder that exists, got {os.fspath(path)!r}; make it first")
    places = [target] if target.exists() else []
    places += [folder] if not target.exists() or target.is_file() else []
    if not all(os.access(place, os.W_OK) for place in places):
        raise PermissionError(f"{argument} must be writable, got {os.fspath(path)!r}; choose another place")


def write_atomically(path: str | os.PathLike[str], text: str | bytes) -> None:
    """Write UTF-8 text, or bytes, so that `path` holds either what it held before or all of `text`.

    Parameters
    ----------
    path : path-like
        In a folder that exists.
    text : str or bytes

    Notes
    -----
    Pipes and devices (``/dev/stdout``) cannot be replaced and are written to directly.
    """
    write_together({Path(path): text})


def write_together(
    contents: Mapping[Path, str | bytes], *, drafts: Mapping[Path, Path] | None = None, appended: Path | None = None
) -> None:
    """Write several files so that all of them appear, or none does.

    Parameters
    ----------
    contents : mapping of path to str or bytes
        In folders that exist.
    drafts : mapping of path to path, optional
        More files, whose contents are ready in a file beside them, which is moved to its place.
    appended : path, optional
        One of the paths of `contents` whose text is added to what the file holds.

    Notes
    -----
    All contents are on the disk before the first file takes its place, which then needs neither space nor time, and
    signals that ask the process to end wait for the last one: only a machine that stops, or ``kill -9``, between two
    renames leaves some of them. Pipes, devices and what is appended to come first, since writing there may still fail.
    """
    with ExitStack() as left_over:
        moves = []
        for target, ready in (drafts or {}).items():
            left_over.callback(ready.unlink, missing_ok=True)
            moves.append((ready, _real(target)))
            _keep_mode(ready, moves[-1][1])
        direct = []
        for path, content in contents.items():
            encoded = content.encode() if isinstance(content, str) else content
            if path == appended or (path.exists() and not path.is_file()):
                direct.append((path, encoded))
                continue
            target = _real(path)  # through a symbolic link: the file it points to is replaced, the link stays
            draft = left_over.enter_context(_draft(target))
            draft.write(encoded)
            moves.append((draft.path, target))
        for path, encoded in direct:
            with path.open("ab" if path == appended else "wb") as file:
                file.write(encoded)
        with uninterrupted():
            for ready, target in moves:
                os.replace(ready, target)


@contextmanager
def draft_beside(target: Path) -> Iterator[Path]:
    """Where others write what is going to be `target`: a hidden file beside it, which is gone afterwards.

    Its name is always the same, so that what a killed process left is replaced; another process that is writing the
    same target meanwhile has another one.

    Its name is given away, and opened again by whoever writes: the folder must be one that nobody else may write to, or
    a link can be put in its place meanwhile.
    """
    path = _hidden(_real(target))
    with ExitStack() as held:
        is_ours = False
        with suppress(OSError):  # another process holds it, or somebody has put a link there
            held.enter_context(alone_with(path.with_name(f"{path.name}.lock")))
            if (made := made_anew(path)) is not None:
                made.close()
                is_ours = True
        if not is_ours:
            path = path.with_name(f".{secrets.token_hex(8)}.tmp")
            _opened(path).close()
        held.callback(path.unlink, missing_ok=True)
        yield path


def forget_draft(target: Path) -> None:
    """Delete what a killed process left beside a file."""
    _hidden(target).unlink(missing_ok=True)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until this is over; in the main thread, where they take effect."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        for number, _ in before:
            signal.signal(number, note)
        yield
    finally:
        for number, handler in before:
            if handler is not None:  # None: set by something that is not Python
                signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)


@dataclass(frozen=True)
class _Draft:
    path: Path
    file: IO[bytes]

    def write(self, content: bytes) -> None:
        self.file.write(content)
        self.file.flush()
        os.fsync(self.file.fileno())
        if sys.platform == "win32":
            self.file.close()  # an open file cannot be renamed there


@contextmanager
def _draft(target: Path) -> Iterator[_Draft]:
    """An empty hidden file beside a target, with its permissions; gone in the end unless it was renamed.

    Its name hangs on the target's alone and it is locked while it is written: one that nobody holds was left by a
    process that was killed. Where that name is another's, or there are no locks, it is a new one each time.
    """
    path = _hidden(target)
    file = _taken(path)
    if file is None:
        path = path.with_name(f".{secrets.token_hex(8)}.tmp")
        file = _opened(path)
    try:
        _keep_mode(path, target)
        yield _Draft(path, file)
    finally:
        with suppress(OSError):
            if file.closed or os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                path.unlink()
        file.close()


def _taken(path: Path) -> IO[bytes] | None:
    """A new, locked file under this name; None if another process holds it, or it is no file of ours to delete."""
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        pass
    except OSError:
        return None
    else:
        with open(descriptor, "r+b") as old:
            found = os.fstat(descriptor)
            is_ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1
            if not is_ours or not try_lock(old) or not is_at(old, path):  # renamed since, by whoever held it
                return None
            path.unlink()
    try:
        file = _opened(path)
    except FileExistsError:
        return None
    with suppress(OSError):
        if try_lock(file) and is_at(file, path):
            return file
    file.close()
    return None


def _opened(path: Path) -> IO[bytes]:
    return path.open("xb")


def _keep_mode(path: Path, target: Path) -> None:
    """Give a file the owner, group and permissions of the one that it is to replace, as far as that is allowed."""
    try:
        old = target.stat()
    except OSError:
        return
    new = path.stat()
    if sys.platform != "win32" and (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        for owner in ((old.st_uid, old.st_gid), (-1, old.st_gid)):
            with suppress(OSError):
                os.chown(path, *owner)
                break
    path.chmod(stat.S_IMODE(old.st_mode))


def _hidden(target: Path) -> Path:
    fits = len(os.fsencode(target.name)) <= _LONGEST_NAME
    return target.with_name(f".{target.name if fits else digests.hex_digest(os.fsencode(target.name))}.tmp")


def _real(path: Path) -> Path:
    """The file that a path stands for, through symbolic links.

    Raises
    ------
    OSError
        If they lead back to themselves.
    """
    with suppress(RuntimeError):  # of Python before 3.13
        real = path.resolve()
        if not real.is_symlink():
            return real
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


@contextmanager
def room_on_disk(path: Path) -> Iterator[None]:
    """Say what to do when the disk is full.

    Raises
    ------
    OSError
        The one that was raised within, with the remedy and `path` where there was no space.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = "no space left on the disk; free some and run the same again: what is done is kept"
            raise OSError(error.errno, message, str(path)) from error
        raise
