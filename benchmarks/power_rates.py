"""How often methods reject, the band that an exact test stays inside, and paired differences of power."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from power_draws import ALPHA, OMNIBUS, Outcome
from scipy.stats import binom

JOINT_LEVEL = 1e-3  # that any of the false-positive cells leaves its band although all tests are exact
SHORTFALL = 1.64  # standard errors of the paired difference


@dataclass(frozen=True)
class Rate:
    """How often a method rejects."""

    method: str
    pairs: int
    rejected: int
    draws: int

    @property
    def share(self) -> float:
        return self.rejected / self.draws


def rates(found: list[Outcome], pvalues: Callable[[Outcome], dict[str, float]]) -> list[Rate]:
    """Rejections at `ALPHA` by method and number of pairs; methods in the order in which they first appear."""
    cells: dict[tuple[str, int], list[bool]] = defaultdict(list)
    for outcome in found:
        for method, value in pvalues(outcome).items():
            cells[method, outcome.pairs].append(value <= ALPHA)
    return [Rate(method, pairs, sum(cell), len(cell)) for (method, pairs), cell in cells.items()]


@dataclass(frozen=True)
class Band:
    """Counts of rejections that an exact test stays inside, all cells together, with probability 1 - `JOINT_LEVEL`."""

    low: int
    high: int

    @classmethod
    def of(cls, draws: int, cells: int) -> Band:
        """Two-sided; each side of each cell gets an equal share of the level (Bonferroni)."""
        tail = JOINT_LEVEL / cells / 2
        low, high = int(binom.ppf(tail, draws, ALPHA)), int(binom.isf(tail, draws, ALPHA))
        return cls(low, high)  # P(count < low) <= tail and P(count > high) <= tail

    def holds(self, rate: Rate) -> bool:
        return self.low <= rate.rejected <= self.high


@dataclass(frozen=True)
class Difference:
    """Power of the omnibus minus that of a peer over the same draws, with the standard error of the paired mean."""

    peer: str
    pairs: int
    value: float
    error: float

    @property
    def below(self) -> bool:
        return self.value < -SHORTFALL * self.error


def differences(found: list[Outcome]) -> list[Difference]:
    cells: dict[tuple[str, int], list[int]] = defaultdict(list)
    for outcome in found:
        ours = outcome.compared[OMNIBUS] <= ALPHA
        for method, value in outcome.compared.items():
            if method != OMNIBUS:
                cells[method, outcome.pairs].append(int(ours) - int(value <= ALPHA))
    return [
        Difference(method, pairs, float(np.mean(cell)), float(np.std(cell, ddof=1) / np.sqrt(len(cell))))
        for (method, pairs), cell in cells.items()
    ]
