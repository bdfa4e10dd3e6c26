"""False discoveries among many tests: Benjamini-Hochberg and Benjamini-Yekutieli."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

Correction = Literal["bh", "by"]
CORRECTIONS: tuple[Correction, ...] = get_args(Correction)


def qvalues(pvalues: Sequence[float], correction: Correction = "bh") -> list[float]:
    """The false discovery rate at which each test would just be a discovery.

    Parameters
    ----------
    pvalues : sequence of float [tests]
        Each valid by itself: P(p <= x) <= x where nothing differs.
    correction : "bh" or "by"
        Benjamini-Hochberg, or Benjamini-Yekutieli, which multiplies by 1 + 1/2 + ... + 1/tests.

    Returns
    -------
    list of float [tests]
        In the order given, from 0 to 1. Calling discoveries those of at most q keeps the expected share of false ones
        among them at q or less: for "bh" if the p-values are independent or positively dependent (positive regression
        dependence on the tests where nothing differs), for "by" whatever their dependence.

    References
    ----------
    Benjamini and Hochberg (1995), JRSS B 57. Benjamini and Yekutieli (2001), Annals of Statistics 29.

    Examples
    --------
    >>> qvalues([0.01, 0.04, 0.03, 0.5])
    [0.04, 0.05333333333333334, 0.05333333333333334, 0.5]
    """
    given = np.asarray(pvalues, dtype=np.float64)
    n = len(given)
    order = np.argsort(given, kind="stable")
    rank = np.arange(1, n + 1)
    steps = given[order] * n / rank * penalty(n, correction)
    found = np.empty(n)
    found[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return [float(value) for value in found]


def penalty(n: int, correction: Correction) -> float:
    """What the q-values of `n` tests are multiplied by so that they hold under any dependence; 1 for "bh"."""
    return float((1 / np.arange(1, n + 1)).sum()) if correction == "by" else 1.0
