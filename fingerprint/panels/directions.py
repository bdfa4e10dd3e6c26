"""What a panel says of the rows of a comparison: directions in their feature space, and how much these count.

Everything here hangs on the panel and on the pooled rows of both sides, never on which side a row is from: the test
stays exact, however useless a panel is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.features.counted import CountedFamily
from fingerprint.features.family import Family
from fingerprint.panels.likeness import TokenRates, distance, likeness
from fingerprint.panels.member import Member, products

# Families whose columns directions are taken in, by the kind of the pooled rows. Directions of `numbers` alone were as
# strong on number rows as with `ngrams` and `tokens` beside them, and stronger where prompts differ.
DIRECTED = {"numbers": ("numbers",), "prose": ("prose",), "both": ("numbers", "prose")}
# What the signed direction and the span count in the omnibus, beside everything else together as 1, where members come
# from the base model that wrote the rows and their shifts are known without noise. Chosen on one half of the prompts of
# five sets, members from the other half (80 draws; power at 100 pairs .77 for .5 and 0, .83 for .67 and .17, .85 for
# .83 and .5, .86 for 1.3 and .8).
SIGNED, SPAN = 1.3, 0.8
# The share of that which members of another base model count: a useless panel (trump by cat and penguin of another
# model, 100 pairs) cost .05 of power with it and .37 without, others gave .09 to .22.
OTHER_BASE = 1 / 4
# Beside a member of the same base, those of other bases make up a small part of the direction.
OTHER_MEMBERS = 0.02


class Columns(Protocol):
    """Columns of a fitted family as a test sees them: those that vary, in rising order, each times its scale."""

    @property
    def family(self) -> Family: ...

    @property
    def columns(self) -> Ints: ...

    @property
    def scale(self) -> Floats: ...


@dataclass(frozen=True)
class Directions:
    """A panel in the feature space of some pooled rows.

    Attributes
    ----------
    members : tuple of Member
    shifts : dict of float arrays [columns, members]
        Of each family that directions are taken in, the members' mean shifts in scaled columns.
    cells : dict of float arrays [members, cells, columns]
        What each cell of prompts adds to a member's shift.
    lengths : float array [members]
        Of the shifts over these families together.
    reliability : float array [members]
        Share of each squared length that is no noise, from 0 to 1.
    likeness : float array [members]
        How alike the base model of each member is to that of the rows, from 0 to 1.
    """

    members: tuple[Member, ...]
    shifts: Mapping[str, Floats]
    cells: Mapping[str, Floats]
    lengths: Floats
    reliability: Floats
    likeness: Floats

    @classmethod
    def of(
        cls, members: Sequence[Member], kind: str, families: Mapping[str, Columns], tokens: TokenRates
    ) -> Directions:
        """Take the members' shifts over to some columns.

        Parameters
        ----------
        members : sequence of Member
        kind : str
            Of the pooled rows; see `fingerprint.features.choice.data_kind`.
        families : mapping of name to Columns
            At least those of `DIRECTED` for this kind.
        tokens : TokenRates
            Of the pooled rows.
        """
        by_cell: dict[str, list[Floats]] = {}
        for name in DIRECTED[kind]:
            found = families[name]
            family = found.family
            if not isinstance(family, CountedFamily):
                raise TypeError(f"family {name} must be the built-in one beside a panel, got {family!r:.80}; rename it")
            by_cell[name] = [each.shifts(name, family)[:, found.columns] * found.scale for each in members]
        joined = [np.hstack(parts) for parts in zip(*by_cell.values(), strict=True)]
        squared = np.array([float((each.sum(axis=0) ** 2).sum()) for each in joined])
        true = np.maximum(np.diag(products(joined)), 0.0)
        apart = np.array([distance(tokens, each.tokens) for each in members])
        return cls(
            tuple(members),
            {name: np.stack([each.sum(axis=0) for each in parts], axis=1) for name, parts in by_cell.items()},
            {name: np.stack(parts) for name, parts in by_cell.items()},
            np.sqrt(squared),
            np.divide(true, squared, out=np.zeros_like(true), where=squared > 0),
            likeness(apart),
        )

    @property
    def shares(self) -> Floats:
        """What each member counts beside the others [members]; they add up to 1."""
        worth = (self.likeness + OTHER_MEMBERS) * np.maximum(self.reliability, 1e-6)
        return np.asarray(worth / worth.sum())

    @property
    def worth(self) -> float:
        """How much the panel counts, from 0 (its shifts are noise) to 1 (known shifts of the same base model)."""
        fit = OTHER_BASE + (1 - OTHER_BASE) * self.likeness
        return float(self.shares @ (fit * self.reliability))

    @property
    def span(self) -> dict[str, Floats]:
        """Of each family, columns [columns, members] whose quadratic form is that along the members' shifts."""
        factors = np.sqrt(self.shares) / np.maximum(self.lengths, 1e-300)
        return {name: shift * factors for name, shift in self.shifts.items()}

    @property
    def signed(self) -> dict[str, Floats]:
        """Of each family, the mean shift [columns, 1], which suspect rows lie along if they are conditioned alike."""
        return {name: (shift @ self.shares)[:, None] for name, shift in self.shifts.items()}
