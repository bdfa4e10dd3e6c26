"""What is done of some shards of corpora that are not held, apart from all others: keys, rows, sums and scores.

Each function here reads the shards of its task and gives back arrays; `fingerprint.detection.shard_passes` puts them
together as if the rows had been gone through one after another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fingerprint.data.arrays import Bools, Floats, Hashes, Ints
from fingerprint.data.batches import Batch, SkippedShard
from fingerprint.data.cluster import value_or_error
from fingerprint.data.normal_form import normal_forms
from fingerprint.data.row_hashes import CompiledRowKeys
from fingerprint.data.settled_shards import Shards
from fingerprint.detection.block_sums import FamilySums
from fingerprint.detection.row_counts import RowCounts
from fingerprint.detection.row_scores import Ends
from fingerprint.features.counted import CountedFamily

# ---------------------------------------------------------------------------------------------------------------- keys


@dataclass(frozen=True)
class KeysTask(Shards):
    """`CompiledRowKeys.of_first` of the rows below a hash."""

    use_prompts: bool = True
    below: int = 0


@dataclass(frozen=True)
class ShardKeys:
    """Keys of the rows of one shard; see `fingerprint.data.row_keys.SideKeys`."""

    rows: int
    total: int
    skipped: int
    origin: Ints
    key: Hashes
    first: Hashes
    has_prompt: Bools


@dataclass(frozen=True)
class KeysFound:
    """Keys of shards that could be used, by shard; what was counted in them; and the others."""

    shards: Mapping[str, ShardKeys]
    counts: RowCounts
    left_out: tuple[SkippedShard, ...]


def keyed(task: KeysTask) -> KeysFound | Exception:
    return value_or_error(task, _keyed)


def _keyed(task: KeysTask) -> KeysFound:
    counts = RowCounts()
    found: dict[str, list[ShardKeys]] = {}
    keys = CompiledRowKeys("", task.below)
    given = task.how.batches([Path(shard) for shard in task.shards], task.columns)
    for batch in counts.of(given):
        prompts = _prompts(batch, task.use_prompts)
        key, first, known, kept = keys.of_first(prompts, batch.texts)
        total = keys.sum_of_rows(batch.texts, batch.prompts, batch.systems)
        part = ShardKeys(len(batch), total, batch.skipped, batch.first_row + kept, key, first, known)
        found.setdefault(batch.shard, []).append(part)
    return KeysFound({shard: joined(parts) for shard, parts in found.items()}, counts, given.shards.skipped)


def joined(parts: list[ShardKeys]) -> ShardKeys:
    """Rows one after another; their indices as they are."""
    return ShardKeys(
        rows=sum(part.rows for part in parts),
        total=sum(part.total for part in parts),
        skipped=sum(part.skipped for part in parts),
        origin=np.concatenate([part.origin for part in parts]),
        key=np.concatenate([part.key for part in parts]),
        first=np.concatenate([part.first for part in parts]),
        has_prompt=np.concatenate([part.has_prompt for part in parts]),
    )


def _prompts(batch: Batch, use_prompts: bool) -> Sequence[str | None]:
    """Normal forms of the prompts that count."""
    return normal_forms(batch.prompts) if use_prompts else [None] * len(batch)


@dataclass(frozen=True)
class LaterTask(Shards):
    """`CompiledRowKeys.of_later` of some rows of each shard, by their index in it, rising."""

    use_prompts: bool = True
    owner: str = ""
    rows: Mapping[str, tuple[Ints, Ints]] | None = None  # index and occurrence


def later(task: LaterTask) -> dict[str, tuple[Hashes, Hashes]] | Exception:
    return value_or_error(task, _later)


def _later(task: LaterTask) -> dict[str, tuple[Hashes, Hashes]]:
    keys = CompiledRowKeys(task.owner)
    found: dict[str, list[tuple[Hashes, Hashes]]] = {shard: [] for shard in task.shards}
    for batch in task.batches():
        prompts = _prompts(batch, task.use_prompts)
        rows, occurrence = (task.rows or {})[batch.shard]
        first, end = np.searchsorted(rows, [batch.first_row, batch.first_row + len(batch)])
        keys.of_first(prompts, batch.texts)  # what is known of the strings is used again
        mine = rows[first:end] - batch.first_row
        found[batch.shard].append(keys.of_later(prompts, batch.texts, mine, occurrence[first:end]))
    return {
        shard: (np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]))
        for shard, parts in found.items()
    }


# ---------------------------------------------------------------------------------------------------------------- rows


@dataclass(frozen=True)
class RowsTask(Shards):
    """Some rows of each shard, by their index in it, rising."""

    rows: Mapping[str, Ints] | None = None


def chosen(task: RowsTask) -> dict[str, Batch] | Exception:
    return value_or_error(task, _chosen)


def _chosen(task: RowsTask) -> dict[str, Batch]:
    found = {shard: Batch([], [], [], shard, 0, 0) for shard in task.shards}
    for batch in task.batches():
        into, rows = found[batch.shard], (task.rows or {})[batch.shard]
        for row in (rows[(rows >= batch.first_row) & (rows < batch.first_row + len(batch))] - batch.first_row).tolist():
            into.texts.append(batch.texts[row])
            into.prompts.append(batch.prompts[row])
            into.systems.append(batch.systems[row])
    return found


# ---------------------------------------------------------------------------------------------------------------- sums


@dataclass(frozen=True)
class Scoring:
    """How rows are scored: by a weight a count, of each family; see `fingerprint.detection.all_rows`."""

    weights: Mapping[str, Floats]
    shift: float


@dataclass(frozen=True)
class SumsTask(Shards):
    """Sums of one side's rows by block, and their scores.

    Attributes
    ----------
    families : mapping of name to CountedFamily
        Unfitted.
    n_blocks : int
    blocks : mapping of shard to int array [rows]
    first : mapping of shard to int
        Index of each shard's first row among all rows of the side.
    has_score : mapping of shard to bool array [rows]
        Rows that have a score already.
    """

    families: Mapping[str, CountedFamily]
    n_blocks: int
    blocks: Mapping[str, Ints]
    side: str
    first: Mapping[str, int]
    scoring: Scoring | None
    has_score: Mapping[str, Bools]


@dataclass(frozen=True)
class SumsFound:
    """Sums by block and of squares, in the smallest type that holds them, by family; characters; scores by shard."""

    sums: Mapping[str, Ints]
    squares: Mapping[str, Ints]
    rows: int
    characters: int
    scores: Mapping[str, Floats]
    ends: Ends


def summed_by_block(task: SumsTask) -> SumsFound | Exception:
    return value_or_error(task, _summed_by_block)


def _summed_by_block(task: SumsTask) -> SumsFound:
    weights = {} if task.scoring is None else task.scoring.weights
    families = {name: FamilySums.of(one, task.n_blocks, weights.get(name)) for name, one in task.families.items()}
    rows, characters, ends = 0, 0, Ends()
    scores: dict[str, list[Floats]] = {shard: [] for shard in task.shards}
    for batch in task.batches():
        at = slice(batch.first_row, batch.first_row + len(batch))
        block = task.blocks[batch.shard][at].astype(np.int64)
        parts = [family.add(batch.texts, block) for family in families.values()]
        if task.scoring is not None:
            known = [part for part in parts if part is not None]
            fresh = np.sum(known, axis=0) + task.scoring.shift if known else np.zeros(0)
            if known:
                fresh[task.has_score[batch.shard][at]] = np.nan
                ends.add(batch, task.first[batch.shard] + batch.first_row, task.side, fresh)
            scores[batch.shard].append(fresh)
        rows += len(batch)
        characters += sum(map(len, batch.texts))
    return SumsFound(
        sums={name: narrow(family.sums) for name, family in families.items()},
        squares={name: family.squares for name, family in families.items()},
        rows=rows,
        characters=characters,
        scores={shard: np.concatenate([np.zeros(0), *found]) for shard, found in scores.items()},
        ends=ends,
    )


def narrow(sums: Ints) -> Ints:
    """The same whole numbers, none below 0, in fewer bytes."""
    greatest = int(sums.max(initial=0))
    return sums.astype(next(t for t in (np.uint8, np.uint16, np.uint32, np.int64) if greatest <= np.iinfo(t).max))
