"""Family `prose`, the counterpart of `numbers` for text: lengths, marks, function words, openings, list shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fingerprint.data.arrays import Floats, Ints
from fingerprint.features.grids import COUNTS, EXTENTS, KINDS, LENGTHS, MEANS, SHARES, Grid
from fingerprint.features.layout import Layout, character_flags
from fingerprint.features.quantiles import QuantileFamily
from fingerprint.features.segments import Segments, characters, items

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?:\s|$)")
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

    definition = "prose-2"

    def grid(self, measurement: str) -> Grid:
        return SHARES if measurement.startswith("share of") else _GRIDS.get(measurement, COUNTS)

    def measure(self, texts: Sequence[str]) -> dict[str, Floats]:
        segments, vocabulary, index = items([WORD.findall(text) for text in texts])
        return (
            _lengths(texts, segments, _each(len, vocabulary)[index])
            | _shapes(texts)
            | _kinds(segments, vocabulary, index)
            | _edges(segments, vocabulary, index)
            | _signs(texts)
        )


def _each(function: Callable[[str], int], vocabulary: list[str]) -> Ints:
    return np.fromiter((function(word) for word in vocabulary), dtype=np.int64, count=len(vocabulary))


def _lengths(texts: Sequence[str], segments: Segments, length: Ints) -> dict[str, Floats]:
    sentences = np.array([len(_SENTENCE_END.findall(text)) for text in texts], dtype=np.float64)
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


def _shapes(texts: Sequence[str]) -> dict[str, Floats]:
    layout = Layout().measure(texts)
    shared = ["characters", "blank lines", "bulleted or numbered lines", "longest line", "trailing white space"]
    shared += ["kind of first character", "kind of last character", *(f"count of {mark!r}" for mark in PROSE_MARKS)]
    return {name: layout[name] for name in shared}


def _kinds(segments: Segments, vocabulary: list[str], index: Ints) -> dict[str, Floats]:
    lower = [word.lower() for word in vocabulary]
    place = {word: i for i, word in enumerate(FUNCTION_WORDS)}
    which = np.array([place.get(word, -1) for word in lower], dtype=np.int64)[index]
    table = {f"word {word!r}": segments.total(which == i) for i, word in enumerate(FUNCTION_WORDS)}
    for ending in ENDINGS:
        table[f"words in -{ending}"] = segments.total(_each(partial(_ends_in, ending), lower)[index])
    capital = _each(lambda w: w[0].isupper(), vocabulary)[index]
    shouted = _each(lambda w: len(w) > 1 and w.isupper(), vocabulary)[index]
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
    lower = [word.lower() for word in vocabulary]
    function = _each(lambda w: w in FUNCTION_WORDS, lower)[index]
    capital = _each(lambda w: w[0].isupper(), vocabulary)[index]
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
    flags = character_flags(codes)
    punctuation = ~(flags["upper"] | flags["lower"] | flags["digit"] | flags["space"])
    table = {
        "punctuation": segments.total(punctuation),
        "share of punctuation": segments.mean(punctuation),
        "share of white space": segments.mean(flags["space"]),
        "share of digits": segments.mean(flags["digit"]),
        "share of capitals": segments.mean(flags["upper"]),
    }
    folded = _fold_case(codes)
    return table | {f"share of letter {letter}": segments.mean(folded == ord(letter)) for letter in LETTERS}


def _fold_case(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return np.where((codes >= 65) & (codes <= 90), codes + 32, codes).astype(np.uint32)
