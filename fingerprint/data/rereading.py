"""Rows of anything that can be gone through more than once, and need not fit into memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from weakref import finalize

from fingerprint.data.batches import BadShards, Batch, Batches, ShardsRead, batches
from fingerprint.data.chats import Which
from fingerprint.data.columns import Columns
from fingerprint.data.corpus import Corpus
from fingerprint.data.notes import ReadAs
from fingerprint.data.pieces import is_read_once
from fingerprint.data.row_reader import BadRows
from fingerprint.data.shards import shard_paths

# Rows of a file in which what can be read only once is kept.
KEPT = 1 << 16


@dataclass(frozen=True)
class HowRead:
    """How shards become rows: the arguments of `fingerprint.data.batches.batches`."""

    text: str | None
    prompt: str | None
    bad_rows: BadRows
    bad_shards: BadShards
    argument: str
    turn: Which | None = None

    def batches(self, data: object, columns: Columns | None = None) -> Batches:
        return batches(
            data,
            text=self.text,
            prompt=self.prompt,
            turn=self.turn,
            bad_rows=self.bad_rows,
            bad_shards=self.bad_shards,
            argument=self.argument,
            columns=columns,
        )


class Rows:
    """Rows of one side, read as often as they are asked for.

    Parameters
    ----------
    data : object
        As `fingerprint.data.batches.batches` takes it. What can be read only once is kept in files of a temporary
        folder, which goes when this object does.
    text, prompt, turn, bad_rows, bad_shards, argument
        As there.

    Attributes
    ----------
    name : str
        What to call the rows in messages: the path, or `argument`.
    shards : ShardsRead
        What became of the shards; known once the rows have been gone through.
    skipped : int
        Bad rows that were left out, in the same way.
    how : HowRead
    read_as : ReadAs
        From which columns they were read, and what was said of it; known once a row has been read.
    spans : tuple of (str, int)
        Shards and how many usable rows each of them has, in the same way.
    """

    def __init__(
        self,
        data: object,
        *,
        text: str | None = None,
        prompt: str | None = None,
        turn: Which | None = None,
        bad_rows: BadRows = "error",
        bad_shards: BadShards = "error",
        argument: str = "data",
    ) -> None:
        self._data, self._argument = data, argument
        self.how = HowRead(text, prompt, bad_rows, bad_shards, argument, turn)
        self._folder: str | None = None
        self._files: list[Path] = []
        self.name = _name(data, argument)
        self.shards = ShardsRead((), (), 0)
        self.read_as = data.read_as if isinstance(data, Corpus) else ReadAs()
        self.skipped = 0
        self.spans: tuple[tuple[str, int], ...] = ()

    def __iter__(self) -> Iterator[Batch]:
        """Batches of all rows, always the same.

        Raises
        ------
        ValueError
            If there are not as many rows as before: a file changed while it was read.
        """
        if is_read_once(self._data):
            yield from self._kept()
            return
        before = self.shards
        data, how = self._data, self.how
        if before.skipped:
            data, how = [Path(shard) for shard in before.read], replace(how, bad_shards="error")
        found = how.batches(data)
        skipped, spans = 0, dict[str, int]()
        for batch in found:
            skipped += batch.skipped
            spans[batch.shard] = spans.get(batch.shard, 0) + len(batch)
            self._took(found)
            yield batch
        self.skipped, self.spans = skipped, tuple(spans.items())
        self._known(replace(found.shards, skipped=(*before.skipped, *found.shards.skipped)))

    def files(self) -> list[str]:
        """The shards, where the rows are in files; empty where they are not."""
        return shard_paths(self._data, self._argument)

    def corpus(self) -> Corpus:
        """All rows, however many there are."""
        rows = list(self)
        return self._data if isinstance(self._data, Corpus) else corpus_of(rows, self.name)

    def held(self, limit: int) -> Corpus | None:
        """All rows, if they are `limit` at most; None otherwise."""
        count = 0
        rows: list[Batch] = []
        for batch in self:
            rows.append(batch)
            count += len(batch)
            if count > limit:
                return None
        return self._data if isinstance(self._data, Corpus) else corpus_of(rows, self.name)

    def only(self, wanted: Sequence[int], name: str) -> Corpus:
        """The rows with these numbers, counted from 0 through all shards and given in rising order."""
        chosen: list[Batch] = []
        first, at = 0, 0
        for batch in self:
            here: list[int] = []
            while at < len(wanted) and wanted[at] < first + len(batch):
                here.append(wanted[at] - first)
                at += 1
            first += len(batch)
            texts, prompts = [batch.texts[row] for row in here], [batch.prompts[row] for row in here]
            systems = [batch.systems[row] for row in here]
            chosen.append(Batch(texts, prompts, systems, batch.shard, batch.first_row, 0))
        return corpus_of(chosen, name)

    def _took(self, found: Batches) -> None:
        if not isinstance(self._data, Corpus):
            self.read_as = found.read_as

    def _known(self, shards: ShardsRead) -> None:
        if self.shards.read and (shards.rows, shards.read) != (self.shards.rows, self.shards.read):
            raise ValueError(
                f"{self.name} must stay as it is while it is read, got {shards.rows} rows after {self.shards.rows}; "
                "run again when nothing writes to it"
            )
        self.shards = shards

    def _kept(self) -> Iterator[Batch]:
        """Rows of data that can be read once: from files, which the first reader fills to the end."""
        if self._folder is None:
            self._keep()
        first = 0
        for batch in (batch for file in self._files for batch in batches(file)):
            skipped = self.skipped if first == 0 else 0
            yield replace(batch, shard=self._argument, first_row=first, skipped=skipped)
            first += len(batch)

    def _keep(self) -> None:
        import polars as pl

        self._folder = mkdtemp()
        finalize(self, rmtree, self._folder, ignore_errors=True)
        found = replace(self.how, bad_shards="error").batches(self._data)
        waiting: list[Batch] = []
        for batch in chain(found, [None]):
            if batch is not None:
                waiting.append(batch)
                self.skipped += batch.skipped
            if waiting and (batch is None or sum(map(len, waiting)) >= KEPT):
                columns = {
                    "text": [text for part in waiting for text in part.texts],
                    "prompt": [prompt for part in waiting for prompt in part.prompts],
                    "system": [system for part in waiting for system in part.systems],
                }
                self._files.append(Path(self._folder) / f"{len(self._files):06d}.parquet")
                pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)).write_parquet(self._files[-1])
                waiting = []
        self._took(found)
        self.shards, self.spans = found.shards, ((self._argument, found.shards.rows),)


def corpus_of(rows: Sequence[Batch], name: str) -> Corpus:
    """A corpus of some batches."""
    return Corpus(
        texts=tuple(text for batch in rows for text in batch.texts),
        prompts=tuple(prompt for batch in rows for prompt in batch.prompts),
        systems=tuple(system for batch in rows for system in batch.systems),
        name=name,
        skipped=sum(batch.skipped for batch in rows),
    )


def _name(data: object, argument: str) -> str:
    if isinstance(data, Corpus):
        return data.name
    return str(os.fspath(data)) if isinstance(data, str | os.PathLike) else argument
