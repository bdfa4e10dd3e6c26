"""Was a row in a fingerprint? The strongest answers we know, by somebody who has the row, its prompt and rows like it.

The attacker knows the cell from the prompt, and the mean, the variance and the covariance of every count from the
fingerprint itself and from other rows of the same model. Of each row the attacker takes

* the log-likelihood ratio of the cell's sums, normal and column by column (Homer et al. 2008, doi
  10.1371/journal.pgen.1000167; Sankararaman et al. 2009, doi 10.1038/ng.436): `normal`;
* the same with sums as Poisson counts, which is stronger where counts are few: `counts`;
* and the normal one with the covariance of the counts, at two ridges: `whitened`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Bools, Floats, Ints
from fingerprint.data.corpus import Corpus
from fingerprint.features import FAMILIES
from fingerprint.features.counted import SQUARE_PARTS
from fingerprint.fingerprints.cells import cells_of, row_keys
from fingerprint.fingerprints.summed_rows import SummedRows
from fingerprint.statistics.auc import roc_auc

RIDGES = (0.1, 1.0)
ZERO = 0.02  # what a cell that holds none of a count is taken to hold: hashing and rounding are no certainty


@dataclass(frozen=True)
class FamilyView:
    """What the attacker makes of one family, in units of each column's standard deviation.

    Attributes
    ----------
    targets : csr matrix [targets, columns]
        Counts over standard deviations, not centred.
    centre : float array [columns]
        Means over standard deviations.
    excess : float array [cells, columns]
        A cell's sums less what the mean gives for its rows.
    others : csr matrix [rows, columns]
        As `targets`, of other rows of the model.
    presence : bool array [columns]
        Whether a row's count is 0 or 1.
    """

    targets: sp.csr_matrix
    centre: Floats
    excess: Floats
    others: sp.csr_matrix
    expected: Floats
    sums: Floats
    rows: Floats
    presence: Bools


def view(shared: SummedRows, others: SummedRows, name: str, targets: Sequence[str], rows: Sequence[str]) -> FamilyView:
    """Everything of one family that the attacker needs; columns that were not shared are left out."""
    family = FAMILIES[name]()
    mine, theirs = shared.families[name], others.families[name]
    kept = np.flatnonzero(mine.sums.any(axis=0))
    sums = mine.sums[:, kept] / family.unit
    n = shared.n_rows + others.n_rows
    parts = 1 if family.unit == 1 else SQUARE_PARTS
    mean = (sums.sum(axis=0) + theirs.sums[:, kept].sum(axis=0, dtype=np.int64) / family.unit) / n
    second = (mine.squares[kept] + theirs.squares[kept]) / parts / n
    variance = second - mean**2
    varies = variance > 1e-9
    kept, sums, mean = kept[varies], sums[:, varies], mean[varies]
    sd = np.sqrt(variance[varies])
    scale = sp.diags(1 / (sd * family.unit))
    counts = [(family.counts(list(texts))[:, kept] @ scale).tocsr() for texts in (targets, rows)]
    expected = shared.rows[:, None] * mean
    presence = np.isclose(second[varies], mean)
    return FamilyView(counts[0], mean / sd, (sums - expected) / sd, counts[1], expected, sums,
                      shared.rows.astype(float), presence)  # fmt: skip


def normal(found: FamilyView, cell: Ints) -> tuple[Floats, Floats]:
    """Products of rows with their cells' excess [targets], and what these are in the mean for rows that are in."""
    product = _products(found.targets, found.excess, cell) - (found.excess @ found.centre)[cell]
    squared = np.asarray(found.targets.power(2).sum(axis=1)).ravel() - 2 * (found.targets @ found.centre)
    return product, squared + found.centre @ found.centre


def poisson(found: FamilyView, cell: Ints) -> Floats:
    """Log-likelihood ratio of Poisson counts [targets], of columns of 0 and 1."""
    there = np.log((found.sums + ZERO) / (found.expected + ZERO))
    rows = found.rows[:, None]
    absent = np.log((np.maximum(rows - found.sums, 0) + ZERO) / (np.maximum(rows - found.expected, 0) + ZERO))
    weight = np.where(found.presence, there - absent, 0.0)
    pattern = found.targets.copy()
    pattern.data[:] = 1.0
    return _products(pattern, weight, cell) + np.where(found.presence, absent, 0.0).sum(axis=1)[cell]


def whitened(found: Sequence[FamilyView], cell: Ints, ridge: float) -> tuple[Floats, Floats]:
    """`normal` with the covariance that some thousand other rows show, plus a ridge."""
    targets = sp.hstack([f.targets for f in found], format="csr")
    others = sp.hstack([f.others for f in found], format="csr")
    excess, centre = np.hstack([f.excess for f in found]), np.concatenate([f.centre for f in found])
    mean = np.asarray(others.mean(axis=0)).ravel()

    def inner(first: sp.csr_matrix, by: Floats, second: sp.csr_matrix, less: Floats) -> Floats:
        product = np.asarray((first @ second.T).todense())
        return product - (first @ less)[:, None] - (second @ by)[None, :] + by @ less

    gram = inner(others, mean, others, mean)
    inverse = np.linalg.inv(gram + ridge * len(mean) / 10 * np.eye(len(gram)))
    cross = inner(others, mean, targets, centre)
    of_cells = others @ excess.T - (excess @ mean)[None, :]
    product = _products(targets, excess, cell) - (excess @ centre)[cell]
    solved = inverse @ cross
    own = np.asarray(targets.power(2).sum(axis=1)).ravel() - 2 * (targets @ centre) + centre @ centre
    return product - (solved * of_cells[:, cell]).sum(axis=0), own - (solved * cross).sum(axis=0)


def _products(rows: sp.csr_matrix, by_cell: Floats, cell: Ints) -> Floats:
    out = np.zeros(rows.shape[0])
    for c in np.unique(cell):
        out[cell == c] = rows[cell == c] @ by_cell[c]
    return out


def attack(
    shared: SummedRows, others: SummedRows, inside: Corpus, outside: Corpus, rows: Sequence[str], *, each: bool = True
) -> Mapping[str, Mapping[str, float]]:
    """AUROC of rows that are in against rows that are not, by family and by attack.

    Parameters
    ----------
    shared : SummedRows
        The fingerprint that is attacked.
    others : SummedRows
        Of other rows of the same model, none of which is a target.
    inside, outside : Corpus
        Targets.
    rows : list of str
        Other rows of the model, for the covariance; none: without it.
    each : bool
        Whether to attack by single families too.
    """
    targets = (*inside.texts, *outside.texts)
    prompts = (*(inside.prompts or [None] * len(inside)), *(outside.prompts or [None] * len(outside)))
    cell = cells_of(row_keys(targets, prompts), shared.cells)
    is_in = np.arange(len(targets)) < len(inside)
    views = {name: view(shared, others, name, targets, rows) for name in shared.families}
    views = {name: one for name, one in views.items() if one.targets.shape[1]}
    if not views:
        return {"all": {"normal": 0.5}}
    sets = {"all": list(views.values())} | ({name: [one] for name, one in views.items()} if each else {})
    n = np.maximum(shared.rows[cell], 1)
    result: dict[str, Mapping[str, float]] = {}
    for name, chosen in sets.items():
        single = [normal(found, cell) for found in chosen]
        pairs = {"normal": (sum(p for p, _ in single), sum(q for _, q in single))}
        pairs |= {f"whitened {ridge:g}": whitened(chosen, cell, ridge) for ridge in RIDGES if len(rows)}
        scores: dict[str, Floats] = {}
        for kind, (product, own) in pairs.items():
            scores[kind] = (product - own / 2) / n
            scores[f"{kind}, scaled"] = product / np.sqrt(np.maximum(n * own, 1e-9))
        scores["counts"] = sum(poisson(found, cell) for found in chosen)
        result[name] = {kind: roc_auc(score[is_in], score[~is_in]) for kind, score in scores.items()}
    return result
