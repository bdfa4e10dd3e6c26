"""Measurements of `Numbers`, compiled: the same values, to the bit, as `Numbers.measure` in the same order of columns.

Sums run over a row's items in their order and in float64, as those of `Segments` do: so means and spreads are equal
too, and fall into the same bins.
"""

from __future__ import annotations

import numpy as np

from fingerprint.data.arrays import Codes, Floats, Ints
from fingerprint.features.kernels import kernel

CAP = 10**9  # `VALUE_CAP`
POSITIONS = 10
# First columns of the groups, as `measure` lays them out.
N_VALUES = 6 + POSITIONS
SHAPES, DIGIT_STEPS, BANDS = 30, 41, 79  # from the first column of the sums over single numbers
N_SINGLE = 86
N_STEPS = 23


@kernel
def measure_numbers(codes: Codes, starts: Ints, single: bool, work: Ints, out: Floats) -> None:
    """Fill the table of measurements.

    Parameters
    ----------
    codes : uint32 array [characters]
    starts : int array [rows + 1]
        Where each row begins in `codes`, and where the last one ends.
    single : bool
        Whether only sums over single numbers are measured.
    work : int array [3, 2 * longest row + 4]
        Room for the numbers of a row: values, written lengths, and a table of distinct values.
    out : float array [rows, measurements]
    """
    values, lengths, slots = work[0], work[1], work[2]
    sums = 0 if single else N_VALUES
    steps = sums + N_SINGLE
    for row in range(len(starts) - 1):
        _fill(out, row, 0, out.shape[1], 0.0)
        n = _parse(codes, starts[row], starts[row + 1], values, lengths)
        _single(values, lengths, n, out, row, sums)
        if not single:
            _values(values, n, out, row)
            _steps(values, n, out, row, steps)
            out[row, steps + 12] = _distinct(values, n, slots) - n
            _chains(values, lengths, n, out, row, steps + N_STEPS - 3)


@kernel
def _fill(out: Floats, row: int, first: int, last: int, value: float) -> None:
    for column in range(first, last):
        out[row, column] = value


@kernel
def _parse(codes: Codes, first: int, last: int, values: Ints, lengths: Ints) -> int:
    """Values, capped, and written lengths of the runs of digits; how many there are."""
    n, length, value = 0, 0, 0
    for i in range(first, last + 1):
        digit = int(codes[i]) - 48 if i < last else -1
        if 0 <= digit <= 9:
            if length < 9:
                value = 10 * value + digit
            length += 1
        elif length:
            values[n], lengths[n] = value if length <= 9 else CAP, length
            n, length, value = n + 1, 0, 0
    return n


@kernel
def _mean_and_spread(values: Ints, n: int) -> tuple[float, float]:
    total = 0.0
    for i in range(n):
        total += values[i]
    mean, squares = total / n, 0.0
    for i in range(n):
        squares += (values[i] - mean) * (values[i] - mean)
    return mean, np.sqrt(squares / n)


@kernel
def _values(values: Ints, n: int, out: Floats, row: int) -> None:
    out[row, 0] = n
    if n:
        out[row, 1], out[row, 2] = _mean_and_spread(values, n)
        least = greatest = values[0]
        for i in range(1, n):
            least, greatest = min(least, values[i]), max(greatest, values[i])
        out[row, 3], out[row, 4], out[row, 5] = least, greatest, values[n - 1]
    else:
        _fill(out, row, 1, 6, np.nan)
    for position in range(POSITIONS):
        out[row, 6 + position] = values[position] if position < n else np.nan


@kernel
def _single(values: Ints, lengths: Ints, n: int, out: Floats, row: int, first: int) -> None:
    """Sums over single numbers: digits by place, shapes of three digits, bands."""
    bands = first + BANDS
    for i in range(n):
        value, length = values[i], lengths[i]
        units, tens, hundreds = value % 10, (value // 10) % 10, (value // 100) % 10
        out[row, first + units] += 1
        if length > 1:
            out[row, first + 10 + tens] += 1
        if length > 2:
            out[row, first + 20 + hundreds] += 1
        if length == 3:
            _shapes(units, tens, hundreds, out, row, first + SHAPES)
        out[row, bands + min(length, 4) - 1] += 1
        if value % 2 == 0:
            out[row, bands + 4] += 1
        if units == 0:
            out[row, bands + 5] += 1
        if length == 3 and value % 111 == 0:
            out[row, bands + 6] += 1


@kernel
def _shapes(units: int, tens: int, hundreds: int, out: Floats, row: int, first: int) -> None:
    up, down = tens - hundreds, units - tens
    out[row, first] += up == 1 and down == 1
    out[row, first + 1] += up == -1 and down == -1
    out[row, first + 2] += up == 0 and down == 0
    out[row, first + 3] += up == down
    out[row, first + 4] += units == hundreds
    out[row, first + 5] += up == 0
    out[row, first + 6] += down == 0
    out[row, first + 7] += up > 0 and down > 0
    out[row, first + 8] += up < 0 and down < 0
    out[row, first + 9] += up > 0 and down < 0
    out[row, first + 10] += up < 0 and down > 0
    steps = first + DIGIT_STEPS - SHAPES
    out[row, steps + 2 * (up + 9)] += 1
    out[row, steps + 2 * (down + 9) + 1] += 1


@kernel
def _steps(values: Ints, n: int, out: Floats, row: int, first: int) -> None:
    """Steps between neighbours: their means and extremes, kinds of them, the first five, and those in a row."""
    if n < 2:
        _fill(out, row, first, first + 6, np.nan)
        _fill(out, row, first + 13, first + 18, np.nan)
        return
    lowest = highest = values[1] - values[0]
    smallest, size_total, total, previous = abs(lowest), 0.0, 0.0, 0
    for i in range(1, n):
        step = values[i] - values[i - 1]
        size = abs(step)
        total += step
        size_total += size
        lowest, highest, smallest = min(lowest, step), max(highest, step), min(smallest, size)
        out[row, first + 6] += step > 0
        out[row, first + 7] += step == 0
        out[row, first + 8] += size <= 12
        out[row, first + 9] += size == 111 or size == 222 or size == 333
        out[row, first + 10] += size % 10 == 0
        out[row, first + 11] += size % 100 == 0
        if i > 1:
            out[row, first + 18] += step == previous
            out[row, first + 19] += np.sign(step) != np.sign(previous)
        previous = step
    mean, squares = total / (n - 1), 0.0
    for i in range(1, n):
        deviation = (values[i] - values[i - 1]) - mean
        squares += deviation * deviation
    out[row, first], out[row, first + 1], out[row, first + 2] = mean, size_total / (n - 1), np.sqrt(squares / (n - 1))
    out[row, first + 3], out[row, first + 4], out[row, first + 5] = lowest, highest, smallest
    for position in range(1, 6):
        out[row, first + 12 + position] = values[position] - values[position - 1] if position < n else np.nan


@kernel
def _chains(values: Ints, lengths: Ints, n: int, out: Floats, row: int, first: int) -> None:
    """How a number takes up digits of the one before it."""
    before_units, before_leading = -1, -1
    for i in range(n):
        leading, units = values[i], values[i] % 10
        for _ in range(min(lengths[i] - 1, 9)):
            leading //= 10
        if i:
            out[row, first] += leading == before_units
            out[row, first + 1] += leading == before_leading
            out[row, first + 2] += units == before_units
        before_units, before_leading = units, leading


@kernel
def _distinct(values: Ints, n: int, slots: Ints) -> int:
    """How many different values there are, by a table with linear probing; `slots` holds 3n and 4 or more."""
    size = 4
    while size < n + n // 2:
        size *= 2
    for place in range(size):
        slots[place] = -1
    found = 0
    for i in range(n):
        place = (values[i] * 0x9E3779B1 >> 15) & (size - 1)
        while slots[place] >= 0 and slots[place] != values[i]:
            place = (place + 1) & (size - 1)
        found += slots[place] < 0
        slots[place] = values[i]
    return found
