"""Output files: checked before the work starts, and never left half-written."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    beside = target.with_name(f".{secrets.token_hex(8)}.tmp") if draft is None else Path(draft)
    try:
        with beside.open("xb" if draft is None else "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


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
