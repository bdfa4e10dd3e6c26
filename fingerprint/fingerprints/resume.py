"""What is done of many shards, kept on disk: work that is killed goes on, and counts nothing twice."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fingerprint.data import digests
from fingerprint.data.columns import Columns
from fingerprint.data.files import forget_draft, write_atomically
from fingerprint.fingerprints.sketch import Sketch
from fingerprint.fingerprints.storage import from_bytes, to_bytes
from fingerprint.fingerprints.summed_rows import SummedRows

# Seconds between two writings: a writing takes about half of one.
PAUSE = 15.0


@dataclass
class Checkpoint:
    """Shards that are summed, and their sum.

    Attributes
    ----------
    path : Path or None
        Where both are kept; None where nothing is.
    settings : str
        Digest of how rows become sums: work under other settings does not go on from here.
    done : dict of str
        Shards that are in `total`, with their size and time.
    total : SummedRows or None
    columns : Columns or None
        Which columns the shards have, once a row has been read: those that are left are read alike.
    """

    path: Path | None
    settings: str
    done: dict[str, str] = field(default_factory=dict)
    total: SummedRows | None = None
    columns: Columns | None = None
    _marks: dict[str, str] = field(default_factory=dict)
    _written: float = field(default_factory=time.perf_counter)

    @classmethod
    def at(cls, path: object, sketch: Sketch) -> Checkpoint:
        """What is kept at a path, or nothing yet.

        Raises
        ------
        ValueError
            If it was made under other settings, or is no checkpoint.
        """
        settings = digests.hex_digest(json.dumps(asdict(sketch), sort_keys=True), 16)
        if path is None:
            return cls(None, settings)
        place = Path(os.fspath(path))  # type: ignore[call-overload]
        if not place.exists():
            return cls(place, settings)
        first, _, body = place.read_bytes().partition(b"\n")
        try:
            known = json.loads(first)
            if known["settings"] != settings:
                raise ValueError(
                    f"resume must go on with the settings it began with, got others in {str(place)!r}; delete the file "
                    "to begin anew"
                )
            columns = None if known["columns"] is None else Columns(*known["columns"])
            return cls(place, settings, dict(known["done"]), from_bytes(body, repr(str(place))), columns)
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"resume must be a file of an earlier call, got {str(place)!r}; choose another") from error

    def left(self, shards: Sequence[str]) -> list[str]:
        """Shards that are not done.

        Raises
        ------
        ValueError
            If a shard that is done has changed since, or is not among these: its rows could not be taken out again.
        """
        self._marks = {shard: mark(shard) for shard in shards} if self.path is not None else {}
        check_marks(self.done, self._marks)
        return [shard for shard in shards if shard not in self.done]

    def note(self, shards: Sequence[str], columns: Columns | None) -> None:
        """Count shards as done, as they were when work began; what is written next has to hold them."""
        if self.path is not None:
            self.done |= {shard: self._marks[shard] for shard in shards}
            self.columns = columns

    @property
    def is_due(self) -> bool:
        """Whether it is time to write."""
        return self.path is not None and time.perf_counter() - self._written >= PAUSE

    def write(self, total: SummedRows) -> None:
        """Keep what is done, in one step: a shard is in the list and in the sum, or in neither."""
        if self.path is not None:
            known = {"settings": self.settings, "done": self.done, "columns": self.columns}
            content = json.dumps(known, sort_keys=True).encode() + b"\n" + to_bytes(total)
            write_atomically(self.path, content)
            self._written = time.perf_counter()


def forget(path: str | os.PathLike[str]) -> None:
    """Delete what is kept at a path; nothing may be there."""
    Path(path).unlink(missing_ok=True)
    forget_draft(Path(path))


def check_marks(known: Mapping[str, str], marks: Mapping[str, str]) -> None:
    """Compare shards that are done with those there are, both with their marks.

    Raises
    ------
    ValueError
        If one has changed since, or is not among these.
    """
    gone = next((shard for shard in known if shard not in marks), None)
    if gone is not None:
        raise ValueError(f"resume holds rows of {gone!r}, which is not among the shards; begin anew")
    changed = next((shard for shard, mark in known.items() if marks[shard] != mark), None)
    if changed is not None:
        raise ValueError(f"{changed} must be as it was when it was read, got another size or time; begin anew")


def mark(shard: str) -> str:
    """By which a shard that changes is known: its size and time."""
    found = os.stat(shard)
    return f"{found.st_size} {found.st_mtime_ns}"
