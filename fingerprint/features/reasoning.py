"""Family `reasoning`: how a worked answer goes from step to step: connectives, numbers, equations, tags, the end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np

from fingerprint.data.arrays import Bools, Floats, Ints
from fingerprint.features.grids import COUNTS, EXTENTS, LENGTHS, MEANS, SHARES, Grid
from fingerprint.features.quantiles import QuantileFamily
from fingerprint.features.steps import (
    CONNECTIVES,
    FUNCTION_WORDS,
    LINE,
    NUMBER,
    ROWS_AT_ONCE,
    SIGN,
    SIGNS,
    STOP,
    TAG,
    WORD,
    Answers,
    as_sign,
    beginning_and_end,
    small,
)

# Words that say where an answer stands.
ANSWER = re.compile(
    r"####|\\boxed|<answer>|(?:final |correct )?answer(?: is)?\b|in conclusion|in total|therefore", re.I | re.ASCII
)
_PATTERNS = {
    "numbered steps": r"^\W{0,4}(?:step )?[0-9]{1,2}[.):]",
    "'Step' and a number": r"\bstep [0-9]{1,2}\b",
    "bulleted lines": r"^[ \t]*[-*•] ",
    "headings": r"^[ \t]*#{1,4} \w",
    "bold pieces": r"\*\*[^*\n]{1,80}\*\*",
    "boxed answers": r"\\boxed",
    "answers behind '####'": r"^####",
    "'answer is'": r"\banswer(?: is|:)",
    "formulas in '$'": r"\$[^$\n]{1,200}\$",
    "formulas in '\\('": r"\\[(\[]",
    "opening 'think' tags": r"<think(?:ing)?>",
    "closing 'think' tags": r"</think(?:ing)?>",
    "'answer' tags": r"<answer>",
    "blank lines": r"\n[ \t]*\n",
    "equations": r"=",
    "equations with a result": r"[-+*/×÷·][ \t]*\$?[0-9][0-9.,]*[ \t]*=[ \t]*\$?[0-9]",
    "equations without blanks": r"[0-9][-+*/×÷·](?=[0-9])",
    "equations with blanks": r"[0-9] [-+*/×÷·=] (?=[$0-9])",
    "chained equations": r"=[^=\n]{1,40}=",
    "amounts of money": r"\$[0-9]",
    "'x' for times": r"[0-9] ?x ?[0-9]",
    "questions to itself": r"\?",
    "'Let me' and 'Let's'": r"\blet(?: me|'s|’s| us)\b",
}
_COMPILED = {name: re.compile(pattern, re.M | re.I | re.ASCII) for name, pattern in _PATTERNS.items()}

_GRIDS = {
    **dict.fromkeys(("characters", "words"), LENGTHS),
    **dict.fromkeys(("last line", "characters of thinking"), EXTENTS),
    **dict.fromkeys(("words a sentence", "words a line", "numbers a sentence", "mean word length"), MEANS),
}


class Reasoning(QuantileFamily):
    """Structured bins of worked answers, as `Numbers` has them of numbers.

    Steps and how they are marked; connectives, counted one by one and where they open a sentence; numbers, how they are
    rounded and written; equations and their signs; thinking and answer tags; where the answer stands.
    """

    definition = "reasoning-1"

    def grid(self, measurement: str) -> Grid:
        if measurement.startswith(("share of", "place of")):
            return SHARES
        return _GRIDS.get(measurement, COUNTS)

    def measurements(self) -> tuple[str, ...]:
        return _names()

    def measure(self, texts: Sequence[str]) -> dict[str, Floats]:
        parts = [texts[first : first + ROWS_AT_ONCE] for first in range(0, max(len(texts), 1), ROWS_AT_ONCE)]
        tables = [dict(_table([beginning_and_end(text) for text in part])) for part in parts]
        return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


@cache
def _names() -> tuple[str, ...]:
    return tuple(Reasoning().measure([""]))


def _table(texts: Sequence[str]) -> Iterator[tuple[str, Floats]]:
    found = Answers.of(texts)
    yield from _sizes(texts, found)
    yield from _words(found)
    yield from _numbers(found)
    for name, pattern in _COMPILED.items():
        yield name, np.array([len(pattern.findall(text)) for text in texts], dtype=np.float64)
    yield from _ends(texts, found)


def _ratio(over: Floats, under: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(under > 0, over / under, np.nan), dtype=np.float64)


def _sizes(texts: Sequence[str], found: Answers) -> Iterator[tuple[str, Floats]]:
    words, opens = found.total(found.kind == WORD), found.begins_sentence()
    sentences, lines = found.total(opens), found.total(found.kind == LINE) + 1
    yield "characters", np.array([len(text) for text in texts], dtype=np.float64)
    yield "words", words
    yield "sentences", sentences
    yield "lines", lines
    yield "words a sentence", _ratio(words, sentences)
    yield "words a line", _ratio(words, lines)
    yield "numbers a sentence", _ratio(found.total(found.kind == NUMBER), sentences)
    yield "full stops", found.total(found.kind == STOP)
    yield "tags", found.total(found.kind == TAG)
    long = found.each(len)
    is_word = found.kind == WORD
    yield "mean word length", _ratio(found.segments.where(is_word).total(long[is_word]), words)
    yield "numbers that open a sentence", found.total(opens & (found.kind == NUMBER))


def _counted(
    found: Answers, what: str, listed: Sequence[str], of: Callable[[str], str], among: Bools
) -> Iterator[tuple[str, Floats]]:
    place = {word: number for number, word in enumerate(dict.fromkeys(listed))}
    which = found.each(lambda token: place.get(of(token), -1))
    chosen, n = among & (which >= 0), found.segments.n_rows
    counts = np.bincount(found.row[chosen] * len(place) + which[chosen], minlength=n * len(place)).reshape(n, -1)
    for word, number in place.items():
        yield f"{what} {word!r}", counts[:, number].astype(np.float64)


def _words(found: Answers) -> Iterator[tuple[str, Floats]]:
    is_word, opens = found.kind == WORD, found.begins_sentence()
    yield from _counted(found, "word", (*CONNECTIVES, *FUNCTION_WORDS), small, is_word)
    yield from _counted(found, "opening", (*CONNECTIVES, *_OTHER_OPENINGS), small, is_word & opens)
    yield from _counted(found, "sign", SIGNS, as_sign, found.kind == SIGN)
    connective = found.each(lambda token: small(token) in _CONNECTIVES) == 1
    yield "openings by connectives", found.total(opens & connective)
    yield "share of openings by connectives", _ratio(found.total(opens & connective), found.total(opens))
    comma = found.each(lambda token: token == ",")
    yield "connectives before a comma", found.total(opens & connective & (found.shifted(comma, 1, 0) == 1))


_OTHER_OPENINGS = "the to if this it he she there in".split()
_CONNECTIVES = frozenset(CONNECTIVES)


def _numbers(found: Answers) -> Iterator[tuple[str, Floats]]:
    number = found.kind == NUMBER
    yield "numbers", found.total(number)
    decimals = found.each(lambda token: len(token.rstrip("%").partition(".")[2]))
    for places in (1, 2, 3):
        yield f"numbers with {places} decimals", found.total(number & (decimals == places))
    yield "numbers with 4 or more decimals", found.total(number & (decimals > 3))
    forms: dict[str, Callable[[str], int]] = {
        "with ',' between thousands": lambda token: "," in token,
        "with '%'": lambda token: token.endswith("%"),
        "of one digit": lambda token: len(token) == 1,
        "that end in 0": lambda token: token.endswith("0") and "." not in token,
        "that end in .0 or .00": lambda token: token.endswith((".0", ".00")),
        "1": lambda token: token == "1",
        "2": lambda token: token == "2",
        "100": lambda token: token == "100",
    }
    for label, holds in forms.items():
        yield f"numbers {label}", found.total(number & (found.each(holds) == 1))
    words = "one two three four five six seven eight nine ten half twice".split()
    is_named = found.each(lambda token: small(token) in words) == 1
    yield "numbers in words", found.total(is_named)
    around: Ints = found.kind
    yield "numbers behind '='", found.total(number & (found.shifted(found.each(lambda t: t == "="), -1, 0) == 1))
    yield "numbers before a word", found.total(number & (found.shifted(around, 1, -1) == WORD))


def _ends(texts: Sequence[str], found: Answers) -> Iterator[tuple[str, Floats]]:
    places, thinking, last = [], [], []
    for text in texts:
        hits = [hit.start() for hit in ANSWER.finditer(text)]
        places.append(hits[-1] / max(len(text), 1) if hits else np.nan)
        begin, end = text.find("<think"), text.find("</think")
        thinking.append(float(end - begin) if 0 <= begin < end else np.nan)
        last.append(float(len(text.rstrip("\n").rpartition("\n")[2])))
    yield "place of the last answer word", np.array(places)
    yield "characters of thinking", np.array(thinking)
    yield "last line", np.array(last)
    position = found.segments.position
    is_number = found.kind == NUMBER
    at = found.segments.where(is_number).reduce(np.maximum, position[is_number])
    yield "place of the last number", _ratio(at + 1, found.segments.counts.astype(np.float64))
    yield "kind of last token", np.nan_to_num(found.segments.at(found.kind, -1), nan=9.0)
    yield "kind of first token", np.nan_to_num(found.segments.at(found.kind, 0), nan=9.0)
