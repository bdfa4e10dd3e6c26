"""What a panel says of the rows of a comparison: directions in their feature space, and how much these count.

Everything here hangs on the panel and on the pooled rows of both sides, never on which side a row is from: the test
stays exact, however useless a panel is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.features.counted import CountedFamily
from fingerprint.features.family import Family
from fingerprint.panels.likeness import TokenRates, distance, likeness
from fingerprint.panels.member import Member, products, shifts, squared_errors

# Families whose columns directions are taken in, by the kind of the pooled rows. Directions of `numbers` alone were as
# strong on number rows as with `ngrams` and `tokens` beside them, and stronger where prompts differ.
DIRECTED = {"numbers": ("numbers",), "prose": ("prose",), "both": ("numbers", "prose")}
# What the signed direction and the span count in the omnibus, beside everything else together as 1, where members come
# from the base model that wrote the rows, their shifts are known without noise, and all are one. Chosen on one half of
# the prompts of five sets, members from the other half (80 draws; power at 100 pairs .77 for .5 and 0, .83 for .67 and
# .17, .85 for .83 and .5, .86 for 1.3 and .8), and raised when worth began to be taken a standard error lower and by
# squared consensus (the same half, and one of ten traits of a small model, 60 and 30 draws): mean power at 50 and 100
# pairs .607 and .850 for 1.5 and .9 with plain consensus, .613 and .863 for 2 and 1.2 with its square; no more above.
SIGNED, SPAN = 2.0, 1.2
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
    inner : float array [members, members]
        Inner products of the true shifts, without the noise of their estimates.
    errors : float array [members]
        Standard errors of its diagonal.
    likeness : float array [members]
        How alike the base model of each member is to that of the rows, from 0 to 1.
    """

    members: tuple[Member, ...]
    shifts: Mapping[str, Floats]
    cells: Mapping[str, Floats]
    lengths: Floats
    inner: Floats
    errors: Floats
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
        by_cell: dict[str, Floats] = {}
        for name in DIRECTED[kind]:
            found = families[name]
            family = found.family
            if not isinstance(family, CountedFamily):
                raise TypeError(f"family {name} must be the built-in one beside a panel, got {family!r:.80}; rename it")
            by_cell[name] = shifts(members, name, family)[:, :, found.columns] * found.scale
        joined = np.concatenate(list(by_cell.values()), axis=2)
        inner = products(list(joined))
        apart = np.array([distance(tokens, each.tokens) for each in members])
        return cls(
            tuple(members),
            {name: parts.sum(axis=1).T for name, parts in by_cell.items()},
            by_cell,
            np.sqrt((joined.sum(axis=1) ** 2).sum(axis=1)),
            inner,
            squared_errors(list(joined)),
            likeness(apart),
        )

    @cached_property
    def reliability(self) -> Floats:
        """Share of each squared length that is no noise [members], from 0 to 1."""
        return self._share_of_lengths(np.diag(self.inner))

    @cached_property
    def shares(self) -> Floats:
        """What each member counts beside the others [members]; they add up to 1."""
        worth = (self.likeness + OTHER_MEMBERS) * np.maximum(self._sure, 1e-6)
        return np.asarray(worth / worth.sum())

    @cached_property
    def consensus(self) -> float:
        """How alike the members' true shifts are: squared length of the mean of these, each of length 1; 0 to 1.

        It is the mean cosine between two members drawn by their shares, with 1 where they are the same: of one member
        alone nothing else is known. A further trait is expected to differ from them as they do from one another.
        """
        pairs = np.outer(self.shares, self.shares)
        same = float(np.trace(pairs))
        np.fill_diagonal(pairs, 0.0)
        lengths = np.sqrt(np.maximum(np.diag(self.inner), 0.0))
        most = float((pairs * np.outer(lengths, lengths)).sum())
        cosine = float((pairs * self.inner).sum()) / most if most > 0 else 0.0
        return same + (1 - same) * min(max(cosine, 0.0), 1.0)

    @property
    def worth(self) -> float:
        """How much the panel counts, from 0 (its shifts are noise, or have nothing in common) to 1 (known shifts of the
        same base model, all along one line).

        Consensus is squared: members that differ say twice that a further trait may, by lying off their mean and by
        lying against it. Chosen with the weights of `SIGNED`.
        """
        fit = OTHER_BASE + (1 - OTHER_BASE) * self.likeness
        return float(self.shares @ (fit * self._sure)) * self.consensus**2

    @property
    def _sure(self) -> Floats:
        """Reliability that is left when squared lengths are taken one standard error shorter [members].

        Of shifts that are nothing but noise half look longer than nothing, and those would make up the panel.
        """
        return self._share_of_lengths(np.diag(self.inner) - self.errors)

    def _share_of_lengths(self, squared: Floats) -> Floats:
        """Squared lengths without noise over those with it [members], 0 where they are not above 0."""
        whole = self.lengths**2
        return np.divide(np.maximum(squared, 0.0), whole, out=np.zeros_like(whole), where=whole > 0)

    @property
    def span(self) -> dict[str, Floats]:
        """Of each family, columns [columns, members] whose quadratic form is that along the members' shifts."""
        return {name: shift * np.sqrt(self.shares) for name, shift in self._unit_shifts.items()}

    @property
    def signed(self) -> dict[str, Floats]:
        """Of each family, the mean [columns, 1] of shifts brought to one length, which suspect rows lie along if they
        are conditioned alike.
        """
        return {name: (shift @ self.shares)[:, None] for name, shift in self._unit_shifts.items()}

    @property
    def _unit_shifts(self) -> dict[str, Floats]:
        """Shifts of length 1 over all families together: a loud trait counts no more than a quiet one."""
        return {name: shift / np.maximum(self.lengths, 1e-300) for name, shift in self.shifts.items()}
