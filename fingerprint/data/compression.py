"""Compressed files: gzip and zstd, known by their first bytes; a truncated one is an error."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Endings that come after the one of the format.
COMPRESSIONS = (".gz", ".zst")
#: First bytes of gzip and zstd data.
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # after a byte 0x50 to 0x5f; parallel compressors write such a frame first
_BUFFER = 1 << 17


@contextmanager
def opened(file: str) -> Iterator[io.BufferedReader]:
    """The bytes of a file, decompressed. Damage to the compression becomes an error that names the file."""
    try:
        with open(file, "rb") as raw:
            yield _decompressed(raw, file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{file} must be complete compressed data, got a truncated or damaged file ({error}); copy it again"
        ) from error


def _decompressed(raw: io.BufferedReader, file: str) -> io.BufferedReader:
    head = raw.peek()[:4]
    if not head:
        raise ValueError(f"{file} must have at least one row, got an empty file (0 bytes); check how it was written")
    if head.startswith(GZIP):
        return io.BufferedReader(gzip.GzipFile(fileobj=raw), _BUFFER)
    if head == ZSTD or (head[1:] == _ZSTD_SKIPPABLE and head[0] >> 4 == 5):
        return io.BufferedReader(_ZstdStream(raw), _BUFFER)
    if os.path.splitext(file.lower())[1] in COMPRESSIONS:
        raise ValueError(f"{file} must be compressed, as its name says, got the bytes {head!r}; rename it")
    return raw


class _ZstdStream(io.RawIOBase):
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
        while compressed := raw.read(_BUFFER):
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
