"""From rows to a fingerprint: one pass over batches, straight into sums."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from fingerprint.data.arrays import Bools
from fingerprint.data.batches import Batch, SkippedShard
from fingerprint.data.progress import NOTE_SECONDS
from fingerprint.features import FAMILIES
from fingerprint.features.compiled import n_threads
from fingerprint.features.counted import CountedFamily
from fingerprint.features.numbers import number_rows
from fingerprint.fingerprints.cells import cells_of
from fingerprint.fingerprints.kept import kept_of
from fingerprint.fingerprints.resume import Checkpoint
from fingerprint.fingerprints.sketch import Sketch
from fingerprint.fingerprints.summed_rows import NUMBERS, SummedRows
from fingerprint.fingerprints.sums import FamilySums, narrow

COUNTED = NUMBERS[:-1]  # what grows row by row
Listener: TypeAlias = Callable[[int, int, float], None]  # shards done, rows done, rows a second


@dataclass(frozen=True)
class Outcome:
    """What was summed, and shards that were left out of it."""

    total: SummedRows
    skipped: tuple[SkippedShard, ...]


class Sums:
    """Sums that grow batch by batch."""

    def __init__(self, sketch: Sketch, start: SummedRows | None = None) -> None:
        self._sketch = sketch
        self._families: dict[str, CountedFamily] = {name: FAMILIES[name]() for name in sketch.features}
        self._sums = {n: np.zeros((sketch.cells, f.n_counts), dtype=np.int64) for n, f in self._families.items()}
        self._squares = {n: np.zeros(f.n_counts, dtype=np.int64) for n, f in self._families.items()}
        self._rows = np.zeros(sketch.cells, dtype=np.int64)
        self._prompts = np.zeros((sketch.cells, 2), dtype=np.uint64)
        self._counted = np.zeros(6, dtype=np.int64)
        if start is not None:
            self.add_sums(start)

    def add_sums(self, part: SummedRows) -> None:
        """Add what has been summed elsewhere."""
        for name, family in part.families.items():
            self._sums[name] += family.sums
            self._squares[name] += family.squares
        self._rows += part.rows
        self._prompts += part.prompts
        self._counted += np.array([vars(part)[name] for name in COUNTED], dtype=np.int64)

    def add(self, batch: Batch, pool: ThreadPoolExecutor, keep: Bools | None = None) -> None:
        """Add the rows of a batch, or those of them that are kept; families side by side in the threads of a pool."""
        keys = self._sketch.keys(batch)
        cell = cells_of(keys, self._sketch.cells)
        prompts, texts = self._sketch.prompts(batch), batch.texts
        if keep is not None:
            texts = [text for text, kept in zip(texts, keep, strict=True) if kept]
            prompts = [prompt for prompt, kept in zip(prompts, keep, strict=True) if kept]
            keys, cell = keys[keep], cell[keep]

        def one(name: str) -> None:
            self._families[name].add_sums(texts, cell, self._sums[name], self._squares[name])

        for done in [pool.submit(copy_context().run, one, name) for name in self._families]:
            done.result()
        self._rows += np.bincount(cell, minlength=len(self._rows))
        for half in range(2):
            np.add.at(self._prompts[:, half], cell, keys[:, half])
        numbers, empty = number_rows(texts)
        found = (sum(map(len, texts)), numbers.sum(), empty.sum(), sum(p is None for p in prompts), batch.skipped, 0)
        self._counted += np.array(found, dtype=np.int64)

    def summed(self) -> SummedRows:
        """What has been summed so far."""
        families = {
            name: FamilySums(str(family.definition), narrow(self._sums[name]), self._squares[name].copy())
            for name, family in self._families.items()
        }
        return SummedRows(
            rows=self._rows.copy(),
            prompts=self._prompts.copy(),
            families=families,
            card=self._sketch.card,
            **dict(zip(COUNTED, self._counted.tolist(), strict=True)),
        )


def told_of(progress: bool | Listener | None) -> Listener | None:
    """Whom to tell: the caller's own, lines on standard error for True, nobody for False and None."""
    if not isinstance(progress, bool):
        return progress
    if not progress:
        return None
    told = [time.monotonic()]

    def tell(shards: int, rows: int, speed: float) -> None:
        if time.monotonic() - told[0] >= NOTE_SECONDS:
            told[0] = time.monotonic()
            print(f"fingerprint: {rows:,} rows, {speed:,.0f} a second, {shards:,} shards done", file=sys.stderr)

    return tell


class Rate:
    """Tells a listener how many shards and rows are done, an earlier call's among them, and how fast this call is."""

    def __init__(self, listener: Listener | None, checkpoint: Checkpoint) -> None:
        self._listener, self._started = listener, time.perf_counter()
        self._shards_before = len(checkpoint.done)
        self._rows_before = 0 if checkpoint.total is None else checkpoint.total.n_rows
        self._rows = 0

    def done(self, shards: int, rows: int) -> None:
        """Tell of as many shards of this call in all, and so many rows more."""
        self._rows += rows
        if self._listener is not None:
            seconds = max(time.perf_counter() - self._started, 1e-9)
            self._listener(self._shards_before + shards, self._rows_before + self._rows, self._rows / seconds)


def sketched(
    data: object, sketch: Sketch, kept: Mapping[str, Bools] | None, rate: Rate, checkpoint: Checkpoint
) -> Outcome:
    """Sum some data in one pass, on top of what a checkpoint holds."""
    sums, noted = Sums(sketch, checkpoint.total), 0
    found = sketch.batches(data, checkpoint.columns)
    with ThreadPoolExecutor(min(n_threads(), len(sketch.features))) as pool:
        for batch in found:
            shards = found.shards
            if len(shards.read) > noted:  # the sums hold these whole, and nothing of the batch's own shard yet
                checkpoint.note(shards.read[noted:], found.columns)
                noted = len(shards.read)
                if checkpoint.is_due:
                    checkpoint.write(sums.summed())
            sums.add(batch, pool, kept_of(batch, kept))
            rate.done(len(shards.read) + len(shards.skipped), len(batch))
    checkpoint.note(found.shards.read[noted:], found.columns)
    rate.done(len(found.shards.read) + len(found.shards.skipped), 0)
    return Outcome(sums.summed(), found.shards.skipped)
