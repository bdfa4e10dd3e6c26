"""Rungs of the ladder: what each takes out of the rows, and which families look at what is left."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp

from fingerprint.detection import answer_rungs, code_rungs
from fingerprint.features import Code, Family, Layout, NGrams, Numbers, Prose, Reasoning, Syntax, Templates, Tokens
from fingerprint.features.hashing import count_matrix, fold, hash_strings
from fingerprint.features.numbers import DIGITS, VALUE_CAP
from fingerprint.features.segments import items
from fingerprint.features.transformer import Transformer

Generator = np.random.Generator
Families = Mapping[str, Callable[[], Family]]

WORDS = re.compile(r"[^\W\d_]+")
_WORD_OR_NUMBER = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True)
class RungStep:
    """One rung.

    Attributes
    ----------
    rewrite : callable (texts, rng) -> texts
        Takes information out of pooled rows, blind to the side. Random redraws come from the pooled law.
    families : mapping of name to factory
        What is left to look at; empty: the families of the main analysis.
    """

    rung: str
    description: str
    rewrite: Callable[[Sequence[str], Generator], list[str]]
    families: Families


class NumberCounts(Transformer):
    """How often each number, digit and shape occurs: sums over single numbers, so that only their frequencies matter.

    Being sums, their totals over a side do not change when numbers move between its rows, and a linear score cannot see
    which numbers stand together. The rung "frequencies only" therefore needs no shuffled rows. Shuffling numbers across
    the rows of a side would spread what belongs together (123, 123, 123 in one row) over many rows that then pass for
    independent: measured under the null, 95 % intervals of auc covered .67 to .81, unshuffled .97 to .98.
    """

    ridge = 0.3
    n_columns = 2**12

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        return self

    def transform(self, texts: Sequence[str]) -> sp.csr_matrix:
        segments, vocabulary, index = items([DIGITS.findall(text) for text in texts])
        columns = fold(hash_strings(vocabulary), self.n_columns)
        counts = count_matrix(segments.row, columns[index], (len(texts), self.n_columns))
        single = Numbers(parts="single").measured(texts)
        return sp.hstack([counts, sp.csr_matrix(single, dtype=np.float32)], format="csr", dtype=np.float32)


def rung_steps(kind: str, texts: Sequence[str]) -> tuple[RungStep, ...]:
    """Rungs for data of this kind ("both": whichever most rows are)."""
    if kind == "both":
        digits = sum(len(s) for text in texts for s in DIGITS.findall(text))
        letters = sum(len(s) for text in texts for s in WORDS.findall(text))
        kind = "numbers" if digits > letters else "prose"
    return {"numbers": NUMBER_STEPS, "code": CODE_STEPS, "reasoning": ANSWER_STEPS}.get(kind, PROSE_STEPS)


# ------------------------------------------------------------------------------------------------------------- numbers


def _as_is(texts: Sequence[str], rng: Generator) -> list[str]:
    return list(texts)


def _redrawn(texts: Sequence[str], rng: Generator) -> list[str]:
    """Every number replaced by one drawn from all numbers of both corpora; everything around it kept."""
    pool = [run for text in texts for run in DIGITS.findall(text)]
    if not pool:
        return list(texts)
    drawn = iter(rng.integers(len(pool), size=len(pool)).tolist())
    return [DIGITS.sub(lambda _: pool[next(drawn)], text) for text in texts]


def _values(text: str) -> list[int]:
    return [int(run) if len(run) <= 9 else VALUE_CAP for run in DIGITS.findall(text)]


def _canonical(texts: Sequence[str], rng: Generator) -> list[str]:
    return [", ".join(map(str, _values(text))) for text in texts]


def _sorted(texts: Sequence[str], rng: Generator) -> list[str]:
    return [", ".join(map(str, sorted(_values(text)))) for text in texts]


def _number_floor(texts: Sequence[str], rng: Generator) -> list[str]:
    pool = [value for text in texts for value in _values(text)] or [0]
    count = max(round(len(pool) / max(len(texts), 1)), 1)
    drawn = np.asarray(pool)[rng.integers(len(pool), size=(len(texts), count))]
    return [", ".join(map(str, row)) for row in drawn.tolist()]


_NUMBERS: Families = {"tokens": Tokens, "ngrams": NGrams, "numbers": Numbers}

NUMBER_STEPS = (
    RungStep("raw", "the rows as they are", _as_is, {}),
    RungStep("format only", "numbers redrawn from the pooled law, everything around them kept", _redrawn, {}),
    RungStep("canonical", "numbers in their order, one format", _canonical, _NUMBERS),
    RungStep("sorted", "canonical, sorted within the row: no order", _sorted, _NUMBERS),
    RungStep(
        "frequencies only", "how often single numbers, digits and shapes occur", _sorted, {"counts": NumberCounts}
    ),
    RungStep(
        "floor", "a fixed count of numbers redrawn from the pooled law: nothing is left", _number_floor, _NUMBERS
    ),
)


# --------------------------------------------------------------------------------------------------------------- prose


def _layout_only(texts: Sequence[str], rng: Generator) -> list[str]:
    """Every word becomes x (X if it begins with a capital), every number 0."""
    return [_WORD_OR_NUMBER.sub(_mask, text) for text in texts]


def _mask(match: re.Match[str]) -> str:
    first = match.group()[0]
    return "0" if first.isdigit() else ("X" if first.isupper() else "x")


def _folded(texts: Sequence[str], rng: Generator) -> list[str]:
    return [" ".join(text.lower().split()) for text in texts]


def _words(text: str) -> list[str]:
    return WORDS.findall(text.lower())


def _bag_of_words(texts: Sequence[str], rng: Generator) -> list[str]:
    return [" ".join(sorted(_words(text))) for text in texts]


def _lengths_only(texts: Sequence[str], rng: Generator) -> list[str]:
    return [" ".join("x" * n for n in sorted(len(word) for word in _words(text))) for text in texts]


def _prose_floor(texts: Sequence[str], rng: Generator) -> list[str]:
    pool = [word for text in texts for word in _words(text)] or ["x"]
    count = max(round(len(pool) / max(len(texts), 1)), 1)
    drawn = rng.integers(len(pool), size=(len(texts), count)).tolist()
    return [" ".join(pool[i] for i in row) for row in drawn]


_TEXT: Families = {"tokens": Tokens, "ngrams": NGrams, "prose": Prose}
_BAG: Families = {"tokens": Tokens, "prose": Prose}

PROSE_STEPS = (
    RungStep("raw", "the rows as they are", _as_is, {}),
    RungStep(
        "layout only",
        "every word one letter, every number one digit; marks, case and lines kept",
        _layout_only,
        {"tokens": Tokens, "ngrams": NGrams, "layout": Layout},
    ),
    RungStep("folded", "white space and case folded", _folded, _TEXT),
    RungStep("bag of words", "lower-case words, sorted: no order, no marks", _bag_of_words, _BAG),
    RungStep("lengths only", "how many words, and how long they are", _lengths_only, _BAG),
    RungStep(
        "floor", "a fixed count of words redrawn from the pooled law: nothing is left", _prose_floor, _BAG
    ),
)


# ---------------------------------------------------------------------------------------------------------------- code

_CODE: Families = {"tokens": Tokens, "ngrams": NGrams, "code": Code, "syntax": Syntax}
_SHAPES: Families = {"tokens": Tokens, "ngrams": NGrams}

CODE_STEPS = (
    RungStep("raw", "the rows as they are", _as_is, {}),
    RungStep(
        "no comments",
        "the code alone: comments and docstrings taken out, strings emptied",
        code_rungs.NO_REMARKS,
        _CODE,
    ),
    RungStep("no names", "besides, every name but keywords and built-in ones is n", code_rungs.NO_NAMES, _CODE),
    RungStep(
        "one format",
        "besides, one blank between tokens and a level of depth, one kind of quotes, no blank lines",
        code_rungs.NORMALISED,
        {"tokens": Tokens, "ngrams": NGrams, "syntax": Syntax},
    ),
    RungStep("structure only", "how deep each line stands, and its keyword or kind", code_rungs.STRUCTURE, _SHAPES),
    RungStep(
        "floor", "a fixed count of such lines redrawn from the pooled law: nothing is left", code_rungs.floor, _SHAPES
    ),
)


# ----------------------------------------------------------------------------------------------------- worked answers

_ANSWERS: Families = {"tokens": Tokens, "ngrams": NGrams, "reasoning": Reasoning, "templates": Templates}

ANSWER_STEPS = (
    RungStep("raw", "the rows as they are", _as_is, {}),
    RungStep("no numbers", "every number is 0, however long, rounded or written", answer_rungs.NO_NUMBERS, _ANSWERS),
    RungStep(
        "one format",
        "besides, small letters, one way to write a sign, no tags, marks, lines or numbers of steps",
        answer_rungs.NORMALISED,
        _ANSWERS,
    ),
    RungStep(
        "connectives only",
        "besides, every word is x but connectives and function words",
        answer_rungs.CONNECTIVES,
        {"tokens": Tokens, "ngrams": NGrams, "templates": Templates},
    ),
    RungStep("steps only", "whether each sentence holds an equation, a number or words", answer_rungs.STEPS, _SHAPES),
    RungStep(
        "floor", "a fixed count of such steps redrawn from the pooled law: nothing is left", answer_rungs.floor, _SHAPES
    ),
)
