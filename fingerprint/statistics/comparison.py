"""Two corpora laid out for testing: their rows in one order, and the design that says what may be relabelled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from fingerprint.data import digests
from fingerprint.data.arrays import Bools, Floats32, Ints
from fingerprint.data.corpus import Corpus
from fingerprint.data.pairing import pooled_rows, rank_within
from fingerprint.statistics.auc import Arms
from fingerprint.statistics.designs import MIN_GROUPS, Design
from fingerprint.statistics.parts import PairedPart, SeparatePart


@dataclass(frozen=True)
class Comparison:
    """Two corpora laid out for testing, in an order that says nothing about the side a row is from.

    Attributes
    ----------
    texts : list of str
        Pooled rows, ordered by a hash of (prompt, text, occurrence): the order in the files never matters.
    suspect : bool array [rows]
        Which rows are from the suspect corpus.
    origin : int array [rows]
        Index of each row in its own corpus.
    group : int array [rows]
        The prompt each row answers; a row without a prompt is a group of its own.
    design : Design
        Which relabellings are as likely as the observed labelling under the null.
    prompts : pair of sets of str
        Prompts of the suspect and of the reference.
    ignored_prompts : bool
        All rows answer one prompt, which says nothing.
    """

    texts: list[str]
    suspect: Bools
    origin: Ints
    group: Ints
    design: Design
    prompts: tuple[set[str], set[str]]
    ignored_prompts: bool = False

    @property
    def sides(self) -> tuple[Bools, Bools]:
        """Rows of the suspect and of the reference [rows]."""
        return self.suspect, ~self.suspect

    def arms(self, fold: Ints) -> Arms:
        """What has to be known of the rows to judge scores that were fitted without their fold [rows]."""
        return Arms(self.suspect, self.group, fold, self.design.pairs(self.suspect))

    @property
    def n_groups(self) -> int:
        return int(self.group.max()) + 1

    def units(self, values: sp.csr_matrix) -> Floats32:
        """What relabelling permutes [blocks, columns], of the rows' values [rows, columns]."""
        return self.design.units(values, self.suspect)

    def only(self, rows: Bools) -> Comparison:
        """The same comparison with fewer rows; blocks that lost all their rows are gone."""
        return replace(
            self,
            texts=[text for text, keep in zip(self.texts, rows, strict=True) if keep],
            suspect=self.suspect[rows],
            origin=self.origin[rows],
            group=np.unique(self.group[rows], return_inverse=True)[1].astype(np.int64),
            design=self.design.only(rows),
        )

    def null_source(self) -> Comparison:
        """The rows that `null` relabels: both sides of a paired part, and the reference's rows of a separate one."""
        paired = self.design.paired
        in_pairs = np.zeros(len(self.suspect), dtype=bool) if paired is None else paired.used
        answered_by_both = np.isin(self.group, self.group[in_pairs])
        return self if self.design.is_paired else self.only(~self.suspect | answered_by_both)

    def null(self, rng: np.random.Generator) -> Comparison:
        """The same rows with sides that mean nothing.

        In a paired part both sides of a prompt change places, prompt by prompt at random; all other groups at hand are
        divided into two halves at random.
        """
        paired, suspect = self.design.paired, self.suspect.copy()
        parts: list[PairedPart | SeparatePart] = [] if paired is None else [paired]
        others = np.ones(len(suspect), dtype=bool)
        if paired is not None:
            flip = rng.integers(0, 2, size=self.n_groups).astype(bool)
            suspect ^= flip[self.group] & paired.used
            others = ~np.isin(self.group, self.group[paired.used])
        if not self.design.is_paired or paired is None:
            half = rng.permutation(self.n_groups) % 2 == 0
            suspect[others] = half[self.group[others]]
            salts = (str(rng.integers(2**62)), str(rng.integers(2**62)))
            separate = SeparatePart.of(self.group, suspect, others, salts)
            parts += [] if separate is None else [separate]
        return replace(self, suspect=suspect, design=replace(self.design, parts=tuple(parts)))


def pair(
    suspect: Corpus, reference: Corpus, *, use_prompts: bool = True, seed: int = 0, paired_alone: bool = False
) -> Comparison:
    """Lay two corpora out for testing; see `fingerprint.statistics.designs.Design.of`.

    Parameters
    ----------
    suspect, reference : Corpus
    use_prompts : bool
        Whether rows of one prompt belong together; otherwise rows are taken as independent.
    seed : int
        Of the order in which groups go to blocks.
    paired_alone : bool
        Leave out of the p-value what is not paired, where anything is.

    Raises
    ------
    ValueError
        If a corpus has fewer than `MIN_GROUPS` independent units, or its prompts are all empty and the other's not.
    """
    rows = pooled_rows(suspect, reference, use_prompts)
    if use_prompts and not rows.is_single_prompt:
        for corpus in (suspect, reference):
            _refuse_empty_prompts(corpus)
    salts = (f"{seed} {suspect.digest}", f"{seed} {reference.digest}")
    names = (suspect.name, reference.name)
    unpaired = np.zeros(len(rows.texts), dtype=bool) if paired_alone else None
    design = Design.of(rows.group, rows.suspect, rows.has_prompt, salts, names, unpaired=unpaired)
    return Comparison(
        rows.texts, rows.suspect, rows.origin, rows.group, design, rows.prompts, ignored_prompts=rows.is_single_prompt
    )


def _refuse_empty_prompts(corpus: Corpus) -> None:
    """Empty prompts are one prompt: say so rather than that there are too few of them."""
    if set(corpus.prompt_keys) == {""}:
        raise ValueError(
            f"{corpus.name} must have prompts that say something, got none: all {len(corpus)} prompts are empty; name "
            "the column they are in, or ignore prompts (--no-prompt, in Python prompt=False)"
        )


def thin(comparison: Comparison, rows: int) -> Comparison:
    """At most `rows` rows a side, by fewer rows a prompt first and fewer prompts then; itself if it fits.

    Rows of the p-value are kept before others. All prompts are cut to the same number of rows, so that prompts and
    blocks stay exchangeable.
    """
    keep = thinned_rows(comparison, rows)
    return comparison if keep.all() else comparison.only(keep)


def thinned_rows(comparison: Comparison, rows: int) -> Bools:
    """Which rows `thin` keeps [rows]."""
    suspect, arms, design = comparison.suspect, comparison.sides, comparison.design
    if max(int(arm.sum()) for arm in arms) <= rows:
        return np.ones(len(suspect), dtype=bool)
    used = design.used
    rank = np.full(len(suspect), np.iinfo(np.int64).max)
    rank[used] = rank_within((comparison.group * 2 + suspect)[used])
    deepest = int(rank[used].max()) + 1
    fits = [m for m in range(1, deepest + 1) if max(int((arm & (rank < m)).sum()) for arm in arms) <= rows]
    keep = used & (rank < max(fits, default=1))
    for arm in arms:
        mine = np.flatnonzero(arm & keep)
        last = mine[np.lexsort((comparison.group[mine], design.block[mine]))][rows:]
        keep = design.without_last(keep, suspect, last)
        others = np.flatnonzero(arm & ~used)
        keep[others[: max(rows - int((arm & keep).sum()), 0)]] = True
    return keep


def survivors(comparison: Comparison, keep: Bools, alpha: float, seed: int = 0) -> Comparison:
    """The comparison of the rows that a filter keeps, its design made anew from them.

    Prompts that have rows left on both sides are paired, and those of them that lost all rows of one side are left out.
    The groups that were not shared before are dealt to blocks again; what the whole comparison left out stays out.
    Blocks of the whole comparison will not do: after a filter their sides
    differ in size.

    Raises
    ------
    ValueError
        If fewer than `MIN_GROUPS` groups a side, or fewer distinct relabellings than alpha needs, are left.
    """
    kept = comparison.only(keep)
    groups = [len(np.unique(kept.group[side])) for side in kept.sides]
    if min(groups) < MIN_GROUPS:
        found = f"{groups[0]} of the suspect and {groups[1]} of the reference"
        raise ValueError(f"survivors must be at least {MIN_GROUPS} independent rows or prompts a side, got {found}")
    # Salted by what the sides hold, so that blocks are numbered alike whichever side is the suspect.
    texts = ([text for text, mine in zip(kept.texts, side, strict=True) if mine] for side in kept.sides)
    salts = [f"{seed} {digests.number_of(*side)}" for side in texts]
    names = ("suspect survivors", "reference survivors")
    has_prompt = np.full(len(kept.group), kept.design.has_prompts)
    unpaired = np.zeros(len(keep), dtype=bool) if comparison.design.is_paired else ~_halved(comparison, keep)
    design = Design.of(kept.group, kept.suspect, has_prompt, (salts[0], salts[1]), names, unpaired=unpaired[keep])
    if design.distinct_relabellings * alpha < 1:
        raise ValueError(
            f"survivors must allow at least {1 / alpha:.0f} distinct relabellings for alpha {alpha}, got "
            f"{design.distinct_relabellings:.0f}"
        )
    return replace(kept, design=design)


def _halved(comparison: Comparison, keep: Bools) -> Bools:
    """Rows [rows] of shared prompts that keep rows on one side only.

    Beside prompts that only one side ever answered they would be of another kind, and more of one side than of the
    other where the sides' prompts are not equally many.
    """
    if comparison.design.paired is None:
        return np.zeros(len(keep), dtype=bool)
    group, n_groups = comparison.group, int(comparison.group.max()) + 1
    has_rows = [np.bincount(group[side & keep], minlength=n_groups) > 0 for side in comparison.sides]
    was_shared = np.zeros(n_groups, dtype=bool)
    was_shared[group[comparison.design.paired.used]] = True
    return np.asarray((was_shared & (has_rows[0] != has_rows[1]))[group])
