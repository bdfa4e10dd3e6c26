"""Single features whose rates differ between the sides, adjusted over all that were looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fingerprint.data.arrays import Bools, Floats, Floats32, Ints
from fingerprint.data.progress import Step
from fingerprint.detection.analysis import Analysis
from fingerprint.detection.section import Addition, Prepared, Section
from fingerprint.detection.spellings import merged, normal_key
from fingerprint.features.family import Column
from fingerprint.features.scaling import FamilyMatrix, column_moments, goes_over
from fingerprint.report.report import Report
from fingerprint.report.results import FeatureDifference
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.permutation import PermutationTest, feature_pvalues

# Features looked at one by one: families get as many each, and theirs are chosen by pooled variance alone.
MAX_FEATURES = 2000
SHOWN_FEATURES = 100
# Columns that are put together to things: the best of all, and the best of each family, whatever the others have. Far
# more than are shown, since one word alone can have twenty columns.
CANDIDATES = 500
CANDIDATES_OF_A_FAMILY = 20
# Share of the strongest effect with which a longer spelling stands for a thing: counts and shares differ by as much.
NEARLY = 0.9
STEP = "features that differ"
ROWS_AT_ONCE = 2000  # keeps copies in double precision small where a family is dense
CORRELATED_ROWS = 20_000  # enough to tell .9 from .99; evenly spread over all


@dataclass(frozen=True)
class Compared:
    """Rows of two sides with their features and their test: all of an `Analysis` that single features need."""

    comparison: Comparison
    matrices: Mapping[str, FamilyMatrix]
    units: Mapping[str, Floats32]
    test: PermutationTest


def feature_differences(main: Analysis | Compared) -> tuple[FeatureDifference, ...]:
    """Features whose rates differ, adjusted over at most `MAX_FEATURES` that were chosen without the labels.

    By adjusted p-value, ties by the size of the effect (see `effect_sizes`); columns that say one thing in several ways
    are one entry, with the figures of one of them. The first `SHOWN_FEATURES`, and the first of every family.

    Notes
    -----
    The p-values are max-T over all columns that were looked at. Nothing that is done after (sorting, merging, leaving
    out) changes one: each entry's is that of the column which represents it.
    """
    looked_at = {name: main.matrices[name] for name in main.test.families}
    chosen = _chosen({name: m for name, m in looked_at.items() if m.n_columns and not m.family.is_prior})
    if not chosen:
        return ()
    units = np.hstack([main.units[name][:, columns] for name, columns in chosen.items()])
    pvalues = feature_pvalues(units, main.test.relabellings)
    rates = {name: _rates(main.matrices[name], columns, main.comparison) for name, columns in chosen.items()}
    sizes = np.concatenate([found.effects for found in rates.values()])
    # Of a rare feature and its absence, equally far apart, the one that is more in the suspect is easier to read.
    place = np.argsort(np.lexsort((sizes < 0, -np.abs(sizes).round(9), pvalues)))
    n_rows = len(main.comparison.texts)
    rows = np.arange(0, n_rows, -(-n_rows // CORRELATED_ROWS))
    candidates: list[_Candidate] = []
    values: list[Floats32] = []
    order: list[Ints] = []
    first = 0
    for name, columns in chosen.items():
        matrix, mine = main.matrices[name], slice(first, first + len(columns))
        first = mine.stop
        best = np.argsort(place[mine])
        best = best[(place[mine][best] < CANDIDATES) | (np.arange(len(best)) < CANDIDATES_OF_A_FAMILY)]
        described = matrix.family.describe(matrix.columns[columns[best]])
        values.append(matrix.values[rows][:, columns[best]].toarray())
        candidates += [
            _Candidate(name, column, float(pvalues[mine][i]), rates[name], int(i))
            for i, column in zip(best, described, strict=True)
        ]
        order.append(place[mine][best])
    in_order = np.argsort(np.concatenate(order))
    places = np.split(np.argsort(in_order), np.cumsum([len(mine) for mine in order])[:-1])
    table = np.empty((len(rows), len(in_order)), dtype=np.float32, order="F")
    for place, of_family in zip(places, values, strict=True):
        table[:, place] = of_family
    return _entries([candidates[i] for i in in_order], _correlations(table))


def _find(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Addition:
    tell(STEP)
    found = feature_differences(main)
    return lambda others: replace(others, differences=found)


SECTION = Section(lambda prepared: [Step(STEP, 0.2)], _find, is_beside=True)


def _entries(candidates: list[_Candidate], correlations: Floats) -> tuple[FeatureDifference, ...]:
    """Candidates, the strongest first, put together; the first `SHOWN_FEATURES`, and the first of every family."""
    families, columns = [c.family for c in candidates], [c.column for c in candidates]
    things = merged(families, columns, [c.effect > 0 for c in candidates], correlations)
    entries = sorted((_entry([candidates[number] for number in thing]) for thing in things), key=_strength)
    shown: list[FeatureDifference] = []
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        if number < SHOWN_FEATURES or not seen.issuperset(entry.families):
            shown.append(entry)
            seen.update(entry.families)
    return tuple(shown)


def _strength(entry: FeatureDifference) -> tuple[float, float]:
    return entry.pvalue_adjusted, -round(abs(entry.effect), 9)


def _entry(thing: list[_Candidate]) -> FeatureDifference:
    """The strongest column of a thing, or a longer text that is nearly as strong: "owls" rather than "wl"."""
    strongest = thing[0]
    near = [
        c for c in thing
        if c.column.is_text and c.pvalue == strongest.pvalue and abs(c.effect) >= NEARLY * abs(strongest.effect)
    ]  # fmt: skip
    first = max(near, key=lambda c: len(normal_key(c.column.subject))) if strongest.column.is_text else strongest
    others = dict.fromkeys(c.column.name for c in thing if c.column.name != first.column.name)
    rates, number = first.rates, first.number
    return FeatureDifference(
        feature=first.column.name,
        family=first.family,
        rate_suspect=float(rates.suspect[number]),
        rate_reference=float(rates.reference[number]),
        pvalue_adjusted=first.pvalue,
        measure="share of rows" if rates.is_share[number] else first.column.measure,
        direction="more" if first.effect > 0 else "less",
        effect=first.effect,
        spellings=tuple(others),
        families=tuple(dict.fromkeys([first.family, *(c.family for c in thing)])),
    )


def effect_sizes(suspect: Floats, reference: Floats, sd: Floats, is_share: Bools) -> Floats:
    """How far the means of two sides are apart, in a unit that does not depend on the feature or the number of rows.

    Parameters
    ----------
    suspect, reference : float arrays [columns]
        Means over the rows of each side.
    sd : float array [columns]
        Over the rows of both sides.
    is_share : bool array [columns]
        Whether the means are shares of rows.

    Returns
    -------
    float array [columns]
        For shares Cohen's h, the difference of ``2 arcsin(sqrt(share))``: its error is the same for rare features and
        frequent ones, so that 10 % against none counts more than 50 % against 40 %. For other means their difference
        over `sd`. Both are about the difference in standard deviations of one row; above 0 is more in the suspect.

    References
    ----------
    Cohen (1988), Statistical power analysis for the behavioral sciences, chapters 2 and 6.

    Examples
    --------
    >>> import numpy as np
    >>> half, share = np.array([0.5, 0.5]), np.array([True, False])
    >>> effect_sizes(half + 0.1, half, half, share).round(3)
    array([0.201, 0.2  ])
    """
    angles = [2 * np.arcsin(np.sqrt(np.clip(mean, 0.0, 1.0))) for mean in (suspect, reference)]
    return np.where(is_share, angles[0] - angles[1], (suspect - reference) / np.where(sd > 0, sd, np.inf))


def _chosen(matrices: Mapping[str, FamilyMatrix]) -> dict[str, Ints]:
    """Columns to look at, by family: readable ones of the greatest pooled variance, as many of each family as it has.

    A family that has fewer than its part leaves the rest to the others: no family is crowded out by the columns of
    another, and nothing depends on the labels.
    """
    readable: dict[str, Ints] = {}
    for name, matrix in matrices.items():
        limit = matrix.family.n_readable
        mean, square = column_moments(matrix.values)
        spread = np.maximum(square - mean**2, 0.0)
        spread[matrix.columns >= (np.inf if limit is None else limit)] = 0.0
        readable[name] = np.argsort(-spread, kind="stable")[: np.count_nonzero(spread)]
    left, chosen = MAX_FEATURES, {}
    for number, name in enumerate(sorted(readable, key=lambda name: len(readable[name]))):
        chosen[name] = np.sort(readable[name][: left // (len(readable) - number)])
        left -= len(chosen[name])
    return {name: chosen[name] for name in matrices if len(chosen[name])}


@dataclass(frozen=True)
class _Rates:
    """Some columns of a family, in its own units.

    Attributes
    ----------
    suspect, reference : float arrays [columns]
        Means over the rows of each side that enter the p-value; where the design has two parts, the mean of theirs,
        weighted as in the statistic.
    effects : float array [columns]
    is_share : bool array [columns]
        Whether a column holds nothing but 0 and 1.
    """

    suspect: Floats
    reference: Floats
    effects: Floats
    is_share: Bools


def _rates(matrix: FamilyMatrix, columns: Ints, comparison: Comparison) -> _Rates:
    """Of the rows of the p-value: others may differ the other way round."""
    design, suspect = comparison.design, comparison.suspect
    # A cell is a part and a side; rows outside the p-value are in the last one.
    cell = np.full(len(suspect), 2 * len(design.parts))
    for number, part in enumerate(design.parts):
        cell[part.used] = 2 * number + ~suspect[part.used]
    shape = (2 * len(design.parts) + 1, len(columns))
    totals = _totals(matrix, columns, cell, shape)
    sums, squares, others = totals[:, :-1]
    rows, is_share = np.bincount(cell, minlength=shape[0])[:-1, None], np.asarray(others.sum(axis=0) == 0)
    means = np.where(is_share, np.rint(sums), sums) / rows
    sides = [design.shares @ means[side::2] for side in (0, 1)]
    variance = np.maximum(squares.sum(axis=0) / rows.sum() - (sums.sum(axis=0) / rows.sum()) ** 2, 0.0)
    return _Rates(sides[0], sides[1], effect_sizes(sides[0], sides[1], np.sqrt(variance), is_share), is_share)


def _totals(matrix: FamilyMatrix, columns: Ints, cell: Ints, shape: tuple[int, int]) -> Floats:
    """Sums of some columns in their own units, of squares, and of values besides 0 and 1 [3, cells, columns]."""
    totals = np.zeros((3, *shape))
    if goes_over(matrix.values):
        from fingerprint.features.kernels.scaling import add_rates

        place = np.full(matrix.n_columns, -1)
        place[columns] = np.arange(len(columns))
        arrays = matrix.values.data, matrix.values.indices, matrix.values.indptr
        for first in range(0, len(cell), ROWS_AT_ONCE):
            own, rows = np.zeros_like(totals), np.arange(first, min(first + ROWS_AT_ONCE, len(cell)))
            add_rates(*arrays, rows, cell, place, matrix.scale, own)
            totals += own
        return totals
    values, scale = matrix.values[:, columns], matrix.scale[columns]
    for first in range(0, len(cell), ROWS_AT_ONCE):
        some = values[first : first + ROWS_AT_ONCE]
        raw = some.data / scale[some.indices]
        place = np.repeat(cell[first : first + ROWS_AT_ONCE] * shape[1], np.diff(some.indptr)) + some.indices
        # The values were scaled in single precision.
        for total, weights in zip(totals, (raw, raw * raw, np.abs(raw * raw - raw) >= 1e-4), strict=True):
            total += np.bincount(place, weights=weights, minlength=shape[0] * shape[1]).reshape(shape)
    return totals


@dataclass(frozen=True)
class _Candidate:
    """A column that may be shown, and its number among the rates of its family."""

    family: str
    column: Column
    pvalue: float
    rates: _Rates
    number: int

    @property
    def effect(self) -> float:
        return float(self.rates.effects[self.number])


def _correlations(values: Floats32) -> Floats:
    """Of some columns [columns, columns], from their values [rows, columns]."""
    centred = values - values.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    centred /= np.where(length > 0, length, np.inf)
    return np.asarray(centred.T @ centred, dtype=np.float64)
