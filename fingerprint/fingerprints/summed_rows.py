"""Rows as sums of fixed features over cells of prompts, and what can be done with sums alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from fingerprint.data.arrays import Hashes, Ints
from fingerprint.data.digests import hex_digest_of_parts
from fingerprint.fingerprints.card import Card
from fingerprint.fingerprints.cells import check_cells
from fingerprint.fingerprints.sums import FamilySums

# What is counted over all rows.
NUMBERS = ("characters", "number_rows", "empty_rows", "unprompted", "skipped", "skipped_shards", "min_rows")


@dataclass(frozen=True, eq=False)
class SummedRows:
    """Whole-number sums of rows; two of them add up to the sums of both, to the last bit and in any order.

    Attributes
    ----------
    rows : int array [cells]
        Rows in each cell; which cell a row is in, its prompt says (`fingerprint.fingerprints.cells`).
    prompts : uint64 array [cells, 2]
        Sums of 128-bit digests of the rows' prompts, in two halves: equal where two corpora hold the same prompts as
        often, in whatever order.
    families : mapping of name to FamilySums
    characters, number_rows, empty_rows, unprompted, skipped, skipped_shards : int
        Characters of all rows; rows that hold numbers alone, and none but white space; rows without a prompt; bad rows
        and shards that were left out.
    min_rows : int
        Features of fewer rows than this, and others, have been taken out; see
        `fingerprint.fingerprints.sharing.for_sharing`. 0 where nothing has.
    card : Card
        Where the rows come from.
    """


    rows: Ints
    prompts: Hashes
    families: Mapping[str, FamilySums]
    characters: int
    number_rows: int
    empty_rows: int
    unprompted: int
    skipped: int = 0
    skipped_shards: int = 0
    min_rows: int = 0
    card: Card = field(default_factory=Card)

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self.rows)

    @property
    def n_rows(self) -> int:
        """How many rows were summed."""
        return int(self.rows.sum())

    @property
    def n_features(self) -> int:
        """How many counts are not 0 in all rows."""
        return sum(int(family.sums.any(axis=0).sum()) for family in self.families.values())

    @property
    def definitions(self) -> dict[str, str]:
        """Name and version of every family."""
        return {name: family.definition for name, family in self.families.items()}

    @property
    def digest(self) -> str:
        """Hash of the sums and of what they are sums of, whatever the card says: 32 hex digits."""
        sums = [self.rows, self.prompts]
        for _, family in sorted(self.families.items()):
            sums += [family.sums, family.squares]
        return hex_digest_of_parts((repr(sorted(self.definitions.items())).encode(), *(s.tobytes() for s in sums)), 16)

    def record(self) -> dict[str, object]:
        """For JSON, beside results: what it is of."""
        return {
            "fingerprint": self.definitions, "digest": self.digest, "rows": self.n_rows, "skipped": self.skipped
        }  # fmt: skip

    def __add__(self, other: SummedRows) -> Self:
        """The fingerprint of the rows of both; what was taken out of either for sharing is taken out.

        Raises
        ------
        ValueError
            If the two were made with other families, definitions, cells or least rows.
        """
        if not isinstance(other, SummedRows):
            return NotImplemented
        check_alike(self, other)
        for name, mine, others in (("cells", self.cells, other.cells), ("min_rows", self.min_rows, other.min_rows)):
            if mine != others:
                raise ValueError(
                    f"fingerprints must have the same {name} to add up, got {mine} and {others}; make both alike"
                )
        mine_left, others_left = self.without_gaps(other).families, other.without_gaps(self).families
        return replace(
            self,
            rows=self.rows + other.rows,
            prompts=self.prompts + other.prompts,
            families={name: mine_left[name] + others_left[name] for name in self.families},
            characters=self.characters + other.characters,
            number_rows=self.number_rows + other.number_rows,
            empty_rows=self.empty_rows + other.empty_rows,
            unprompted=self.unprompted + other.unprompted,
            skipped=self.skipped + other.skipped,
            skipped_shards=self.skipped_shards + other.skipped_shards,
            card=self.card + other.card,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SummedRows):
            return NotImplemented
        if self.definitions != other.definitions or self.cells != other.cells or self.card != other.card:
            return False
        mine, others = (
            [one.rows, one.prompts, *(array for f in one.families.values() for array in (f.sums, f.squares))]
            for one in (self, other)
        )
        same = all(np.array_equal(first, second) for first, second in zip(mine, others, strict=True))
        return same and all(vars(self)[name] == vars(other)[name] for name in NUMBERS)

    def __hash__(self) -> int:
        return hash((self.n_rows, self.prompts.tobytes()))

    def __repr__(self) -> str:
        families = ", ".join(self.definitions.values())
        return f"{type(self).__name__}(rows={self.n_rows:,}, cells={self.cells}, families=[{families}])"

    def coarsened(self, cells: int) -> Self:
        """The same rows in fewer cells: to the bit what `of` would have made with so many.

        Raises
        ------
        ValueError
            If there are fewer cells already, or `cells` is no power of two.
        """
        if check_cells(cells) > self.cells:
            raise ValueError(f"cells must be at most the {self.cells} that there are, got {cells}; read the rows again")
        times = self.cells // cells
        return replace(
            self,
            rows=self.rows.reshape(cells, times).sum(axis=1),
            prompts=self.prompts.reshape(cells, times, 2).sum(axis=1, dtype=np.uint64),
            families={name: family.coarsened(times) for name, family in self.families.items()},
        )

    def taken_out(self, name: str) -> Ints:
        """Columns of a family that are not in a fingerprint made for sharing."""
        return np.flatnonzero(~self.families[name].sums.any(axis=0)) if self.min_rows else np.zeros(0, dtype=np.int64)

    def without_gaps(self, other: SummedRows) -> Self:
        """Without what was taken out of another: what is left has been summed over the rows of both."""
        if not other.min_rows:
            return self
        families = {name: family.without(other.taken_out(name)) for name, family in self.families.items()}
        return replace(self, families=families)


def check_alike(first: SummedRows, second: SummedRows) -> None:
    """Whether two fingerprints hold the same features.

    Raises
    ------
    ValueError
        If not, naming the first difference.
    """
    for name in sorted({*first.definitions, *second.definitions}):
        found = [each.definitions.get(name, "none") for each in (first, second)]
        if found[0] != found[1]:
            raise ValueError(
                f"fingerprints must hold the same features, got {found[0]} and {found[1]} of {name}; make both with "
                "the same version and the same features"
            )
