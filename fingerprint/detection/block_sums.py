"""Pass over rows that are not held: sums of counts by block, and scores, of every family at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field

import numpy as np

from fingerprint.data.arrays import Bools, Floats, Floats32, Ints
from fingerprint.data.batches import Batch
from fingerprint.features.compiled import n_threads
from fingerprint.features.counted import CountedFamily, PooledCounts
from fingerprint.features.scaling import FamilyMatrix, scales
from fingerprint.statistics.designs import Design
from fingerprint.statistics.summed import units_of_sums


@dataclass
class FamilySums:
    """Sums of one family's counts, while rows are gone through.

    Attributes
    ----------
    family : CountedFamily
        Unfitted.
    sums : int array [blocks + 1, counts]
        By block; the last holds rows that are in none. Where a block holds both sides, the reference's count -1.
    squares : int array [counts]
        Of all rows.
    pooled : int array [counts]
        Sums over all rows of the sides that are done.
    weights : float array [counts] or None
        What each count adds to the score of a row.
    """

    family: CountedFamily
    sums: Ints
    squares: Ints
    pooled: Ints
    weights: Floats | None = None

    @classmethod
    def of(cls, family: CountedFamily, n_blocks: int, weights: Floats | None) -> FamilySums:
        sums = np.zeros((n_blocks + 1, family.n_counts), dtype=np.int64)
        squares, pooled = np.zeros((2, family.n_counts), dtype=np.int64)
        return cls(family, sums, squares, pooled, weights)

    def add(self, texts: Sequence[str], block: Ints) -> Floats | None:
        """Add some rows to the sums of their blocks; their part of the score [rows], where one is wanted."""
        self.family.add_sums(texts, block, self.sums, self.squares)
        if self.weights is None:
            return None
        return np.asarray(self.family.counts(texts) @ self.weights, dtype=np.float64)

    def units(self, design: Design, rows: int, characters: int) -> tuple[Floats32, int]:
        """What relabelling permutes [blocks, columns], scaled by all rows; and how many columns there are."""
        counts = PooledCounts(rows, characters, self.pooled, self.squares)
        fitted = self.family.fit_counts(counts)
        columns, scale = scales(fitted, *fitted.moments(counts))

        def sums(blocks: slice) -> Floats:
            return fitted.projected(self.sums[:-1][blocks])[:, columns] * scale

        return units_of_sums(design, len(columns), sums), len(columns)


@dataclass
class BlockSums:
    """Sums of all families, while rows are gone through: the suspect's first, then the reference's.

    Attributes
    ----------
    families : dict of FamilySums
    signed : bool array [blocks]
        Blocks that hold both sides.
    """

    families: Mapping[str, FamilySums]
    signed: Bools
    rows: int = 0
    characters: int = 0
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(n_threads()))
    _side: dict[str, Ints] = field(default_factory=dict)

    def begin(self) -> None:
        """A side begins."""
        self._turn()
        self._side = {name: family.sums.sum(axis=0) for name, family in self.families.items()}

    def end(self) -> None:
        """The side ends: what it added belongs to all rows."""
        for name, family in self.families.items():
            family.pooled += family.sums.sum(axis=0) - self._side[name]

    def start(self, batch: Batch, block: Ints) -> list[Future[Floats | None]]:
        """Rows of the side, to be added while others are read; what each family's scores will be."""
        self.rows += len(batch)
        self.characters += sum(map(len, batch.texts))
        families = self.families.values()
        return [self._pool.submit(copy_context().run, family.add, batch.texts, block) for family in families]

    def state(self, name: str) -> dict[str, Ints]:
        """What is summed of a family so far, while a side is gone through."""
        family = self.families[name]
        return {"sums": family.sums, "squares": family.squares, "pooled": family.pooled, "side": self._side[name]}

    def restore(self, name: str, state: Mapping[str, Ints]) -> None:
        """Go on in the middle of a side, from what `state` gave then."""
        family = self.families[name]
        family.sums[:], family.squares[:], family.pooled[:] = (state[part] for part in ("sums", "squares", "pooled"))
        self._side[name] = state["side"]

    def close(self) -> None:
        """No more rows come."""
        self._pool.shutdown()
        self._turn()

    def _turn(self) -> None:
        """Change the sign of what blocks of both sides hold: before the reference, and back when all is added."""
        # Parts stand one after another, the paired one first: its blocks are a slice, which is changed in place.
        paired = slice(0, int(self.signed.sum()))
        for family in self.families.values():
            np.negative(family.sums[paired], out=family.sums[paired])


def count_weights(matrix: FamilyMatrix, coefficients: Floats) -> Floats:
    """What each count of a row [counts] adds to a linear score of its scaled columns."""
    family = matrix.family
    if not isinstance(family, CountedFamily):
        raise TypeError(f"family must have counts, got {family!r}; score it from its columns")
    factors = family.projection()
    n_columns = family.n_counts if factors is None else factors.shape[1]
    full = np.zeros(n_columns)
    full[matrix.columns] = matrix.scale * coefficients
    return np.asarray(full / family.unit if factors is None else factors @ full, dtype=np.float64)
