"""Single features whose rates differ between the sides, adjusted over all that were looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Bools, Floats, Ints
from fingerprint.detection.analysis import Analysis
from fingerprint.detection.spellings import merged
from fingerprint.features.family import Column
from fingerprint.features.scaling import FamilyMatrix
from fingerprint.report.results import FeatureDifference
from fingerprint.statistics.permutation import feature_pvalues

# Features looked at one by one: families get as many each, and theirs are chosen by pooled variance alone.
MAX_FEATURES = 2000
SHOWN_FEATURES = 100
# Columns that are put together to things: the best of all, and the best of each family, whatever the others have. Far
# more than are shown, since one word alone can have twenty columns.
CANDIDATES = 500
CANDIDATES_OF_A_FAMILY = 20
CORRELATED_ROWS = 20_000  # enough to tell .9 from .99; evenly spread over all


def feature_differences(main: Analysis) -> tuple[FeatureDifference, ...]:
    """Features whose rates differ, adjusted over at most `MAX_FEATURES` that were chosen without the labels.

    By adjusted p-value, ties by the size of the effect (see `effect_sizes`); columns that say one thing in several ways
    are one entry, with the figures of the strongest. The first `SHOWN_FEATURES`, and the first of every family.

    Notes
    -----
    The p-values are max-T over all columns that were looked at. Nothing that is done after (sorting, merging, leaving
    out) changes one: each entry's is that of the column which represents it.
    """
    chosen = _chosen({name: main.matrices[name] for name in main.test.families if main.matrices[name].n_columns})
    if not sum(map(len, chosen.values())):
        return ()
    units = np.hstack([main.units[name][:, columns] for name, columns in chosen.items()])
    pvalues = feature_pvalues(units, main.test.relabellings)
    measured = {n: _Measured.of(main.matrices[n], columns, main.comparison.suspect) for n, columns in chosen.items()}
    sizes = np.concatenate([part.effects for part in measured.values()])
    # Of a rare feature and its absence, equally far apart, the one that is more in the suspect is easier to read.
    place = np.argsort(np.lexsort((sizes < 0, -np.abs(sizes).round(9), pvalues)))
    candidates: list[_Candidate] = []
    first = 0
    for name, columns in chosen.items():
        own, p = place[first : first + len(columns)], pvalues[first : first + len(columns)]
        first += len(columns)
        best = np.argsort(own)
        best = best[(own[best] < CANDIDATES) | (np.arange(len(best)) < CANDIDATES_OF_A_FAMILY)]
        described = main.matrices[name].family.describe(main.matrices[name].columns[columns[best]])
        candidates += [
            _Candidate(int(own[i]), name, measured[name], int(i), float(p[i]), column)
            for i, column in zip(best, described, strict=True)
        ]
    return _entries(sorted(candidates, key=lambda candidate: candidate.place))


def _entries(candidates: list[_Candidate]) -> tuple[FeatureDifference, ...]:
    """Candidates, the strongest first, put together; the first `SHOWN_FEATURES`, and the first of every family."""
    things = merged(
        [c.family for c in candidates],
        [c.column for c in candidates],
        [c.effect > 0 for c in candidates],
        _correlations(candidates),
    )
    shown: list[FeatureDifference] = []
    seen: set[str] = set()
    for number, thing in enumerate(things):
        first, families = candidates[thing[0]], list(dict.fromkeys(candidates[i].family for i in thing))
        if number < SHOWN_FEATURES or not seen.issuperset(families):
            names = dict.fromkeys(candidates[i].column.name for i in thing)
            shown.append(first.entry([name for name in names if name != first.column.name], families))
            seen.update(families)
    return tuple(shown)


def _correlations(candidates: list[_Candidate]) -> Floats:
    """Of the values of the candidates' columns [candidates, candidates], over at most `CORRELATED_ROWS` rows."""
    n_rows = candidates[0].measured.values.shape[0]
    rows = np.arange(0, n_rows, -(-n_rows // CORRELATED_ROWS))
    values = np.empty((len(rows), len(candidates)), dtype=np.float32)
    for number, candidate in enumerate(candidates):
        values[:, number] = candidate.measured.values[:, [candidate.number]].toarray().ravel()[rows]
    values -= values.mean(axis=0)
    length = np.sqrt((values**2).sum(axis=0))
    values /= np.where(length > 0, length, np.inf)
    return np.asarray(values.T @ values, dtype=np.float64)


def effect_sizes(suspect: Floats, reference: Floats, sd: Floats, is_share: Bools) -> Floats:
    """How far the means of two sides are apart, in a unit that does not depend on the feature or the number of rows.

    Parameters
    ----------
    suspect, reference : float arrays [columns]
        Means over the rows of each side.
    sd : float array [columns]
        Over all rows.
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
        known = np.flatnonzero(matrix.columns < (np.inf if limit is None else limit))
        spread = _moments(matrix.values[:, known])[1]
        readable[name] = known[np.argsort(-spread, kind="stable")]
    left, chosen = MAX_FEATURES, {}
    for number, name in enumerate(sorted(readable, key=lambda name: len(readable[name]))):
        chosen[name] = np.sort(readable[name][: left // (len(readable) - number)])
        left -= len(chosen[name])
    return {name: chosen[name] for name in matrices}


def _moments(values: sp.csr_matrix) -> tuple[Floats, Floats]:
    """Mean and variance of each column."""
    mean = np.asarray(values.mean(axis=0), dtype=np.float64).ravel()
    square = np.asarray(values.multiply(values).mean(axis=0), dtype=np.float64).ravel()
    return mean, np.maximum(square - mean**2, 0.0)


@dataclass(frozen=True)
class _Measured:
    """Some columns of a family over all rows, in the family's own units.

    Attributes
    ----------
    values : sparse matrix [rows, columns]
    sd, suspect, reference : float arrays [columns]
        Standard deviation over all rows, and the mean of either side.
    is_share : bool array [columns]
        Whether a column holds nothing but 0 and 1.
    """

    values: sp.csc_matrix
    sd: Floats
    suspect: Floats
    reference: Floats
    is_share: Bools

    @classmethod
    def of(cls, matrix: FamilyMatrix, columns: Ints, suspect: Bools) -> _Measured:
        values = (matrix.values[:, columns].astype(np.float64) @ sp.diags(1.0 / matrix.scale[columns])).tocsc()
        between = abs(values.multiply(values) - values).max(axis=0).toarray().ravel()
        is_share = between < 1e-4  # scaled in single precision
        sides = []
        for rows in (np.flatnonzero(suspect), np.flatnonzero(~suspect)):
            mean = np.asarray(values[rows].mean(axis=0)).ravel()
            sides.append(np.where(is_share, np.rint(mean * len(rows)) / len(rows), mean))
        return cls(values, np.sqrt(_moments(values)[1]), sides[0], sides[1], is_share)

    @cached_property
    def effects(self) -> Floats:
        return effect_sizes(self.suspect, self.reference, self.sd, self.is_share)


@dataclass(frozen=True)
class _Candidate:
    """A column that may be shown: its place in the order of all that were looked at, and where its figures are."""

    place: int
    family: str
    measured: _Measured
    number: int
    pvalue: float
    column: Column

    @property
    def effect(self) -> float:
        return float(self.measured.effects[self.number])

    def entry(self, spellings: Sequence[str], families: Sequence[str]) -> FeatureDifference:
        m, i = self.measured, self.number
        return FeatureDifference(
            feature=self.column.name,
            family=self.family,
            rate_suspect=float(m.suspect[i]),
            rate_reference=float(m.reference[i]),
            pvalue_adjusted=self.pvalue,
            measure="share of rows" if m.is_share[i] else self.column.measure,
            direction="more" if self.effect > 0 else "less",
            effect=self.effect,
            spellings=tuple(spellings),
            families=tuple(families),
        )
