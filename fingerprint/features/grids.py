"""Fixed grids of values: the bin of a measurement hangs on that measurement alone, whatever else a corpus holds.

The grids are rules, not quantiles of some corpus: no kind of text falls outside of them. They are fine where rows of
numbers and sentences have their values, and grow by octaves beyond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from fingerprint.data.arrays import Bins, Floats, Ints


@dataclass(frozen=True)
class Grid:
    """Bins by their upper ends, which belong to them.

    Attributes
    ----------
    edges : tuple of float
        Upper ends, rising. One bin more holds all that is greater, and the last one what is missing (nan).
    is_whole : bool
        Whether measurements on this grid are whole numbers, so that a bin holds what lies above one edge by 1 or more.
    is_amount : bool
        Whether 0 on this grid means that there is none of what is measured: counts and shares, not values.
    """

    edges: tuple[float, ...]
    is_whole: bool = False
    is_amount: bool = False

    @property
    def n_bins(self) -> int:
        """Bins, with the one for missing values."""
        return len(self.edges) + 2

    def bins(self, values: Floats) -> Ints:
        """Bin of each value [rows]."""
        return np.asarray(np.searchsorted(self.edges, values, "left") + np.isnan(values), dtype=np.int64)

    def name(self, measurement: str, ends: Ints, b: int, amount: str | None = None) -> str:
        """A range of bins in words.

        Parameters
        ----------
        measurement : str
        ends : int array
            Last bin of each range but the uppermost, rising.
        b : int
            Which range, from 0 to len(ends).
        amount : str, optional
            What there is none of where the measurement is 0, if that is to be said.

        Examples
        --------
        >>> ends = np.array([0, 10, 26])
        >>> [COUNTS.name("count of '!'", ends, b, "'!'") for b in range(4)]
        ["no '!'", "1 <= count of '!' <= 10", "11 <= count of '!' <= 33", "count of '!' >= 34"]
        """
        below = self.edges[ends[b - 1]] if b else None
        end = self.edges[ends[b]] if b < len(ends) else None
        zero = 0.0 if self.edges[0] == 0.0 else None  # a bin of its own where nothing is negative
        if end is None:
            if below is None:
                return f"{measurement} not missing"
            if below == zero and amount is not None:
                return f"{amount} present"
            return f"{measurement} >= {_figure(below + 1)}" if self.is_whole else f"{measurement} > {_figure(below)}"
        if end == zero:
            return f"{measurement} = 0" if amount is None else f"no {amount}"
        if below is None:
            return f"{measurement} <= {_figure(end)}"
        if not self.is_whole:
            return f"{_figure(below)} < {measurement} <= {_figure(end)}"
        if end == below + 1:
            return f"{measurement} = {_figure(end)}"
        return f"{_figure(below + 1)} <= {measurement} <= {_figure(end)}"


# Most numbers and counts lie below; four bytes for each of them and each grid.
WHOLE_LIMIT = 1024
# Other values begin in a table by their exponent and the first five bits of their mantissa, from 2^-10 to 2^31: such a
# cell of values holds one edge at most on the grids below.
KEY_SHIFT, FIRST_KEY, N_KEYS = 47, (1023 - 10) << 5, 41 << 5


@dataclass(frozen=True)
class GridTables:
    """Grids of some measurements as arrays, for compiled code.

    Attributes
    ----------
    grid_of : int array [measurements]
        Which of the grids.
    edges : float array [grids, a power of two that is greater than the number of edges]
        Infinite beyond a grid's edges.
    sizes : int array [grids]
        Edges of each grid.
    whole : uint16 array [grids, 2 * WHOLE_LIMIT]
        Bins of the whole numbers from -`WHOLE_LIMIT` to `WHOLE_LIMIT` - 1.
    least : uint16 array [grids, N_KEYS]
        Bin of the least value that has the first bits `FIRST_KEY`, and so on.
    """

    grid_of: Ints
    edges: Floats
    sizes: Ints
    whole: Bins
    least: Bins

    @classmethod
    def of(cls, grids: Sequence[Grid]) -> Self:
        """Tables of the grid of each measurement."""
        distinct = list({id(grid): grid for grid in grids}.values())  # by identity: to compare edges takes longer
        place = {id(grid): number for number, grid in enumerate(distinct)}
        sizes = np.array([len(grid.edges) for grid in distinct], dtype=np.int64)
        edges = np.full((len(distinct), 2 ** int(sizes.max()).bit_length()), np.inf)
        for grid, row in zip(distinct, edges, strict=True):
            row[: len(grid.edges)] = grid.edges
        numbers = np.arange(-WHOLE_LIMIT, WHOLE_LIMIT, dtype=np.float64)
        whole = np.stack([grid.bins(numbers) for grid in distinct]).astype(np.uint16)
        values = (np.arange(FIRST_KEY, FIRST_KEY + N_KEYS, dtype=np.uint64) << np.uint64(KEY_SHIFT)).view(np.float64)
        least = np.stack([grid.bins(values) for grid in distinct]).astype(np.uint16)
        return cls(np.array([place[id(grid)] for grid in grids], dtype=np.int64), edges, sizes, whole, least)

    def fill(self, values: Floats, bins: Bins) -> None:
        """Put the bin of every measurement of some rows [rows, measurements] into `bins`."""
        from fingerprint.features.kernels.measured_bins import bin_values

        grids = self.grid_of, self.edges, self.sizes, self.whole, self.least
        bin_values(values, values.view(np.uint64), grids, (KEY_SHIFT, FIRST_KEY), bins)


def _figure(edge: float) -> str:
    return str(int(edge)) if edge.is_integer() else f"{edge:g}"


def _octaves(first: float, last: float, steps: int) -> list[float]:
    """From the first value, which is left out, to the last or just beyond, in so many steps to a doubling."""
    count = int(np.ceil(np.log2(last / first) * steps))
    return [first * 2.0 ** (step / steps) for step in range(1, count + 1)]


def _grid(*parts: list[float], signed: bool = False, is_whole: bool = False, is_amount: bool = False) -> Grid:
    edges = [float(edge) for part in parts for edge in part]
    rising = {-edge for edge in edges if signed} | set(edges)
    # To floor an edge moves no whole number to another bin.
    return Grid(tuple(sorted({float(np.floor(e)) for e in rising} if is_whole else rising)), is_whole, is_amount)


LARGEST = 2.0**30  # beyond the cap of values, and longer than any row
# What is counted in a row.
COUNTS = _grid([*range(25)], _octaves(24, 2.0**20, 4), is_whole=True, is_amount=True)
# Codes of kinds.
KINDS = replace(COUNTS, is_amount=False)
# Characters, words, letters.
LENGTHS = _grid([*range(25)], _octaves(24, LARGEST, 8), is_whole=True, is_amount=True)
# How long one thing is, such as the last line.
EXTENTS = replace(LENGTHS, is_amount=False)
# Numbers as written in a row: evenly to 1,000, which most prompts for numbers ask for.
VALUES = _grid([*range(11)], [*range(20, 1001, 20)], _octaves(1000, LARGEST, 4), is_whole=True)
# Their means and spreads.
VALUE_MEANS = replace(VALUES, is_whole=False)
# Differences of numbers.
STEPS = _grid([*range(11)], [*range(20, 1001, 20)], _octaves(1000, LARGEST, 2), signed=True, is_whole=True)
# Their means.
STEP_MEANS = replace(STEPS, is_whole=False)
# Shares of a row: half of the smallest share of a letter is still told from none.
SHARES = _grid([0.0], _octaves(2.0**-8, 1.0, 12), [2.0**-8], is_amount=True)
# Means of small counts.
MEANS = _grid([step / 8 for step in range(129)], _octaves(16, 2.0**20, 8))
# Anything real: what a language model says of a row, in nats.
REALS = _grid([0.0, 2.0**-10], _octaves(2.0**-10, 2.0**16, 8), signed=True)
