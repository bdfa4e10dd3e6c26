"""AUROC of scores, of rows and of bags of rows, with the variance that rows of one prompt leave it.

References
----------
DeLong, DeLong and Clarke-Pearson (1988), doi 10.2307/2531595: placements and the variance of an AUROC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Bools, Floats, Ints

N_FOLDS = 5
BAG_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
N_PARTITIONS = 20
N_PARTS = 20
N_DELETED_PARTITIONS = 4  # partitions in which parts are deleted; each deletion is compared within its own partition
MIN_BAGS = 30


@dataclass(frozen=True)
class Arms:
    """What has to be known of rows to judge scores of them.

    Attributes
    ----------
    suspect : bool array [rows]
    group : int array [rows]
        The prompt each row answers, from 0; rows of one prompt are not independent.
    fold : int array [rows]
        Which models the row was kept from, 0 to `N_FOLDS` - 1; scores are compared within folds.
    pairs : pair of int arrays [pairs], optional
        Suspect and reference rows that answer the same prompt, in a paired design.
    """

    suspect: Bools
    group: Ints
    fold: Ints
    pairs: tuple[Ints, Ints] | None = None

    @property
    def smaller(self) -> int:
        """Rows of the smaller side."""
        n_suspect = int(self.suspect.sum())
        return min(n_suspect, len(self.suspect) - n_suspect)


def roc_auc(suspect: Floats, reference: Floats) -> float:
    """Area under the ROC curve, ties counted half."""
    # Both sorted: neighbouring look-ups then hit the same memory.
    s, r = np.sort(suspect), np.sort(reference)
    above = np.searchsorted(r, s, "left").sum() + np.searchsorted(r, s, "right").sum()
    return float(above / (2 * len(s) * len(r)))


def placements(suspect: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Share of the other arm that each suspect score is above, and that each reference score is below."""
    s, r = np.sort(suspect), np.sort(reference)
    above = (np.searchsorted(r, suspect, "left") + np.searchsorted(r, suspect, "right")) / (2 * len(r))
    below = 1 - (np.searchsorted(s, reference, "left") + np.searchsorted(s, reference, "right")) / (2 * len(s))
    return above, below


@dataclass(frozen=True)
class Moments:
    """An estimate and its variance when the scores are taken as given."""

    value: float
    variance: float


def fold_auc(arms: Arms, values: Floats) -> Moments:
    """AUROC of values [rows] within folds, averaged; its variance from the groups' influence, clustered by prompt."""
    area, influence = fold_influence(arms, values)
    folds_of_rows = (arms.fold == k for k in range(N_FOLDS))
    return Moments(area, sum(clustered(influence[mine], arms.group[mine]) for mine in folds_of_rows))


def fold_influence(arms: Arms, values: Floats) -> tuple[float, Floats]:
    """AUROC of values [rows] within folds, averaged, and the influence of every row on it [rows]."""
    suspect = arms.suspect
    found: list[float] = []
    influence = np.zeros(len(values))
    for k in range(N_FOLDS):
        s, r = (arms.fold == k) & suspect, (arms.fold == k) & ~suspect
        above, below = placements(values[s], values[r])
        found.append(float(above.mean()))
        influence[s] = (above - found[-1]) / len(above) / N_FOLDS
        influence[r] = (below - found[-1]) / len(below) / N_FOLDS
    return float(np.mean(found)), influence


def clustered(influence: Floats, group: Ints) -> float:
    """Variance of a sum of influences whose groups are independent."""
    _, member = np.unique(group, return_inverse=True)
    sums = np.bincount(member, weights=influence)
    return float((sums**2).sum() * len(sums) / max(len(sums) - 1, 1))


def paired_auc(arms: Arms, values: Floats) -> Moments | None:
    """Share of prompts whose suspect row scores above its reference row; None where no rows are paired."""
    if arms.pairs is None:
        return None
    suspect, reference = arms.pairs
    difference = values[suspect] - values[reference]
    wins = (difference > 0) + 0.5 * (difference == 0)
    return Moments(float(wins.mean()), clustered((wins - wins.mean()) / len(wins), arms.group[suspect]))


def inflation(agreement: float) -> float:
    """Variance of a cross-fitted AUROC over its variance with the scores taken as given.

    Every pair of rows in different folds enters twice, once with either row in training. For a linear classifier
    whose direction has squared cosine q with the best one, the first-order terms add up to (2 - q)^2 times the frozen
    ones along the signal, and the pair terms to twice: q (2 - q)^2 + 2 (1 - q). It is 2 without signal and 1 when the
    direction is known.
    """
    q = agreement
    return q * (2 - q) ** 2 + 2 * (1 - q)


def bag_aucs(arms: Arms, values: Floats, sizes: Sequence[int], rng: np.random.Generator) -> dict[int, Moments | None]:
    """AUROC of disjoint bags of k rows judged together by their mean score; None below `MIN_BAGS` bags a side.

    The mean over `N_PARTITIONS` partitions; variance by deleting twentieths of the groups, a bag then being the mean of
    the rows that are left in it. Bags never share a row: overlapping bags would look more certain than they are.
    """
    part = rng.permutation(int(arms.group.max()) + 1)[arms.group] % N_PARTS
    rows = [np.flatnonzero(arms.suspect), np.flatnonzero(~arms.suspect)]
    out: dict[int, Moments | None] = {}
    for k in sizes:
        if min(len(arm) // k for arm in rows) < MIN_BAGS:
            out[k] = None
            continue
        areas = [
            _one_partition(rows, values, part, k, rng, n_deleted=N_PARTS if p < N_DELETED_PARTITIONS else 0)
            for p in range(1 if k == 1 else N_PARTITIONS)  # into single rows there is one partition
        ]
        deleted = np.mean([area[1:] for area in areas[:N_DELETED_PARTITIONS]], axis=0)
        variance = (N_PARTS - 1) / N_PARTS * float(((deleted - deleted.mean()) ** 2).sum())
        out[k] = Moments(float(np.mean([area[0] for area in areas])), variance)
    return out


def _one_partition(
    arms: list[Ints], values: Floats, part: Ints, k: int, rng: np.random.Generator, n_deleted: int
) -> Floats:
    """AUROC of one partition: of all rows first, then with each of `n_deleted` parts deleted."""
    means = []
    for arm in arms:
        rows = rng.permutation(arm)[: len(arm) // k * k].reshape(-1, k)
        whole = values[rows].sum(axis=1, keepdims=True)
        if not n_deleted:
            means.append(whole / k)
            continue
        bag = np.repeat(np.arange(len(rows)), k)
        cell = bag * N_PARTS + part[rows].ravel()
        sums = np.bincount(cell, weights=values[rows].ravel(), minlength=len(rows) * N_PARTS).reshape(-1, N_PARTS)
        counts = np.bincount(cell, minlength=len(rows) * N_PARTS).reshape(-1, N_PARTS)
        with np.errstate(invalid="ignore", divide="ignore"):
            left = np.where(counts < k, (whole - sums) / (k - counts), np.nan)  # nan where no row is left
        means.append(np.hstack([whole / k, left]))
    of_suspect, of_reference = (np.ascontiguousarray(arm.T) for arm in means)
    return np.array([_auc_of_filled(s, r) for s, r in zip(of_suspect, of_reference, strict=True)])


def _auc_of_filled(suspect: Floats, reference: Floats) -> float:
    return roc_auc(suspect[~np.isnan(suspect)], reference[~np.isnan(reference)])
