"""Worked answers cut into words, numbers, signs and marks by one regular expression; time grows with their length."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Bools, Floats, Ints
from fingerprint.features.segments import Segments

# Of a longer row its beginning is read, and its end, where the answer is.
LONGEST = 16_384
ROWS_AT_ONCE = 2048

WORD, NUMBER, SIGN, STOP, LINE, TAG, MARK = range(7)

TAGS = r"</?[a-zA-Z_]{2,20}>"
_TOKEN = re.compile(
    TAGS + r"|\\[a-zA-Z]+|\\."
    r"|[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?%?"
    r"|(?:[A-Za-z]|(?![×·÷≈→⇒])[\x80-\U0010ffff])+(?:['’][A-Za-z]+)*"
    r"|\n+|[.!?]+(?=[\s\"')\]*]|\Z)|\*\*|\$\$|#+|[^ \t\r\f\v]",
    re.ASCII,
)

# What leads from step to step. Beyond these and the function words of `prose`, words are what an answer is about.
CONNECTIVES = (
    "so thus therefore hence then next first firstly second secondly third finally lastly because since now but "
    "however wait also let lets let's we i given means implies which gives get find calculate compute solve need know "
    "note recall consider suppose assume check verify actually alternatively again instead similarly overall total "
    "okay ok hmm alright step answer result equals equal plus minus times divided multiply multiplied add added "
    "subtract subtracted substitute simplify remaining left each per after before once altogether combined sum "
    "difference product initially afterwards later begin start"
).split()
FUNCTION_WORDS = (
    "the a an of to in and or is are was were be been it its this that these those with for on as by at from can could "
    "will would should may might must no not if than when while who what how there their they them he she his her you "
    "your my our us me do does did has have had more most some any all both if"
).split()
KEPT = frozenset(CONNECTIVES) | frozenset(FUNCTION_WORDS)
SIGNS = tuple("= + - * / × · ÷ ≈ ^ < > ( ) [ ] { } : ; , $ % → ⇒ | _ ~".split())
_AS_SIGNS = {"\\times": "×", "\\cdot": "·", "\\div": "÷", "\\frac": "/", "\\approx": "≈"}


def beginning_and_end(text: str) -> str:
    """A row, or of a long one its beginning and its end."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else text[:half] + text[-half:]


def tokens(text: str) -> list[str]:
    """Everything but blanks, in order."""
    return _TOKEN.findall(text)


def small(word: str) -> str:
    """In small letters, by the rule of ASCII."""
    return word.translate(_SMALL) if word.isascii() else word.replace("’", "'").translate(_SMALL)


_SMALL = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def kind_of(token: str) -> int:
    """What a token is."""
    first = token[0]
    if first == "\n":
        return LINE
    if "0" <= first <= "9":
        return NUMBER
    if len(token) > 2 and first == "<":
        return TAG
    if first in ".!?":
        return STOP
    if "a" <= first <= "z" or "A" <= first <= "Z" or (ord(first) > 127 and first not in SIGNS and len(token) > 1):
        return WORD
    return SIGN if token in SIGNS or token in _AS_SIGNS else MARK


@dataclass(frozen=True)
class Answers:
    """Tokens of some rows, row after row.

    Attributes
    ----------
    segments : Segments
        How many tokens a row has.
    row, kind, index : int arrays [tokens]
    vocabulary : list of str
    """

    segments: Segments
    row: Ints
    kind: Ints
    index: Ints
    vocabulary: list[str]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Answers:
        """Cut rows into tokens."""
        places: dict[str, int] = {}
        counts, index = [], []
        for text in texts:
            found = tokens(beginning_and_end(text))
            counts.append(len(found))
            index += [places.setdefault(token, len(places)) for token in found]
        vocabulary, indices = list(places), np.array(index, dtype=np.int64)
        segments = Segments(np.array(counts, dtype=np.int64))
        kinds = np.array([kind_of(token) for token in vocabulary], dtype=np.int64)
        kind = kinds[indices] if len(kinds) else indices
        return cls(segments, segments.row, kind, indices, vocabulary)

    def each(self, function: Callable[[str], int]) -> Ints:
        """A value of every token, worked out once for each in the vocabulary."""
        values = np.fromiter(map(function, self.vocabulary), dtype=np.int64, count=len(self.vocabulary))
        return values[self.index] if len(values) else np.zeros(0, dtype=np.int64)

    def total(self, chosen: Bools) -> Floats:
        """How many of the chosen tokens each row has."""
        return np.bincount(self.row[chosen], minlength=self.segments.n_rows).astype(np.float64)

    def shifted(self, values: Ints, by: int, fill: int) -> Ints:
        """Value of the token so many places behind (or before, if negative); `fill` outside of the row."""
        moved = np.full(len(values), fill, dtype=np.int64)
        if by > 0:
            moved[:-by] = np.where(self.row[by:] == self.row[:-by], values[by:], fill)
        else:
            moved[-by:] = np.where(self.row[:by] == self.row[-by:], values[:by], fill)
        return moved

    def begins_sentence(self) -> Bools:
        """The first word, number or tag of each sentence and line."""
        opens = np.isin(self.kind, (WORD, NUMBER))
        ends = np.isin(self.kind, (STOP, LINE, TAG))
        place = np.arange(len(self.kind))
        borders = np.where(ends | (self.segments.position == 0), place, 0)
        sentence = np.maximum.accumulate(borders) if len(place) else place
        firsts = np.unique(sentence[opens], return_index=True)[1]
        chosen = np.zeros(len(place), dtype=bool)
        chosen[np.flatnonzero(opens)[firsts]] = True
        return chosen


def as_sign(token: str) -> str:
    """A sign, whichever way LaTeX writes it."""
    return _AS_SIGNS.get(token, token)
