"""Files that begin with a line of what they are, their format and a checksum: damage is found before they are read."""

from __future__ import annotations

from fingerprint.data import digests


def sealed(magic: bytes, number: int, content: bytes) -> bytes:
    """The content behind a line with a format's number and a checksum."""
    return b"%s %d %s\n" % (magic, number, _checksum(magic, number, content)) + content


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
            f"{name} must have format {number}, got {words[0].decode('utf-8', 'replace')}; make it again with this "
            "version"
        )
    if words[1] != _checksum(magic, number, content):
        raise ValueError(f"{name} must be whole and unchanged, got another checksum; get a fresh copy")
    return content


def _checksum(magic: bytes, number: int, content: bytes) -> bytes:
    return digests.checksum(b"%s %d\n" % (magic, number) + content).encode()
