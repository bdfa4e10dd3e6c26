"""How far the rows of two fingerprints are apart, from sums: a direction from some cells, judged on the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.fingerprints.layout import CellFamily, Cells
from fingerprint.statistics.auc import N_FOLDS
from fingerprint.statistics.effect_size import auc_of
from fingerprint.statistics.intervals import Estimate


@dataclass(frozen=True)
class Products:
    """Inner products of each side's sums with the cells' differences [cells, cells], of some families together."""

    suspect: Floats
    reference: Floats

    @classmethod
    def of(cls, families: Mapping[str, CellFamily], weights: Mapping[str, float]) -> Products:
        """Weighted sums over the families that have a weight."""
        cells = len(next(iter(families.values())).units)
        suspect, reference = np.zeros((2, cells, cells))
        for name, weight in weights.items():
            units = families[name].units.T
            first, second = families[name].sides
            suspect += weight * (first @ units)
            reference += weight * (second @ units)
        return cls(suspect, reference)


def d_prime_of_sums(cells: Cells, products: Products) -> Estimate:
    """Distance of the sides' row scores in standard deviations, with a 95 % interval.

    The score is the difference of the sides' means, taken from four fifths of the cells. What a row's score varies by
    follows from how cells vary, as if the rows of a cell were independent: rows of one prompt that resemble one another
    make the distance look smaller, never larger.
    """
    fold = np.arange(len(products.suspect)) % N_FOLDS
    found, weights = [], []
    for k in range(N_FOLDS):
        mine, others = fold == k, fold != k
        moments = [
            _row_moments(part[np.ix_(mine, others)].sum(axis=1) * rows.sum(), rows[mine])
            for part, rows in zip((products.suspect, products.reference), cells.rows, strict=True)
        ]
        if any(moment is None for moment in moments):
            continue
        (first, first_variance), (second, second_variance) = (moment for moment in moments if moment is not None)
        spread = np.sqrt((first_variance + second_variance) / 2)
        if spread > 0:
            found.append((first - second) / spread)
            weights.append(float(mine.sum()))
    if not found:
        return Estimate(None)
    value = float(np.average(found, weights=weights))
    n = [rows.sum() for rows in cells.rows]
    half = 1.96 * float(np.sqrt(1 / n[0] + 1 / n[1] + value**2 / (4 * len(fold))))
    return Estimate(value, value - half, value + half)


def _row_moments(sums: Floats, rows: Floats) -> tuple[float, float] | None:
    """Mean and variance of the rows' scores, from their sums over cells with so many rows each [cells]."""
    sums, rows = sums[rows > 0], rows[rows > 0]
    if len(rows) < 3:
        return None
    mean = float(sums.sum() / rows.sum())
    return mean, float(((sums - rows * mean) ** 2 / rows).sum() / (len(rows) - 1))


def auc_of_sums(d_prime: Estimate) -> Estimate:
    """Row AUROC of normal scores this far apart."""
    ends = [None if end is None else auc_of(end) for end in (d_prime.value, d_prime.low, d_prime.high)]
    return Estimate(*ends)
