"""Designs: which relabellings are as likely as the observed labelling if the teachers do not differ.

A design owns the blocks of rows that keep their place together, the contrasts over blocks that a relabelling is, and
what is known of them exactly: moments of a quadratic form, sd of a sum, how a shift of the suspect rows moves a block.
Callers ask the design and never what kind it is.

* `PairedDesign` (shared prompts): a block holds both sides of its prompts, and under the null these are exchangeable.
  A contrast is a sign a block.
* `SeparateDesign` (other prompts, or none): a block is of one side, and under the null blocks of the same number of
  prompts are exchangeable. A contrast is 1/G_suspect on the suspect blocks and -1/G_reference on the others, permuted.
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

# Groups go to at most this many blocks: enough for any alpha in use, few enough that a permutation costs nothing.
MAX_BLOCKS = 512
# Fewer independent units a side than this allow neither cross-fitting nor an interval.
MIN_GROUPS = 10
# Block means of prompts with many rows vary less than those of prompts with few, so blocks are exchangeable only if
# both arms draw their rows per prompt alike: the Kolmogorov-Smirnov p-value of the sizes must be above, and the ratio
# of their means below. (With 2,000 prompts of 1 or 2 rows against 200 of 1, a ratio of 1.24, the error rate was .09.)
SAME_SIZES_PVALUE = 0.1
SAME_SIZES_RATIO = 1.02
# Blocks of the smaller arm, where it has as many groups; a far larger arm then leaves rows unused instead.
MIN_BLOCKS = 40


@dataclass(frozen=True)
class Design(ABC):
    """Blocks of rows, and the relabellings of them that are as likely as the observed labelling under the null.

    Attributes
    ----------
    block : int array [rows]
        Block of each row in the p-value; -1 for a row the p-value does not use.
    """

    block: Ints

    # Whether the two sides of a prompt are compared with one another.
    is_paired: ClassVar[bool]

    @property
    @abstractmethod
    def kind(self) -> str:
        """What reports call it: "shared", "disjoint" or "independent"."""

    @property
    @abstractmethod
    def n_blocks(self) -> int: ...

    @property
    @abstractmethod
    def distinct_relabellings(self) -> float:
        """How many different statistics relabelling can give (a float: it overflows integers)."""

    @property
    def used(self) -> Bools:
        """Rows that enter the p-value [rows]."""
        return self.block >= 0

    @property
    def has_prompts(self) -> bool:
        """Whether prompts are known; without them the rows themselves have to be independent."""
        return True

    @property
    def n_pairs(self) -> int | None:
        """Pairs of rows of one prompt that enter the p-value; None where there are none by design."""
        return None

    @abstractmethod
    def weights(self, suspect: Bools) -> Floats32:
        """What every used row counts in the unit of its block [used rows]."""

    def units(self, values: sp.csr_matrix, suspect: Bools) -> Floats32:
        """What relabelling permutes [blocks, columns]: sums of the rows' values [rows, columns] by block."""
        where = (self.block[self.used], np.flatnonzero(self.used))
        summing = sp.csr_matrix((self.weights(suspect), where), shape=(self.n_blocks, values.shape[0]))
        return np.asarray((summing @ values).todense(), dtype=np.float32)

    @abstractmethod
    def contrasts(self, n_permutations: int, rng: np.random.Generator) -> Floats32:
        """The observed labelling and `n_permutations` random ones [1 + permutations, blocks]."""

    @abstractmethod
    def form_moments(self, squares: float, row_sums: Floats, contrast: Floats) -> tuple[float, float]:
        """Exact mean and sd over all relabellings of sum over a != b of c_a c_b K_ab.

        Parameters
        ----------
        squares : float
            Sum of the squared off-diagonal inner products.
        row_sums : float array [blocks]
            Sums of the rows of K, the diagonal left out.
        contrast : float array [blocks]
            The observed one.
        """

    @abstractmethod
    def sum_variance(self, units: Floats | Floats32, contrast: Floats) -> Floats:
        """Exact variance over all relabellings of sum of c_a u_a, for each column of the units [blocks, columns]."""

    @abstractmethod
    def shift_pattern(self, contrast: Floats) -> Floats:
        """How far each block's unit moves [blocks] when the rows that are suspect under a contrast shift by one."""

    @abstractmethod
    def mean_contrast(self, contrast: Floats) -> Floats:
        """Weights [blocks] that turn units into the difference of the sides' means."""

    def pairs(self, suspect: Bools, group: Ints) -> tuple[Ints, Ints] | None:
        """Suspect and reference rows that are paired, None where none are: the i-th of both answer the same prompt."""
        return None

    @abstractmethod
    def differences(self, suspect: Bools, group: Ints) -> tuple[Ints, Ints | None]:
        """Rows whose covariances are those of the units; with second rows, to be taken from the first ones."""

    @abstractmethod
    def without_last(self, keep: Bools, suspect: Bools, last: Ints) -> Bools:
        """Rows kept without the `last` ones, so that blocks stay exchangeable."""

    @abstractmethod
    def only(self, rows: Bools) -> Design:
        """The same design with fewer rows; blocks that lost all their rows are gone."""

    def _left(self, rows: Bools) -> tuple[Ints, Ints]:
        """Blocks of the rows that are left, numbered anew, and the old numbers of these blocks."""
        block = self.block[rows]
        kept, number = np.unique(block[block >= 0], return_inverse=True)
        block = block.copy()
        block[block >= 0] = number
        return block, kept


@dataclass(frozen=True)
class PairedDesign(Design):
    """Prompts answered by both sides: a block holds both sides of its prompts, and they change places."""

    blocks: int

    is_paired: ClassVar[bool] = True

    @classmethod
    def of(cls, group: Ints, suspect: Bools, has_prompt: Bools) -> PairedDesign:
        """Equal counts per prompt on both sides; the rows kept are first by hash, which is random within a prompt."""
        n_groups = int(group.max()) + 1
        per_arm = [np.bincount(group[arm], minlength=n_groups) for arm in (suspect, ~suspect)]
        keep = np.minimum(*per_arm)
        used = has_prompt & (rank_within(group * 2 + suspect) < keep[group])
        block = np.full(len(group), -1, dtype=np.int64)
        shared = np.unique(group[used])  # groups are numbered in hash order
        number = shared if len(shared) <= MAX_BLOCKS else np.arange(len(shared)) * MAX_BLOCKS // len(shared)
        block[used] = np.unique(number, return_inverse=True)[1][np.searchsorted(shared, group[used])]
        return cls(block, int(block.max()) + 1)

    @property
    def kind(self) -> str:
        return "shared"

    @property
    def n_blocks(self) -> int:
        return self.blocks

    @property
    def n_pairs(self) -> int | None:
        return int(self.used.sum()) // 2

    @cached_property
    def pairs_by_block(self) -> Floats:
        """Pairs of rows in each block [blocks]."""
        return np.bincount(self.block[self.used], minlength=self.n_blocks) / 2

    @property
    def distinct_relabellings(self) -> float:
        return 2.0 ** min(self.n_blocks - 1, 1000)

    def weights(self, suspect: Bools) -> Floats32:
        """1 for the suspect, -1 for the reference: relabelling flips the sign of their sum."""
        weight = np.ones(int(self.used.sum()), dtype=np.float32)
        weight[~suspect[self.used]] = -1.0
        return weight

    def contrasts(self, n_permutations: int, rng: np.random.Generator) -> Floats32:
        signs = rng.integers(0, 2, size=(n_permutations + 1, self.n_blocks), dtype=np.int8).astype(np.float32) * 2 - 1
        signs[0] = 1.0
        return signs

    def form_moments(self, squares: float, row_sums: Floats, contrast: Floats) -> tuple[float, float]:
        return 0.0, float(np.sqrt(2.0 * squares))

    def sum_variance(self, units: Floats | Floats32, contrast: Floats) -> Floats:
        return np.asarray((units.astype(np.float64) ** 2).sum(axis=0))

    def shift_pattern(self, contrast: Floats) -> Floats:
        return np.asarray(contrast * self.pairs_by_block)

    def mean_contrast(self, contrast: Floats) -> Floats:
        return np.asarray(contrast / self.pairs_by_block.sum())

    def pairs(self, suspect: Bools, group: Ints) -> tuple[Ints, Ints]:
        sides = [np.flatnonzero(self.used & arm) for arm in (suspect, ~suspect)]
        first, second = (rows[np.argsort(group[rows], kind="stable")] for rows in sides)
        return first, second

    def differences(self, suspect: Bools, group: Ints) -> tuple[Ints, Ints | None]:
        return self.pairs(suspect, group)

    def without_last(self, keep: Bools, suspect: Bools, last: Ints) -> Bools:
        """Without these rows: one row a prompt is left, and prompts come in the same order on both sides."""
        keep = keep.copy()
        keep[last] = False
        return keep

    def only(self, rows: Bools) -> PairedDesign:
        block, kept = self._left(rows)
        return PairedDesign(block, len(kept))


@dataclass(frozen=True)
class SeparateDesign(Design):
    """Other prompts on either side, or none: blocks of one side each, and whole blocks change sides.

    Attributes
    ----------
    block_suspect : bool array [blocks]
        Side of each block.
    prompts_known : bool
        Whether groups are prompts; otherwise every row is a group.
    """

    block_suspect: Bools
    prompts_known: bool = True

    is_paired: ClassVar[bool] = False

    @classmethod
    def of(
        cls, group: Ints, suspect: Bools, salts: tuple[str, str], names: tuple[str, str], prompts_known: bool = True
    ) -> SeparateDesign:
        """Blocks of the same number of groups in both arms, in an order that salts seed; the rest is left out.

        Unless both arms draw their rows per prompt alike, every prompt then gives as many rows as the smallest has.

        Parameters
        ----------
        group : int array [rows]
        suspect : bool array [rows]
        salts : pair of str
            Seeds of the suspect's and the reference's order, by what they hold: blocks are numbered alike whichever
            side is the suspect.
        names : pair of str
            What to call the sides in messages.

        Raises
        ------
        ValueError
            If a side has fewer than `MIN_GROUPS` groups.
        """
        arms = (suspect, ~suspect)
        groups = [np.unique(group[arm]) for arm in arms]
        for found, name in zip(groups, names, strict=True):
            if len(found) < MIN_GROUPS:
                raise ValueError(too_small(name, len(found)))
        smaller = min(map(len, groups))
        per_block = min(-(-sum(map(len, groups)) // MAX_BLOCKS), max(1, smaller // MIN_BLOCKS))
        block = np.full(len(group), -1, dtype=np.int64)
        n_blocks: list[int] = []
        order = sorted((0, 1), key=lambda side: salts[side])
        for side in order:
            arm, found = arms[side], groups[side]
            shuffled = np.random.default_rng(digests.number_of(salts[side])).permutation(len(found))
            count = min(len(found) // per_block, MAX_BLOCKS - smaller // per_block)
            place = np.full(len(found), -1, dtype=np.int64)
            place[shuffled[: count * per_block]] = sum(n_blocks) + np.arange(count * per_block) // per_block
            block[arm] = place[np.searchsorted(found, group[arm])]
            n_blocks.append(count)
        sizes = [np.unique(group[arm], return_counts=True)[1] for arm in arms]
        if not _same_law(sizes[0], sizes[1]):
            block[rank_within(group * 2 + suspect) >= min(int(size.min()) for size in sizes)] = -1
        return cls(block, np.repeat([side == 0 for side in order], n_blocks), prompts_known)

    @classmethod
    def of_ordered_rows(cls, n_suspect: int, n_reference: int, max_blocks: int) -> SeparateDesign:
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
        return cls(block, np.arange(sum(counts)) < counts[0], prompts_known=False)

    @property
    def kind(self) -> str:
        return "disjoint" if self.prompts_known else "independent"

    @property
    def has_prompts(self) -> bool:
        return self.prompts_known

    @property
    def n_blocks(self) -> int:
        return len(self.block_suspect)

    @property
    def distinct_relabellings(self) -> float:
        n = self.n_blocks
        return float(comb(n, int(self.block_suspect.sum()))) if n < 1000 else float("inf")

    def weights(self, suspect: Bools) -> Floats32:
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

    def form_moments(self, squares: float, row_sums: Floats, contrast: Floats) -> tuple[float, float]:
        return _form_moments_over_orders(squares, row_sums, contrast)

    def sum_variance(self, units: Floats | Floats32, contrast: Floats) -> Floats:
        centred = (units - units.mean(axis=0)).astype(np.float64)
        return np.asarray(float((contrast**2).sum()) * (centred**2).sum(axis=0) / (len(units) - 1))

    def shift_pattern(self, contrast: Floats) -> Floats:
        """1 on the suspect blocks; units are centred, so a shift of one side moves the common mean too."""
        pattern = (contrast > 0).astype(np.float64)
        return np.asarray(pattern - pattern.mean())

    def mean_contrast(self, contrast: Floats) -> Floats:
        return contrast

    def differences(self, suspect: Bools, group: Ints) -> tuple[Ints, Ints | None]:
        return np.flatnonzero(self.used), None

    def without_last(self, keep: Bools, suspect: Bools, last: Ints) -> Bools:
        """Without the blocks of these rows: a block goes whole."""
        side = np.zeros(len(keep), dtype=bool)
        side[last] = True
        is_same_side = suspect if suspect[last].any() else ~suspect
        return np.asarray(keep & ~(is_same_side & np.isin(self.block, self.block[side])))

    def only(self, rows: Bools) -> SeparateDesign:
        block, kept = self._left(rows)
        return SeparateDesign(block, self.block_suspect[kept], self.prompts_known)


def two_arm_contrast(suspect: Bools) -> Floats:
    """1/G on the suspect blocks, -1/G on the reference blocks [blocks]."""
    return np.asarray(np.where(suspect, 1.0 / suspect.sum(), -1.0 / (~suspect).sum()), dtype=np.float64)


def _form_moments_over_orders(squares: float, row_sums: Floats, c: Floats) -> tuple[float, float]:
    """Mean and sd of sum K_ij c_i c_j over all orders of c, from the means over distinct indices of products of c."""
    n = len(c)
    s1, s2, s3, s4 = (float((c**k).sum()) for k in (1, 2, 3, 4))
    falling = np.cumprod([n - k for k in range(4)], dtype=np.float64)
    pair = (s1**2 - s2) / falling[1]
    m22 = (s2**2 - s4) / falling[1]
    m211 = (s2 * s1**2 - s2**2 - 2 * s3 * s1 + 2 * s4) / falling[2]
    m1111 = (s1**4 - 6 * s1**2 * s2 + 8 * s1 * s3 + 3 * s2**2 - 6 * s4) / falling[3]
    total = float(row_sums.sum())
    shared_one = float((row_sums**2).sum()) - squares  # pairs of pairs that have exactly one index in common
    second = 2 * squares * m22 + 4 * shared_one * m211 + (total**2 - 2 * squares - 4 * shared_one) * m1111
    mean = total * pair
    return mean, float(np.sqrt(max(second - mean**2, 0.0)))


def _same_law(a: Ints, b: Ints) -> bool:
    """Whether both arms draw their rows per prompt alike, as far as can be seen."""
    if a.min() == a.max() == b.min() == b.max():
        return True
    from scipy.stats import ks_2samp

    ratio = max(a.mean(), b.mean()) / min(a.mean(), b.mean())
    return bool(ratio <= SAME_SIZES_RATIO and ks_2samp(a, b, method="asymp").pvalue > SAME_SIZES_PVALUE)


def too_small(name: str, n_groups: int) -> str:
    """What to say of a corpus with fewer than `MIN_GROUPS` groups."""
    return (
        f"{name} must hold at least {MIN_GROUPS} independent rows or prompts, got {n_groups}; sample more rows, "
        "answering more prompts (or ignore the prompts, if rows of one prompt are independent)"
    )
