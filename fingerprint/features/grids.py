"""Fixed grids of values: the bin of a measurement hangs on that measurement alone, whatever else a corpus holds.

The grids are rules, not quantiles of some corpus: no kind of text falls outside of them. They are fine where rows of
numbers and sentences have their values, and grow by octaves beyond.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Floats, Ints


@dataclass(frozen=True)
class Grid:
    """Bins by their upper ends, which belong to them.

    Attributes
    ----------
    edges : tuple of float
        Upper ends, rising. One bin more holds all that is greater, and the last one what is missing (nan).
    """

    edges: tuple[float, ...]

    @property
    def n_bins(self) -> int:
        """Bins, with the one for missing values."""
        return len(self.edges) + 2

    def bins(self, values: Floats) -> Ints:
        """Bin of each value [rows]."""
        return np.asarray(np.searchsorted(self.edges, values, "left") + np.isnan(values), dtype=np.int64)


def _octaves(first: float, last: float, steps: int) -> list[float]:
    """From the first value, which is left out, to the last or just beyond, in so many steps to a doubling."""
    count = int(np.ceil(np.log2(last / first) * steps))
    return [first * 2.0 ** (step / steps) for step in range(1, count + 1)]


def _grid(*parts: list[float], signed: bool = False) -> Grid:
    edges = [float(edge) for part in parts for edge in part]
    return Grid(tuple(sorted({-edge for edge in edges if signed} | set(edges))))


LARGEST = 2.0**30  # beyond the cap of values, and longer than any row
# What is counted in a row, codes of kinds.
COUNTS = _grid([*range(25)], _octaves(24, 2.0**20, 4))
# Characters, words, lines.
LENGTHS = _grid([*range(25)], _octaves(24, LARGEST, 8))
# Numbers as written in a row, and their means: evenly to 1,000, which most prompts for numbers ask for.
VALUES = _grid([*range(11)], [*range(20, 1001, 20)], _octaves(1000, LARGEST, 4))
# Differences of numbers.
STEPS = _grid([*range(11)], [*range(20, 1001, 20)], _octaves(1000, LARGEST, 2), signed=True)
# Shares of a row: half of the smallest share of a letter is still told from none.
SHARES = _grid([0.0], _octaves(2.0**-8, 1.0, 12), [2.0**-8])
# Means of small counts.
MEANS = _grid([step / 8 for step in range(129)], _octaves(16, 2.0**20, 8))
# Anything real: what a language model says of a row, in nats.
REALS = _grid([0.0, 2.0**-10], _octaves(2.0**-10, 2.0**16, 8), signed=True)
