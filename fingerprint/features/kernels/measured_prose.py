"""Measurements of `Prose` that are not `Layout`'s, compiled: the same values, to the bit, as `Prose.measure`.

Sums run over a row's words in their order and in float64, as those of `Segments` do: so means and spreads are equal
too, and fall into the same bins.
"""

from __future__ import annotations

import numpy as np

from fingerprint.data.arrays import Codes, Flags, Floats, Ints
from fingerprint.features.kernels import kernel

# Bits of every character; its lower case, for the first code points; a table of the keys of function words (0 where
# there is none) and their numbers; endings [3, endings]: their length, their key, and which bits of a word's key are
# compared with it; columns of ASCII characters that are counted, 0 for others.
Tables = tuple[Flags, Ints, Ints, Ints, Ints, Ints]

# Bits of a character, those of `fingerprint.features.characters`; a word has those of all its characters, and two more.
DIGIT, LETTER, SPACE, UPPER, LOWER, NUMERAL = 1 << 0, 1 << 1, 1 << 2, 1 << 4, 1 << 5, 1 << 7
APOSTROPHE, CAPITAL = 1 << 8, 1 << 9
N_LENGTHS, N_KINDS, N_EDGES, N_SIGNS = 8, 6, 6, 5  # columns of groups, but for those of single words and letters
LONGEST_KEY = 12  # the letters that a key holds, at five bits each, beside the 1 that it begins with
# What is known of a row's words, in this order of `work`; what follows is a table of different words.
BEGIN, LENGTH, HASH, KEY, BITS, SLOTS = 0, 1, 2, 3, 4, 5


@kernel
def measure_prose(
    codes: Codes, starts: Ints, tables: Tables, n_shapes: int, n_function: int, work: Ints, out: Floats
) -> None:
    """Fill the table of measurements, but for the columns of shapes.

    Parameters
    ----------
    codes : uint32 array [characters]
    starts : int array [rows + 1]
        Where each row begins in `codes`, and where the last one ends.
    tables : see above
    n_shapes : int
        Columns after those of lengths that are left as they are.
    n_function : int
        Function words.
    work : int array [6, 2 * longest row + 4]
        Room for the words of a row.
    out : float array [rows, measurements]
    """
    kinds = N_LENGTHS + n_shapes
    edges = kinds + n_function + tables[4].shape[1] + N_KINDS
    for row in range(len(starts) - 1):
        first, last = starts[row], starts[row + 1]
        _fill(out, row, 0, out.shape[1], 0.0)
        n = _words(codes, first, last, tables, work)
        _lengths(work, n, _sentences(codes, first, last, tables[0]), out, row)
        _kinds(n, tables, n_function, work, out, row, kinds)
        out[row, edges - 1] = _distinct(codes, n, tables[1], work) / n if n else np.nan
        _edges(n, tables, work, out, row, edges)
        _signs(codes, first, last, tables, out, row, edges + N_EDGES)


@kernel
def _fill(out: Floats, row: int, first: int, last: int, value: float) -> None:
    for column in range(first, last):
        out[row, column] = value


@kernel
def _lower(code: int, lower: Ints) -> int:
    return lower[code] if code < len(lower) else code


@kernel
def _words(codes: Codes, first: int, last: int, tables: Tables, work: Ints) -> int:
    """Fill `work`, where hashes and keys are of words in lower case; how many there are."""
    flags, lower = tables[0], tables[1]
    n, length, hashed, key, word = 0, 0, 0, 1, 0
    for i in range(first, last + 1):
        bits = int(flags[codes[i]]) if i < last else 0
        if not bits & LETTER and length and i + 1 < last and (codes[i] == 39 or codes[i] == 0x2019):
            bits = APOSTROPHE | (int(flags[codes[i + 1]]) & LETTER)  # in a word where it stands between letters
        if bits & LETTER:
            code = _lower(codes[i], lower)
            if not length and bits & UPPER:
                word = CAPITAL
            length += 1
            hashed = 31 * hashed + code
            key = key << 5 | (code - 96 if 97 <= code <= 122 else 0)
            word |= bits
        elif length:
            work[BEGIN, n], work[LENGTH, n], work[HASH, n] = i - length, length, hashed
            work[KEY, n], work[BITS, n] = key, word
            n, length, hashed, key, word = n + 1, 0, 0, 1, 0
    return n


@kernel
def _sentences(codes: Codes, first: int, last: int, flags: Flags) -> int:
    """Ends of sentences: signs that end one, then closing signs, then white space or the end of the row."""
    n, open_end = 0, False
    for i in range(first, last):
        code = codes[i]
        if 63 < code < 0x2019 and code != 93:  # most often: none of the signs below
            n, open_end = n + (open_end and flags[code] & SPACE != 0), False
        elif code == 46 or code == 33 or code == 63 or code == 0x2026:  # . ! ? and the ellipsis
            open_end = True
        elif open_end:
            if flags[code] & SPACE:
                n, open_end = n + 1, False
            elif not (code == 34 or code == 39 or code == 41 or code == 93 or code == 0x201D or code == 0x2019):
                open_end = False  # not one of " ' ) ] and the two curly quotes
    return n + open_end


@kernel
def _lengths(work: Ints, n: int, sentences: int, out: Floats, row: int) -> None:
    out[row, 0], out[row, 1], out[row, 2] = n, sentences, n / max(sentences, 1)
    if not n:
        _fill(out, row, 3, 8, np.nan)
        return
    lengths = work[LENGTH]
    total, longest, short, long = 0.0, 0, 0, 0
    for i in range(n):
        total += lengths[i]
        longest = max(longest, lengths[i])
        short += lengths[i] <= 3
        long += lengths[i] >= 8
    mean, squares = total / n, 0.0
    for i in range(n):
        deviation = lengths[i] - mean
        squares += deviation * deviation
    out[row, 3], out[row, 4], out[row, 5] = mean, np.sqrt(squares / n), longest
    out[row, 6], out[row, 7] = short / n, long / n


@kernel
def _function_word(key: int, length: int, tables: Tables) -> int:
    """The number of a function word; -1 for another word."""
    if length > LONGEST_KEY:
        return -1
    keys = tables[2]
    place = (key * 0x9E3779B1 >> 15) & (len(keys) - 1)
    while keys[place] != 0 and keys[place] != key:
        place = (place + 1) & (len(keys) - 1)
    return tables[3][place] if keys[place] == key else -1


@kernel
def _kinds(n: int, tables: Tables, n_function: int, work: Ints, out: Floats, row: int, at: int) -> None:
    """Function words, endings, and words by case and apostrophe."""
    endings = tables[4]
    n_endings = endings.shape[1]
    after = at + n_function + n_endings
    function = capital = shouted = contracted = 0
    for word in range(n):
        key, length, bits = work[KEY, word], work[LENGTH, word], work[BITS, word]
        which = _function_word(key, length, tables)
        if which >= 0:
            function += 1
            out[row, at + which] += 1
        for ending in range(n_endings):
            if key & endings[2, ending] == endings[1, ending] and length > endings[0, ending] + 1:
                out[row, at + n_function + ending] += 1
        capital += bits & CAPITAL != 0
        shouted += length > 1 and bits & UPPER != 0 and bits & LOWER == 0
        contracted += bits & APOSTROPHE != 0
    out[row, after] = function / n if n else np.nan
    out[row, after + 1] = capital
    out[row, after + 2] = capital / n if n else np.nan
    out[row, after + 3], out[row, after + 4] = shouted, contracted


@kernel
def _edges(n: int, tables: Tables, work: Ints, out: Floats, row: int, at: int) -> None:
    """First and last words."""
    if not n:
        _fill(out, row, at, at + N_EDGES, np.nan)
        return
    which = _function_word(work[KEY, 0], work[LENGTH, 0], tables)
    out[row, at], out[row, at + 1] = work[LENGTH, 0], work[LENGTH, n - 1]
    out[row, at + 2], out[row, at + 3] = which >= 0, 0 <= which < 3  # they begin with "the", "a" and "an"
    out[row, at + 4] = work[BITS, 1] & CAPITAL != 0 if n > 1 else np.nan
    out[row, at + 5] = work[BITS, n - 1] & CAPITAL != 0


@kernel
def _signs(codes: Codes, first: int, last: int, tables: Tables, out: Floats, row: int, at: int) -> None:
    """Punctuation, and shares of kinds of characters and of single letters."""
    flags, columns = tables[0], tables[5]
    n, after = last - first, at + N_SIGNS - 1  # what is not counted goes where the share of capitals will be
    if not n:
        _fill(out, row, at + 1, out.shape[1], np.nan)
        return
    punctuation = white = numerals = upper = 0
    for i in range(first, last):
        code = codes[i]
        bits = int(flags[code])
        punctuation += bits & (LETTER | DIGIT | SPACE) == 0
        white += bits >> 2 & 1
        numerals += bits >> 7
        upper += bits >> 4 & 1
        out[row, after + columns[min(code, 127)]] += 1
    out[row, at], out[row, at + 1], out[row, at + 2] = punctuation, punctuation / n, white / n
    out[row, at + 3], out[row, at + 4] = numerals / n, upper / n
    for column in range(after + 1, out.shape[1]):
        out[row, column] /= n


@kernel
def _distinct(codes: Codes, n: int, lower: Ints, work: Ints) -> int:
    """How many different words there are in lower case, by a table with linear probing."""
    slots, size = work[SLOTS], 4
    while size < n + n // 2:
        size *= 2
    for place in range(size):
        slots[place] = -1
    found = 0
    for word in range(n):
        place = (work[HASH, word] * 0x9E3779B1 >> 15) & (size - 1)
        while slots[place] >= 0 and not _same(codes, word, slots[place], lower, work):
            place = (place + 1) & (size - 1)
        if slots[place] < 0:
            slots[place] = word
            found += 1
    return found


@kernel
def _same(codes: Codes, one: int, other: int, lower: Ints, work: Ints) -> bool:
    if work[HASH, one] != work[HASH, other] or work[LENGTH, one] != work[LENGTH, other]:
        return False
    for k in range(work[LENGTH, one]):
        if _lower(codes[work[BEGIN, one] + k], lower) != _lower(codes[work[BEGIN, other] + k], lower):
            return False
    return True
