"""Make the package's table of characters: what `re` and `str` of this Python say of every code point.

    python benchmarks/character_table.py [--check] [--out fingerprint/features/data/characters.npy]

The table is part of the definitions of feature families, so it is made once, under Python 3.11 (Unicode 14), and stays;
another Unicode version is refused. One number a run of equal code points: its first code point times 256, plus bits.
"""

from __future__ import annotations

import argparse
import re
import sys
import unicodedata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fingerprint.features import characters as c

UNICODE = "14.0.0"
OUT = Path(c.__file__).parent / "data" / "characters.npy"

TESTS = {
    c.DIGIT: re.compile(r"\d").match,
    c.LETTER: re.compile(r"[^\W\d_]").match,
    c.SPACE: re.compile(r"\s").match,
    c.UNDERSCORE: re.compile(r"_").match,
    c.UPPER: str.isupper,
    c.LOWER: str.islower,
    c.ALPHA: str.isalpha,
    c.NUMERAL: str.isdigit,
}


def flags_of(sign: str) -> int:
    """Bits of one character, under the running Python."""
    return sum(bit for bit, test in TESTS.items() if test(sign))


def runs() -> NDArray[np.uint32]:
    """Runs of equal code points, in the form of the file."""
    table = np.fromiter((flags_of(chr(code)) for code in range(c.N_CODE_POINTS)), np.uint32, c.N_CODE_POINTS)
    starts = np.flatnonzero(np.diff(table, prepend=256)).astype(np.uint32)
    return starts << np.uint32(8) | table[starts]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the file instead of writing it")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    if unicodedata.unidata_version != UNICODE:
        print(f"this Python knows Unicode {unicodedata.unidata_version}; run it under Python 3.11 ({UNICODE})")
        return 2
    made = runs()
    if options.check:
        same = np.array_equal(np.load(options.out), made)
        print(f"{options.out}: {'as made here' if same else 'DIFFERS'}")
        return 0 if same else 1
    np.save(options.out, made)
    print(f"{options.out}: {len(made):,} runs, {options.out.stat().st_size:,} bytes, Unicode {UNICODE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
