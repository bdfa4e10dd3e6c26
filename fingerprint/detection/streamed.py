"""Both sides as far as they fit into memory; beyond, a sample of whole prompts, and what pairing knows of all rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

import numpy as np

from fingerprint.data.arrays import Bools, Ints
from fingerprint.data.corpus import Corpus
from fingerprint.data.rereading import Rows
from fingerprint.data.row_keys import PooledKeys, SideKeys, side_keys
from fingerprint.detection.journal import Journal
from fingerprint.detection.row_counts import RowCounts
from fingerprint.report.formatting import count
from fingerprint.statistics.designs import Design

# Rows a side up to which all are held: a report on 20,000 + 20,000 rows of ten numbers takes .9 GB at its peak, and
# features grow with the rows.
HELD_ROWS = 50_000
# Rows a side that scores, ladder, filters, power and warnings stand on beyond: the interval of an AUROC is .006 wide
# either way, and every section takes seconds.
SAMPLE_ROWS = 20_000
# Prompts a side that the prompt control compares, at most.
CONTROL_PROMPTS = 5000


@dataclass(frozen=True)
class KnownPrompts:
    """What is known of the prompts of two sides.

    Attributes
    ----------
    is_single : bool
        All rows answer one prompt.
    are_used, were_given : bool
        Whether rows of one prompt belong together, and whether any row came with a prompt.
    missing : int
        Rows without a prompt.
    prompts : pair of int
        Prompts of the suspect and of the reference.
    shared : int
        Prompts of both.
    unshared : pair of tuples of str
        Normal forms of prompts that one side alone answers: `CONTROL_PROMPTS` at most, those of the least hashes, so
        that which they are says nothing about the sides.
    """

    is_single: bool
    are_used: bool
    were_given: bool
    missing: int
    prompts: tuple[int, int]
    shared: int
    unshared: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class AllRows:
    """Rows of both sides that are not held.

    Attributes
    ----------
    sides : pair of Rows
    keys : pair of SideKeys
    pooled : PooledKeys
        Their rows in pooled order.
    sampled : pair of int arrays
        Which rows of either side the sample holds, by their index among all rows of the side, rising.
    kind : str
        What they are; see `fingerprint.features.data_kind`.
    prompts : KnownPrompts
    """

    sides: tuple[Rows, Rows]
    keys: tuple[SideKeys, SideKeys]
    pooled: PooledKeys
    sampled: tuple[Ints, Ints]
    kind: str
    prompts: KnownPrompts

    @property
    def n_rows(self) -> int:
        return self.keys[0].rows + self.keys[1].rows

    def design(self, seed: int, *, paired_alone: bool) -> Design:
        """The design of all rows, as `fingerprint.statistics.comparison.pair` makes it of rows that are held."""
        pooled = self.pooled
        salts = (f"{seed} {self.keys[0].digest}", f"{seed} {self.keys[1].digest}")
        names = (self.sides[0].name, self.sides[1].name)
        unpaired = np.zeros(len(pooled.group), dtype=bool) if paired_alone else None
        return Design.of(pooled.group, pooled.suspect, pooled.has_prompt, salts, names, unpaired=unpaired)

    def blocks(self, design: Design) -> tuple[Ints, Ints]:
        """Block of every row of either side [rows]; as many as there are blocks for a row that is in none."""
        found = []
        for keys, side in zip(self.keys, self.pooled.sides, strict=True):
            block = np.full(keys.rows, design.n_blocks, dtype=np.int64)
            mine = design.block[side]
            block[self.pooled.origin[side]] = np.where(mine >= 0, mine, design.n_blocks)
            found.append(block)
        return found[0], found[1]


def opened(
    sides: tuple[Rows, Rows],
    use_prompts: bool,
    within: Callable[[str, float], None],
    engine: str = "local",
    journal: Journal | None = None,
) -> tuple[tuple[Corpus, Corpus], AllRows | None]:
    """Both corpora, if they can be held; otherwise a sample of either, and all that is known of the others.

    Parameters
    ----------
    use_prompts : bool
        Whether rows of one prompt belong together.
    within : callable
        Is told how far the reading has come.
    engine : "local" or "ray"
        Where rows that cannot be held are gone through.
    journal : Journal, optional
        Where what is done of them is kept, shard by shard.
    """
    held = [rows.held(HELD_ROWS) for rows in sides]
    if held[0] is not None and held[1] is not None:
        return (held[0], held[1]), None
    counts = RowCounts(), RowCounts()
    if engine == "local" and journal is None:
        keys = _keys(sides, counts, use_prompts, Told(within))
        return _opened(sides, keys, counts, lambda number, rows: sides[number].only(rows.tolist(), sides[number].name))
    from fingerprint.detection.kept_results import Workers  # few need it
    from fingerprint.detection.shard_passes import SideShards, keys_by_shard, rows_by_shard

    with Workers.of(engine, journal) as workers:
        shards = SideShards.of_side(sides[0]), SideShards.of_side(sides[1])
        keys = keys_by_shard(shards, counts, use_prompts, Told(within), workers)
        return _opened(sides, keys, counts, lambda number, rows: rows_by_shard(shards[number], rows, workers))


def _opened(
    sides: tuple[Rows, Rows],
    keys: tuple[SideKeys, SideKeys],
    counts: tuple[RowCounts, RowCounts],
    only: Callable[[int, Ints], Corpus],
) -> tuple[tuple[Corpus, Corpus], AllRows]:
    """A sample of either side, and all that is known of the others; `only` reads some rows of a side by its number."""
    pooled = PooledKeys.of(*keys)
    sampled = _sampled(pooled, pooled.sample(SAMPLE_ROWS))
    samples, unshared = [], []
    for number, (mine, alone) in enumerate(zip(sampled, pooled.unshared(), strict=True)):
        of_prompts = alone[:CONTROL_PROMPTS]
        wanted = np.union1d(mine, of_prompts)
        read = only(number, wanted)
        samples.append(replace(read.only(np.searchsorted(wanted, mine)), skipped=sides[number].skipped))
        answered = [read.prompt_keys[row] for row in np.searchsorted(wanted, of_prompts).tolist()]
        unshared.append(tuple(prompt for prompt in answered if prompt is not None))
    prompts = _known_prompts(pooled, counts, (unshared[0], unshared[1]))
    whole = AllRows(sides, keys, pooled, sampled, (counts[0].kinds + counts[1].kinds).kind, prompts)
    return (samples[0], samples[1]), whole


def _known_prompts(
    pooled: PooledKeys, counts: tuple[RowCounts, RowCounts], unshared: tuple[tuple[str, ...], tuple[str, ...]]
) -> KnownPrompts:
    suspect, reference, shared = pooled.prompts()
    were_given = any(count.without_prompt < count.rows for count in counts)
    return KnownPrompts(
        is_single=_is_single_prompt(counts) and were_given,
        are_used=bool(pooled.has_prompt.any()),
        were_given=were_given,
        missing=sum(count.without_prompt for count in counts),
        prompts=(suspect, reference),
        shared=shared,
        unshared=unshared,
    )


def _keys(
    sides: tuple[Rows, Rows], counts: tuple[RowCounts, RowCounts], use_prompts: bool, told: Told
) -> tuple[SideKeys, SideKeys]:
    """Keys of both sides, as `fingerprint.data.pairing.pooled_rows` gives them to rows that are held."""
    first = side_keys(counts[0].of(sides[0]), use_prompts=use_prompts, told=told)
    later = told.after(first.rows)
    second = side_keys(counts[1].of(sides[1]), use_prompts=use_prompts, below=first.below, told=later)
    one_prompt = _is_single_prompt(counts)
    if first.has_prompt.all() and second.has_prompt.all() and not one_prompt:
        return first, second
    # Rows without a prompt are known by the digest of their side, which only its last row completes.
    owners = (first.digest, second.digest) if first.digest != second.digest else ("first", "second")
    use_prompts = use_prompts and not one_prompt
    again = side_keys(sides[0], use_prompts=use_prompts, owner=owners[0], told=told)
    return again, side_keys(sides[1], use_prompts=use_prompts, owner=owners[1], below=again.below, told=told)


def _is_single_prompt(counts: tuple[RowCounts, RowCounts]) -> bool:
    """Whether all rows answer one prompt, which says nothing, or none has any."""
    return len(counts[0].prompts | counts[1].prompts) == 1


def _sampled(pooled: PooledKeys, taken: Bools) -> tuple[Ints, Ints]:
    suspect, reference = (np.sort(pooled.origin[side & taken]) for side in pooled.sides)
    return suspect, reference


class Told:
    """Tells how many rows have been read, how many a second, and if it is known how long the rest will take."""

    def __init__(self, within: Callable[[str, float], None], total: int | None = None, before: int = 0) -> None:
        self._within, self._total, self._before = within, total, before
        self._began, self._passed = monotonic(), 0

    def passed(self, rows: int) -> None:
        """So many rows were read by an earlier call."""
        self._passed = rows

    def after(self, rows: int) -> Told:
        """The same for rows that are read after so many others."""
        later = Told(self._within, self._total, self._before + rows)
        later._began = self._began
        return later

    def __call__(self, rows: int) -> None:
        rows += self._before
        seconds = max(monotonic() - self._began, 1e-3)
        speed = (rows - self._passed) / seconds
        left = "" if self._total is None else f", {max(self._total - rows, 0) / max(speed, 1e-3):,.0f} s left"
        self._within(f"{count(rows)} rows, {count(round(speed))} a second{left}", rows / (self._total or rows))
