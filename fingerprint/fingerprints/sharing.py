"""What of a fingerprint can be given away: so few and so common features that no row is told by them."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from fingerprint.data.arrays import Ints
from fingerprint.fingerprints.cells import FEWEST
from fingerprint.fingerprints.summed_rows import SummedRows

Shared = TypeVar("Shared", bound=SummedRows)

# Cells are put together until they may hold so many features, which find as much as all do; with fewer than the least
# little is found (`benchmarks/fingerprint_privacy.py power`).
ENOUGH_FEATURES = 1500
LEAST_FEATURES = 32
# Families whose features come first: measurements find most by themselves.
ORDER = ("numbers", "prose", "layout", "tokens", "ngrams")


def for_sharing(fingerprint: Shared, min_rows: int, max_auc: float) -> Shared:
    """What can be given away; see `Fingerprint.for_sharing`."""
    if min_rows < 1:
        raise ValueError(f"min_rows must be at least 1, got {min_rows}; 5 is usual")
    if not 0.5 < max_auc < 1:
        raise ValueError(f"max_auc must be between .5 and 1, got {max_auc}; .55 is usual")
    coarse = fingerprint
    while coarse.cells > FEWEST and _room(coarse, max_auc) < ENOUGH_FEATURES:
        coarse = coarse.coarsened(coarse.cells // 2)
    room = _room(coarse, max_auc)
    if room < LEAST_FEATURES:
        needed = int(np.ceil(LEAST_FEATURES / features_a_row(max_auc)))
        raise ValueError(
            f"fingerprint must hold at least {needed:,} rows in each of {coarse.cells} cells to be shared, with rows "
            f"told at an AUROC of {max_auc:g}, got {_smallest(coarse):,}; add rows (of more prompts), or accept a "
            "greater max_auc (--max-auc)"
        )
    families, left = {}, room
    for name in sorted(coarse.families, key=ORDER.index):
        family = coarse.families[name]
        # A feature that is rarer than one over their number gives away by itself who has it.
        is_common = family.evenness(name, coarse.n_rows) > 1 / room
        common = np.flatnonzero(is_common & (family.least_rows(name) >= min_rows))
        # In an order that is the same for every corpus: chosen by how the rows happen to fall, features would be those
        # that lie high here by chance, and a reference would differ from every suspect.
        kept = common[np.argsort(_order(len(is_common))[common])[:left]]
        left -= len(kept)
        families[name] = family.without(np.setdiff1d(np.arange(len(is_common)), kept))
    families = {name: families[name] for name in coarse.families}
    return replace(coarse, families=families, min_rows=max(min_rows, coarse.min_rows))


def _order(columns: int) -> Ints:
    """A fixed order of columns."""
    return np.random.default_rng(0).permutation(columns)


def features_a_row(max_auc: float) -> float:
    """Features for each row of a cell that keep an attack to an AUROC.

    A row moves its cell's sums by an amount whose squared length, in standard deviations of a row, is in the mean the
    number of features; sums of n rows vary n times as much. The best test of a row has a squared d_prime of features
    over n in the mean, whatever it knows of means and covariances, and by concavity an AUROC of at most
    Phi(sqrt(features / (2 n))).
    """
    from scipy.special import ndtri  # detect needs this file, not this

    return float(2 * ndtri(max_auc) ** 2)


def membership_auc(fingerprint: SummedRows) -> float:
    """At most so well can be told whether a row is in the sums; see `Fingerprint.membership_auc`."""
    from scipy.special import ndtr

    return float(ndtr(np.sqrt(fingerprint.n_features / (2 * max(_smallest(fingerprint), 1)))))


def _smallest(fingerprint: SummedRows) -> int:
    """Rows of the smallest cell that holds any."""
    return int(fingerprint.rows[fingerprint.rows > 0].min(initial=max(fingerprint.n_rows, 0)))


def _room(fingerprint: SummedRows, max_auc: float) -> int:
    """How many features may be shared."""
    return int(_smallest(fingerprint) * features_a_row(max_auc))
