"""Compressed files: gzip and zstd, known by their first bytes; a truncated one is an error, and so is a bomb."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Literal

from fingerprint.data.limits import how_to_raise, limits

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: What is in memory at a time of a file that is read.
Held = Literal["lines", "whole", "columns"]
#: Endings that come after the one of the format.
COMPRESSIONS = (".gz", ".zst")
#: First bytes of gzip and zstd data.
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # after a byte 0x50 to 0x5f; parallel compressors write such a frame first
_SIGNATURE = 4
_BUFFER = 1 << 17
# Compressed bytes of zstd that are given to it at a time: four of them can stand for 128 KiB, so this for 64 MiB.
_ZSTD_PIECE = 1 << 11
# Seconds that a pipe may be without anybody who writes to it: a program that is started at the same time takes less.
_PIPE_SECONDS = 5.0


@contextmanager
def opened(file: str, held: Held = "columns") -> Iterator[io.BufferedReader]:
    """The bytes of a file, decompressed. Damage to the compression becomes an error that names the file.

    Parameters
    ----------
    file : str
    held : {"lines", "whole", "columns"}
        What the caller holds at a time. None of its lines may be long, and white space must end somewhere; or there is
        a limit to all of it; or whoever decodes it has its own.
    """
    with _opened_file(file) as raw, opened_bytes(raw, file, held) as stream:
        yield stream


@contextmanager
def opened_bytes(raw: io.BufferedReader, file: str, held: Held) -> Iterator[io.BufferedReader]:
    """`opened`, of bytes that are open already and are called by the name of a file."""
    try:
        yield _decompressed(raw, file, held)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{file} must be complete compressed data, got a truncated or damaged file ({error}); copy it again"
        ) from error


@contextmanager
def on_disk(stream: io.BufferedReader, file: str) -> Iterator[str]:
    """Where the bytes of a stream of `opened` are: in the file itself, or decompressed beside other temporary files."""
    if isinstance(stream.raw, _Bounded) and stream.raw.is_plain and os.path.isfile(file):
        yield file
        return
    with tempfile.NamedTemporaryFile(prefix="fingerprint-") as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)
        copy.flush()
        yield copy.name


def _opened_file(file: str) -> io.BufferedReader:
    """Open a file; of a pipe, wait a little for somebody who writes, and not for ever."""
    try:
        is_pipe = stat.S_ISFIFO(os.stat(file).st_mode)
    except OSError:
        is_pipe = False
    if not is_pipe or not hasattr(os, "O_NONBLOCK"):
        return open(file, "rb")
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    head, deadline = b"", time.monotonic() + _PIPE_SECONDS
    while True:
        try:
            head = os.read(descriptor, 1)  # nothing where nobody writes, an error where somebody has not yet
        except BlockingIOError:
            break
        if head:
            break
        if time.monotonic() > deadline:
            os.close(descriptor)
            raise ValueError(
                f"{file} must be a file, or a pipe that somebody writes to, got a pipe without anybody for "
                f"{_PIPE_SECONDS:.0f} seconds; start what writes, or pass a file"
            )
        time.sleep(0.01)
    os.set_blocking(descriptor, True)
    return io.BufferedReader(_After(head, os.fdopen(descriptor, "rb", 0)), _BUFFER)


class _After(io.RawIOBase):
    """Some bytes, and what a raw stream holds after them."""

    def __init__(self, head: bytes, rest: io.FileIO) -> None:
        self._head, self._rest, self._given = head, rest, 0

    def readable(self) -> bool:
        """Always: what a buffered reader asks for."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer as far as the next piece goes; 0 at the end."""
        while self._head and len(self._head) < _SIGNATURE and (more := self._rest.read(_SIGNATURE - len(self._head))):
            self._head += more  # what kind of file it is, is decided by what comes at once
        if self._head:
            size, target = min(len(self._head), len(memoryview(buffer))), memoryview(buffer)
            target[:size], self._head = self._head[:size], self._head[size:]
        else:
            size = self._rest.readinto(buffer) or 0
        self._given += size
        return size

    def tell(self) -> int:
        """How many bytes were taken."""
        return self._given

    def close(self) -> None:
        """Close both."""
        self._rest.close()
        super().close()


def _decompressed(raw: io.BufferedReader, file: str, held: Held) -> io.BufferedReader:
    head = raw.peek()[:4]
    if not head:
        raise ValueError(f"{file} must have at least one row, got an empty file (0 bytes); check how it was written")
    is_plain = False
    fill: Callable[[WriteableBuffer], int | None]
    if head.startswith(GZIP):
        fill = gzip.GzipFile(fileobj=raw).readinto
    elif head == ZSTD or (head[1:] == _ZSTD_SKIPPABLE and head[0] >> 4 == 5):
        fill = ZstdStream(raw).readinto
    elif os.path.splitext(file.lower())[1] in COMPRESSIONS:
        raise ValueError(f"{file} must be compressed, as its name says, got the bytes {head!r}; rename it")
    else:
        fill, is_plain = raw.readinto1, True
    return io.BufferedReader(_Bounded(fill, raw, file, held, is_plain), _BUFFER)


class _Bounded(io.RawIOBase):
    """Decompressed bytes, as far as a file of this size may have them."""

    def __init__(
        self,
        fill: Callable[[WriteableBuffer], int | None],
        raw: io.BufferedReader,
        file: str,
        held: Held,
        is_plain: bool,
    ) -> None:
        self._fill, self._raw, self._file = fill, raw, file
        self._limits, self._held, self.is_plain = limits(), held, is_plain
        self._given = self._in_line = self._blank = 0

    def readable(self) -> bool:
        """Always: what a buffered reader asks for."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer as far as the next piece goes; 0 at the end."""
        size = self._fill(buffer) or 0
        self._given += size
        most = self._limits
        if not self.is_plain:
            self._check_expansion()
        if self._held == "whole" and self._given > most.document:
            raise ValueError(
                f"{self._file} must have at most {most.document:,} bytes, for a JSON document is held as a whole, got "
                f"more; write it as .jsonl, or {how_to_raise('document')}"
            )
        if self._held == "lines" and size:
            self._check_lines(bytes(memoryview(buffer)[:size]))
        return size

    def _check_expansion(self) -> None:
        most, packed, is_held = self._limits, self._raw.tell(), self._held != "lines"
        if self._given > (most.unpacked(packed) if is_held else most.streamed(packed)):
            raise ValueError(
                f"{self._file} must hold at most {most.expansion if is_held else most.stream:,} times its size once it "
                f"is decompressed, got over {self._given:,} bytes from {packed:,}: a bomb, by all appearances; "
                f"{how_to_raise('expansion' if is_held else 'stream')}"
            )

    def _check_lines(self, piece: bytes) -> None:
        end = piece.rfind(b"\n")
        self._in_line = self._in_line + len(piece) if end < 0 else len(piece) - end - 1
        if self._in_line > self._limits.line:
            raise ValueError(
                f"{self._file} must have lines of at most {self._limits.line:,} bytes, got a longer one near byte "
                f"{self._given:,}; {how_to_raise('line')}"
            )
        blank, stripped = self._blank + len(piece) - len(piece.lstrip()), len(piece.rstrip())
        self._blank = len(piece) - stripped if stripped else blank
        if max(blank, self._blank) > self._limits.blank:
            raise ValueError(
                f"{self._file} must hold rows, got {max(blank, self._blank):,} bytes of nothing but white space up to "
                f"byte {self._given:,}; {how_to_raise('blank')}"
            )


class ZstdStream(io.RawIOBase):
    """Decompresses one zstd frame after the other; unlike zstandard's own reader, it notices a truncated one."""

    def __init__(self, raw: BinaryIO) -> None:
        self._chunks = self._decompressed(raw)
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """Always: what a buffered reader asks for."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer as far as the next piece goes; 0 at the end."""
        target = memoryview(buffer)
        while not self._ready:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._ready = memoryview(chunk)
        size = min(len(target), len(self._ready))
        target[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    @staticmethod
    def _decompressed(raw: BinaryIO) -> Iterator[bytes]:
        import zstandard

        frame = None
        while compressed := raw.read(_ZSTD_PIECE):
            while compressed:
                # zstd --long=31 writes windows of 2 GiB
                frame = frame or zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
                try:
                    yield frame.decompress(compressed)
                except zstandard.ZstdError as error:
                    raise EOFError(str(error)) from error
                compressed = frame.unused_data
                if frame.eof:
                    frame = None
        if frame is not None:
            raise EOFError("the last zstd frame has no end")
