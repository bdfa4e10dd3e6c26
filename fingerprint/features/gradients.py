"""Family `gradients`: where a small change of a language model's weights would show in each row.

No torch here: the gradients come from `fingerprint.lm.gradients`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from fingerprint.data.arrays import Floats32, Strings
from fingerprint.features.transformer import Transformer

# Scaling stops at total variance / (rows * this), the rule and value of the ridge of `fingerprint.statistics.ridge`: on
# owl rows of micro-a, 500 to 8,000 a side, a third of it and thrice as much reached within .02 of the same share of the
# ceiling.
EXPLAINED = 0.1


# The omnibus counts gradients this many times: as much as the text families on number rows together. Chosen on cat,
# birch and dog teachers of micro-a (40 draws; mean power at 60 pairs .14 at weight 1, .25 at 4, .27 at 8). Read by a
# wrong base it costs up to .05 at 200 pairs.
WEIGHT = 6.0


class Gradients(Transformer):
    """Sketched gradients of rows, turned and scaled so that the pooled rows vary about as much along every direction.

    A change of weights is no more likely along directions in which rows differ much: after scaling, the mean
    difference of two corpora is the direction that tells them apart best, for the exact test as for the scores. Where
    rows are few, scaling stops at their noise. Nothing depends on which corpus a row is from.

    A family of given rows, as `LogProbs` is: the model has read them with their prompts.

    Parameters
    ----------
    gradients : float32 array [rows, columns]
        Of the rows that `fit` and `transform` are given, in their order; see `fingerprint.lm.gradients`.

    Attributes
    ----------
    is_mean_zero : bool
        Rows that the model wrote itself have gradients of mean zero (`fingerprint.lm.gradients` names the
        conditions), and nothing is subtracted from them here. Scores make use of it: see
        `fingerprint.statistics.ridge`.

    References
    ----------
    Rao (1948), doi 10.1017/S0305004100023987: gradients in the metric of their own covariance are the score test.
    """

    ridge = 0.0
    is_mean_zero = True
    n_readable = 0  # no column has a name that tells a reader anything

    def __init__(self, gradients: Floats32) -> None:
        self.gradients = gradients

    def weight_on(self, kind: str) -> float:
        return WEIGHT

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        from scipy.linalg import solve_triangular

        self._check(texts)
        centred = self.gradients - self.gradients.mean(axis=0, dtype=np.float64).astype(np.float32)
        covariance = np.asarray(centred.T @ centred, dtype=np.float64) / len(centred)
        least = np.trace(covariance) / (len(centred) * EXPLAINED)
        regular = covariance + (least or 1.0) * np.eye(len(covariance))  # without variance nothing is scaled
        inverse = solve_triangular(np.linalg.cholesky(regular), np.eye(len(regular)), lower=True)
        self.turn_ = np.ascontiguousarray(inverse.T, dtype=np.float32)
        # Columns keep the scale they are given here, which `family_matrix` would take for one more thing to even out.
        self.column_weights = np.sqrt(np.maximum(((covariance @ inverse.T) * inverse.T).sum(axis=0), 0.0))
        return self

    def transform(self, texts: Sequence[str]) -> Floats32:
        self._check(texts)
        return np.asarray(self.gradients @ self.turn_, dtype=np.float32)

    def get_feature_names_out(self, input_features: object = None) -> Strings:
        return np.asarray([f"direction {k + 1} of the gradient" for k in range(self.gradients.shape[1])], dtype=object)

    def _check(self, texts: Sequence[str]) -> None:
        if len(texts) != len(self.gradients):
            raise ValueError(
                f"texts must be the {len(self.gradients)} rows that the model has read, got {len(texts)}; "
                "score the others with their prompts first"
            )
