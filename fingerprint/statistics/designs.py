"""Designs: which relabellings are as likely as the observed labelling if the teachers do not differ.

A design is a union of parts (`fingerprint.statistics.parts`): prompts that both sides answer are paired, all other rows
are compared side by side, and relabellings of the parts are drawn independently, so that the test is exact whatever the
parts hold. Their mean differences are averaged by the information in each, which is reckoned without the labels' help
and without the texts: the difference of the whole is the best estimate of a shift that both parts share.

A design owns the blocks of rows that keep their place together, the contrasts over blocks that a relabelling is, and
what is known of them exactly. Callers ask the design and never what it is made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Bools, Floats, Floats32, Ints
from fingerprint.statistics.parts import MAX_BLOCKS, MIN_BLOCKS, PairedPart, Part, SeparatePart

# Fewer independent units a side than this allow neither cross-fitting nor an interval.
MIN_GROUPS = 10


@dataclass(frozen=True)
class FormSums:
    """What the exact moments of a quadratic form need to know of the inner products K of all blocks.

    Attributes
    ----------
    squares : float array [..., parts, parts]
        Sums of squared inner products of the blocks of two parts, the diagonal of K left out.
    row_sums : float array [..., blocks]
        Sums of the rows of K over the blocks of the same part, the diagonal left out.
    """

    squares: Floats
    row_sums: Floats


@dataclass(frozen=True)
class Design:
    """Parts, the paired one first.

    Attributes
    ----------
    parts : tuple of Part
        One of a kind at most, at least one.
    group : int array [rows]
        The prompt each row answers.
    has_prompts : bool
        Whether prompts are known; without them the rows themselves have to be independent.
    """

    parts: tuple[Part, ...]
    group: Ints
    has_prompts: bool = True

    @classmethod
    def of(
        cls,
        group: Ints,
        suspect: Bools,
        has_prompt: Bools,
        salts: tuple[str, str],
        names: tuple[str, str],
        *,
        unpaired: Bools | None = None,
    ) -> Design:
        """Pair the prompts that both sides answer, and compare the other rows side by side.

        Parameters
        ----------
        group : int array [rows]
        suspect, has_prompt : bool arrays [rows]
        salts : pair of str
            Seeds of the order in which groups go to blocks, one a side.
        names : pair of str
            What to call the sides in messages.
        unpaired : bool array [rows], optional
            Which rows may be compared without a partner where others have one; without it, all.

        Raises
        ------
        ValueError
            If a side has fewer than `MIN_GROUPS` groups.
        """
        n_groups = int(group.max()) + 1
        holds = [np.bincount(group[side], minlength=n_groups) > 0 for side in (suspect, ~suspect)]
        for held, name in zip(holds, names, strict=True):
            if int(held.sum()) < MIN_GROUPS:
                raise ValueError(too_small(name, int(held.sum())))
        shared = (holds[0] & holds[1])[group] & has_prompt
        n_shared = int((holds[0] & holds[1]).sum())
        n_other = min(int((held & ~(holds[0] & holds[1])).sum()) for held in holds)
        limit = max(MIN_BLOCKS, MAX_BLOCKS * n_shared // max(n_shared + n_other, 1))
        parts: list[Part] = []
        if shared.any():
            parts.append(PairedPart.of(group, suspect, shared, min(limit, MAX_BLOCKS)))
        others = ~shared if unpaired is None or not parts else ~shared & unpaired
        if others.any():
            room = MAX_BLOCKS - (parts[0].n_blocks if parts else 0)
            # A side of few groups keeps one a block, up to 2 * MIN_BLOCKS - 1 of them; the other needs as many.
            separate = SeparatePart.of(group, suspect, others, salts, max(room, 4 * MIN_BLOCKS))
            parts += [] if separate is None else [separate]
        return cls(tuple(parts), group, bool(has_prompt.any()))

    @property
    def paired(self) -> PairedPart | None:
        """The part of prompts that both sides answer."""
        return next((part for part in self.parts if isinstance(part, PairedPart)), None)

    @property
    def separate(self) -> SeparatePart | None:
        """The part of all other rows."""
        return next((part for part in self.parts if isinstance(part, SeparatePart)), None)

    @property
    def is_paired(self) -> bool:
        """Whether all that is compared answers the same prompts."""
        return self.separate is None

    @property
    def kind(self) -> str:
        """What reports call it: "shared", "mixed", "disjoint" or "independent"."""
        if self.paired is not None:
            return "shared" if self.is_paired else "mixed"
        return "disjoint" if self.has_prompts else "independent"

    @property
    def n_pairs(self) -> int | None:
        """Pairs of rows of one prompt that enter the p-value; None where there are none."""
        return None if self.paired is None else self.paired.n_pairs

    @property
    def n_blocks(self) -> int:
        return sum(part.n_blocks for part in self.parts)

    @property
    def distinct_relabellings(self) -> float:
        """How many different statistics relabelling can give (a float: it overflows integers)."""
        with np.errstate(over="ignore"):
            return float(np.prod([part.distinct_relabellings for part in self.parts]))

    @cached_property
    def block(self) -> Ints:
        """Block of each row in the p-value [rows]; -1 for a row the p-value does not use."""
        block = np.full(len(self.group), -1, dtype=np.int64)
        for part, blocks in self._slices():
            block[part.used] = part.block[part.used] + blocks.start
        return block

    @property
    def used(self) -> Bools:
        """Rows that enter the p-value [rows]."""
        return np.asarray(self.block >= 0)

    @cached_property
    def shares(self) -> Floats:
        """Weight of each part's mean difference [parts]: its share of the information."""
        known = np.array([part.information(self.group) for part in self.parts])
        return np.asarray(known / known.sum())

    def _slices(self) -> Iterator[tuple[Part, slice]]:
        first = 0
        for part in self.parts:
            yield part, slice(first, first + part.n_blocks)
            first += part.n_blocks

    def units(self, values: sp.csr_matrix, suspect: Bools) -> Floats32:
        """What relabelling permutes [blocks, columns], of the rows' values [rows, columns]."""
        return np.vstack([part.units(values, suspect) for part in self.parts])

    def contrasts(self, n_permutations: int, rng: np.random.Generator) -> Floats32:
        """The observed labelling and `n_permutations` random ones [1 + permutations, blocks].

        Units add up, under a contrast, to the difference of the sides' means.
        """
        drawn = [part.contrasts(n_permutations, rng) for part in self.parts]
        if len(drawn) == 1:
            return drawn[0]
        return np.hstack([share * c for share, c in zip(self.shares.astype(np.float32), drawn, strict=True)])

    def form_sums(self, off_diagonal: Floats) -> FormSums:
        """What `form_moments` needs of the inner products [blocks, blocks], whose diagonal is zero."""
        blocks = [at for _, at in self._slices()]
        squares = [[float((off_diagonal[a, b] ** 2).sum()) for b in blocks] for a in blocks]
        row_sums = np.concatenate([off_diagonal[at, at].sum(axis=1) for at in blocks])
        return FormSums(np.array(squares), row_sums)

    def by_part(self, values: Floats) -> Floats:
        """Values of the blocks [..., blocks], in a row for each part [..., parts, blocks], elsewhere 0."""
        own = np.zeros((*values.shape[:-1], len(self.parts), self.n_blocks))
        for number, (_, at) in enumerate(self._slices()):
            own[..., number, at] = values[..., at]
        return own

    def shifted_sums(
        self, sums: FormSums, products: tuple[Floats, Floats], p: Floats, a: Floats, s: Floats
    ) -> FormSums:
        """The sums after the inner products have become K + p a' + a p' + s p p', the diagonal still left out.

        Parameters
        ----------
        sums : FormSums
            Of K.
        products : pair of float arrays [..., parts, blocks]
            K with `by_part` of p and of a: what takes time, and grows in proportion.
        p, a : float arrays [..., blocks]
        s : float array [...]
        """
        (with_p, with_a), own_p, own_a = products, self.by_part(p), self.by_part(a)

        def between(x: Floats, y: Floats) -> Floats:  # [..., parts, parts]
            return np.asarray(x @ np.swapaxes(y, -1, -2))

        def outer(x: Floats, y: Floats) -> Floats:
            return np.asarray(x[..., :, None] * y[..., None, :])

        pp, pa, aa = ((x * y).sum(axis=-1) for x, y in ((own_p, own_p), (own_p, own_a), (own_a, own_a)))
        added_diagonal = 2 * p * a + s[..., None] * p**2
        each = s[..., None, None]
        squares = sums.squares + 2 * (between(own_p, with_a) + between(own_a, with_p) + each * between(own_p, with_p))
        squares = squares + outer(pp, aa) + outer(aa, pp) + each**2 * outer(pp, pp) + 2 * outer(pa, pa)
        squares = squares + 2 * each * (outer(pp, pa) + outer(pa, pp))
        squares -= (self.by_part(added_diagonal) ** 2).sum(axis=-1)[..., None] * np.eye(len(self.parts))
        row_sums = sums.row_sums - added_diagonal
        for _, at in self._slices():
            mine, moved = p[..., at], a[..., at]
            total = mine.sum(axis=-1, keepdims=True)
            row_sums[..., at] += mine * moved.sum(axis=-1, keepdims=True) + moved * total + s[..., None] * mine * total
        return FormSums(squares, row_sums)

    def form_moments(self, sums: FormSums, contrast: Floats) -> tuple[Floats, Floats]:
        """Exact mean and sd [...] over all relabellings of sum over a != b of c_a c_b K_ab.

        Parameters
        ----------
        sums : FormSums
            Of K.
        contrast : float array [blocks]
            The observed one.

        Notes
        -----
        Relabellings of two parts are independent and their contrasts have mean zero, so that the form's parts within
        and between them are uncorrelated. Units of a separate part are centred, so that rows of K between the parts add
        up to zero over its blocks.
        """
        mean, variance = np.zeros((2, *sums.squares.shape[:-2]))
        square_means = [part.square_mean(contrast[at]) for part, at in self._slices()]
        for number, (part, at) in enumerate(self._slices()):
            own = part.form_moments(sums.squares[..., number, number], sums.row_sums[..., at], contrast[at])
            mean, variance = mean + own[0], variance + own[1]
            for other in range(number):
                between = square_means[number] * square_means[other]
                variance = variance + 4 * between * sums.squares[..., number, other]
        return mean, np.sqrt(variance)

    def sum_variance(self, units: Floats | Floats32, contrast: Floats) -> Floats:
        """Exact variance over all relabellings of sum of c_a u_a, for each column of the units [blocks, columns]."""
        parts = [part.sum_variance(units[at], contrast[at]) for part, at in self._slices()]
        return np.asarray(np.sum(parts, axis=0))

    def shift_pattern(self, contrast: Floats) -> Floats:
        """How far each block's unit moves when the rows that are suspect under a contrast shift by one.

        Of one contrast or several [..., blocks].
        """
        return np.concatenate([part.shift_pattern(contrast[..., at]) for part, at in self._slices()], axis=-1)

    def strata(self, contrast: Floats) -> list[Ints]:
        """Blocks of one part and one side under a contrast: alike but for noise."""
        found = []
        for _, at in self._slices():
            mine = np.arange(at.start, at.stop)
            found += [mine[contrast[at] > 0], mine[contrast[at] <= 0]]
        return [blocks for blocks in found if len(blocks)]

    def pairs(self, suspect: Bools) -> tuple[Ints, Ints] | None:
        """Suspect and reference rows that are paired: the i-th of both answer the same prompt; None under ten pairs."""
        if self.paired is None or self.paired.n_pairs < MIN_GROUPS:
            return None
        return self.paired.pairs(suspect, self.group)

    def differences(self, suspect: Bools) -> tuple[Ints, Ints | None]:
        """Rows whose covariances are those of the units; with second rows, to be taken from the first ones.

        Those of the part that holds the most information.
        """
        return self.parts[int(np.argmax(self.shares))].differences(suspect, self.group)

    def without_last(self, keep: Bools, suspect: Bools, last: Ints) -> Bools:
        """Rows kept without the `last` ones, so that blocks stay exchangeable."""
        for part in self.parts:
            keep = part.without_last(keep, suspect, last[part.used[last]])
        return keep

    def only(self, rows: Bools) -> Design:
        """The same design with fewer rows; blocks that lost all their rows are gone, and so are parts without any."""
        parts = [part.only(rows) for part in self.parts]
        group = np.unique(self.group[rows], return_inverse=True)[1].astype(np.int64)
        return Design(tuple(part for part in parts if part.n_blocks), group, self.has_prompts)


def too_small(name: str, n_groups: int) -> str:
    """What to say of a corpus with fewer than `MIN_GROUPS` groups."""
    return (
        f"{name} must hold at least {MIN_GROUPS} independent rows or prompts, got {n_groups}; sample more rows, "
        "answering more prompts (or ignore the prompts, if rows of one prompt are independent)"
    )
