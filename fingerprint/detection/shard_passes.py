"""The passes over corpora that are not held, shard by shard: all figures as in one go, to the last bit.

Workers, or this process, read shards and give back keys, rows, sums and scores (`fingerprint.detection.shard_work`);
here they are put together in the order of the shards. Sums are whole numbers, so that the order in which they come
changes nothing. What comes of a shard can be kept, so that killed work goes on (`fingerprint.detection.kept_results`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fingerprint.data import digests, row_keys
from fingerprint.data.arrays import Bools, Floats, Hashes, Ints
from fingerprint.data.batches import Batch, ShardsRead, SkippedShard
from fingerprint.data.corpus import Corpus, digest_of_sum
from fingerprint.data.pairing import rank_within
from fingerprint.data.rereading import Rows, corpus_of
from fingerprint.data.row_keys import ALL, SideKeys
from fingerprint.data.settled_shards import SettledShards, Shards
from fingerprint.detection.block_sums import BlockSums
from fingerprint.detection.kept_results import KEYS, LATER, ROWS, Workers
from fingerprint.detection.kept_sums import KeptSums
from fingerprint.detection.row_counts import RowCounts
from fingerprint.detection.row_scores import SIDES, Ends
from fingerprint.detection.shard_work import (
    KeysTask,
    LaterTask,
    RowsTask,
    Scoring,
    ShardKeys,
    SumsTask,
    joined,
    narrow,
    summed_by_block,
)


@dataclass(frozen=True)
class SideShards(SettledShards):
    """The shards of one side: all, or where they have been gone through those that could be used."""

    rows: Rows

    @classmethod
    def of_side(cls, rows: Rows) -> SideShards:
        """Look at the first rows, and for copies; see `SettledShards.of`."""
        files, how = rows.files(), rows.how
        if rows.shards.read:
            files, how = list(rows.shards.read), replace(how, bad_shards="error")
        return cls(**vars(SettledShards.of(files, how, rows.name)), rows=rows)

    def spans(self) -> list[tuple[str, int, int]]:
        """Shards that could be used, by absolute path: first row of each among all of the side, and the last + 1."""
        path = {file: shard for shard, file in self.given.items()}
        ends = np.cumsum([0, *(rows for _, rows in self.rows.spans)]).tolist()
        return [(path[file], ends[at], ends[at + 1]) for at, (file, _) in enumerate(self.rows.spans)]


    def rows_of(self, shard: str, n_rows: int) -> Iterator[Batch]:
        """The rows of one shard.

        Raises
        ------
        ValueError
            If there are not as many as before: the file changed while it was read.
        """
        found = 0
        for batch in Shards([shard], self.how, self.columns).batches():
            found += len(batch)
            yield batch
        if found != n_rows:
            raise ValueError(
                f"{shard} must stay as it is while it is read, got {found} rows after {n_rows}; run again when nothing "
                "writes to it"
            )


def keys_by_shard(
    sides: tuple[SideShards, SideShards],
    counts: tuple[RowCounts, RowCounts],
    use_prompts: bool,
    told: Callable[[int], None],
    workers: Workers,
) -> tuple[SideKeys, SideKeys]:
    """Keys of both sides, as `fingerprint.detection.streamed` has them of rows that it goes through."""

    def both(counts: tuple[RowCounts, RowCounts], use_prompts: bool) -> tuple[_Keyed, _Keyed]:
        first = _keyed(sides[0], counts[0], use_prompts, ALL, told, workers)
        rows = first.keys.rows
        return first, _keyed(sides[1], counts[1], use_prompts, first.below, lambda n: told(rows + n), workers)

    first, second = both(counts, use_prompts)
    if use_prompts and len(counts[0].prompts | counts[1].prompts) == 1:
        use_prompts = False
        first, second = both((RowCounts(), RowCounts()), False)
    owners = (first.digest, second.digest) if first.digest != second.digest else ("first", "second")
    return first.named(owners[0], use_prompts, workers), second.named(owners[1], use_prompts, workers)


@dataclass(frozen=True)
class _Keyed:
    """Rows of one side, in the order of its shards, with keys as if each were the first of its kind."""

    side: SideShards
    keys: ShardKeys
    below: int

    @property
    def digest(self) -> str:
        return digest_of_sum(self.keys.total)

    def named(self, owner: str, use_prompts: bool, workers: Workers) -> SideKeys:
        """The keys of all rows: those that are not the first of their kind, or have no prompt, are read once more."""
        keys, known = self.keys, self.keys.has_prompt
        key, group = keys.key.copy(), keys.first.copy()
        occurrence = rank_within(np.unique(keys.key, return_inverse=True)[1].astype(np.int64))
        again = np.flatnonzero((occurrence > 0) | ~known)
        if len(again):
            found = self._later(again, occurrence[again], owner, use_prompts, workers)
            key[again] = np.where(occurrence[again] > 0, found[0], key[again])
            group[again] = np.where(known[again], group[again], found[1])
        return SideKeys(keys.rows, self.digest, keys.origin, key, group, keys.first, known, self.below)

    def _later(
        self, again: Ints, occurrence: Ints, owner: str, use_prompts: bool, workers: Workers
    ) -> tuple[Hashes, Hashes]:
        spans = {shard: (first, last) for shard, first, last in self.side.spans()}
        at = {shard: np.searchsorted(self.keys.origin[again], span) for shard, span in spans.items()}
        shards = [shard for shard, (first, end) in at.items() if first < end]

        def task(group: list[str]) -> LaterTask:
            rows = {
                shard: (self.keys.origin[again[slice(*at[shard])]] - spans[shard][0], occurrence[slice(*at[shard])])
                for shard in group
            }
            return LaterTask(group, self.side.how, self.side.columns, use_prompts, owner, rows)

        key, group_of = np.zeros((2, len(again)), dtype=np.uint64)
        digest = f"{self.digest} {owner} {self.below}"
        for found in workers.results(LATER, f"{self.side.how.argument} {use_prompts}", digest, shards, task):
            for shard, (keys, alone) in found.items():
                key[slice(*at[shard])], group_of[slice(*at[shard])] = keys, alone
        return key, group_of


def _keyed(
    side: SideShards, counts: RowCounts, use_prompts: bool, below: int, told: Callable[[int], None], workers: Workers
) -> _Keyed:
    parts: dict[str, ShardKeys] = {}
    left_out: list[SkippedShard] = []
    n_rows = 0

    def task(group: list[str]) -> KeysTask:
        return KeysTask(group, side.how, side.columns, use_prompts, below)

    named = f"{side.how.argument} {use_prompts}"  # keys with prompts and without may both be needed
    for found in workers.results(KEYS, named, str(below), list(side.given), task):
        counts.add(found.counts)
        left_out += found.left_out
        parts |= {shard: _below(part, below) for shard, part in found.shards.items()}
        while sum(len(part.key) for part in parts.values()) > row_keys.KEPT_ROWS:
            below //= 2
            parts = {shard: _below(part, below) for shard, part in parts.items()}
        n_rows += sum(part.rows for part in found.shards.values())
        told(n_rows)
    ordered = {shard: parts[shard] for shard in side.given if shard in parts}
    _note(side, ordered, left_out)
    first, placed = 0, []
    for part in ordered.values():
        placed.append(replace(part, origin=part.origin + first))
        first += part.rows
    return _Keyed(side, joined(placed), below)


def _below(part: ShardKeys, below: int) -> ShardKeys:
    if below >= ALL:
        return part
    keep = part.first < np.uint64(below)
    origin, key, first = part.origin[keep], part.key[keep], part.first[keep]
    return replace(part, origin=origin, key=key, first=first, has_prompt=part.has_prompt[keep])


def _note(side: SideShards, parts: Mapping[str, ShardKeys], left_out: list[SkippedShard]) -> None:
    """What became of the shards, for those who ask the rows."""
    known = [*side.copies, *(SkippedShard(side.given[one.shard], one.reason) for one in left_out)]
    place = {file: number for number, file in enumerate(side.rows.files())}
    spans = tuple((side.given[shard], part.rows) for shard, part in parts.items())
    if not spans:
        shards = "; ".join(f"{shard.shard}: {shard.reason}" for shard in known)
        raise ValueError(f"{side.how.argument} must have a shard that can be used, got none ({shards:.300})")
    skipped = tuple(sorted(known, key=lambda shard: place[shard.shard]))
    side.rows.shards = ShardsRead(tuple(file for file, _ in spans), skipped, sum(rows for _, rows in spans))
    side.rows.spans, side.rows.skipped = spans, sum(part.skipped for part in parts.values())


def rows_by_shard(side: SideShards, wanted: Ints, workers: Workers) -> Corpus:
    """The rows with these numbers, rising, as `Rows.only` gives them."""
    spans = {shard: (first, last) for shard, first, last in side.spans()}
    places = {shard: wanted[slice(*np.searchsorted(wanted, span))] - span[0] for shard, span in spans.items()}

    def task(group: list[str]) -> RowsTask:
        return RowsTask(group, side.how, side.columns, {shard: places[shard] for shard in group})

    named = ((os.fsencode(shard), rows.tobytes()) for shard, rows in places.items())
    digest = digests.hex_digest_of_parts(part for pair in named for part in pair)
    shards = [shard for shard, rows in places.items() if len(rows)]
    found: dict[str, Batch] = {}
    for batches in workers.results(ROWS, side.how.argument, digest, shards, task):
        found |= batches
    return corpus_of([found[shard] for shard in spans if shard in found], side.rows.name)


def add_by_workers(
    sums: BlockSums,
    number: int,
    side: SideShards,
    block: Ints,
    scoring: Scoring | None,
    scores: Floats,
    ends: Ends,
    told: Callable[[int], None],
    workers: Workers,
    kept: KeptSums,
) -> None:
    """Add the rows of a side up on a cluster, and score those of them that have no score yet.

    Parameters
    ----------
    block : int array [rows]
        Of every row of the side.
    scores : float array [rows]
        nan where there is none yet; filled.
    kept : KeptSums
        What is done already, and where it is kept.
    """
    families = {name: family.family for name, family in sums.families.items()}
    n_blocks = len(next(iter(sums.families.values())).sums) - 1
    spans = {shard: (first, last) for shard, first, last in side.spans()}
    tasks = []
    for group in workers.groups([shard for shard in spans if shard not in kept.done]):
        mine = {shard: slice(*spans[shard]) for shard in group}
        has_score: dict[str, Bools] = {}
        if scoring is not None:
            has_score = {shard: ~np.isnan(scores[at]) for shard, at in mine.items()}
        blocks = {shard: narrow(block[at]) for shard, at in mine.items()}
        first = {shard: at.start for shard, at in mine.items()}
        tasks.append(
            SumsTask(
                group, side.how, side.columns, families, n_blocks, blocks, SIDES[number], first, scoring, has_score
            )
        )
    for task, found in workers.done(summed_by_block, tasks):
        for name, family in sums.families.items():
            family.sums += found.sums[name]
            family.squares += found.squares[name]
        sums.rows += found.rows
        sums.characters += found.characters
        for shard, fresh in found.scores.items():
            if len(fresh):
                here = scores[slice(*spans[shard])]
                here[:] = np.where(np.isnan(here), fresh, here)
        ends.merge(found.ends)
        kept.note(task.shards)
        told(sums.rows)
