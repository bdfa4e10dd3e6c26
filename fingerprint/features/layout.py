"""Family `layout`: how a row is written, whatever it says: lengths, separators, brackets, casing, lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fingerprint.data.arrays import Bools, Floats
from fingerprint.features.grids import COUNTS, EXTENTS, KINDS, LENGTHS, Grid
from fingerprint.features.quantiles import QuantileFamily
from fingerprint.features.segments import characters, items

MARKS = " \n\t,;:.!?()[]{}<>|-_*#/\\\"'`"
_SEPARATORS = re.compile(r"[^\w]+")


_GRIDS = {
    **dict.fromkeys(("characters", "upper-case letters", "lower-case letters", "digits"), LENGTHS),
    **dict.fromkeys(("longest line", "last line"), EXTENTS),
    **dict.fromkeys(("kind of first character", "kind of last character"), KINDS),
}


class Layout(QuantileFamily):
    """Counts of marks, lengths and lines; separators as written; how the row begins and ends.

    Digits and letters enter as counts only, so that no value or word is seen.
    """

    definition = "layout-2"

    def grid(self, measurement: str) -> Grid:
        return _GRIDS.get(measurement, COUNTS)

    def measure(self, texts: Sequence[str]) -> dict[str, Floats]:
        return _marks(texts) | _separators(texts) | _lines(texts) | _ends(texts)


def character_flags(codes: NDArray[np.uint32]) -> dict[str, Bools]:
    """Which characters are upper case, lower case, digits or outside ASCII, looked up once a distinct character."""
    distinct, inverse = np.unique(codes, return_inverse=True)
    signs = [chr(int(code)) for code in distinct]
    tests = {"upper": str.isupper, "lower": str.islower, "digit": str.isdigit, "space": str.isspace}
    flags = {name: np.fromiter(map(test, signs), dtype=bool, count=len(signs)) for name, test in tests.items()}
    flags["non-ASCII"] = distinct > 127
    return {name: flag[inverse] for name, flag in flags.items()}


def _marks(texts: Sequence[str]) -> dict[str, Floats]:
    segments, codes = characters(texts)
    table = {"characters": segments.counts.astype(np.float64)}
    names = {"upper": "upper-case letters", "lower": "lower-case letters", "digit": "digits", "non-ASCII": "non-ASCII"}
    flags = character_flags(codes)
    table |= {label: segments.total(flags[name]) for name, label in names.items()}
    return table | {f"count of {mark!r}": segments.total(codes == ord(mark)) for mark in MARKS}


def _separators(texts: Sequence[str]) -> dict[str, Floats]:
    segments, vocabulary, index = items([_SEPARATORS.findall(text) for text in texts])
    lengths = np.fromiter((len(s) for s in vocabulary), dtype=np.int64, count=len(vocabulary))
    return {
        "separators": segments.counts.astype(np.float64),
        "distinct separators": segments.distinct(index),
        "longest separator": segments.reduce(np.maximum, lengths[index]),
    }


def _lines(texts: Sequence[str]) -> dict[str, Floats]:
    segments, vocabulary, index = items([text.split("\n") for text in texts])
    lengths = np.fromiter((len(s) for s in vocabulary), dtype=np.int64, count=len(vocabulary))[index]
    blank = np.fromiter((not s.strip() for s in vocabulary), dtype=bool, count=len(vocabulary))[index]
    bullet = np.fromiter((_is_bullet(s) for s in vocabulary), dtype=bool, count=len(vocabulary))[index]
    return {
        "blank lines": segments.total(blank),
        "bulleted or numbered lines": segments.total(bullet),
        "longest line": segments.reduce(np.maximum, lengths),
        "last line": segments.at(lengths, -1),
    }


_BULLET = re.compile(r"\s*(?:[-*+•–]|\d{1,3}[.)])\s")


def _is_bullet(line: str) -> bool:
    return _BULLET.match(line) is not None


# Kinds of first and last character; the number is only a label for the bins.
_END_KINDS = {mark: 5 + i for i, mark in enumerate(".,;:!?)]}\"'`*”’…")}


def _ends(texts: Sequence[str]) -> dict[str, Floats]:
    return {
        "leading white space": _floats(len(text) - len(text.lstrip()) for text in texts),
        "trailing white space": _floats(len(text) - len(text.rstrip()) for text in texts),
        "kind of first character": _floats(_kind(text.lstrip()[:1]) for text in texts),
        "kind of last character": _floats(_kind(text.rstrip()[-1:]) for text in texts),
    }


def _kind(sign: str) -> int:
    if not sign:
        return 0
    if sign.isdigit():
        return 1
    if sign.isalpha():
        return 2 if sign.isupper() else 3
    return _END_KINDS.get(sign, 4)


def _floats(values: Iterable[int]) -> Floats:
    return np.array(list(values), dtype=np.float64)
