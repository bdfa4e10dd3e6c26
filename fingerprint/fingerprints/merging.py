"""Saved fingerprints added up, one after another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from fingerprint.data import digests
from fingerprint.fingerprints.storage import read
from fingerprint.fingerprints.summed_rows import SummedRows


def merged(paths: Iterable[str | os.PathLike[str]], told: Callable[[int], None] = lambda done: None) -> SummedRows:
    """The sums of all files together; see `fingerprint.Fingerprint.merged`. Files done are told."""
    total: SummedRows | None = None
    known: dict[str, str] = {}  # file by what it holds
    for done, path in enumerate(os.fspath(one) for one in paths):
        told(done)
        found = read(path)
        content = _content(found)
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
    if total is None:
        raise ValueError("paths must name at least one fingerprint, got none; make some with Fingerprint.of")
    return total


def _content(fingerprint: SummedRows) -> str:
    """Digest of the sums, whatever the card says."""
    families = [(name, family.sums, family.squares) for name, family in sorted(fingerprint.families.items())]
    arrays = [fingerprint.rows, fingerprint.prompts, *(array for _, *both in families for array in both)]
    return digests.hex_digest_of_parts((array.tobytes() for array in arrays), 16)
