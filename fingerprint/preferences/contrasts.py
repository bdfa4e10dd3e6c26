"""Contrasts: features of one text of a pair less those of the other, and the part of them that length and order tell.

Whatever is made here is blind to the choices, and turning a pair round only turns the sign of its contrasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats, Floats32
from fingerprint.features import Family
from fingerprint.features.scaling import FamilyMatrix, family_matrix
from fingerprint.preferences.pairs import JudgedPairs

# Steps in which a judge's liking for length may change with the difference in length: a linear term alone left honest
# judges that like long texts with contrasts that go with the bend of their curve (`benchmarks/labels.py length`).
STEPS = 8
# At most one column of length for so many pairs.
PAIRS_A_COLUMN = 12
# Singular values below this share of the greatest belong to columns that repeat others.
COLLINEAR = 1e-6


@dataclass(frozen=True)
class Contrasts:
    """Contrasts of pairs: first text less second.

    Attributes
    ----------
    matrices : dict of FamilyMatrix
        Scaled features of all first texts, then of all second texts [2 * pairs, columns].
    features : dict of sparse arrays [pairs, columns]
        Their contrasts, by family.
    length : float array [pairs, 3]
        Contrasts of the numbers of characters, of words, and of the logarithm of the characters, each of mean square 1
        over all pairs (0 where all are 0).
    told : float array [pairs, columns]
        What may be told of a choice by length and order alone.
    loadings : dict of float arrays [columns of told, columns]
        Least squares of `features` on `told` over all pairs: the same whichever text of a pair is the first.
    """

    matrices: dict[str, FamilyMatrix]
    features: dict[str, sp.csr_matrix]
    length: Floats
    told: Floats
    loadings: dict[str, Floats]


def contrasts(pairs: JudgedPairs, families: Mapping[str, Family]) -> Contrasts:
    """Contrasts of all pairs, with features fitted to and scaled over all their texts.

    Raises
    ------
    ValueError
        If a family gives matrices of another shape than it must.
    """
    n, texts = len(pairs.group), [*pairs.texts[0], *pairs.texts[1]]
    matrices = {name: family_matrix(family, texts, name) for name, family in families.items()}
    features = {name: (found.values[:n] - found.values[n:]).tocsr() for name, found in matrices.items()}
    measured = _lengths(texts)
    length = measured[:n] - measured[n:]
    scale = np.sqrt((length**2).mean(axis=0))
    length /= np.where(scale > 0, scale, 1.0)
    told = np.hstack([_told_by_length(length), _told_by_order(pairs)])
    inverse = np.linalg.pinv(told, rcond=COLLINEAR)
    loadings = {name: np.asarray((values.T @ inverse.T).T, dtype=np.float64) for name, values in features.items()}
    return Contrasts(matrices, features, length, told, loadings)


def _lengths(texts: list[str]) -> Floats:
    """Characters, words, and the logarithm of the characters of each text [texts, 3]."""
    characters = np.array([len(text) for text in texts], dtype=np.float64)
    words = np.array([len(text.split()) for text in texts], dtype=np.float64)
    return np.column_stack([characters, words, np.log1p(characters)])


def _told_by_length(length: Floats) -> Floats:
    """Odd functions of contrasts of length [pairs, columns]: linear ones, and steps of the difference's size."""
    n, columns = len(length), [length]
    steps = int(np.clip(n / PAIRS_A_COLUMN / length.shape[1] - 1, 1, STEPS))
    for measure in length.T:
        size = np.abs(measure)
        inner = np.quantile(size[size > 0], np.arange(1, steps) / steps) if (size > 0).any() else np.zeros(0)
        step = np.searchsorted(np.unique(inner), size, side="left")
        columns.append(np.sign(measure)[:, None] * (step[:, None] == np.arange(steps)))
    return np.hstack(columns)


def _told_by_order(pairs: JudgedPairs) -> Floats:
    """Which text was shown first [pairs, 1], the mean of both judges: 0 where that is not known."""
    known = np.isfinite(pairs.shown)
    return np.asarray(np.where(known, pairs.shown, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))[:, None]


def differences(rows: Floats32, told: Floats32, loadings: Floats) -> Floats32:
    """Units [blocks, columns] of features without what units [blocks, columns of told] of length and order tell."""
    return np.asarray(rows - told @ loadings.astype(np.float32), dtype=np.float32)
