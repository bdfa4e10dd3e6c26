"""Cells of the tables of `calibration.py`: worked out on all cores, held to exact bands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from typing import Any

import numpy as np
from scipy.stats import binom

JOINT_LEVEL = 1e-3
# Error rates that a table has to catch with a probability of `CAUGHT`, by the level they should be at. Out-of-fold
# scores tested as if independent rejected .08 to .10 at .05; .069 is as far from .05 as a careful reader would bear.
INFLATED = {0.05: 0.069, 0.01: 0.02}
CAUGHT = 0.95
# A right procedure is looked at a second time with about this probability for each level.
SECOND_LOOK = 0.05
STEP = 50  # numbers of nulls are multiples of this
JOBS = "FINGERPRINT_JOBS"  # environment variable: worker processes


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


def fewest_runs(alpha: float, inflated: float, tail: float, power: float) -> int:
    """Fewest nulls with which `inflated` exceeds, with this power, what a rate of alpha exceeds with `tail`."""
    runs = STEP
    while binom.sf(binom.isf(tail, runs, alpha), runs, inflated) < power:
        runs += STEP
    return runs


@dataclass(frozen=True)
class Look:
    """So many nulls, and the lowest and highest number of rejections inside the band, by level."""

    runs: int
    limits: dict[float, tuple[int, int]]

    @classmethod
    def of(cls, low_tail: float, high_tail: float, power: float) -> Look:
        """Enough nulls for the rates of `INFLATED`; a right procedure leaves a band by its tails at most."""
        runs = max(fewest_runs(alpha, inflated, high_tail, power) for alpha, inflated in INFLATED.items())
        ends = {
            alpha: (int(binom.ppf(low_tail, runs, alpha)), int(binom.isf(high_tail, runs, alpha))) for alpha in INFLATED
        }
        return cls(runs, ends)

    def outside(self, pvalues: np.ndarray, *, is_exact: bool = True) -> dict[float, bool]:
        """Whether the number of p-values at or below each level is outside; only above, unless the test is exact."""
        counts = {alpha: int((pvalues <= alpha).sum()) for alpha in self.limits}
        return {a: counts[a] > high or (is_exact and counts[a] < low) for a, (low, high) in self.limits.items()}


@lru_cache
def looks(cells: int) -> tuple[Look, Look]:
    """Two looks at the nulls of a setting: a setting fails if both, on nulls of their own, are outside at one level.

    The first is cheap and leaves its band easily; only then the second is taken. Together they catch every rate of
    `INFLATED` with probability `CAUGHT`, and a table of so many cells in which all is right fails with probability
    `JOINT_LEVEL` at most.
    """
    tail = JOINT_LEVEL / cells / 2
    power = CAUGHT**0.5
    return Look.of(tail, SECOND_LOOK, power), Look.of(tail, tail / SECOND_LOOK, power)


def error_rates(
    pvalues_of: Callable[[range], np.ndarray], cells: int, *, runs: int | None = None, is_exact: bool = True
) -> dict[str, Any]:
    """Error rates of one setting, and whether they are inside.

    Parameters
    ----------
    pvalues_of : callable
        Gives the p-values of nulls, of their seeds.
    cells : int
        Of the table: settings times levels.
    runs : int, optional
        One look at so many nulls instead of two, each rate held to the `band` of the joint level; it catches less.
    is_exact : bool
        Otherwise rates may be too low.
    """
    if runs is not None:
        pvalues = pvalues_of(range(runs))
        bands = {alpha: band(runs, alpha, cells) for alpha in INFLATED}
        rates = {alpha: float((pvalues <= alpha).mean()) for alpha in bands}
        is_out = {a: rates[a] > high or (is_exact and rates[a] < low) for a, (low, high) in bands.items()}
    else:
        first, second = looks(cells)
        look, pvalues = first, pvalues_of(range(first.runs))
        is_out = first.outside(pvalues, is_exact=is_exact)
        if any(is_out.values()):
            look, pvalues = second, pvalues_of(range(first.runs, first.runs + second.runs))
            again = second.outside(pvalues, is_exact=is_exact)
            is_out = {alpha: is_out[alpha] and again[alpha] for alpha in again}
        bands = {alpha: (low / look.runs, high / look.runs) for alpha, (low, high) in look.limits.items()}
        rates = {alpha: float((pvalues <= alpha).mean()) for alpha in bands}
    cells_of = {
        f"at {a:g}": {"rate": rates[a], "low": low if is_exact else 0.0, "high": high}
        for a, (low, high) in bands.items()
    }
    return {"runs": len(pvalues), **cells_of, "inside": not any(is_out.values())}


def print_error_rates(name: str, figure: dict[str, Any]) -> None:
    line = f"  {name:54s} {figure['runs']:6d}"
    for alpha in INFLATED:
        cell = figure[f"at {alpha:g}"]
        line += f"  {cell['rate']:.4f} [{cell['low']:.4f}, {cell['high']:.4f}]"
    print(line + ("" if figure["inside"] else " OUTSIDE"), flush=True)


def parallel(function: Callable[..., Any], jobs: Iterable[Any]) -> list[Any]:
    """Map over all cores, or as many as `JOBS` says, in order."""
    workers = int(os.environ.get(JOBS, os.cpu_count() or 1))
    if workers == 1:
        return [function(job) for job in jobs]
    with get_context("spawn").Pool(workers) as pool:
        return list(pool.imap(function, list(jobs), chunksize=4))
