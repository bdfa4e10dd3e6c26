"""A detector's scores: the stack of `detect`'s effect size, calibrated to log-odds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats, Ints
from fingerprint.detector.calibration import calibrated
from fingerprint.features import Family, choose
from fingerprint.features.scaling import FamilyMatrix, family_matrix, scaled
from fingerprint.statistics.auc import inflation
from fingerprint.statistics.classifier import Classifier
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.crossfit import Scores
from fingerprint.statistics.trained import fit_stack, held_out_scores, stacked

# Rows scored at a time: bounds the memory of the sparse features.
_CHUNK = 20_000


@dataclass(frozen=True)
class UsedColumns:
    """A fitted family, the columns of it that are used, and what each is multiplied by.

    Attributes
    ----------
    family : Family
    columns : int array [used columns]
        The family's own numbers of them.
    scale : float array [used columns]
    """

    family: Family
    columns: Ints
    scale: Floats

    def values(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Scaled columns [rows, used columns] of new rows."""
        return scaled(self.family.transform(texts), self.columns, self.scale)


def varying_columns(families: Mapping[str, Family], texts: list[str]) -> dict[str, FamilyMatrix]:
    """Families fitted to the rows, with their scaled columns; those without a column that varies are left out.

    Raises
    ------
    ValueError
        If no feature varies over the rows.
    """
    found = {name: family_matrix(family, texts, name) for name, family in families.items()}
    matrices = {name: matrix for name, matrix in found.items() if matrix.n_columns}
    if not matrices:
        raise ValueError("X must hold texts that differ in some feature, got texts that are all alike; check them")
    return matrices


@dataclass(frozen=True)
class CalibratedStack:
    """Scores of new rows, as log-odds.

    Attributes
    ----------
    columns : dict of UsedColumns
        By family.
    coefficients : dict of float arrays [used columns]
        Linear members, one a family.
    classifiers : tuple of fitted scikit-learn classifiers
        Further members, on all families' columns side by side: a model for each fold that was left out.
    centre, weights : float arrays [members]
        The stacked score is the sum of weight * (member's score - centre).
    slope, intercept : float
        Log-odds, in nats, are slope * stacked score + intercept.
    """

    columns: dict[str, UsedColumns]
    coefficients: dict[str, Floats]
    classifiers: tuple[Classifier, ...]
    centre: Floats
    weights: Floats
    slope: float
    intercept: float

    @classmethod
    def fitted(
        cls, comparison: Comparison, features: object, classifiers: Sequence[Classifier | None], fast: bool
    ) -> tuple[CalibratedStack, Scores]:
        """The stack, and the out-of-fold scores that it is calibrated by; `classifiers` are its members.

        Raises
        ------
        ValueError
            If no feature varies over the rows.
        """
        matrices = varying_columns(choose(features, comparison.texts), comparison.texts)
        values = {name: matrix.values for name, matrix in matrices.items()}
        stack = fit_stack(comparison, values, classifiers, fast)
        scores = held_out_scores(stack, comparison, values, classifiers, fast)
        slope, intercept = calibrated(scores.stacked, comparison.suspect, inflation(scores.agreement))
        columns = {name: UsedColumns(m.family, m.columns, m.scale) for name, m in matrices.items()}
        made = cls(columns, stack.coefficients, stack.classifiers, stack.centre, stack.weights, slope, intercept)
        return made, scores

    def log_odds(self, texts: Sequence[str]) -> Floats:
        """Log-odds [rows] of the trait, in nats, at the class shares of the training rows."""
        return np.concatenate([self._chunk(texts[i : i + _CHUNK]) for i in range(0, len(texts), _CHUNK)])

    def _chunk(self, texts: Sequence[str]) -> Floats:
        matrices = {name: used.values(texts) for name, used in self.columns.items()}
        score = stacked(matrices, self.coefficients, self.classifiers, self.centre, self.weights)
        return self.slope * score + self.intercept
