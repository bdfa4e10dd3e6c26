"""Files that begin with a line of what they are, their format and a checksum; opened as if a stranger had made them.

The checksum finds damage, before anything else is read. It proves nothing about who made a file: anybody can compute
it. A digest that its maker told some other way does (`sha256`). Whatever else is wrong is one error with a name.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Array
from fingerprint.data.limits import how_to_raise, limits
from fingerprint.data.quoting import short

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
# Entries of a zip: a panel of a hundred traits has four for each.
_MOST_ENTRIES = 10_000


def sealed(magic: bytes, number: int, content: bytes) -> bytes:
    """The content behind a line with a format's number and a checksum."""
    return b"%s %d %s\n" % (magic, number, _checksum(magic, number, content)) + content


def whole_file(path: str | os.PathLike[str], sha256: str | None = None) -> bytes:
    """The bytes of a detector, panel or fingerprint.

    Parameters
    ----------
    path : path-like
    sha256 : str, optional
        What `sha256sum` says of the file, as its maker told it: 64 hex digits.

    Raises
    ------
    ValueError
        If it is no file, or another one than the digest is of, or larger than the limit.
    FileNotFoundError
        If there is none.
    """
    name, most = repr(os.fspath(path)), limits().file
    pinned = None if sha256 is None else checked_digest(sha256)
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError(f"{name} must be a file, got a folder, pipe or device; pass the file itself")
    with open(path, "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{name} must have at most {most:,} bytes, got more; {how_to_raise('file')}")
    if pinned is not None and (found := digests.checksum(content)) != pinned:
        raise ValueError(
            f"{name} must have the SHA-256 that was asked for, {pinned}, got {found}: it is not the file that "
            "was meant; get it again, and ask its maker for the digest"
        )
    return content


def checked_digest(sha256: object) -> str:
    """A digest as `sha256sum` prints it.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not (isinstance(sha256, str) and _DIGEST.fullmatch(sha256)):
        raise ValueError(f"sha256 must be 64 hex digits, got {short(sha256)}; `sha256sum FILE` prints them")
    return sha256.lower()


def unsealed(file: bytes, magic: bytes, number: int, name: str, *, written_by: str, remedy: str) -> bytes:
    """Inverse of `sealed`.

    Parameters
    ----------
    name : str
        What messages call the file.
    written_by, remedy : str
        Who writes such files, and how to come by one.

    Raises
    ------
    ValueError
        If it is something else, of another format, or was changed or cut.
    """
    first, _, content = file.partition(b"\n")
    words = first[len(magic) :].split()
    if not first.startswith(magic + b" ") or len(words) != 2:
        raise ValueError(f"{name} must be a file written by {written_by}, got something else; {remedy}")
    if words[0] != b"%d" % number:
        raise ValueError(
            f"{name} must have format {number}, got {words[0].decode('utf-8', 'replace'):.60}; make it again with "
            "this version"
        )
    if words[1] != _checksum(magic, number, content):
        raise ValueError(f"{name} must be whole and unchanged, got another checksum; get a fresh copy")
    return content


@contextmanager
def malformed(name: str, what: str, remedy: str) -> Iterator[None]:
    """Whatever goes wrong with the parts of a file becomes one error with its name."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, MemoryError) as error:
        if isinstance(error, ValueError) and str(error).startswith(name):
            raise
        got = f"no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise ValueError(f"{name} must hold {what}, got {got:.200}; {remedy}") from error


def entries(body: bytes, name: str) -> Mapping[str, bytes]:
    """The entries of a zip, of which none is unpacked before all of them are known to fit.

    Raises
    ------
    ValueError
        If it is none, is damaged, or unpacks to more than the limit.
    """
    most = limits().file
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            listed = archive.infolist()
            size = sum(entry.file_size for entry in listed)
            if len(listed) > _MOST_ENTRIES or len({entry.filename for entry in listed}) < len(listed):
                raise ValueError(f"{name} must hold each part once, got {len(listed)} parts; make it again")
            if size > most:
                raise ValueError(f"{name} must unpack to {most:,} bytes at most, got {size:,}; {how_to_raise('file')}")
            return {entry.filename: archive.read(entry) for entry in listed}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{name} must hold a whole archive, got {short(str(error))}; make it again") from error


def array_of(content: bytes, name: str) -> Array:
    """An array of finite numbers in numpy's format; its shape is believed when it fits the bytes that are there.

    Raises
    ------
    ValueError
        For objects (a pickle, which is never read), text, another shape, or numbers that are not finite.
    """
    stream = io.BytesIO(content)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        shape, by_columns, dtype = read[np.lib.format.read_magic(stream)](stream)
        start = stream.tell()
        fits = dtype.kind in "biuf" and dtype.itemsize * _product(shape) == len(content) - start
    except Exception as error:  # numpy reads the header as Python, and raises what the tokenizer does
        raise ValueError(f"{name} must be an array of numbers, got {short(str(error))}; make it again") from error
    if not fits:
        raise ValueError(f"{name} must be plain arrays of numbers, got {dtype} of {shape}; make it again")
    found = np.frombuffer(content, dtype=dtype, offset=start).reshape(shape, order="F" if by_columns else "C").copy()
    if dtype.kind == "f" and not np.isfinite(found).all():
        raise ValueError(f"{name} must hold finite numbers, got some that are not; make it again")
    return found


def _product(shape: tuple[int, ...]) -> int:
    """Of Python's own whole numbers, which do not overflow."""
    size = 1
    for length in shape:
        size *= length if length >= 0 else 0
    return size


def _checksum(magic: bytes, number: int, content: bytes) -> bytes:
    return digests.checksum(b"%s %d\n" % (magic, number) + content).encode()
