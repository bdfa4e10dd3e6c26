"""A member of a panel: a conditioned corpus beside its own neutral one, as sums in the fixed feature space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from fingerprint.data import digests
from fingerprint.data.arrays import Floats
from fingerprint.data.known_rows import KnownRows
from fingerprint.features.counted import CountedFamily, PooledCounts
from fingerprint.fingerprints import storage
from fingerprint.fingerprints.summed_rows import SummedRows
from fingerprint.panels.likeness import TokenRates


@dataclass(frozen=True)
class Side:
    """One corpus of a panel.

    Attributes
    ----------
    fingerprint : SummedRows
    known : KnownRows or None
        By which its rows and prompts are recognised; None where it came as a fingerprint, without rows.
    """

    fingerprint: SummedRows
    known: KnownRows | None

    @cached_property
    def sums(self) -> dict[str, sp.csr_matrix]:
        """Of each family, sums of counts over the rows of each cell of prompts [cells, counts]."""
        families = self.fingerprint.families.items()
        return {name: sp.csr_matrix(each.sums).astype(np.int64) for name, each in families}

    @cached_property
    def digest(self) -> str:
        """Equal for equal sums: 32 hex digits."""
        return digests.hex_digest(storage.to_bytes(self.fingerprint), 16)


@dataclass(frozen=True)
class Member:
    """Rows of a teacher with a trait, and rows of the same base model without it.

    Attributes
    ----------
    name : str
        What reports call it: best the trait.
    conditioned, neutral : Side
    """

    name: str
    conditioned: Side
    neutral: Side

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.conditioned, self.neutral

    @property
    def bases(self) -> tuple[str, ...]:
        """Base models by name, as the cards of both sides say."""
        return tuple(sorted({base for side in self.sides for base in side.fingerprint.card.base_model}))

    @property
    def rows(self) -> tuple[int, int]:
        """Rows of the conditioned and of the neutral corpus."""
        return self.conditioned.fingerprint.n_rows, self.neutral.fingerprint.n_rows

    def pooled(self, family: str) -> PooledCounts:
        """Sums of a family over the rows of both sides."""
        first, second = (
            PooledCounts(
                side.fingerprint.n_rows,
                side.fingerprint.characters,
                side.fingerprint.families[family].sums.sum(axis=0, dtype=np.int64),
                side.fingerprint.families[family].squares,
            )
            for side in self.sides
        )
        return first + second

    @cached_property
    def tokens(self) -> TokenRates:
        """How often its rows have each token; cells of prompts are its groups."""
        sums = sum(side.sums["tokens"] for side in self.sides)
        rows = np.sum([side.fingerprint.rows for side in self.sides], axis=0)
        return TokenRates.of(self.pooled("tokens"), sums, rows)


def shifts(members: Sequence[Member], name: str, family: CountedFamily) -> Floats:
    """What each cell of prompts adds to each member's shift, in columns of a fitted family.

    Over cells they add up to the mean of the conditioned corpus less that of the neutral one. Each is taken less what
    the pooled mean gives for as many rows, so that cells of other sizes on either side add no noise.

    Returns
    -------
    float array [members, cells, columns]
    """
    sides = {side.digest: side for member in members for side in member.sides}
    stacked = family.projected(sp.vstack([side.sums[name] for side in sides.values()], format="csr"))
    sums = dict(zip(sides, stacked.reshape(len(sides), -1, stacked.shape[1]), strict=True))
    found = []
    for member in members:
        of_sides = [sums[side.digest] for side in member.sides]
        mean = sum(each.sum(axis=0) for each in of_sides) / max(sum(member.rows), 1)
        parts = [
            (each - side.fingerprint.rows[:, None] * mean) / side.fingerprint.n_rows
            for each, side in zip(of_sides, member.sides, strict=True)
        ]
        found.append(parts[0] - parts[1])
    return np.stack(found)


def products(by_cell: Sequence[Floats]) -> Floats:
    """Inner products of the members' true shifts, without the noise of their estimates [members, members].

    Cells are independent: products of one cell with another hold no noise, also where members share neutral rows. A
    product is the sum of these, brought to all pairs of cells.

    Parameters
    ----------
    by_cell : sequence of float arrays [cells, columns]
        Of every member, in the same cells.
    """
    whole = np.stack([each.sum(axis=0) for each in by_cell])
    flat = np.stack([each.ravel() for each in by_cell])
    cells = len(by_cell[0])
    return np.asarray((whole @ whole.T - flat @ flat.T) * cells / (cells - 1), dtype=np.float64)


def squared_errors(by_cell: Sequence[Floats]) -> Floats:
    """Standard errors [members] of the squared lengths of true shifts that `products` gives: jackknife over cells."""
    found = []
    for each in by_cell:
        inner, cells = each @ each.T, len(each)
        apart = inner - np.diag(np.diag(inner))
        left_out = (apart.sum() - 2 * apart.sum(axis=0)) / ((cells - 1) * (cells - 2))  # of a pair of cells
        found.append(cells**2 * np.sqrt((cells - 1) / cells * ((left_out - left_out.mean()) ** 2).sum()))
    return np.array(found)
