"""What every code point is: a fixed table, so that a text has the same features under every version of Python.

Python's `str` methods and `re` follow the Unicode version of the interpreter, which gives unassigned code points a
meaning every year. The table is that of Unicode 14 (Python 3.11), made by `benchmarks/character_table.py`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

N_CODE_POINTS = 0x110000

# Bits of a code point. Every code point has one of the first four, or none of them (marks and signs).
DIGIT = 1 << 0  # `\d` of re, `str.isdecimal`
LETTER = 1 << 1  # `[^\W\d_]` of re: letters, and numerals that are no decimal digits (`²`, `½`, `Ⅷ`)
SPACE = 1 << 2  # `\s` of re, `str.isspace`
UNDERSCORE = 1 << 3
UPPER = 1 << 4  # `str.isupper` of the code point alone
LOWER = 1 << 5  # `str.islower`
ALPHA = 1 << 6  # `str.isalpha`
NUMERAL = 1 << 7  # `str.isdigit`: decimal digits, and `²` or `①`

# Characters with the same of these bits make one token when they stand side by side.
KIND = DIGIT | LETTER | SPACE | UNDERSCORE

_FILE = Path(__file__).parent / "data" / "characters.npy"


@cache
def character_flags() -> NDArray[np.uint8]:
    """Bits of every code point [0x110000], read-only; a text's are `character_flags()[codes]`."""
    runs = np.load(_FILE)
    starts, values = runs >> 8, (runs & 0xFF).astype(np.uint8)
    table = np.repeat(values, np.diff(starts, append=N_CODE_POINTS))
    table.flags.writeable = False
    return table
