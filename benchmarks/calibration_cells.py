"""Cells of the tables of `calibration.py`: worked out on all cores, held to exact bands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from scipy.stats import binom

JOINT_LEVEL = 1e-3


@dataclass(frozen=True)
class Table:
    """The figures of a table, and whether all of them are inside their bands."""

    figures: list[dict[str, Any]]
    inside: bool

    @classmethod
    def of(cls, figures: list[dict[str, Any]]) -> Table:
        """Of figures that each say whether they are inside."""
        return cls(figures, all(figure["inside"] for figure in figures))


def band(trials: int, probability: float, cells: int) -> tuple[float, float]:
    """Rates that a correct procedure leaves with probability at most `JOINT_LEVEL` / cells."""
    tail = JOINT_LEVEL / cells / 2
    low, high = binom.ppf(tail, trials, probability), binom.isf(tail, trials, probability)
    return float(low) / trials, float(high) / trials


def parallel(function: Callable[..., Any], jobs: Iterable[Any]) -> list[Any]:
    """Map over all cores, in order."""
    with get_context("spawn").Pool(os.cpu_count()) as pool:
        return list(pool.imap(function, list(jobs), chunksize=4))
