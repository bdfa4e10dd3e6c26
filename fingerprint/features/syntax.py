"""Family `syntax`: runs of code tokens without what they are called, spaces around operators, and names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from fingerprint.data.arrays import Bools, Ints
from fingerprint.features.pieces import PieceFamily, Symbols
from fingerprint.features.scanner import BLANK, COMMENT, NAME, NEWLINE, NUMBER, OPERATOR, STRING, Scanned
from fingerprint.features.segments import Segments

ORDERS = range(1, 5)
_AS_ONE = {STRING: "s", NUMBER: "0", NAME: "n", NEWLINE: "\\n"}


class Syntax(PieceFamily):
    """Presence of runs of 1 to 4 tokens of source code, in which every name, string and number is one symbol.

    Beside them stand names as written, and operators with the blanks around them (`_=_`).
    """

    definition = "syntax-1"

    def symbols(self, texts: Sequence[str]) -> list[Symbols]:
        scanned = Scanned.of(texts)
        return [_structure(scanned), _names(scanned), _spacing(scanned)]


def _structure(scanned: Scanned) -> Symbols:
    kind = scanned.kind
    kept = (kind != BLANK) & (kind != COMMENT)
    places = np.flatnonzero(kept)
    row, is_end = scanned.row[places], kind[places] == NEWLINE
    again = np.zeros(len(places), dtype=bool)  # of line ends that follow one another all but the first
    again[1:] = is_end[1:] & is_end[:-1] & (row[1:] == row[:-1])
    counts = np.bincount(row[~again], minlength=scanned.segments.n_rows).astype(np.int64)
    return _coded(Segments(counts), scanned, places[~again], partial(_symbol, scanned), ORDERS)


def _symbol(scanned: Scanned, kind: int, place: int) -> str:
    return _AS_ONE.get(kind) or scanned.vocabulary[place]


def _names(scanned: Scanned) -> Symbols:
    chosen: Bools = scanned.kind == NAME
    labels = partial(_called, scanned)
    return _coded(scanned.segments.where(chosen), scanned, np.flatnonzero(chosen), labels, range(1, 2))


def _called(scanned: Scanned, kind: int, place: int) -> str:
    return f"name {scanned.vocabulary[place]}"


def _spacing(scanned: Scanned) -> Symbols:
    chosen: Bools = scanned.kind == OPERATOR
    before, after = scanned.before(scanned.kind, NEWLINE) == BLANK, scanned.after(scanned.kind, NEWLINE) == BLANK
    pattern = before.astype(np.int64) * 2 + after
    labels = partial(_spaced, scanned)
    places = np.flatnonzero(chosen)
    return _coded(scanned.segments.where(chosen), scanned, places, labels, range(1, 2), pattern[places])


def _spaced(scanned: Scanned, pattern: int, place: int) -> str:
    return f"{'_' * (pattern // 2)}{scanned.vocabulary[place]}{'_' * (pattern % 2)} spaced"


def _coded(
    segments: Segments, scanned: Scanned, places: Ints, labels: partial[str], orders: range, of: Ints | None = None
) -> Symbols:
    """Symbols of tokens; each pair of a kind and a word is put into words once."""
    kind = scanned.kind[places] if of is None else of
    pairs, inverse = np.unique(kind * max(len(scanned.vocabulary), 1) + scanned.index[places], return_inverse=True)
    width = max(len(scanned.vocabulary), 1)
    known: dict[str, int] = {}
    numbers = [known.setdefault(labels(pair // width, pair % width), len(known)) for pair in pairs.tolist()]
    return Symbols(segments, list(known), np.array(numbers, dtype=np.int64)[inverse], orders)
