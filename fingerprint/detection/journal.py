"""What is done of the shards of corpora that are not held, in one file: work that is killed goes on from there.

Every writing is one transaction: a shard is in the file with all that came of it, or not at all.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fingerprint.report.encoding import JsonObject

if TYPE_CHECKING:
    import sqlite3

_TABLES = (
    "create table if not exists settings (value text not null)",
    "create table if not exists shards (shard text primary key, mark text not null)",
    "create table if not exists kept (step text not null, digest text not null, name text not null, "
    "content blob not null, primary key (step, name))",
)


@dataclass
class Journal:
    """Results of steps by name; see `at`.

    Attributes
    ----------
    path : Path
    marks : dict of str
        Size and time of every shard, by absolute path, when work began.
    """

    path: Path
    marks: Mapping[str, str]
    _settings: str
    _written: float = field(default_factory=time.perf_counter)

    @classmethod
    def at(cls, path: str | os.PathLike[str], settings: Mapping[str, object], shards: Sequence[str]) -> Journal:
        """What is kept at a path, or nothing yet: the file is made when there is something to keep.

        Parameters
        ----------
        settings : dict
            All that rows of shards and what is made of them hang on.
        shards : sequence of str
            Of both sides.

        Raises
        ------
        ValueError
            If it was made under other settings or is no such file; if a shard that is in it has changed since, or is
            not among these.
        """
        from fingerprint.fingerprints import resume  # few comparisons keep a journal

        marks = {os.path.abspath(shard): resume.mark(shard) for shard in shards}
        found = cls(Path(path), marks, json.dumps(settings, sort_keys=True, default=repr))
        if found.path.exists() and found.path.stat().st_size:
            found._check()
        return found

    def _check(self) -> None:
        import sqlite3

        from fingerprint.fingerprints import resume

        try:
            with self._transaction() as file:
                settings = [value for (value,) in file.execute("select value from settings")]
                known = dict(file.execute("select shard, mark from shards"))
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"resume must be a file of an earlier call, got {str(self.path)!r}; choose another"
            ) from error
        if settings != [self._settings]:
            raise ValueError(
                f"resume must go on with the settings it began with, got others in {str(self.path)!r}; delete the file "
                "to begin anew"
            )
        resume.check_marks(known, self.marks)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """The file, changed as a whole or not at all."""
        import sqlite3

        with closing(sqlite3.connect(self.path, isolation_level=None)) as file:
            file.execute("begin immediate")
            yield file
            file.execute("commit")

    def found(self, step: str, digest: str) -> dict[str, bytes]:
        """What is kept of a step, by name. What was made from something else, of another digest, is forgotten."""
        if not self.path.exists() or not self.path.stat().st_size:
            return {}
        with self._transaction() as file:
            file.execute("delete from kept where step = ? and digest <> ?", (step, digest))
            return dict(file.execute("select name, content from kept where step = ? order by rowid", (step,)))

    def keep(self, step: str, digest: str, parts: Iterable[tuple[str, bytes]], shards: Iterable[str]) -> None:
        """Keep some results of a step, in place of those of the same names, and of which shards they are."""
        with self._transaction() as file:
            for table in _TABLES:
                file.execute(table)
            if file.execute("select count(*) from settings").fetchone() == (0,):
                file.execute("insert into settings values (?)", (self._settings,))
            file.executemany("insert or replace into shards values (?, ?)", ((s, self.marks[s]) for s in shards))
            rows = ((step, digest, name, content) for name, content in parts)
            file.executemany("insert or replace into kept values (?, ?, ?, ?)", rows)
        self._written = time.perf_counter()

    @property
    def is_due(self) -> bool:
        """Whether what is kept as a whole, and not by shard, should be written again."""
        from fingerprint.fingerprints import resume

        return time.perf_counter() - self._written >= resume.PAUSE


def forget(path: str | os.PathLike[str]) -> None:
    """Delete what is kept at a path; nothing may be there."""
    for name in (os.fspath(path), f"{os.fspath(path)}-journal"):
        Path(name).unlink(missing_ok=True)


def packed(facts: JsonObject, arrays: Mapping[str, npt.NDArray[np.generic]]) -> bytes:
    """Facts and arrays as bytes; whole numbers with a sign in the smallest type that holds them."""
    held = BytesIO()
    narrow = {name: _narrow(array) for name, array in arrays.items()}
    np.savez(held, **narrow)  # type: ignore[arg-type]  # none is called allow_pickle
    return json.dumps(facts).encode() + b"\n" + zlib.compress(held.getvalue(), 1)


def unpacked(content: bytes) -> tuple[JsonObject, dict[str, npt.NDArray[np.generic]]]:
    """What `packed` was given; whole numbers with a sign in 64 bits."""
    first, _, rest = content.partition(b"\n")
    with np.load(BytesIO(zlib.decompress(rest)), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(first), {name: a.astype(np.int64) if a.dtype.kind == "i" else a for name, a in arrays.items()}


def _narrow(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    if array.dtype.kind != "i":
        return array
    least, most = (int(array.min()), int(array.max())) if array.size else (0, 0)
    types = (np.int8, np.int16, np.int32, np.int64)
    return array.astype(next(t for t in types if np.iinfo(t).min <= least and most <= np.iinfo(t).max))
