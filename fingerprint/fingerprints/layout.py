"""Two fingerprints laid out for testing: a cell holds a unit of either side, and under the null they change places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fingerprint.data.arrays import Bools, Floats, Floats32, Ints
from fingerprint.features import FAMILIES
from fingerprint.features.choice import kind_of_rows
from fingerprint.features.compiled import side_by_side
from fingerprint.features.counted import CountedFamily, PooledCounts
from fingerprint.features.scaling import CONSTANT
from fingerprint.fingerprints.summed_rows import SummedRows, check_alike
from fingerprint.fingerprints.sums import total
from fingerprint.statistics.designs import Design
from fingerprint.statistics.parts import PairedPart

# A cell's difference is as likely as its negative if both sides answer the same prompts in it, or if its sums are of
# many rows: otherwise cells are put together until the smaller side has so many rows in each
# (`benchmarks/fingerprints.py type-i`).
ROWS_A_CELL = 8
FEWEST_CELLS = 16
# Where the prompts are not the same, each side needs so many rows: nulls were rejected at .05 in .096 of 250 draws of
# 20 against 200 rows in 16 cells, .087 of 3,818 of 10 against 10, and .052 of 1,000 of 50 against 500.
FEWEST_ROWS = 60
CELLS_AT_ONCE = 16  # of a family: what is worked out in double precision fits the caches


@dataclass(frozen=True)
class CellFamily:
    """A family of two fingerprints.

    Attributes
    ----------
    family : CountedFamily
        Fitted to the pooled sums.
    sides : pair of float32 arrays [cells, columns]
        Each side's sums, less what the pooled mean gives for as many rows, over its rows in all and scaled: they add
        up to the side's mean.
    columns : int array [columns]
        The family's own numbers of the columns that vary.
    scale, sd : float arrays [columns]
        What a column is multiplied by, and its standard deviation over the rows of both sides.
    rates : pair of float arrays [columns]
        Means of the columns, as the family gives them.
    """

    family: CountedFamily
    sides: tuple[Floats32, Floats32]
    columns: Ints
    scale: Floats
    sd: Floats
    rates: tuple[Floats, Floats]

    @cached_property
    def units(self) -> Floats32:
        """What a sign flips [cells, columns]: the sides' difference in every cell."""
        return np.asarray(self.sides[0] - self.sides[1], dtype=np.float32) * np.float32(len(self.sides[0]))


@dataclass(frozen=True)
class Cells:
    """Two fingerprints in as many cells, those that hold rows.

    Attributes
    ----------
    rows : pair of float arrays [cells]
    same_prompts : bool array [cells]
        Whether both sides answer the same prompts in a cell, each as often.
    """

    suspect: SummedRows
    reference: SummedRows
    filled: Bools

    @classmethod
    def of(cls, suspect: SummedRows, reference: SummedRows, alpha: float) -> Cells:
        """Put cells together until each holds enough rows.

        Raises
        ------
        ValueError
            If the two hold other features, or too few cells hold rows of both sides.
        """
        check_alike(suspect, reference)
        suspect, reference = (_suited(one, _kind(suspect, reference)) for one in (suspect, reference))
        fewer, is_shared = min(suspect.n_rows, reference.n_rows), _same_prompts(suspect, reference).all()
        if fewer < FEWEST_ROWS and not is_shared:
            raise ValueError(
                f"fingerprints must hold at least {FEWEST_ROWS} rows each where prompts differ, got "
                f"{suspect.n_rows:,} and {reference.n_rows:,}; compare the rows themselves (detect)"
            )
        cells, rows_a_cell = min(suspect.cells, reference.cells), 1 if is_shared else ROWS_A_CELL
        while cells > FEWEST_CELLS and fewer < rows_a_cell * cells:
            cells //= 2
        # Which features are common enough to be shared may differ between the sides: neither has what one lacks.
        both = suspect.coarsened(cells).without_gaps(reference), reference.coarsened(cells).without_gaps(suspect)
        filled = (both[0].rows > 0) | (both[1].rows > 0)
        held = [int((one.rows > 0).sum()) for one in both]
        needed = max(int(np.ceil(np.log2(1 / alpha))) + 1, 6)
        if min(held) < needed:
            raise ValueError(
                f"fingerprints must hold rows in at least {needed} of {cells} cells each for alpha {alpha}, got "
                f"{held[0]} and {held[1]}; make them from more prompts, or with prompt=False (--no-prompt) if rows of "
                "one prompt are independent"
            )
        return cls(*both, filled)

    @property
    def rows(self) -> tuple[Floats, Floats]:
        """Rows of both sides in every cell [cells]."""
        sides = (self.suspect, self.reference)
        return tuple(one.rows[self.filled].astype(np.float64) for one in sides)  # type: ignore[return-value]

    @property
    def same_prompts(self) -> Bools:
        """Whether both sides answer the same prompts in a cell, each as often [cells]."""
        return _same_prompts(self.suspect, self.reference)[self.filled]

    @property
    def is_shared(self) -> bool:
        """Whether both sides answer the same prompts."""
        return bool(self.same_prompts.all()) and not self.suspect.unprompted

    def design(self) -> Design:
        """Signs of cells."""
        cells = int(self.filled.sum())
        group = np.tile(np.arange(cells), 2)
        return Design((PairedPart(group, cells),), group, has_prompts=True)

    @property
    def kind(self) -> str:
        """What the pooled rows are; see `fingerprint.features.choice.data_kind`."""
        return _kind(self.suspect, self.reference)

    def families(self) -> Mapping[str, CellFamily]:
        """The families that suit the kind of rows, as `detect` chooses them."""
        names = [name for name in FAMILIES if name in self.suspect.families]
        return {name: done() for name, done in zip(names, side_by_side(self._family, names), strict=True)}

    def _family(self, name: str) -> CellFamily:
        both = (self.suspect, self.reference)
        sums = [one.families[name].sums[self.filled] for one in both]
        totals = [total(one.families[name].sums, axis=0) for one in both]
        pooled = PooledCounts(
            sum(one.n_rows for one in both),
            sum(one.characters for one in both),
            totals[0] + totals[1],
            both[0].families[name].squares + both[1].families[name].squares,
        )
        family = FAMILIES[name]().fit_counts(pooled)
        mean, second = family.moments(pooled)
        variance = np.maximum(second - mean**2, 0.0)
        columns = np.flatnonzero(variance > CONSTANT * second)
        ridge = np.broadcast_to(family.ridge, variance.shape)
        scale = 1.0 / np.sqrt(variance[columns] + ridge[columns])
        if family.column_weights is not None:
            scale = scale * np.asarray(family.column_weights, dtype=np.float64)[columns]
        sides, factors = [], family.projection()
        # Without factors a column is a count: those that are constant, such as 0 everywhere, are left out first.
        kept = None if factors is None else factors[:, columns]
        for one, part in zip(both, sums, strict=True):
            side = np.empty((len(part), len(columns)), dtype=np.float32)
            rows, factor = one.rows[self.filled][:, None], scale / one.n_rows
            for first in range(0, len(part), CELLS_AT_ONCE):
                some = slice(first, first + CELLS_AT_ONCE)
                values = part[some][:, columns] / family.unit if kept is None else part[some] @ kept
                side[some] = (values - rows[some] * mean[columns]) * factor
            sides.append(side)
        rates = [family.projected(sums)[columns] / one.n_rows for one, sums in zip(both, totals, strict=True)]
        sd = np.sqrt(variance[columns])
        return CellFamily(family, (sides[0], sides[1]), columns, scale, sd, (rates[0], rates[1]))


def _kind(suspect: SummedRows, reference: SummedRows) -> str:
    """What the rows of both are."""
    numbers = suspect.number_rows + reference.number_rows
    return kind_of_rows(numbers, suspect.empty_rows + reference.empty_rows, suspect.n_rows + reference.n_rows)


def _suited(one: SummedRows, kind: str) -> SummedRows:
    """With the families that suit this kind of rows, if it has any."""
    unsuited = {"numbers": "prose", "prose": "numbers"}.get(kind)
    return replace(one, families={n: f for n, f in one.families.items() if n != unsuited} or one.families)


def _same_prompts(suspect: SummedRows, reference: SummedRows) -> Bools:
    """Whether both sides answer the same prompts, each as often, in each of the cells of the side with fewer."""
    cells = min(suspect.cells, reference.cells)
    both = (suspect, reference)
    rows = [one.rows.reshape(cells, -1).sum(axis=1) for one in both]
    prompts = [one.prompts.reshape(cells, -1, 2).sum(axis=1, dtype=np.uint64) for one in both]
    return np.asarray((prompts[0] == prompts[1]).all(axis=1) & (rows[0] == rows[1]))
