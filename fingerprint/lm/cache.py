"""Scores on disk, a file a batch: what was computed once is never computed again, and never believed unchecked.

A cache is a folder. Under it every way to score (weights, architecture, text around the rows, device) has a folder of
its own, named by the hash of its description, with that description in ``description.json``; in there every batch is a
file named by the hash of its tokens. Files are written whole or not at all, hold a checksum, and hold no pickle.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Floats
from fingerprint.data.files import room_on_disk, write_atomically

FORMAT = 1
_MAGIC = b"fingerprint scores"


@dataclass(frozen=True)
class ScoreCache:
    """Scores of batches under one model, scored in one way; made by `open_cache`.

    Attributes
    ----------
    folder : Path
        Where the batches of this description are.
    """

    folder: Path

    def path(self, ids: Sequence[Sequence[int]], starts: Sequence[int]) -> Path:
        """The file of a batch: named by the tokens of its rows and where their completions start."""
        rows = zip(ids, starts, strict=True)
        parts = (np.array([len(row), start, *row], dtype="<i8").tobytes() for row, start in rows)
        return self.folder / f"{digests.hex_digest_of_parts(parts, 16)}.scores"

    def read(self, path: Path, shape: tuple[int, int]) -> Floats | None:
        """The scores of a batch, None where there are none yet.

        Parameters
        ----------
        path : Path
            From `path`.
        shape : (int, int)
            Kinds of scores and tokens of the completions of the batch.

        Raises
        ------
        ValueError
            If the file is damaged, or not of this batch.
        """
        try:
            first, _, content = path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        if first != _first_line(path, content):
            raise _refusal(path, "something else")
        try:
            table = np.load(io.BytesIO(content), allow_pickle=False)
        except ValueError as error:
            raise _refusal(path, "no plain array") from error
        if not isinstance(table, np.ndarray) or table.dtype != np.float64 or table.shape != shape:
            raise _refusal(path, "another table")
        return table

    def write(self, path: Path, table: Floats) -> None:
        """Keep the scores of a batch.

        Raises
        ------
        OSError
            If the disk is full; what was written before stays.
        """
        buffer = io.BytesIO()
        np.save(buffer, table, allow_pickle=False)
        content = buffer.getvalue()
        with room_on_disk(path):
            write_atomically(path, _first_line(path, content) + b"\n" + content)


def open_cache(place: str | os.PathLike[str], description: Mapping[str, str]) -> ScoreCache:
    """The part of a cache that belongs to a description; made where there is none.

    Parameters
    ----------
    place : path-like
        Folder of the cache.
    description : mapping
        Everything besides the tokens that scores depend on, as JSON values.

    Raises
    ------
    NotADirectoryError
        If `place` is a file.
    ValueError
        If the folder holds another description.
    OSError
        If the disk is full.
    """
    root = Path(place)
    if root.exists() and not root.is_dir():
        raise NotADirectoryError(f"cache must be a folder, got the file {os.fspath(place)!r}; choose another place")
    text = json.dumps({"format": FORMAT, **description}, indent=1, sort_keys=True, ensure_ascii=False)
    folder = root / digests.hex_digest(text, 16)
    described = folder / "description.json"
    with room_on_disk(described):
        folder.mkdir(parents=True, exist_ok=True)
        if not described.exists():
            write_atomically(described, text)
    if described.read_bytes() != text.encode():
        raise _refusal(described, "another description")
    return ScoreCache(folder)


def _first_line(path: Path, content: bytes) -> bytes:
    """What a batch's file begins with: its own name goes into the checksum, so that files cannot be exchanged."""
    name = f"{path.parent.name}/{path.name}".encode()
    checksum = digests.checksum(b"%s %d %s\n" % (_MAGIC, FORMAT, name) + content)
    return b"%s %d %s" % (_MAGIC, FORMAT, checksum.encode())


def _refusal(path: Path, found: str) -> ValueError:
    return ValueError(
        f"cache must hold what was written there, got {found} in {str(path)!r}; "
        "check the disk, delete that file and run the same again"
    )
