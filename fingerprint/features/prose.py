"""Family `prose`, the counterpart of `numbers` for text: lengths, marks, function words, openings, list shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TypeAlias

import numpy as np

from fingerprint.data.arrays import Codes, Flags, Floats, Ints
from fingerprint.features import layout
from fingerprint.features.characters import DIGIT, LETTER, LOWER, NUMERAL, SPACE, UPPER, character_flags
from fingerprint.features.grids import COUNTS, EXTENTS, KINDS, LENGTHS, MEANS, SHARES, Grid
from fingerprint.features.layout import Layout
from fingerprint.features.measured import Kernel
from fingerprint.features.quantiles import QuantileFamily
from fingerprint.features.segments import Segments, characters, items
from fingerprint.features.shapes import shape

# What the module of kernels looks up: bits of characters, lower case, function words, endings, columns of letters.
Tables: TypeAlias = tuple[Flags, Ints, Ints, Ints, Ints, Ints]

# Of shapes, whose letters are "a".
_WORD = re.compile(r"a+(?:['’]a+)*")
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]+[\"'”’)\]]*(?:[ \n]|$)")
FUNCTION_WORDS = (
    "the a an of to in and or but is are was were be been it its this that these those with for on as by at from "
    "can could will would should may might must not no if then than so when while which who what how there their "
    "they them he she his her you your i my we our us me do does did has have had more most some any all each very"
).split()
PROSE_MARKS = "\n.,;:!?()-*\"'"
LETTERS = "etaoinshrdlucm"
ENDINGS = ("ing", "ed", "ly", "s", "tion", "er", "al", "ous", "ful", "est")


_GRIDS = {
    **dict.fromkeys(("characters", "words"), LENGTHS),
    "longest line": EXTENTS,
    **dict.fromkeys(("kind of first character", "kind of last character"), KINDS),
    **dict.fromkeys(("words a sentence", "mean word length", "spread of word lengths"), MEANS),
    "function words": SHARES,
}


class Prose(QuantileFamily):
    """Structured bins of running text, no word beyond function words.

    Lengths of words, sentences, lines and rows; marks and list shapes; function words; word endings; opening
    and closing words; casing; variety; letters. The same idea as `Numbers`: few pooled bins of well-chosen
    measurements, because a shift in habits shows in them before single words do.
    """

    definition = "prose-3"
    kernels = "measured_prose"

    def grid(self, measurement: str) -> Grid:
        return SHARES if measurement.startswith("share of") else _GRIDS.get(measurement, COUNTS)

    def measurements(self) -> tuple[str, ...]:
        return _names()

    def kernel(self) -> Kernel:
        from fingerprint.features.kernels.measured_prose import measure_prose

        measure_layout = layout.kernel(separators=False)
        names = Layout().measurements()
        shared = [names.index(name) for name in _SHAPES]

        def fill(codes: Codes, starts: Ints, out: Floats) -> None:
            work = np.empty((6, 2 * int(np.diff(starts).max()) + 4), dtype=np.int64)
            measure_prose(codes, starts, _tables(), len(_SHAPES), len(FUNCTION_WORDS), work, out)
            shapes = np.empty((len(out), len(names)))
            measure_layout(codes, starts, shapes)
            out[:, _N_LENGTHS : _N_LENGTHS + len(shared)] = shapes[:, shared]

        return fill

    def measure(self, texts: Sequence[str]) -> dict[str, Floats]:
        shapes = [shape(text) for text in texts]
        found = [
            [text[word.start() : word.end()] for word in _WORD.finditer(shaped)]
            for text, shaped in zip(texts, shapes, strict=True)
        ]
        segments, vocabulary, index = items(found)
        return (
            _lengths(shapes, segments, _each(len, vocabulary)[index])
            | _shapes(texts)
            | _kinds(segments, vocabulary, index)
            | _edges(segments, vocabulary, index)
            | _signs(texts)
        )


@cache
def _names() -> tuple[str, ...]:
    return tuple(Prose().measure([""]))



def _key(letters: str, key: int) -> int:
    """Small letters at five bits each."""
    for letter in letters:
        key = key << 5 | ord(letter) - 96
    return key


@cache
def _tables() -> Tables:
    """What `fingerprint.features.kernels.measured_prose` looks up."""
    keys, numbers = np.zeros((2, 512), dtype=np.int64)
    for number, word in enumerate(FUNCTION_WORDS):
        key = _key(word, 1)
        place = (key * 0x9E3779B1 >> 15) & (len(keys) - 1)
        while keys[place]:
            place = (place + 1) & (len(keys) - 1)
        keys[place], numbers[place] = key, number
    endings = np.array([[len(e), _key(e, 0), 32 ** len(e) - 1] for e in ENDINGS], dtype=np.int64).T.copy()
    columns = np.zeros(128, dtype=np.int64)
    for column, letter in enumerate(LETTERS):
        columns[[ord(letter), ord(letter.upper())]] = column + 1
    return character_flags(), lower_case(), keys, numbers, endings, columns


def _each(function: Callable[[str], int], vocabulary: list[str]) -> Ints:
    return np.fromiter((function(word) for word in vocabulary), dtype=np.int64, count=len(vocabulary))


def _lengths(shapes: Sequence[str], segments: Segments, length: Ints) -> dict[str, Floats]:
    sentences = np.array([len(_SENTENCE_END.findall(shaped)) for shaped in shapes], dtype=np.float64)
    words = segments.counts.astype(np.float64)
    return {
        "words": words,
        "sentences": sentences,
        "words a sentence": words / np.maximum(sentences, 1),
        "mean word length": segments.mean(length),
        "spread of word lengths": segments.spread(length.astype(np.float64)),
        "longest word": segments.reduce(np.maximum, length),
        "share of short words": segments.mean(length <= 3),
        "share of long words": segments.mean(length >= 8),
    }


_N_LENGTHS = 8  # columns before those of shapes
# What is measured as `Layout` measures it.
_SHAPES = (
    "characters", "blank lines", "bulleted or numbered lines", "longest line", "trailing white space",
    "kind of first character", "kind of last character", *(f"count of {mark!r}" for mark in PROSE_MARKS),
)  # fmt: skip


def _shapes(texts: Sequence[str]) -> dict[str, Floats]:
    measured = Layout().measure(texts)
    return {name: measured[name] for name in _SHAPES}


@cache
def lower_case() -> Ints:
    """Lower case of every code point up to the last one that is not its own [code points].

    Of Latin letters with and without accents, Greek and Cyrillic: a rule, so that it does not follow the interpreter.
    """
    flags = character_flags()
    table = np.arange(0x430, dtype=np.int64)
    latin = ((0x41, 0x5A, 32), (0xC0, 0xDE, 32), (0x100, 0x12F, 1), (0x131, 0x17F, 1))  # `İ` has no single lower case
    for first, last, distance in (*latin, (0x391, 0x3AB, 32), (0x400, 0x40F, 80), (0x410, 0x42F, 32)):
        for code in range(first, last + 1):
            if flags[code] & UPPER and flags[code + distance] & LOWER:
                table[code] = code + distance
    return table


@cache
def _lower_case_of() -> dict[int, int]:
    return dict(enumerate(lower_case().tolist()))


def _lower(text: str) -> str:
    return text.translate(_lower_case_of())


def _bits(text: str) -> Flags:
    return character_flags()[[ord(sign) for sign in text]]


def _is_shouted(word: str) -> bool:
    bits = _bits(word)
    return len(word) > 1 and bool((bits & UPPER).any()) and not (bits & LOWER).any()


def _is_capitalised(word: str) -> bool:
    return bool(_bits(word[0])[0] & UPPER)


def _kinds(segments: Segments, vocabulary: list[str], index: Ints) -> dict[str, Floats]:
    lower = [_lower(word) for word in vocabulary]
    place = {word: i for i, word in enumerate(FUNCTION_WORDS)}
    which = np.array([place.get(word, -1) for word in lower], dtype=np.int64)[index]
    table = {f"word {word!r}": segments.total(which == i) for i, word in enumerate(FUNCTION_WORDS)}
    for ending in ENDINGS:
        table[f"words in -{ending}"] = segments.total(_each(partial(_ends_in, ending), lower)[index])
    capital = _each(_is_capitalised, vocabulary)[index]
    shouted = _each(_is_shouted, vocabulary)[index]
    contracted = _each(lambda w: "'" in w or "’" in w, vocabulary)[index]
    table["function words"] = segments.mean(which >= 0)
    table["capitalised words"] = segments.total(capital)
    table["share of capitalised words"] = segments.mean(capital)
    table["words in capitals"] = segments.total(shouted)
    table["contractions"] = segments.total(contracted)
    table["share of distinct words"] = _distinct(segments, lower, index)
    return table


def _ends_in(ending: str, word: str) -> bool:
    return len(word) > len(ending) + 1 and word.endswith(ending)


def _distinct(segments: Segments, lower: list[str], index: Ints) -> Floats:
    same: dict[str, int] = {}
    folded = np.array([same.setdefault(word, len(same)) for word in lower], dtype=np.int64)[index]
    with np.errstate(invalid="ignore", divide="ignore"):
        return segments.distinct(folded) / segments.counts


def _edges(segments: Segments, vocabulary: list[str], index: Ints) -> dict[str, Floats]:
    length = _each(len, vocabulary)[index]
    lower = [_lower(word) for word in vocabulary]
    function = _each(lambda w: w in FUNCTION_WORDS, lower)[index]
    capital = _each(_is_capitalised, vocabulary)[index]
    return {
        "length of first word": segments.at(length, 0),
        "length of last word": segments.at(length, -1),
        "opening function word": segments.at(function, 0),
        "opening 'the', 'a' or 'an'": segments.at(_each(lambda w: w in ("the", "a", "an"), lower)[index], 0),
        "capitalised second word": segments.at(capital, 1),
        "capitalised last word": segments.at(capital, -1),
    }


def _signs(texts: Sequence[str]) -> dict[str, Floats]:
    segments, codes = characters(texts)
    bits = character_flags()[codes]
    punctuation = bits & (LETTER | DIGIT | SPACE) == 0
    table = {
        "punctuation": segments.total(punctuation),
        "share of punctuation": segments.mean(punctuation),
        "share of white space": segments.mean(bits & SPACE != 0),
        "share of digits": segments.mean(bits & NUMERAL != 0),
        "share of capitals": segments.mean(bits & UPPER != 0),
    }
    for letter in LETTERS:
        table[f"share of letter {letter}"] = segments.mean((codes == ord(letter)) | (codes == ord(letter.upper())))
    return table
