"""Saved fingerprints added up, one after another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

from fingerprint.data import digests
from fingerprint.data.sealed import checked_digest, whole_file
from fingerprint.fingerprints.storage import from_bytes
from fingerprint.fingerprints.summed_rows import SummedRows


def merged(
    paths: Iterable[str | os.PathLike[str]],
    told: Callable[[int], None] = lambda done: None,
    sha256: Sequence[str] | None = None,
) -> SummedRows:
    """The sums of all files together; see `fingerprint.Fingerprint.merged`. Files done are told."""
    pins = None if sha256 is None else [checked_digest(digest) for digest in sha256]
    total: SummedRows | None = None
    known: dict[str, str] = {}  # file by what it holds
    for done, path in enumerate(os.fspath(one) for one in paths):
        told(done)
        found = _read(path, pins)
        content = found.digest
        if content in known:
            raise ValueError(
                f"fingerprints must be of different rows, got the same sums in {known[content]!r} and {path!r}; leave "
                "one out, or its rows count twice"
            )
        known[content] = path
        try:
            total = found if total is None else total + found
        except ValueError as error:
            raise ValueError(f"{path!r} must add up with {next(iter(known.values()))!r}: {error}") from error
    if pins:
        raise ValueError(f"sha256 must be digests of the files, got {pins[0]} of none of them; leave it out")
    if total is None:
        raise ValueError("paths must name at least one fingerprint, got none; make some with Fingerprint.of")
    return total


def _read(path: str, pins: list[str] | None) -> SummedRows:
    """A fingerprint, whose digest is one of those that are left, and is not left then."""
    content = whole_file(path)
    if pins is not None:
        digest = digests.checksum(content)
        if digest not in pins:
            raise ValueError(
                f"{path!r} must have a SHA-256 that was asked for, got {digest}: it is not a file that was meant; get "
                "it again, and ask its maker for the digest"
            )
        pins.remove(digest)
    return from_bytes(content, repr(path))
