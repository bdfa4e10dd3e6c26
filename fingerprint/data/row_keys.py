"""What pairing has to know of rows that are not held: two numbers a row, and which rows stand for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Bools, Hashes, Ints
from fingerprint.data.batches import Batch
from fingerprint.data.corpus import digest_of_sum
from fingerprint.data.normal_form import normal_forms
from fingerprint.data.pairing import rank_within
from fingerprint.data.row_hashes import CompiledRowKeys

# One above every key.
ALL = 1 << 64
# Rows a side whose keys are held, beside a count by key: 120 bytes a row while a side is read, 25 after that. Beyond,
# a share of the prompts, chosen by their hash alone, stands for all: blocks of thousands of rows each have long been
# as good as normal, and power grows no more than with the root of the rows.
KEPT_ROWS = 5_000_000
# Rows of one prompt and side that a sample takes at most, where it cannot take all: enough to see that rows of a prompt
# are alike, few enough for a thousand prompts in 20,000 rows.
ROWS_OF_A_PROMPT = 20


@dataclass(frozen=True)
class SideKeys:
    """Keys of one side's rows, in the order of its shards.

    Attributes
    ----------
    rows : int
        All rows of the side.
    digest : str
        `Corpus.digest` of all rows.
    origin : int array [kept]
        Index of each row that was kept among all rows.
    key, group : uint64 arrays [kept]
        Of the row, and of the group it belongs to; see `fingerprint.data.pairing.RowKeys`.
    first : uint64 array [kept]
        `first_keys` of the row.
    has_prompt : bool array [kept]
    below : int
        Rows were kept whose `first` is below this: 2**64 where all were.
    """

    rows: int
    digest: str
    origin: Ints
    key: Hashes
    group: Hashes
    first: Hashes
    has_prompt: Bools
    below: int

    def only_below(self, below: int) -> SideKeys:
        """The same with fewer rows kept."""
        if below >= self.below:
            return self
        keep = self.first < np.uint64(below)
        key, group, first = self.key[keep], self.group[keep], self.first[keep]
        return SideKeys(self.rows, self.digest, self.origin[keep], key, group, first, self.has_prompt[keep], below)


def side_keys(
    rows: Iterable[Batch],
    *,
    use_prompts: bool,
    owner: str = "",
    below: int = ALL,
    kept: int | None = None,
    told: Callable[[int], None] = lambda rows: None,
) -> SideKeys:
    """Go through the rows of a side once.

    Parameters
    ----------
    owner : str
        What tells the side from the other: its digest. Groups of rows without a prompt hang on it.
    below : int
        Keep rows whose `first_keys` is below this.
    kept : int
        Rows whose keys are kept, at most: `below` is halved until so many are left. By default `KEPT_ROWS`.
    told : callable
        Is told how many rows have been read.
    """
    kept = KEPT_ROWS if kept is None else kept
    keys, total, n = CompiledRowKeys(owner, below), 0, 0
    parts: list[SideKeys] = []
    for batch in rows:
        prompts = normal_forms(batch.prompts) if use_prompts else [None] * len(batch)
        key, group, first, here = keys.next(prompts, batch.texts)
        total += keys.sum_of_rows(batch.texts, batch.prompts, batch.systems)
        has_prompt = np.array([prompt is not None for prompt in prompts], dtype=bool)[here]
        parts.append(SideKeys(0, "", n + here, key, group, first, has_prompt, keys.below))
        n += len(batch)
        while sum(len(part.key) for part in parts) > kept:
            keys.below //= 2
            parts = [part.only_below(keys.below) for part in parts]
        told(n)
    return SideKeys(
        rows=n,
        digest=digest_of_sum(total),
        origin=np.concatenate([part.origin for part in parts]),
        key=np.concatenate([part.key for part in parts]),
        group=np.concatenate([part.group for part in parts]),
        first=np.concatenate([part.first for part in parts]),
        has_prompt=np.concatenate([part.has_prompt for part in parts]),
        below=keys.below,
    )


@dataclass(frozen=True)
class PooledKeys:
    """Rows of both sides in the order that `fingerprint.data.pairing.pooled_rows` gives them.

    Attributes
    ----------
    suspect : bool array [rows]
    origin : int array [rows]
        Index of each row among all rows of its side.
    group : int array [rows]
        The prompt each row answers, numbered in hash order.
    has_prompt : bool array [rows]
    share : float
        Share of the prompts whose rows these are, by their hash; 1 for all.
    """

    suspect: Bools
    origin: Ints
    group: Ints
    has_prompt: Bools
    share: float

    @classmethod
    def of(cls, suspect: SideKeys, reference: SideKeys) -> PooledKeys:
        below = min(suspect.below, reference.below)
        sides = [side.only_below(below) for side in (suspect, reference)]
        order = np.argsort(np.concatenate([side.key for side in sides]), kind="stable")
        group = np.concatenate([side.group for side in sides])[order]
        return cls(
            suspect=np.repeat([True, False], [len(side.key) for side in sides])[order],
            origin=np.concatenate([side.origin for side in sides])[order],
            group=np.unique(group, return_inverse=True)[1].astype(np.int64),
            has_prompt=np.concatenate([side.has_prompt for side in sides])[order],
            share=below / ALL,
        )

    @property
    def sides(self) -> tuple[Bools, Bools]:
        """Rows of the suspect and of the reference [rows]."""
        return self.suspect, ~self.suspect

    def prompts(self) -> tuple[int, int, int]:
        """Prompts of the suspect, of the reference, and of both."""
        n = int(self.group.max()) + 1
        holds = [np.bincount(self.group[side & self.has_prompt], minlength=n) > 0 for side in self.sides]
        return int(holds[0].sum()), int(holds[1].sum()), int((holds[0] & holds[1]).sum())

    def unshared(self) -> tuple[Ints, Ints]:
        """Index among all rows of its side of one row of each prompt that the side alone answers, in hash order."""
        n = int(self.group.max()) + 1
        known = [side & self.has_prompt for side in self.sides]
        holds = [np.bincount(self.group[rows], minlength=n) > 0 for rows in known]
        found = []
        for rows, mine, others in zip(known, holds, reversed(holds), strict=True):
            at = np.flatnonzero(rows & (mine & ~others)[self.group])
            found.append(self.origin[at[np.unique(self.group[at], return_index=True)[1]]])
        return found[0], found[1]

    def sample(self, limit: int) -> Bools:
        """At most `limit` rows a side [rows], in whole prompts as far as that goes.

        Which rows are taken hangs on hashes of prompts and rows and on how many rows each prompt has, never on what a
        side's texts are. Prompts that both sides answer are taken on both, and come before others up to the share that
        they have on the side where they have more.
        """
        rank = rank_within(self.group * 2 + self.suspect)
        taken = rank < max(ROWS_OF_A_PROMPT, _deepest(rank, self.sides, limit))
        n = int(self.group.max()) + 1
        held = [np.bincount(self.group[side & taken], minlength=n) for side in self.sides]
        shared = (held[0] > 0) & (held[1] > 0)
        part = max(float(rows[shared].sum()) / max(int(rows.sum()), 1) for rows in held)
        in_both = np.all([np.cumsum(np.where(shared, rows, 0)) <= part * limit for rows in held], axis=0)
        groups = [shared & in_both for _ in held]
        for number, rows in enumerate(held):
            room = limit - int(rows[groups[number]].sum())
            own = ~shared & (rows > 0)
            groups[number] = groups[number] | (own & (np.cumsum(np.where(own, rows, 0)) <= room))
        return np.asarray(taken & np.where(self.suspect, groups[0][self.group], groups[1][self.group]))


def _deepest(rank: Ints, sides: tuple[Bools, Bools], limit: int) -> int:
    """How many rows of each prompt and side there may be so that `limit` rows a side are not exceeded; 0 for none."""
    most = int(rank.max()) + 1
    counts = [np.cumsum(np.bincount(rank[side], minlength=most)) for side in sides]
    return int(np.count_nonzero(np.all([count <= limit for count in counts], axis=0)))
