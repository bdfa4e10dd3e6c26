"""Rungs of the ladder for worked answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from fingerprint.features.steps import KEPT, NUMBER, SIGN, STOP, WORD, as_sign, kind_of, small, tokens

Generator = np.random.Generator

_NUMBER = re.compile(r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?%?|[0-9]+", re.ASCII)
# However a sign is written.
_ONE_SIGN = {"×": "*", "·": "*", "÷": "/", "≈": "=", "⇒": "=", "→": "="}


def _no_numbers(text: str) -> str:
    """Every number, however long, rounded or written, is 0."""
    return _NUMBER.sub("0", text)


def _spoken(text: str) -> list[tuple[str, int]]:
    """Words in small letters, 0 for numbers, signs in one way and full stops; no tags, marks, lines or brackets."""
    found = []
    for token in tokens(text):
        kind = kind_of(token)
        if kind == WORD:
            found.append((small(token), kind))
        elif kind == NUMBER:
            found.append(("0", kind))
        elif kind == STOP:
            found.append((".", kind))
        elif kind == SIGN:
            sign = _ONE_SIGN.get(as_sign(token), as_sign(token))
            if sign in "+-*/=<>":
                found.append((sign, kind))
    return found


def _in_one_format(text: str) -> str:
    """One blank between words, numbers and signs, each written in one way."""
    return " ".join(token for token, _ in _marked(text))


def _marked(text: str) -> list[tuple[str, int]]:
    """Without the numbers and names of steps that stand where a line or a sentence begins."""
    return _spoken(_MARKER.sub("", text))


_MARKER = re.compile(
    r"(?:^[ \t]*|(?<=[.!?] )|(?<=>))(?:[-*•#]+[ \t]+|\**[Ss]tep [0-9]+\**[.:)]?\**[ \t]*|[0-9]{1,2}[.)][ \t]+)",
    re.ASCII | re.M,
)


def _connectives(text: str) -> str:
    """Function words and connectives in their places, every other word an x."""
    return " ".join("x" if kind == WORD and token not in KEPT else token for token, kind in _marked(text))


def steps(text: str) -> list[str]:
    """What each sentence holds: an equation, a number without one, or words alone."""
    found, said = [], set[str]()
    for token, kind in [*_marked(text), (".", STOP)]:
        if kind == STOP:
            if said:
                found.append("equation" if "=" in said else "number" if "0" in said else "words")
            said = set()
        else:
            said.add(token)
    return found


def _steps(text: str) -> str:
    return " ".join(steps(text))


def floor(texts: Sequence[str], rng: Generator) -> list[str]:
    """As many steps a row, each drawn from those of both corpora."""
    pool = [step for text in texts for step in steps(text)] or ["words"]
    count = max(round(len(pool) / max(len(texts), 1)), 1)
    drawn = rng.integers(len(pool), size=(len(texts), count)).tolist()
    return [" ".join(pool[place] for place in row) for row in drawn]


def _each(rewrite: Callable[[str], str], texts: Sequence[str], rng: Generator) -> list[str]:
    return [rewrite(text) for text in texts]


NO_NUMBERS, NORMALISED, CONNECTIVES, STEPS = (
    partial(_each, rewrite) for rewrite in (_no_numbers, _in_one_format, _connectives, _steps)
)
