"""A member of a panel: a conditioned corpus beside its own neutral one, as sums in the fixed feature space."""

from __future__ import annotations

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
        sides = [side.fingerprint for side in self.sides]
        sums = sum(sp.csr_matrix(side.families["tokens"].sums.astype(np.int64)) for side in sides)
        return TokenRates.of(self.pooled("tokens"), sums, np.sum([side.rows for side in sides], axis=0))

    def shifts(self, name: str, family: CountedFamily) -> Floats:
        """What each cell of prompts adds to the difference of the sides' means, in columns of a fitted family.

        The rows of the result add up to the mean of the conditioned corpus less that of the neutral one. Each is taken
        less what the pooled mean gives for as many rows, so that cells of other sizes on either side add no noise.

        Returns
        -------
        float array [cells, columns]
        """
        pooled = self.pooled(name)
        mean = family.projected(pooled.sums) / max(pooled.rows, 1)
        parts = []
        for side in self.sides:
            sums, rows = side.fingerprint.families[name].sums, side.fingerprint.rows
            parts.append((family.projected(sums.astype(np.int64)) - rows[:, None] * mean) / side.fingerprint.n_rows)
        return np.asarray(parts[0] - parts[1], dtype=np.float64)


def products(shifts: list[Floats]) -> Floats:
    """Inner products of the members' true shifts, without the noise of their estimates [members, members].

    Cells are independent: what a sum over cells of any two members' noise adds to a product is estimated by the
    products of their deviations in the same cells, which allows for neutral rows that members share.

    Parameters
    ----------
    shifts : list of float arrays [cells, columns]
        Of every member, in the same cells.
    """
    whole = np.stack([each.sum(axis=0) for each in shifts])
    cells = len(shifts[0])
    noise = np.zeros((len(shifts),) * 2)
    for cell in range(cells):
        apart = np.stack([each[cell] for each in shifts]) - whole / cells
        noise += apart @ apart.T
    return np.asarray(whole @ whole.T - noise * cells / (cells - 1), dtype=np.float64)
