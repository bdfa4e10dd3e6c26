"""What is asked of a scikit-learn classifier that takes the place of the built-in scores."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats, Ints


class Classifier(Protocol):
    """A scikit-learn classifier of two classes, with ``decision_function`` or ``predict_proba``; it is cloned."""

    def fit(self, X: sp.csr_matrix, y: Ints) -> Self:
        """Learn the label (1 suspect, 0 reference) of rows [rows, columns]."""
        ...


def decision_scores(fitted: Classifier, features: sp.csr_matrix) -> Floats:
    """Scores [rows] of a fitted classifier, higher for the suspect class."""
    # Asked of the object: a pipeline or a search has one of these or not, by what it ends in.
    if hasattr(fitted, "decision_function"):
        return np.asarray(fitted.decision_function(features), dtype=np.float64).ravel()
    return np.asarray(fitted.predict_proba(features), dtype=np.float64)[:, 1]  # type: ignore[attr-defined]
