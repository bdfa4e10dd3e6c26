"""Parts of a design: rows whose labels may be exchanged in one way.

* `PairedPart` (prompts that both sides answer): a block holds both sides of its prompts, and under the null these are
  exchangeable. A relabelling is a sign a block.
* `SeparatePart` (other prompts, or none): a block is of one side, and under the null blocks of the same number of
  prompts, each with as many rows, are exchangeable. A relabelling permutes the sides of the blocks.

A contrast weights the blocks' units so that they add up to the difference of the sides' means.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from fingerprint.data import digests
from fingerprint.data.arrays import Bools, Floats, Floats32, Ints
from fingerprint.data.pairing import rank_within
from fingerprint.statistics.rows_per_prompt import MIN_SIDE, information, rows_per_prompt, same_law

# Groups go to at most this many blocks: enough for any alpha in use, few enough that a permutation costs nothing.
MAX_BLOCKS = 512
# Blocks of the smaller side, where it has as many groups; a far larger side then leaves rows unused instead.
MIN_BLOCKS = 40


@dataclass(frozen=True)
class Part(ABC):
    """Blocks of rows, and relabellings of them that are as likely as the observed labelling under the null.

    Attributes
    ----------
    block : int array [rows]
        Block of each row of the comparison; -1 for a row that is not in this part.
    """

    block: Ints

    # What reports call it.
    kind: ClassVar[str]

    @property
    @abstractmethod
    def n_blocks(self) -> int: ...

    @property
    @abstractmethod
    def distinct_relabellings(self) -> float:
        """How many different statistics relabelling can give (a float: it overflows integers)."""

    @abstractmethod
    def information(self, group: Ints) -> float:
        """What the part's mean difference is worth: the inverse of its variance, in units of one row's."""

    @property
    def used(self) -> Bools:
        """Rows of the part [rows]."""
        return self.block >= 0

    @abstractmethod
    def row_weights(self, suspect: Bools) -> Floats32:
        """What every used row counts in the unit of its block [used rows]."""

    def units(self, values: sp.csr_matrix, suspect: Bools) -> Floats32:
        """What relabelling permutes [blocks, columns]: sums of the rows' values [rows, columns] by block."""
        where = (self.block[self.used], np.flatnonzero(self.used))
        summing = sp.csr_matrix((self.row_weights(suspect), where), shape=(self.n_blocks, values.shape[0]))
        return np.asarray((summing @ values).todense(), dtype=np.float32)

    @abstractmethod
    def contrasts(self, n_permutations: int, rng: np.random.Generator) -> Floats32:
        """The observed labelling and `n_permutations` random ones [1 + permutations, blocks]."""

    @abstractmethod
    def form_moments(self, squares: Floats, row_sums: Floats, contrast: Floats) -> tuple[Floats, Floats]:
        """Exact mean and variance [...] over all relabellings of sum over a != b of c_a c_b K_ab.

        Parameters
        ----------
        squares : float array [...]
            Sum of the squared inner products of different blocks.
        row_sums : float array [..., blocks]
            Sums of the rows of K, the diagonal left out.
        contrast : float array [blocks]
            The observed one.
        """

    @abstractmethod
    def square_mean(self, contrast: Floats) -> float:
        """Mean over all relabellings of the squared contrast of a block, as it counts beside centred units."""

    @abstractmethod
    def sum_variance(self, units: Floats | Floats32, contrast: Floats) -> Floats:
        """Exact variance over all relabellings of sum of c_a u_a, for each column of the units [blocks, columns]."""

    @abstractmethod
    def shift_pattern(self, contrast: Floats) -> Floats:
        """How far each unit moves when the rows that are suspect under a contrast shift by one [..., blocks]."""

    @abstractmethod
    def differences(self, suspect: Bools, group: Ints) -> tuple[Ints, Ints | None]:
        """Rows whose covariances are those of the units; with second rows, to be taken from the first ones."""

    @abstractmethod
    def without_last(self, keep: Bools, suspect: Bools, last: Ints) -> Bools:
        """Rows kept without the `last` ones, so that blocks stay exchangeable."""

    @abstractmethod
    def only(self, rows: Bools) -> Part:
        """The same part with fewer rows; blocks that lost all their rows are gone."""

    def _left(self, rows: Bools) -> tuple[Ints, Ints]:
        """Blocks of the rows that are left, numbered anew, and the old numbers of these blocks."""
        block = self.block[rows]
        kept, number = np.unique(block[block >= 0], return_inverse=True)
        block = block.copy()
        block[block >= 0] = number
        return block, kept


@dataclass(frozen=True)
class PairedPart(Part):
    """Prompts answered by both sides: a block holds both sides of its prompts, and they change places."""

    blocks: int

    kind: ClassVar[str] = "shared"

    @classmethod
    def of(cls, group: Ints, suspect: Bools, among: Bools, limit: int = MAX_BLOCKS) -> PairedPart:
        """Pairs of rows of the groups that both sides have: equal counts a group on both sides, random within it.

        Parameters
        ----------
        group : int array [rows]
            Numbered in hash order.
        suspect, among : bool arrays [rows]
            Side of each row, and which rows may be paired.
        limit : int
            Most blocks.
        """
        n_groups = int(group.max()) + 1
        per_side = [np.bincount(group[side & among], minlength=n_groups) for side in (suspect, ~suspect)]
        keep = np.minimum(*per_side)
        used = among & (rank_within(group * 2 + suspect) < keep[group])
        block = np.full(len(group), -1, dtype=np.int64)
        shared = np.unique(group[used])
        number = shared if len(shared) <= limit else np.arange(len(shared)) * limit // len(shared)
        block[used] = np.unique(number, return_inverse=True)[1][np.searchsorted(shared, group[used])]
        return cls(block, int(block.max()) + 1)

    @property
    def n_blocks(self) -> int:
        return self.blocks

    @property
    def n_pairs(self) -> int:
        """Pairs of rows of one prompt."""
        return int(self.used.sum()) // 2

    @cached_property
    def pairs_by_block(self) -> Floats:
        """Pairs of rows in each block [blocks]."""
        return np.bincount(self.block[self.used], minlength=self.n_blocks) / 2

    @property
    def distinct_relabellings(self) -> float:
        return 2.0 ** min(self.n_blocks - 1, 1000)

    def information(self, group: Ints) -> float:
        return float(information(1.0, _rows_of_groups(group[self.used]) / 2).sum()) / 2

    def row_weights(self, suspect: Bools) -> Floats32:
        """1 for the suspect, -1 for the reference: relabelling flips the sign of their sum."""
        weight = np.ones(int(self.used.sum()), dtype=np.float32)
        weight[~suspect[self.used]] = -1.0
        return weight

    def contrasts(self, n_permutations: int, rng: np.random.Generator) -> Floats32:
        signs = rng.integers(0, 2, size=(n_permutations + 1, self.n_blocks), dtype=np.int8).astype(np.float32)
        signs *= 2  # in place: there are millions of them
        signs -= 1
        signs[0] = 1.0
        signs /= np.float32(self.n_pairs)
        return signs

    def form_moments(self, squares: Floats, row_sums: Floats, contrast: Floats) -> tuple[Floats, Floats]:
        return np.zeros(squares.shape), 2.0 * squares * self.square_mean(contrast) ** 2

    def square_mean(self, contrast: Floats) -> float:
        return float(contrast[0] ** 2)

    def sum_variance(self, units: Floats | Floats32, contrast: Floats) -> Floats:
        return np.asarray(self.square_mean(contrast) * (units.astype(np.float64) ** 2).sum(axis=0))

    def shift_pattern(self, contrast: Floats) -> Floats:
        return np.asarray(np.sign(contrast) * self.pairs_by_block)

    def pairs(self, suspect: Bools, group: Ints) -> tuple[Ints, Ints]:
        """Suspect and reference rows that are paired: the i-th of both answer the same prompt."""
        sides = [np.flatnonzero(self.used & side) for side in (suspect, ~suspect)]
        first, second = (rows[np.argsort(group[rows], kind="stable")] for rows in sides)
        return first, second

    def differences(self, suspect: Bools, group: Ints) -> tuple[Ints, Ints | None]:
        return self.pairs(suspect, group)

    def without_last(self, keep: Bools, suspect: Bools, last: Ints) -> Bools:
        """Without these rows: one row a prompt is left, and prompts come in the same order on both sides."""
        return np.asarray(keep & ~np.isin(np.arange(len(keep)), last))

    def only(self, rows: Bools) -> PairedPart:
        block, kept = self._left(rows)
        return PairedPart(block, len(kept))


@dataclass(frozen=True)
class SeparatePart(Part):
    """Other prompts on either side, or none: blocks of one side each, and whole blocks change sides.

    Attributes
    ----------
    block_suspect : bool array [blocks]
        Side of each block.
    """

    block_suspect: Bools

    kind: ClassVar[str] = "separate"

    @classmethod
    def of(
        cls, group: Ints, suspect: Bools, among: Bools, salts: tuple[str, str], limit: int = MAX_BLOCKS
    ) -> SeparatePart | None:
        """Blocks of the same number of groups on both sides, in an order that salts seed; the rest is left out.

        Unless both sides draw their rows per prompt alike, every prompt gives as many rows, and prompts with fewer are
        left out: the number that keeps the most information, whatever the texts.

        Parameters
        ----------
        group : int array [rows]
        suspect, among : bool arrays [rows]
            Side of each row, and which rows there are.
        salts : pair of str
            Seeds of the suspect's and the reference's order, by what they hold: blocks are numbered alike whichever
            side is the suspect.
        limit : int
            Most blocks.

        Returns
        -------
        SeparatePart or None
            None where a side has fewer than `MIN_SIDE` groups.
        """
        sides = (suspect & among, ~suspect & among)
        counted = [np.unique(group[side], return_counts=True) for side in sides]
        if min(len(found) for found, _ in counted) < MIN_SIDE:
            return None
        rows = np.iinfo(np.int64).max
        if not same_law(counted[0][1], counted[1][1]):
            rows = rows_per_prompt(counted[0][1], counted[1][1])
            counted = [(found[size >= rows], size[size >= rows]) for found, size in counted]
        smaller, total = min(len(found) for found, _ in counted), sum(len(found) for found, _ in counted)
        per_block = min(-(-total // limit), max(1, smaller // MIN_BLOCKS))
        few = min(smaller // per_block, limit // 2)
        block = np.full(len(group), -1, dtype=np.int64)
        n_blocks: list[int] = []
        order = sorted((0, 1), key=lambda side: salts[side])
        for number in order:
            side, found = sides[number], counted[number][0]
            shuffled = np.random.default_rng(digests.number_of(salts[number])).permutation(len(found))
            count = min(len(found) // per_block, limit - few)
            place = np.full(int(group.max()) + 1, -1, dtype=np.int64)
            place[found[shuffled[: count * per_block]]] = sum(n_blocks) + np.arange(count * per_block) // per_block
            block[side] = place[group[side]]
            n_blocks.append(count)
        block[rank_within(group * 2 + suspect) >= rows] = -1
        return cls(block, np.repeat([number == 0 for number in order], n_blocks))

    @classmethod
    def of_ordered_rows(cls, n_suspect: int, n_reference: int, max_blocks: int) -> SeparatePart:
        """Blocks of as many neighbouring rows on either side, suspect rows first; what fills no block is left out.

        At most `max_blocks` in all where that gives the smaller side `MIN_BLOCKS`. The order within a side has to be
        random: rows of a block must not be alike.
        """
        sizes = (n_suspect, n_reference)
        per_block = min(-(-sum(sizes) // max_blocks), max(1, min(sizes) // MIN_BLOCKS))
        counts = [min(size // per_block, max_blocks) for size in sizes]
        block = np.full(sum(sizes), -1, dtype=np.int64)
        for start, count, first in ((0, counts[0], 0), (n_suspect, counts[1], counts[0])):
            block[start : start + count * per_block] = first + np.arange(count * per_block) // per_block
        return cls(block, np.arange(sum(counts)) < counts[0])

    @property
    def n_blocks(self) -> int:
        return len(self.block_suspect)

    @property
    def distinct_relabellings(self) -> float:
        n = self.n_blocks
        return float(comb(n, int(self.block_suspect.sum()))) if n < 1000 else float("inf")

    def information(self, group: Ints) -> float:
        sides = self.block_suspect[self.block[self.used]]
        worth = [
            float(information(1.0, _rows_of_groups(group[self.used][sides == side])).sum()) for side in (True, False)
        ]
        return worth[0] * worth[1] / sum(worth)

    def row_weights(self, suspect: Bools) -> Floats32:
        """One over the rows of the block: relabelling moves the block's mean to the other side."""
        counts = np.bincount(self.block[self.used], minlength=self.n_blocks)
        return np.asarray(np.ones(int(self.used.sum()), dtype=np.float32) / counts[self.block[self.used]], np.float32)

    def units(self, values: sp.csr_matrix, suspect: Bools) -> Floats32:
        """Means of the blocks less the mean of all blocks."""
        means = super().units(values, suspect)
        means -= means.mean(axis=0, dtype=np.float64).astype(np.float32)
        return means

    def contrasts(self, n_permutations: int, rng: np.random.Generator) -> Floats32:
        observed = two_arm_contrast(self.block_suspect).astype(np.float32)
        drawn = rng.permuted(np.tile(observed, (n_permutations + 1, 1)), axis=1)
        drawn[0] = observed
        return drawn

    def form_moments(self, squares: Floats, row_sums: Floats, contrast: Floats) -> tuple[Floats, Floats]:
        return _form_moments_over_orders(squares, row_sums, contrast)

    def square_mean(self, contrast: Floats) -> float:
        return float((contrast**2).sum()) / (len(contrast) - 1)

    def sum_variance(self, units: Floats | Floats32, contrast: Floats) -> Floats:
        centred = (units - units.mean(axis=0)).astype(np.float64)
        return np.asarray(self.square_mean(contrast) * (centred**2).sum(axis=0))

    def shift_pattern(self, contrast: Floats) -> Floats:
        """1 on the suspect blocks; units are centred, so a shift of one side moves the common mean too."""
        pattern = (contrast > 0).astype(np.float64)
        return np.asarray(pattern - pattern.mean(axis=-1, keepdims=True))

    def differences(self, suspect: Bools, group: Ints) -> tuple[Ints, Ints | None]:
        return np.flatnonzero(self.used), None

    def without_last(self, keep: Bools, suspect: Bools, last: Ints) -> Bools:
        """Without the blocks of these rows: a block goes whole."""
        gone = np.zeros(self.n_blocks, dtype=bool)
        gone[self.block[last]] = True
        return np.asarray(keep & ~(self.used & gone[self.block]))

    def only(self, rows: Bools) -> SeparatePart:
        block, kept = self._left(rows)
        return SeparatePart(block, self.block_suspect[kept])


def two_arm_contrast(suspect: Bools) -> Floats:
    """1/G on the suspect blocks, -1/G on the reference blocks [blocks]."""
    return np.asarray(np.where(suspect, 1.0 / suspect.sum(), -1.0 / (~suspect).sum()), dtype=np.float64)


def _form_moments_over_orders(squares: Floats, row_sums: Floats, c: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of sum K_ij c_i c_j over all orders of c, from means over distinct indices of products of c."""
    n = len(c)
    s1, s2, s3, s4 = (float((c**k).sum()) for k in (1, 2, 3, 4))
    falling = np.cumprod([n - k for k in range(4)], dtype=np.float64)
    # Fewer than three or four indices cannot all be distinct: what belongs to such is zero, and so is its mean here.
    falling[falling == 0] = np.inf
    pair = (s1**2 - s2) / falling[1]
    m22 = (s2**2 - s4) / falling[1]
    m211 = (s2 * s1**2 - s2**2 - 2 * s3 * s1 + 2 * s4) / falling[2]
    m1111 = (s1**4 - 6 * s1**2 * s2 + 8 * s1 * s3 + 3 * s2**2 - 6 * s4) / falling[3]
    total = row_sums.sum(axis=-1)
    shared_one = (row_sums**2).sum(axis=-1) - squares  # pairs of pairs that have exactly one index in common
    second = 2 * squares * m22 + 4 * shared_one * m211 + (total**2 - 2 * squares - 4 * shared_one) * m1111
    mean = total * pair
    return mean, np.maximum(second - mean**2, 0.0)


def _rows_of_groups(group: Ints) -> Floats:
    """Rows of each group [groups]."""
    return np.unique(group, return_counts=True)[1].astype(np.float64)
