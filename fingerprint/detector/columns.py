"""Columns of a fitted family that a detector uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import scipy.sparse as sp

from fingerprint.data.arrays import Floats, Ints
from fingerprint.features import Family
from fingerprint.features.scaling import scaled


@dataclass(frozen=True)
class UsedColumns:
    """A fitted family, the columns of it that are used, and what each is multiplied by."""

    family: Family
    columns: Ints
    scale: Floats

    def values(self, texts: Sequence[str]) -> sp.csr_matrix:
        return scaled(self.family.transform(texts), self.columns, self.scale)
