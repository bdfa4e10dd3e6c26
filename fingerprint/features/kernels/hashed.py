"""Counts of hashed tokens and n-grams, straight from code points: what `Tokens` and `NGrams` define, compiled.

Rows lie end to end in `codes` (uint32); row i ends at `ends[i]`. `kinds` is the kind of every code point, and
`constants` are those of `fingerprint.features.hashing`. Kernels either fill a sparse matrix or add to sums by block.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fingerprint.data.arrays import Bools, Hashes, Ints
from fingerprint.features.kernels import kernel

Codes = NDArray[np.uint32]
Kinds = NDArray[np.uint8]
Columns = NDArray[np.int32]
Near = NDArray[np.uint32]
Constants = tuple[np.uint64, np.uint64, np.uint64, np.uint64, np.uint64]

CHARACTER_ORDER = 5
TOKEN_ORDER = 3
# Rows of one block with so many characters together are first added up in a small table of 32 bits, which then costs
# less than it saves. No column of it can overflow in `NEAR` characters, at units of 2^12 at most: a row of n characters
# adds at most about 2^16 * n to a square.
DENSE = 2**10
NEAR = 2**15
# The place of a word's lowest bit, by the multiplication with a de Bruijn sequence that a single bit shifts.
_SEQUENCE = np.uint64(0x03F79D71B4CB0A89)
_PLACES = np.zeros(64, dtype=np.int32)
for _place in range(64):
    _PLACES[((0x03F79D71B4CB0A89 << _place) & (2**64 - 1)) >> 58] = _place


@kernel
def _mix(value: np.uint64, constants: Constants) -> np.uint64:
    mixed = value + constants[0]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * constants[1]
    mixed = (mixed ^ (mixed >> np.uint64(27))) * constants[2]
    return mixed ^ (mixed >> np.uint64(31))


@kernel
def _fold(hashed: np.uint64, shift: np.uint64, constants: Constants) -> np.int64:
    return np.int64(((hashed ^ (hashed >> np.uint64(32))) * constants[4]) >> shift)


@kernel
def _hashes_of_row(codes: Codes, kinds: Kinds, constants: Constants, signs: Hashes, tokens: Hashes) -> int:
    """Write the mixed characters of a row and the hashes of its tokens; the number of tokens."""
    n_tokens = 0
    hashed = np.uint64(0)
    for i in range(len(codes)):
        code = codes[i]
        if i > 0 and kinds[code] != kinds[codes[i - 1]]:
            tokens[n_tokens] = hashed
            n_tokens += 1
            hashed = np.uint64(0)
        signs[i] = _mix(np.uint64(code), constants)
        hashed = hashed * constants[3] + signs[i]
    if len(codes):
        tokens[n_tokens] = hashed
        n_tokens += 1
    return n_tokens


@kernel
def _columns_of_runs(
    items: Hashes, n: int, order: int, shift: np.uint64, constants: Constants, columns: Columns
) -> int:
    """Write the columns of the runs of 1 to `order` of the first n items; the number of runs."""
    multiplier, n_runs = constants[3], 0
    for first in range(n - order + 1):  # apart from those near the end, so that the inner loop has a fixed length
        hashed = np.uint64(0)
        for i in range(order):
            hashed = hashed * multiplier + items[first + i]
            columns[n_runs] = _fold(hashed, shift, constants)
            n_runs += 1
    for first in range(max(n - order + 1, 0), n):
        hashed = np.uint64(0)
        for i in range(first, n):
            hashed = hashed * multiplier + items[i]
            columns[n_runs] = _fold(hashed, shift, constants)
            n_runs += 1
    return n_runs


@kernel
def _columns_of_items(items: Hashes, n: int, shift: np.uint64, constants: Constants, columns: Columns) -> int:
    for i in range(n):
        columns[i] = _fold(items[i], shift, constants)
    return n


@kernel
def _tally(columns: Columns, n: int, counts: Columns, touched: Columns) -> int:
    """Count the first n columns; how many different ones there are, listed in `touched`."""
    n_touched, mask = 0, len(counts) - 1  # the mask changes nothing but tells the compiler that columns are in bounds
    for i in range(n):
        column = columns[i] & mask
        count = counts[column]
        touched[n_touched] = column
        n_touched += count == 0  # without a branch, which would be guessed wrongly half of the time
        counts[column] = count + 1
    return n_touched


@kernel
def _ascending(touched: Columns, n: int, bits: Hashes) -> None:
    """Sort the first n columns, which are all different, by marking them in a bitmap and reading it off."""
    for i in range(n):
        bits[touched[i] >> 6] |= np.uint64(1) << np.uint64(touched[i] & 63)
    at = 0
    for word in range(len(bits)):
        rest = bits[word]
        while rest:
            lowest = rest & (~rest + np.uint64(1))
            touched[at] = word * 64 + _PLACES[(lowest * _SEQUENCE) >> np.uint64(58)]
            at += 1
            rest ^= lowest
        bits[word] = np.uint64(0)


@kernel
def _longest(ends: Ints) -> int:
    longest, start = 0, 0
    for row in range(len(ends)):
        longest = max(longest, ends[row] - start)
        start = ends[row]
    return longest


@kernel
def _worth(unit: int, n_characters: int) -> np.int64:
    """What one character n-gram of a row counts."""
    return np.int64(np.rint(unit / np.sqrt(np.float64(max(n_characters, 1)))))


@kernel
def fill_tokens(
    codes: Codes, ends: Ints, kinds: Kinds, constants: Constants, n_columns: int, unit: int,
    indptr: Ints, indices: Columns, data: Ints,
) -> None:  # fmt: skip
    """Fill a sparse matrix with the presence of each token."""
    shift, longest = _shift(n_columns), _longest(ends)
    signs, tokens = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    columns = np.empty(longest, np.int32)
    counts, touched = np.zeros(n_columns, np.int32), np.empty(n_columns + 1, np.int32)
    bits = np.zeros(n_columns // 64, np.uint64)
    start, at = 0, 0
    for row in range(len(ends)):
        n = _hashes_of_row(codes[start : ends[row]], kinds, constants, signs, tokens)
        n = _columns_of_items(tokens, n, shift, constants, columns)
        n_touched = _tally(columns, n, counts, touched)
        _ascending(touched, n_touched, bits)
        for i in range(n_touched):
            indices[at] = touched[i]
            data[at] = unit
            counts[touched[i]] = 0
            at += 1
        start = ends[row]
        indptr[row + 1] = at


@kernel
def add_tokens(
    codes: Codes, ends: Ints, kinds: Kinds, constants: Constants, n_columns: int, unit: int,
    block: Ints, shift_of_squares: int, sums: Ints, squares: Ints,
) -> None:  # fmt: skip
    """Add the presence of each token to the sums of the rows' blocks."""
    shift, longest = _shift(n_columns), _longest(ends)
    signs, tokens = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    columns = np.empty(longest, np.int32)
    counts, touched = np.zeros(n_columns, np.int32), np.empty(n_columns + 1, np.int32)
    start = 0
    for row in range(len(ends)):
        n = _hashes_of_row(codes[start : ends[row]], kinds, constants, signs, tokens)
        n = _columns_of_items(tokens, n, shift, constants, columns)
        n_touched = _tally(columns, n, counts, touched)
        _add_presence(touched, n_touched, counts, unit, shift_of_squares, sums[block[row]], squares)
        start = ends[row]


@kernel
def _shift(n_columns: int) -> np.uint64:
    """What leaves as many high bits as `n_columns`, a power of two, has."""
    shift = np.uint64(64)
    while n_columns > 1:
        n_columns >>= 1
        shift -= np.uint64(1)
    return shift


@kernel
def _add_counts(
    touched: Columns, n: int, counts: Columns, worth: np.int64, shift_of_squares: int, sums: Ints, squares: Ints
) -> None:
    """Add a row's counts, and set them to 0; one array after the other, which is faster than both at once."""
    mask = len(counts) - 1
    for i in range(n):
        column = touched[i] & mask
        sums[column] += counts[column] * worth
    for i in range(n):
        column = touched[i] & mask
        value = counts[column] * worth
        squares[column] += (value * value) >> shift_of_squares
        counts[column] = 0


@kernel
def _add_presence(
    touched: Columns, n: int, counts: Columns, unit: int, shift_of_squares: int, sums: Ints, squares: Ints
) -> None:
    """As `_add_counts`, with 1 for every count."""
    square, mask = (unit * unit) >> shift_of_squares, len(counts) - 1
    for i in range(n):
        column = touched[i] & mask
        sums[column] += unit
        squares[column] += square
        counts[column] = 0


@kernel
def fill_ngrams(
    codes: Codes, ends: Ints, kinds: Kinds, constants: Constants, n_columns: int, unit: int,
    indptr: Ints, indices: Columns, data: Ints,
) -> None:  # fmt: skip
    """Fill a sparse matrix with scaled counts of character n-grams, and the presence of token n-grams beside them."""
    half, longest = n_columns // 2, _longest(ends)
    shift = _shift(half)
    signs, tokens = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    columns = np.empty(longest * CHARACTER_ORDER, np.int32)
    counts, touched = np.zeros(half, np.int32), np.empty(half + 1, np.int32)
    bits = np.zeros(half // 64, np.uint64)
    start, at = 0, 0
    for row in range(len(ends)):
        length = ends[row] - start
        n = _hashes_of_row(codes[start : ends[row]], kinds, constants, signs, tokens)
        worth = _worth(unit, length)
        n_runs = _columns_of_runs(signs, length, CHARACTER_ORDER, shift, constants, columns)
        n_touched = _tally(columns, n_runs, counts, touched)
        _ascending(touched, n_touched, bits)
        for i in range(n_touched):
            indices[at] = touched[i]
            data[at] = counts[touched[i]] * worth
            counts[touched[i]] = 0
            at += 1
        for i in range(n):
            tokens[i] = _mix(tokens[i], constants)
        n_runs = _columns_of_runs(tokens, n, TOKEN_ORDER, shift, constants, columns)
        n_touched = _tally(columns, n_runs, counts, touched)
        _ascending(touched, n_touched, bits)
        for i in range(n_touched):
            indices[at] = half + touched[i]
            data[at] = unit
            counts[touched[i]] = 0
            at += 1
        start = ends[row]
        indptr[row + 1] = at


@kernel
def _add_near(touched: Columns, n: int, counts: Columns, worth: np.int64, shift_of_squares: int, near: Near) -> None:
    """As `_add_counts`, a column's sum beside its square."""
    mask = len(counts) - 1
    for i in range(n):
        column = touched[i] & mask
        value = counts[column] * worth
        near[column, 0] += np.uint32(value)
        near[column, 1] += np.uint32((value * value) >> shift_of_squares)
        counts[column] = 0


@kernel
def _add_presence_near(touched: Columns, n: int, counts: Columns, unit: int, shift_of_squares: int, near: Near) -> None:
    value, square, mask = np.uint32(unit), np.uint32((unit * unit) >> shift_of_squares), len(counts) - 1
    for i in range(n):
        column = touched[i] & mask
        near[column, 0] += value
        near[column, 1] += square
        counts[column] = 0


@kernel
def _empty_near(near: Near, sums: Ints, squares: Ints) -> None:
    """Move the small table to the sums of a block."""
    for column in range(len(near)):
        sums[column] += near[column, 0]
        squares[column] += near[column, 1]
        near[column, 0] = 0
        near[column, 1] = 0


@kernel
def add_ngrams(
    codes: Codes, ends: Ints, kinds: Kinds, constants: Constants, n_columns: int, unit: int,
    block: Ints, shift_of_squares: int, sums: Ints, squares: Ints,
) -> None:  # fmt: skip
    """Add what `fill_ngrams` gives a row to the sums of the rows' blocks; rows of a block stand together."""
    half, longest = n_columns // 2, _longest(ends)
    shift = _shift(half)
    signs, tokens = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    columns = np.empty(longest * CHARACTER_ORDER, np.int32)
    counts, touched = np.zeros(half, np.int32), np.empty(half + 1, np.int32)
    near = np.zeros((n_columns, 2), np.uint32)
    start, run_end, held, is_dense = 0, 0, 0, False
    for row in range(len(ends)):
        length = ends[row] - start
        if row == run_end:
            while run_end < len(ends) and block[run_end] == block[row]:
                run_end += 1
            is_dense = ends[run_end - 1] - start >= DENSE
        is_near = is_dense and length < NEAR
        n = _hashes_of_row(codes[start : ends[row]], kinds, constants, signs, tokens)
        worth = _worth(unit, length)
        of_block = sums[block[row]]
        n_runs = _columns_of_runs(signs, length, CHARACTER_ORDER, shift, constants, columns)
        n_touched = _tally(columns, n_runs, counts, touched)
        if is_near:
            _add_near(touched, n_touched, counts, worth, shift_of_squares, near)
        else:
            _add_counts(touched, n_touched, counts, worth, shift_of_squares, of_block, squares)
        for i in range(n):
            tokens[i] = _mix(tokens[i], constants)
        n_runs = _columns_of_runs(tokens, n, TOKEN_ORDER, shift, constants, columns)
        n_touched = _tally(columns, n_runs, counts, touched)
        if is_near:
            _add_presence_near(touched, n_touched, counts, unit, shift_of_squares, near[half:])
            held += max(length, 1)
        else:
            _add_presence(touched, n_touched, counts, unit, shift_of_squares, of_block[half:], squares[half:])
        start = ends[row]
        is_last = row + 1 == run_end
        if held and (is_last or held + max(ends[row + 1] - start, 1) > NEAR):
            _empty_near(near, of_block, squares)
            held = 0


@kernel
def find_tokens(
    codes: Codes, ends: Ints, kinds: Kinds, constants: Constants, n_columns: int, unit: int,
    is_wanted: Bools, columns: Ints, hashes: Hashes, starts: Ints, stops: Ints,
) -> int:  # fmt: skip
    """List the tokens of wanted columns: column, hash, place in the joined rows; how many there are."""
    shift, longest = _shift(n_columns), _longest(ends)
    signs, tokens, places = np.empty(longest, np.uint64), np.empty(longest, np.uint64), np.empty(longest + 1, np.int64)
    start, at = 0, 0
    for row in range(len(ends)):
        n = _hashes_of_row(codes[start : ends[row]], kinds, constants, signs, tokens)
        _places_of_row(codes[start : ends[row]], kinds, start, places)
        for i in range(n):
            column = _fold(tokens[i], shift, constants)
            if is_wanted[column]:
                columns[at], hashes[at], starts[at], stops[at] = column, tokens[i], places[i], places[i + 1]
                at += 1
        start = ends[row]
    return at


@kernel
def _places_of_row(codes: Codes, kinds: Kinds, start: int, places: Ints) -> None:
    """Write where each token of a row begins in the joined rows, and where the last one ends."""
    n_tokens = 0
    for i in range(len(codes)):
        if i == 0 or kinds[codes[i]] != kinds[codes[i - 1]]:
            places[n_tokens] = start + i
            n_tokens += 1
    places[n_tokens] = start + len(codes)


@kernel
def find_ngrams(
    codes: Codes, ends: Ints, kinds: Kinds, constants: Constants, n_columns: int, unit: int,
    is_wanted: Bools, columns: Ints, hashes: Hashes, starts: Ints, stops: Ints,
) -> int:  # fmt: skip
    """As `find_tokens`, of n-grams of characters and of tokens."""
    half, longest = n_columns // 2, _longest(ends)
    shift = _shift(half)
    signs, tokens = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    each, places = np.arange(longest + 1), np.empty(longest + 1, np.int64)
    start, at = 0, 0
    for row in range(len(ends)):
        length = ends[row] - start
        n = _hashes_of_row(codes[start : ends[row]], kinds, constants, signs, tokens)
        _places_of_row(codes[start : ends[row]], kinds, start, places)
        for i in range(n):
            tokens[i] = _mix(tokens[i], constants)
        for items, n_items, order, home, place, offset in (
            (signs, length, CHARACTER_ORDER, 0, each, start), (tokens, n, TOKEN_ORDER, half, places, 0),
        ):  # fmt: skip
            for first in range(n_items):
                hashed = np.uint64(0)
                for i in range(first, min(first + order, n_items)):
                    hashed = hashed * constants[3] + items[i]
                    column = home + _fold(hashed, shift, constants)
                    if is_wanted[column]:
                        columns[at], hashes[at] = column, hashed
                        starts[at], stops[at] = offset + place[first], offset + place[i + 1]
                        at += 1
        start = ends[row]
    return at
