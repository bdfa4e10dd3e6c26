"""Tasks over shards, done here or by a cluster, whose results are kept: done once, whatever is killed in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Generic, Self, TypeVar, cast

import numpy as np

from fingerprint.data import cluster
from fingerprint.data.arrays import Bools, Hashes, Ints
from fingerprint.data.batches import Batch
from fingerprint.data.settled_shards import Shards
from fingerprint.detection.journal import Journal, packed, unpacked
from fingerprint.detection.row_counts import RowCounts
from fingerprint.detection.shard_work import (
    KeysFound,
    KeysTask,
    LaterTask,
    RowsTask,
    ShardKeys,
    chosen,
    keyed,
    later,
)
from fingerprint.features import KindCounts

Task = TypeVar("Task", bound=Shards)
Found = TypeVar("Found")

# Bytes of small shards that are one task of this process: some seconds of reading, which a kill may cost.
TOGETHER = 8 << 20


@dataclass(frozen=True)
class Step(Generic[Task, Found]):
    """What is done of shards, and how what comes of it is kept.

    Attributes
    ----------
    name : str
    work : callable
        What came of a task, or what was wrong with it.
    shards : callable
        Shards that were done: those that could not be used are tried again.
    encode, decode : callable
    """

    name: str
    work: Callable[[Task], Found | Exception]
    shards: Callable[[Found], list[str]]
    encode: Callable[[Found], bytes]
    decode: Callable[[bytes], Found]


@dataclass(frozen=True)
class Workers:
    """Who goes through shards.

    Attributes
    ----------
    cpus : int
        Processors of a cluster; 0 for this process.
    journal : Journal or None
        Where results are kept.
    """

    cpus: int
    journal: Journal | None

    @classmethod
    @contextmanager
    def of(cls, engine: str, journal: Journal | None) -> Iterator[Self]:
        """Those of an engine; a cluster that was not there is started for as long."""
        with cluster.cluster() if engine == "ray" else nullcontext(0) as cpus:
            yield cls(cpus, journal)

    def groups(self, shards: Sequence[str]) -> list[list[str]]:
        """Shards for one task each."""
        return cluster.groups(shards, self.cpus) if self.cpus else cluster.neighbours(shards, TOGETHER)

    def done(
        self, work: Callable[[Task], Found | Exception], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Found]]:
        """Tasks with what came of them, as they end."""
        if self.cpus:
            yield from cluster.done(work, tasks, self.cpus)
            return
        for task in tasks:
            found = work(task)
            if isinstance(found, Exception):
                raise found
            yield task, found

    def results(
        self,
        step: Step[Task, Found],
        side: str,
        digest: str,
        shards: Sequence[str],
        task: Callable[[list[str]], Task],
    ) -> Iterator[Found]:
        """What comes of a step's shards: what is kept of it, then what is done now, and kept.

        Parameters
        ----------
        side : str
            Whose shards these are, and what else tells tasks of a step apart of which all are kept.
        digest : str
            Equal where results are, whatever the shards are called.
        shards : sequence of str
        task : callable
            The task of some of them.
        """
        name, left = f"{step.name} {side}", dict.fromkeys(shards)
        if self.journal is not None:
            for kept, content in self.journal.found(name, digest).items():
                of = json.loads(kept)
                if all(shard in left for shard in of):  # else one of them is a copy of a shard that came later
                    left = {shard: None for shard in left if shard not in of}
                    yield step.decode(content)
        for _, found in self.done(step.work, [task(group) for group in self.groups(list(left))]):
            done = step.shards(found)
            if self.journal is not None and done:
                self.journal.keep(name, digest, [(json.dumps(done), step.encode(found))], done)
            yield found


# ---------------------------------------------------------------------------------------------------- what is kept


def _encode_keys(found: KeysFound) -> bytes:
    counts, parts = found.counts, list(found.shards.values())
    facts = {
        "shards": list(found.shards),
        "numbers": [[part.rows, part.total, part.skipped] for part in parts],
        "kinds": asdict(counts.kinds),
        "without_prompt": counts.without_prompt,
        "prompts": list(counts.prompts)[:2],  # whether there is more than one
    }
    arrays = {
        "ends": np.cumsum([len(part.key) for part in parts]),
        "origin": np.concatenate([part.origin for part in parts]),
        "key": np.concatenate([part.key for part in parts]),
        "first": np.concatenate([part.first for part in parts]),
        "has_prompt": np.concatenate([part.has_prompt for part in parts]),
    }
    return packed(facts, arrays)


def _decode_keys(content: bytes) -> KeysFound:
    facts, arrays = unpacked(content)
    counts = RowCounts(KindCounts(**facts["kinds"]), facts["without_prompt"], set(facts["prompts"]))
    shards, first = {}, 0
    for shard, numbers, end in zip(facts["shards"], facts["numbers"], arrays["ends"].tolist(), strict=True):
        rows, total, skipped = numbers
        here = slice(first, end)
        shards[shard] = ShardKeys(
            rows,
            total,
            skipped,
            origin=cast("Ints", arrays["origin"][here]),
            key=cast("Hashes", arrays["key"][here]),
            first=cast("Hashes", arrays["first"][here]),
            has_prompt=cast("Bools", arrays["has_prompt"][here]),
        )
        first = end
    return KeysFound(shards, counts, ())


LaterFound = dict[str, tuple[Hashes, Hashes]]


def _encode_later(found: LaterFound) -> bytes:
    arrays = {f"{what}{at}": pair[what] for at, pair in enumerate(found.values()) for what in (0, 1)}
    return packed({"shards": list(found)}, {f"a{name}": array for name, array in arrays.items()})


def _decode_later(content: bytes) -> LaterFound:
    facts, arrays = unpacked(content)
    return {
        shard: (cast("Hashes", arrays[f"a0{at}"]), cast("Hashes", arrays[f"a1{at}"]))
        for at, shard in enumerate(facts["shards"])
    }


def _encode_rows(found: dict[str, Batch]) -> bytes:
    return json.dumps({shard: [rows.texts, rows.prompts, rows.systems] for shard, rows in found.items()}).encode()


def _decode_rows(content: bytes) -> dict[str, Batch]:
    found = json.loads(content).items()
    return {shard: Batch(texts, prompts, systems, shard, 0, 0) for shard, (texts, prompts, systems) in found}


KEYS: Step[KeysTask, KeysFound] = Step("keys", keyed, lambda found: list(found.shards), _encode_keys, _decode_keys)
LATER: Step[LaterTask, LaterFound] = Step("later keys", later, list, _encode_later, _decode_later)
ROWS: Step[RowsTask, dict[str, Batch]] = Step("rows", chosen, list, _encode_rows, _decode_rows)
