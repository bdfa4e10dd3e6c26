"""Shards that are read apart from each other, as if they were read one after another."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fingerprint.data.batches import OR_SKIP_SHARDS, Batch, ShardError, SkippedShard, copy_of
from fingerprint.data.columns import Columns
from fingerprint.data.rereading import HowRead
from fingerprint.data.shards import duplicate_shards


@dataclass(frozen=True)
class Shards:
    """Shards that a task reads, and how.

    Attributes
    ----------
    shards : list of str
        Absolute paths: workers may be in another folder.
    columns : Columns or None
        Those of the first usable row of all shards, which every shard has to have.
    """

    shards: list[str]
    how: HowRead
    columns: Columns | None

    def batches(self) -> Iterator[Batch]:
        """The rows, some at a time."""
        return self.how.batches([Path(shard) for shard in self.shards], self.columns)


@dataclass(frozen=True)
class SettledShards:
    """All shards, with what can only be known of all of them together.

    Attributes
    ----------
    given : dict of str
        What each shard was called, by its absolute path.
    columns : Columns or None
        Those of the first usable row.
    copies : tuple of SkippedShard
        Copies of others, which are not in `given`.
    """

    given: dict[str, str]
    how: HowRead
    columns: Columns | None
    copies: tuple[SkippedShard, ...]

    @classmethod
    def of(cls, files: Sequence[str], how: HowRead, name: str) -> SettledShards:
        """Look at the first rows, and for copies.

        Raises
        ------
        ValueError
            If there are no files.
        ShardError
            If a shard is a copy of another, unless such are skipped.
        """
        if not files:
            raise ValueError(f"{how.argument} must be files where engine='ray' is given, got {name}; pass shards")
        copies = duplicate_shards(files)
        skipped = tuple(SkippedShard(file, copy_of(file, copies[file])) for file in files if file in copies)
        if skipped and how.bad_shards == "error":
            raise ShardError(f"{skipped[0].reason}, {OR_SKIP_SHARDS}")
        given = {os.path.abspath(file): file for file in files if file not in copies}
        found = how.batches([Path(file) for file in given])
        while found.columns is None and next(found, None) is not None:
            pass
        return cls(given, how, found.columns, skipped)
