"""Family `layout`: how a row is written, whatever it says: lengths, separators, brackets, casing, lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

from fingerprint.data.arrays import Codes, Floats, Ints
from fingerprint.features.characters import ALPHA, LOWER, NUMERAL, UPPER, character_flags
from fingerprint.features.grids import COUNTS, EXTENTS, KINDS, LENGTHS, Grid
from fingerprint.features.measured import Kernel
from fingerprint.features.quantiles import QuantileFamily
from fingerprint.features.segments import characters, items
from fingerprint.features.shapes import WHITE, shape

MARKS = " \n\t,;:.!?()[]{}<>|-_*#/\\\"'`"
_SEPARATORS = re.compile(r"[^\w]+", re.ASCII)


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
    kernels = "measured_layout"

    def grid(self, measurement: str) -> Grid:
        return _GRIDS.get(measurement, COUNTS)

    def measurements(self) -> tuple[str, ...]:
        return _names()

    def kernel(self) -> Kernel:
        return kernel(separators=True)

    def measure(self, texts: Sequence[str]) -> dict[str, Floats]:
        shapes = [shape(text) for text in texts]
        return _marks(texts) | _separators(texts, shapes) | _lines(shapes) | _ends(texts, shapes)


def kernel(separators: bool) -> Kernel:
    """Compiled code; without separators, which take half of the time, their columns mean nothing."""
    from fingerprint.features.kernels.measured_layout import measure_layout

    flags, columns = character_flags(), _mark_columns()

    def fill(codes: Codes, starts: Ints, out: Floats) -> None:
        work = np.full((5, 2 * int(np.diff(starts).max()) + 128), -1)
        measure_layout(codes, starts, flags, len(MARKS), columns, _END_CODES, separators, work, out)

    return fill


@cache
def _names() -> tuple[str, ...]:
    return tuple(Layout().measure([""]))



@cache
def _mark_columns() -> Ints:
    """Columns of the counts of marks, by ASCII character; 0 for others."""
    columns = np.zeros(128, dtype=np.int64)
    columns[[ord(mark) for mark in MARKS]] = _names().index(f"count of {MARKS[0]!r}") + np.arange(len(MARKS))
    return columns


def _marks(texts: Sequence[str]) -> dict[str, Floats]:
    segments, codes = characters(texts)
    table = {"characters": segments.counts.astype(np.float64)}
    bits = character_flags()[codes]
    names = {"upper-case letters": UPPER, "lower-case letters": LOWER, "digits": NUMERAL}
    table |= {name: segments.total(bits & bit != 0) for name, bit in names.items()}
    table["non-ASCII"] = segments.total(codes > 127)
    return table | {f"count of {mark!r}": segments.total(codes == ord(mark)) for mark in MARKS}


def _separators(texts: Sequence[str], shapes: Sequence[str]) -> dict[str, Floats]:
    found = [
        [text[run.start() : run.end()] for run in _SEPARATORS.finditer(shaped)]
        for text, shaped in zip(texts, shapes, strict=True)
    ]
    segments, vocabulary, index = items(found)
    lengths = np.fromiter((len(s) for s in vocabulary), dtype=np.int64, count=len(vocabulary))
    return {
        "separators": segments.counts.astype(np.float64),
        "distinct separators": segments.distinct(index),
        "longest separator": segments.reduce(np.maximum, lengths[index]),
    }


def _lines(shapes: Sequence[str]) -> dict[str, Floats]:
    segments, vocabulary, index = items([shaped.split("\n") for shaped in shapes])
    lengths = np.fromiter((len(s) for s in vocabulary), dtype=np.int64, count=len(vocabulary))[index]
    blank = np.fromiter((not s.strip(WHITE) for s in vocabulary), dtype=bool, count=len(vocabulary))[index]
    bullet = np.fromiter((_is_bullet(s) for s in vocabulary), dtype=bool, count=len(vocabulary))[index]
    return {
        "blank lines": segments.total(blank),
        "bulleted or numbered lines": segments.total(bullet),
        "longest line": segments.reduce(np.maximum, lengths),
        "last line": segments.at(lengths, -1),
    }


_BULLET = re.compile(r" *(?:[-*+•–]|0{1,3}[.)]) ")


def _is_bullet(line: str) -> bool:
    return _BULLET.match(line) is not None


# Kinds of first and last character; the number is only a label for the bins.
_END_KINDS = {mark: 5 + i for i, mark in enumerate(".,;:!?)]}\"'`*”’…")}
_END_CODES = np.array([ord(mark) for mark in _END_KINDS], dtype=np.int64)


def _ends(texts: Sequence[str], shapes: Sequence[str]) -> dict[str, Floats]:
    leading = [len(shaped) - len(shaped.lstrip(WHITE)) for shaped in shapes]
    trailing = [len(shaped) - len(shaped.rstrip(WHITE)) for shaped in shapes]
    return {
        "leading white space": _floats(leading),
        "trailing white space": _floats(trailing),
        "kind of first character": _floats(_kind(text[n : n + 1]) for text, n in zip(texts, leading, strict=True)),
        "kind of last character": _floats(
            _kind(text[len(text) - n - 1 : len(text) - n] if n < len(text) else "")
            for text, n in zip(texts, trailing, strict=True)
        ),
    }


def _kind(sign: str) -> int:
    if not sign:
        return 0
    bits = int(character_flags()[ord(sign)])
    if bits & NUMERAL:
        return 1
    if bits & ALPHA:
        return 2 if bits & UPPER else 3
    return _END_KINDS.get(sign, 4)


def _floats(values: Iterable[int]) -> Floats:
    return np.array(list(values), dtype=np.float64)
