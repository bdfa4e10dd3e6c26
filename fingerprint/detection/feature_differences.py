"""Single features whose rates differ between the sides, adjusted over all that were looked at."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats, Ints
from fingerprint.detection.analysis import Analysis
from fingerprint.report.results import FeatureDifference
from fingerprint.statistics.permutation import feature_pvalues

MAX_FEATURES = 2000  # features looked at one by one, chosen by pooled variance alone
SHOWN_FEATURES = 100


def feature_differences(main: Analysis) -> tuple[FeatureDifference, ...]:
    """Features whose rates differ, adjusted over at most `MAX_FEATURES`, chosen without the labels."""
    tested = [name for name in main.matrices if name in main.test.families]
    if not tested:
        return ()
    spread = {name: _pooled_variance(main.matrices[name].values) for name in tested}
    for name in tested:  # columns whose names would tell a reader nothing
        readable = main.matrices[name].family.n_readable
        spread[name][main.matrices[name].columns >= (np.inf if readable is None else readable)] = -1.0
    least = max(np.sort(np.concatenate(list(spread.values())))[-MAX_FEATURES:][0], 0.0)
    chosen = {name: np.flatnonzero(spread[name] >= least)[:MAX_FEATURES] for name in tested}
    units = np.hstack([main.units[name][:, chosen[name]] for name in tested])[:, :MAX_FEATURES]
    pvalues = feature_pvalues(units, main.test.relabellings)
    ends = np.cumsum([len(chosen[name]) for name in tested])
    best = np.argsort(pvalues, kind="stable")[:SHOWN_FEATURES]
    found: dict[int, FeatureDifference] = {}
    for name, end in zip(tested, ends, strict=True):
        mine = best[(best < end) & (best >= end - len(chosen[name]))]
        columns = chosen[name][mine - (end - len(chosen[name]))]
        for place, record in zip(mine, _described(main, name, columns, pvalues[mine]), strict=True):
            found[int(place)] = record
    return tuple(found[int(place)] for place in best)


def _pooled_variance(values: sp.csr_matrix) -> Floats:
    mean = np.asarray(values.mean(axis=0), dtype=np.float64).ravel()
    return np.asarray(values.multiply(values).mean(axis=0), dtype=np.float64).ravel() - mean**2


def _described(
    main: Analysis, name: str, columns: Ints, pvalues: Floats
) -> list[FeatureDifference]:
    """Names of some columns of a family, and their mean values on either side, in the family's own units."""
    matrix, suspect = main.matrices[name], main.comparison.suspect
    labels = matrix.family.column_names(matrix.columns[columns])
    part = matrix.values[:, columns]
    rates = [np.asarray(part[arm].mean(axis=0)).ravel() / matrix.scale[columns] for arm in (suspect, ~suspect)]
    return [
        FeatureDifference(label, name, float(rates[0][i]), float(rates[1][i]), float(pvalues[i]))
        for i, label in enumerate(labels)
    ]
