"""Zip files that somebody else unpacks: checked before, by what is in them and not by what they say is in them.

The library that reads logs of evaluations unpacks a member until it ends, however large it gets. What it will meet is
unpacked here first and thrown away: with more bytes than a file of this size may hold, more members than anyone has
samples, or JSON that goes too deep, the file is refused.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from typing import IO

from fingerprint.data.compression import ZstdStream
from fingerprint.data.json_values import DeepError, check_depth_of_document
from fingerprint.data.limits import Limits, how_to_raise, limits
from fingerprint.data.quoting import short

# The end of the list of members, without a comment: signature, this disk and that of the list, members on this disk and
# in all, bytes of the list, where it starts.
_END = struct.Struct("<4s4H2LH")
_END_64, _LOCATOR_64 = struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_HEAD = struct.Struct("<4s5H3L2H")  # before every member
_EXTRA, _NUMBERS_64 = struct.Struct("<HH"), 1  # a field of its own of a member: kind, bytes behind
_MEMBER, _LOCATOR = b"PK\1\2", b"PK\6\7"
# Bytes of the list of members: in memory, each takes ten times as much.
_MOST_LISTED = 1 << 25
_PIECE = 1 << 16
_ZSTD = 93
_REMEDY = "copy it again, or run the evaluation again"


def check_zip(file: str, what: str) -> None:
    """Refuse a zip file of JSON that takes more to read than a file of its size may.

    Parameters
    ----------
    file : str
    what : str
        What it should be, for messages: "a log of inspect_ai".

    Raises
    ------
    ValueError
        With the file's name and, where it is one member, that member's.
    """
    bounds, size = limits(), os.path.getsize(file)
    with open(file, "rb") as content:
        place = _place_of_list(content, size)
        if place is None:
            raise ValueError(f"{file} must be {what}, a zip file, got another or a damaged one; {_REMEDY}")
        start, listed = place
        content.seek(start)
        _check_count(file, content.read(listed).count(_MEMBER), bounds)
        try:
            with zipfile.ZipFile(content) as archive:
                members = archive.infolist()
                if archive.start_dir != start:
                    raise zipfile.BadZipFile("with its list of members in two places")
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, OSError) as error:
            raise ValueError(
                f"{file} must be {what}, got a damaged zip file ({short(str(error))}); {_REMEDY}"
            ) from None
        _check_count(file, len(members), bounds)
        for member in members:
            if not _is_read_as_one(member):
                raise ValueError(
                    f"{file}, member {short(member.orig_filename)} must be the same to every program, got a name or a "
                    f"place that some read in another way; {_REMEDY}"
                )
        names = {member.filename for member in members}
        if len(names) < len(members):
            raise ValueError(f"{file} must have every member once, got one twice; {_REMEDY}")
        given = 0
        for member in members:
            given += _check_member(content, file, member, given, bounds, size)


def _check_count(file: str, count: int, bounds: Limits) -> None:
    if count > bounds.members:
        raise ValueError(
            f"{file} must have at most {bounds.members:,} members, got {count:,}; {how_to_raise('members')}"
        )


def _place_of_list(content: IO[bytes], size: int) -> tuple[int, int] | None:
    """Where the list of members starts and its bytes, if every program looks for it there and nowhere else.

    It must end where the end record starts, with nothing after or between. Programs do not agree on when numbers of 64
    bits hold instead: some wherever their locator stands before the end record, which may then be a comment's last
    bytes; some for any full field, wherever the locator points. So the locator must be there for a full field that all
    of them know, and point right before itself, and must not be there otherwise.
    """
    at = size - _END.size
    if at < 0:
        return None
    content.seek(at)
    signature, disk, disk_of_list, n_here, n_members, listed, start, comment = _END.unpack(content.read(_END.size))
    if signature != b"PK\5\6" or comment or disk or disk_of_list or n_here != n_members:
        return None
    content.seek(max(at - _LOCATOR_64.size, 0))
    if content.read(4) == _LOCATOR:
        at -= _LOCATOR_64.size + _END_64.size
        if at < 0 or not (n_members == 0xFFFF or 0xFFFFFFFF in (listed, start)):
            return None
        content.seek(at)
        signature, *_, disk, disk_of_list, n_here, n_members, listed, start = _END_64.unpack(content.read(_END_64.size))
        _, _, where, _ = _LOCATOR_64.unpack(content.read(_LOCATOR_64.size))
        if signature != b"PK\6\6" or where != at or disk or disk_of_list or n_here != n_members:
            return None
    return (start, listed) if start + listed == at and listed <= _MOST_LISTED else None


def _check_member(
    content: IO[bytes], file: str, member: zipfile.ZipInfo, given: int, bounds: Limits, size: int
) -> int:
    """Unpack a member of a file that has given so many bytes before; how many it gives."""
    most, name = min(bounds.unpacked(size) - given, bounds.document), f"{file}, member {short(member.filename)}"
    found = bytearray()
    try:
        for piece in _unpacked(content, member):
            found += piece
            if len(found) > most:
                alone = most == bounds.document
                which, least = ("", most) if alone else (" with those before it", bounds.unpacked(size))
                raise ValueError(
                    f"{name} must unpack to at most {least:,} bytes{which}, got more: a bomb, by all appearances; "
                    f"{how_to_raise('document' if alone else 'expansion')}"
                )
        if member.filename.lower().endswith(".json"):
            check_depth_of_document(found.decode(), bounds.depth)
    except DeepError as error:
        raise ValueError(f"{name} must be JSON that rows can be taken from, {error}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name} must be UTF-8, got other bytes; {_REMEDY}") from None
    except (zlib.error, struct.error, EOFError, NotImplementedError) as error:
        raise ValueError(f"{name} must be complete, got a damaged one ({short(str(error))}); {_REMEDY}") from None
    return len(found)


def _is_read_as_one(member: zipfile.ZipInfo) -> bool:
    """Whether all programs read the same name and place: some end names at a NUL, some read a second extra field."""
    extra, n_fields = member.extra, 0
    while len(extra) >= _EXTRA.size:
        kind, length = _EXTRA.unpack_from(extra)
        n_fields, extra = n_fields + (kind == _NUMBERS_64), extra[_EXTRA.size + length :]
    return member.orig_filename == member.filename and n_fields <= 1


def _unpacked(content: IO[bytes], member: zipfile.ZipInfo) -> Iterator[bytes]:
    """All that the bytes of a member unpack to, whatever size it says."""
    content.seek(member.header_offset)
    *_, name, extra = _HEAD.unpack(content.read(_HEAD.size))
    content.seek(member.header_offset + _HEAD.size + name + extra)
    packed = _Part(content, member.compress_size)
    if member.compress_type == zipfile.ZIP_STORED:
        yield from iter(partial(packed.read, _PIECE), b"")
    elif member.compress_type == zipfile.ZIP_DEFLATED:
        inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        while not inflating.eof:
            some = inflating.unconsumed_tail or packed.read(_PIECE)
            found = inflating.decompress(some, _PIECE)
            if not (some or found):
                raise EOFError("it ends too early")
            yield found
        if inflating.unused_data or packed.left:
            raise EOFError("bytes behind its end")
    elif member.compress_type == _ZSTD:
        yield from iter(partial(io.BufferedReader(ZstdStream(packed)).read1, _PIECE), b"")
    else:
        raise NotImplementedError(f"packed by method {member.compress_type}")
    if packed.left:
        raise EOFError("it ends too early")


class _Part(io.BytesIO):
    """Some of the bytes that follow in a file."""

    def __init__(self, content: IO[bytes], left: int) -> None:
        super().__init__()
        self._content, self.left = content, left

    def read(self, size: int | None = -1) -> bytes:
        """At most so many of them."""
        found = self._content.read(min(size or 0, self.left))
        self.left -= len(found)
        return found
