"""From rows to a fingerprint: one pass over batches, straight into sums."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fingerprint.data.arrays import Bools, Hashes, Ints
from fingerprint.data.batches import Batch
from fingerprint.data.pairing import rank_within
from fingerprint.data.shards import duplicate_shards, shard_paths
from fingerprint.features import FAMILIES
from fingerprint.features.compiled import n_threads
from fingerprint.features.counted import CountedFamily
from fingerprint.features.numbers import number_rows
from fingerprint.fingerprints.cells import cells_of, row_keys
from fingerprint.fingerprints.resume import Checkpoint
from fingerprint.fingerprints.sketch import Sketch
from fingerprint.fingerprints.summed_rows import NUMBERS, SummedRows
from fingerprint.fingerprints.sums import FamilySums, narrow

COUNTED = NUMBERS[:-1]  # what grows row by row
Listener: TypeAlias = Callable[[int, int, float], None]  # shards done, rows done, rows a second


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
            self._go_on(start)

    def _go_on(self, start: SummedRows) -> None:
        for name, family in start.families.items():
            self._sums[name] += family.sums
            self._squares[name] += family.squares
        self._rows += start.rows
        self._prompts += start.prompts
        self._counted += np.array([vars(start)[name] for name in COUNTED], dtype=np.int64)

    def shard_skipped(self) -> None:
        """Count a shard that was left out."""
        self._counted[COUNTED.index("skipped_shards")] += 1

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

        for _ in pool.map(one, self._families):
            pass
        self._rows += np.bincount(cell, minlength=len(self._rows))
        for half in range(2):
            np.add.at(self._prompts[:, half], cell, keys[:, half])
        numbers, empty = number_rows(texts)
        found = (sum(map(len, texts)), numbers.sum(), empty.sum(), sum(p is None for p in prompts), batch.skipped, 0)
        self._counted += np.array(found, dtype=np.int64)

    def fingerprint(self) -> SummedRows:
        """What has been summed."""
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


class Rate:
    """Tells a listener how many shards and rows are done, and how fast."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener, self._started, self.shards, self.rows = listener, time.perf_counter(), 0, 0

    def rows_done(self, rows: int) -> None:
        self.rows += rows
        self._tell()

    def shard_done(self) -> None:
        self.shards += 1
        self._tell()

    def _tell(self) -> None:
        if self._listener is not None:
            seconds = max(time.perf_counter() - self._started, 1e-9)
            self._listener(self.shards, self.rows, self.rows / seconds)


def sketched(data: object, sketch: Sketch, rate: Rate, checkpoint: Checkpoint) -> SummedRows:
    """The fingerprint of some data in one pass, or two where rows per prompt are limited."""
    kept = None if sketch.rows_per_prompt is None else _kept(data, sketch, sketch.rows_per_prompt)
    sums, first, shard = Sums(sketch, checkpoint.total), 0, ""
    found = sketch.batches(data)
    with ThreadPoolExecutor(min(n_threads(), len(sketch.features))) as pool:
        for batch in found:
            if shard not in ("", batch.shard):
                checkpoint.note(shard)
                rate.shard_done()
                if checkpoint.is_due:
                    checkpoint.write(sums.fingerprint())
            shard = batch.shard
            sums.add(batch, pool, None if kept is None else kept[first : first + len(batch)])
            first += len(batch)
            rate.rows_done(len(batch))
    for skipped in found.shards.skipped:
        warnings.warn(f"{skipped.shard} was left out: {skipped.reason}", stacklevel=4)
        sums.shard_skipped()
    whole = sums.fingerprint()
    if checkpoint.path is not None:
        checkpoint.note(shard)
        checkpoint.write(whole)
    return whole


def _kept(data: object, sketch: Sketch, most: int) -> Bools:
    """Which rows [rows] are among the `most` of their prompt, by the hash of their texts."""
    if isinstance(data, Iterator):
        raise ValueError("data must be readable twice where rows_per_prompt is given, got an iterator; pass the files")
    prompts: list[Hashes] = []
    texts: list[Hashes] = []
    for batch in sketch.batches(data):
        prompts.append(sketch.keys(batch)[:, 0])
        texts.append(row_keys(batch.texts, [None] * len(batch))[:, 0])
    group: Ints = np.unique(np.concatenate(prompts), return_inverse=True)[1].astype(np.int64)
    order = np.argsort(np.concatenate(texts), kind="stable")
    kept = np.zeros(len(group), dtype=bool)
    kept[order] = rank_within(group[order]) < most
    return kept


def built(
    data: object, sketch: Sketch, *, engine: str, resume: str | os.PathLike[str] | None, progress: Listener | None
) -> SummedRows:
    """A fingerprint by an engine; see `Fingerprint.of`."""
    if engine not in ("local", "ray"):
        raise ValueError(f"engine must be 'local' or 'ray', got {engine!r}; 'local' is usual")
    files, rate = shard_paths(data), Rate(progress)
    if not files and (engine != "local" or resume is not None):
        argument = "resume" if resume is not None else f"engine={engine!r}"
        raise ValueError(f"data must be files where {argument} is given, got {type(data).__name__}; pass shards")
    checkpoint = Checkpoint.at(resume, sketch)
    if resume is None and engine == "local":
        return sketched(data, sketch, rate, checkpoint)
    left = _without_copies(checkpoint.left(files), files, sketch)
    if not left and checkpoint.total is not None:
        return checkpoint.total
    if engine == "ray":
        from fingerprint.fingerprints.ray_engine import sketched_by_ray  # needs ray

        return sketched_by_ray(left, sketch, rate, checkpoint)
    return sketched([Path(file) for file in left], sketch, rate, checkpoint)


def _without_copies(left: Sequence[str], files: Sequence[str], sketch: Sketch) -> list[str]:
    """Shards that hold rows of their own: copies of those that are done count as well."""
    copies = duplicate_shards(files)
    found = next((file for file in left if file in copies), None)
    if found is not None and sketch.bad_shards == "error":
        raise ValueError(f"{found} must hold rows of its own, got the same bytes as in {copies[found]}; delete one")
    return [file for file in left if file not in copies]
