"""Measurements of `Layout`, compiled: the same values as `Layout.measure` in the same order of columns."""

from __future__ import annotations

import numpy as np

from fingerprint.data.arrays import Codes, Flags, Floats, Ints
from fingerprint.features.kernels import kernel

# Bits of a character, those of `fingerprint.features.characters`.
WORD = 0b1011  # letters, digits and underscores
SPACE = 0b100
DIGIT, UPPER, ALPHA, NUMERAL = 1 << 0, 1 << 4, 1 << 6, 1 << 7
LINE_END = 10


@kernel
def measure_layout(
    codes: Codes,
    starts: Ints,
    flags: Flags,
    n_marks: int,
    columns: Ints,
    ends: Ints,
    separators: bool,
    work: Ints,
    out: Floats,
) -> None:
    """Fill the table of measurements.

    Parameters
    ----------
    codes : uint32 array [characters]
    starts : int array [rows + 1]
        Where each row begins in `codes`, and where the last one ends.
    flags : uint8 array [code points]
        Bits of every character.
    n_marks : int
        Signs that are counted, all of them ASCII.
    columns : int array [128]
        Columns of signs; 0 for other ASCII characters.
    ends : int array
        Code points that have a kind of their own where a row begins or ends.
    separators : bool
        Whether separators are wanted; their columns are 0 where not.
    work : int array [5, 2 * longest row + 128]
        Room for the separators of a row; all -1.
    out : float array [rows, measurements]
    """
    after = 5 + n_marks
    for row in range(len(starts) - 1):
        first, last = starts[row], starts[row + 1]
        _fill(out, row, 0, out.shape[1], 0.0)
        _characters(codes, first, last, flags, columns, out, row)
        if separators:
            _separators(codes, first, last, flags, work, out, row, after)
        _lines(codes, first, last, flags, out, row, after + 3)
        _ends(codes, first, last, flags, ends, out, row, after + 7)


@kernel
def _fill(out: Floats, row: int, first: int, last: int, value: float) -> None:
    for column in range(first, last):
        out[row, column] = value


@kernel
def _characters(
    codes: Codes, first: int, last: int, flags: Flags, columns: Ints, out: Floats, row: int
) -> None:
    upper = lower = numerals = others = 0
    for i in range(first, last):
        code = codes[i]
        bits = int(flags[code])
        upper += bits >> 4 & 1
        lower += bits >> 5 & 1
        numerals += bits >> 7
        others += code > 127
        out[row, columns[min(code, 127)]] += 1  # of no mark: where the number of characters will be
    out[row, 0], out[row, 1], out[row, 2] = last - first, upper, lower
    out[row, 3], out[row, 4] = numerals, others


@kernel
def _separators(
    codes: Codes, first: int, last: int, flags: Flags, work: Ints, out: Floats, row: int, at: int
) -> None:
    """Runs of what is in no word and no number: how many, how many different ones, and the longest."""
    begins, lengths, hashes = work[0], work[1], work[2]
    seen = work[4]  # ASCII characters that stood alone, as most separators do: the last row in which they were
    n = kept = distinct = length = longest = hashed = 0
    for i in range(first, last + 1):
        if i < last and not flags[codes[i]] & WORD:
            length += 1
            hashed = 31 * hashed + codes[i]
        elif length:
            if length == 1 and codes[i - 1] < 128:
                distinct += seen[codes[i - 1]] != row
                seen[codes[i - 1]] = row
            else:
                begins[kept], lengths[kept], hashes[kept] = i - length, length, hashed
                kept += 1
            n, longest, length, hashed = n + 1, max(longest, length), 0, 0
    out[row, at] = n
    out[row, at + 1] = distinct + _distinct(codes, begins, lengths, hashes, kept, work)
    out[row, at + 2] = longest if n else np.nan


@kernel
def _distinct(codes: Codes, begins: Ints, lengths: Ints, hashes: Ints, n: int, work: Ints) -> int:
    """How many different runs of characters there are, by a table with linear probing."""
    slots, size = work[3], 4
    while size < n + n // 2:
        size *= 2
    for place in range(size):
        slots[place] = -1
    found = 0
    for i in range(n):
        place = (hashes[i] * 0x9E3779B1 >> 15) & (size - 1)
        while slots[place] >= 0 and not _same(codes, begins, lengths, hashes, i, slots[place]):
            place = (place + 1) & (size - 1)
        if slots[place] < 0:
            slots[place] = i
            found += 1
    return found


@kernel
def _same(codes: Codes, begins: Ints, lengths: Ints, hashes: Ints, one: int, other: int) -> bool:
    if hashes[one] != hashes[other] or lengths[one] != lengths[other]:
        return False
    for k in range(lengths[one]):  # noqa: SIM110 (loops are what is compiled well)
        if codes[begins[one] + k] != codes[begins[other] + k]:
            return False
    return True


@kernel
def _lines(codes: Codes, first: int, last: int, flags: Flags, out: Floats, row: int, at: int) -> None:
    """Blank lines, bulleted or numbered ones, the longest line and the last."""
    blank = bullets = longest = length = 0
    begin = first
    for i in range(first, last + 1):
        if i < last and codes[i] != LINE_END:
            continue
        length = i - begin
        text = begin
        while text < i and flags[codes[text]] & SPACE:
            text += 1
        if text == i:
            blank += 1
        elif _is_bullet(codes, text, i, flags):
            bullets += 1
        longest, begin = max(longest, length), i + 1
    out[row, at], out[row, at + 1], out[row, at + 2], out[row, at + 3] = blank, bullets, longest, length


@kernel
def _is_bullet(codes: Codes, first: int, last: int, flags: Flags) -> bool:
    """Whether a line whose text begins at `first` begins with a sign of a list and white space."""
    code = codes[first]
    after = first + 1
    if flags[code] & DIGIT:
        while after < last and flags[codes[after]] & DIGIT:
            after += 1
        if after - first > 3 or after == last or not (codes[after] == 46 or codes[after] == 41):  # . and )
            return False
        after += 1
    elif not (code == 45 or code == 42 or code == 43 or code == 0x2022 or code == 0x2013):  # - * + and two more dashes
        return False
    return after < last and flags[codes[after]] & SPACE != 0


@kernel
def _ends(codes: Codes, first: int, last: int, flags: Flags, ends: Ints, out: Floats, row: int, at: int) -> None:
    begin, end = first, last
    while begin < last and flags[codes[begin]] & SPACE:
        begin += 1
    while end > first and flags[codes[end - 1]] & SPACE:
        end -= 1
    out[row, at], out[row, at + 1] = begin - first, last - end
    if begin < last:
        out[row, at + 2] = _kind(codes[begin], flags, ends)
        out[row, at + 3] = _kind(codes[end - 1], flags, ends)


@kernel
def _kind(code: int, flags: Flags, ends: Ints) -> int:
    bits = flags[code]
    if bits & NUMERAL:
        return 1
    if bits & ALPHA:
        return 2 if bits & UPPER else 3
    for i in range(len(ends)):
        if ends[i] == code:
            return 5 + i
    return 4
