"""Single rows scored by a panel alone: log-odds along the mean of its members' shifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.features import FAMILIES
from fingerprint.features.choice import kind_of_rows
from fingerprint.features.counted import CountedFamily
from fingerprint.features.scaling import scales
from fingerprint.panels.directions import DIRECTED
from fingerprint.panels.member import Member, Side, products, shifts


@dataclass(frozen=True)
class PooledColumns:
    """A family fitted to the rows of all members together: which columns vary, and what each is multiplied by."""

    family: CountedFamily
    columns: Ints
    scale: Floats


@dataclass(frozen=True)
class RowScores:
    """A direction in the members' own feature space, and what turns sums along it into log-odds.

    Attributes
    ----------
    columns : mapping of name to PooledColumns
    direction : mapping of name to float array [columns]
        The mean of the members' shifts.
    middle : float
        Of the score, halfway between conditioned and neutral rows.
    slope : float
        Log-odds a unit of the score.
    """

    columns: Mapping[str, PooledColumns]
    direction: Mapping[str, Floats]
    middle: float
    slope: float

    @classmethod
    def of(cls, members: Sequence[Member]) -> RowScores:
        """From the members' sums.

        The slope is that of two normal laws with the means that the members have along the direction, less the noise
        that is in them, and the variance of a row that the spread of each side's cells tells.
        """
        columns = {name: _pooled(members, name) for name in DIRECTED[_kind(members)]}
        by_cell = _shifts(columns, members)
        mean = np.mean([each.sum(axis=0) for each in by_cell], axis=0)
        squared = float(mean @ mean)
        true = max(float(products(by_cell).mean()), 0.0)
        variances, means = [], []
        for side in (side for member in members for side in member.sides):
            scores = _cell_sums(columns, side) @ mean
            variances.append(_row_variance(scores, side.fingerprint.rows))
            means.append(float(scores.sum()) / side.fingerprint.n_rows)
        slope = true / float(np.mean(variances)) if squared > 0 else 0.0
        ends = np.cumsum([len(each.columns) for each in columns.values()])[:-1]
        direction = dict(zip(columns, np.split(mean, ends), strict=True))
        return cls(columns, direction, float(np.mean(means)), slope)

    def shifts(self, members: Sequence[Member]) -> list[Floats]:
        """Of every member, its shift by cell [cells, columns] in all families together."""
        return _shifts(self.columns, members)


def _kind(members: Sequence[Member]) -> str:
    sides = [side.fingerprint for member in members for side in member.sides]
    numbers, empty = (sum(side.number_rows for side in sides), sum(side.empty_rows for side in sides))
    return kind_of_rows(numbers, empty, sum(side.n_rows for side in sides))


def _pooled(members: Sequence[Member], name: str) -> PooledColumns:
    pooled = members[0].pooled(name)
    for member in members[1:]:
        pooled = pooled + member.pooled(name)
    family = FAMILIES[name]().fit_counts(pooled)
    columns, scale = scales(family, *family.moments(pooled))
    return PooledColumns(family, columns, scale)


def _cell_sums(columns: Mapping[str, PooledColumns], side: Side) -> Floats:
    """Sums over the rows of each cell [cells, columns], in all families together."""
    found = []
    for name, each in columns.items():
        found.append(each.family.projected(side.sums[name])[:, each.columns] * each.scale)
    return np.hstack(found)


def _shifts(columns: Mapping[str, PooledColumns], members: Sequence[Member]) -> list[Floats]:
    """What each cell adds to each member's shift [cells, columns], in all families together."""
    parts = [shifts(members, name, each.family)[:, :, each.columns] * each.scale for name, each in columns.items()]
    return list(np.concatenate(parts, axis=2))


def _row_variance(scores: Floats, rows: Ints) -> float:
    """Variance of a row's score, from the spread of one side's own cells, whose scores and rows these are [cells].

    Prompts move the rows of both sides alike: the sides' difference by cell would not show what they do to a row.
    """
    apart = scores - rows * (scores.sum() / rows.sum())
    filled = int((rows > 0).sum())
    return float((apart**2).sum()) / float(rows.sum()) * filled / max(filled - 1, 1)
