"""Whether a stream of rows changes as it goes: a conformal test martingale, blind to everything but the rows' order.

References
----------
Vovk, Gammerman and Shafer (2022), Algorithmic Learning in a Random World, doi 10.1007/978-3-031-06649-8, part III:
conformal test martingales. Herbster and Warmuth (1998), doi 10.1023/A:1007424614876: sharing capital among experts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import Generic, TypeVar

import numpy as np

from fingerprint.data.arrays import Floats

# Probability that a stream which does not change is ever said to: what any warning may cost on clean data.
DRIFT_LEVEL = 0.01
# Experts bet the density k u^(k - 1) on the rank u of a row among those before it, or on 1 - u: 8 finds rows that were
# sorted within some ten rows, before the evidence of any monitor could pass 1/.05; 2 finds slower changes.
POWERS = (2.0, 8.0)
# Share of all experts' capital that is handed round before each row, so that a change may begin at any time: the value
# usual for conformal martingales.
SHARED = 0.01

Value = TypeVar("Value", int, str)


class DriftTest:
    """Are the rows of a stream exchangeable among themselves, as far as length and alphabetical order tell?

    Notes
    -----
    If they are, the rank of each row among the rows so far (ties broken at random) is uniform and independent of the
    ranks before, so that capital bet on it is a test martingale. Each of the two orders is tested at half the level:
    `pvalue` is valid at any time. What leaves both orders as they are (topics, say) is not seen.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.lengths, self.texts = _Ranks[int](rng), _Ranks[str](rng)

    def observe(self, text: str) -> None:
        """Take in the next row."""
        self.lengths.observe(len(text))
        self.texts.observe(text)

    @property
    def pvalue(self) -> float:
        """Valid at any time, and never rising."""
        return min(1.0, 2 * float(np.exp(-max(self.lengths.largest, self.texts.largest))))

    @property
    def found(self) -> bool:
        """Whether the stream was ever seen to change, at `DRIFT_LEVEL`."""
        return self.pvalue <= DRIFT_LEVEL


class _Ranks(Generic[Value]):
    """Log of the largest capital won by betting on the rank of each value among those so far."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.past: list[Value] = []
        self.shares = np.full(1 + 2 * len(POWERS), 1 / (1 + 2 * len(POWERS)))  # the first expert never bets
        self.log_capital = self.largest = 0.0

    def rank(self, value: Value) -> float:
        """Take in a value; its rank in (0, 1) among all so far, at a random place among its likes."""
        below = bisect_left(self.past, value)
        equal = bisect_right(self.past, value) - below + 1
        insort(self.past, value)
        return (below + equal * self.rng.random()) / len(self.past)

    def observe(self, value: Value) -> None:
        won = self.shares * _factors(self.rank(value))
        self.log_capital += float(np.log(won.sum()))
        self.shares = (1 - SHARED) * won / won.sum() + SHARED / len(won)
        self.largest = max(self.largest, self.log_capital)


def _factors(rank: float) -> Floats:
    """What each expert's capital is multiplied by [experts]; the mean over uniform ranks is 1."""
    ends = np.array([rank, 1 - rank])
    return np.concatenate([[1.0], *(power * ends ** (power - 1) for power in POWERS)])
