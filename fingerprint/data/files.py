"""Output files: checked before the work starts, and never left half-written."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal


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
        If `path` is a folder.
    FileNotFoundError
        If its folder does not exist.
    PermissionError
        If its folder, or the file that is there, cannot be written to.
    """
    target = Path(path)
    if target.is_dir():
        raise ValueError(f"{argument} must be a file, got the folder {os.fspath(path)!r}; add a file name to it")
    folder = target.resolve().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{argument} must be in a folder that exists, got {os.fspath(path)!r}; make it first")
    place = target if target.exists() and not target.is_file() else folder
    if not os.access(place, os.W_OK):
        raise PermissionError(f"{argument} must be writable, got {os.fspath(path)!r}; choose another place")


def write_atomically(
    path: str | os.PathLike[str], text: str | bytes, draft: str | os.PathLike[str] | None = None
) -> None:
    """Write UTF-8 text, or bytes, so that `path` holds either what it held before or all of `text`.

    Parameters
    ----------
    path : path-like
        In a folder that exists.
    text : str or bytes
    draft : path-like, optional
        Where the temporary file goes, on the same disk; by default a new name each time. A fixed one leaves a single
        file behind, however often the process is killed while it writes.

    Notes
    -----
    A temporary file beside the target is renamed over it. Pipes and devices (``/dev/stdout``) cannot be replaced
    and are written to directly.
    """
    target = Path(path)
    content = text.encode() if isinstance(text, str) else text
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    target = target.resolve()  # through a symbolic link: the file it points to is replaced, the link stays
    beside = draft_beside(target) if draft is None else Path(draft)
    try:
        _write_through(beside, content, "xb" if draft is None else "wb")
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


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
    All contents are on the disk before the first file takes its place, which then needs neither space nor time: only a
    machine that stops between two renames leaves some of them. Pipes, devices and what is appended to come first, since
    writing there may still fail.
    """
    moves = {beside: target.resolve() for target, beside in (drafts or {}).items()}
    with ExitStack() as left_over:
        for beside in moves:
            left_over.callback(beside.unlink, missing_ok=True)
        direct = []
        for path, content in contents.items():
            encoded = content.encode() if isinstance(content, str) else content
            if path == appended or (path.exists() and not path.is_file()):
                direct.append((path, encoded))
                continue
            target = path.resolve()  # through a symbolic link: the file it points to is replaced, the link stays
            beside = draft_beside(target)
            left_over.callback(beside.unlink, missing_ok=True)
            _write_through(beside, encoded, "xb")
            moves[beside] = target
        for path, encoded in direct:
            with path.open("ab" if path == appended else "wb") as file:
                file.write(encoded)
        for beside, target in moves.items():
            os.replace(beside, target)


def draft_beside(target: Path) -> Path:
    """A new name in the same folder, hidden, for what is going to be `target`."""
    return target.with_name(f".{secrets.token_hex(8)}.tmp")


def _write_through(path: Path, content: bytes, mode: Literal["xb", "wb"]) -> None:
    with path.open(mode) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


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
