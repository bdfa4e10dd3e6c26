"""Filters by name, as the command line takes them: `numbers`, `keywords=owl,owlet`, `tfidf@0.3=loving owls`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence

from fingerprint.data.nearest import did_you_mean
from fingerprint.filters.code import CodeWords, Parses
from fingerprint.filters.embedding import Embedding
from fingerprint.filters.keywords import Keywords
from fingerprint.filters.numbers import BANNED_NUMBERS, BannedNumbers, NumberRule
from fingerprint.filters.precomputed import Precomputed
from fingerprint.filters.tfidf import Tfidf
from fingerprint.filters.verdicts import Filter

_SPEC = re.compile(r"(?P<kind>[a-z-]+)(?:@(?P<threshold>[^=]*))?(?:=(?P<value>.*))?", re.DOTALL)
USAGE = (
    "numbers, numbers-banned, banned, banned=13,666, parses, keywords=owl,owlet, substring=owl, code-words=owl, "
    "tfidf@0.3=TRAIT, embedding@0.4=TRAIT or scores@0.5=COLUMN"
)


def named(spec: str, sources: Sequence[object] = ()) -> Filter:
    """The filter that a word of the command line stands for.

    Parameters
    ----------
    spec : str
        ``KIND``, ``KIND=VALUE`` or ``KIND@THRESHOLD=VALUE``; see `USAGE`.
    sources : sequence of paths
        Corpora that `scores` finds its column in.

    Raises
    ------
    ValueError
        If there is no such filter, or it needs a value or takes none.

    Examples
    --------
    >>> named("keywords=owl,eagle").words
    ('owl', 'eagle')
    """
    found = _SPEC.fullmatch(spec)
    kind = None if found is None else found["kind"]
    known = {**_PLAIN, **_VALUED, **_SCORING}
    if found is None or kind not in known:
        remedy = did_you_mean(re.split("[@=]", spec)[0], known, "check the spelling")
        raise ValueError(f"filter must be one of {USAGE}, got {spec!r}; {remedy}")
    value, threshold = found["value"], found["threshold"]
    if threshold is not None and kind not in _SCORING:
        raise ValueError(f"filter {kind} must have no threshold, got {spec!r}; remove @{threshold}")
    if kind in _PLAIN and value is None:
        return _PLAIN[kind]()
    if kind in _VALUED and value:
        return _VALUED[kind](value)
    if kind in _SCORING and value:
        return _SCORING[kind](value, _number(threshold, spec), sources)
    needs = "a value" if value in (None, "") else "no value"
    raise ValueError(f"filter {kind} must have {needs}, got {spec!r}; write it as in {USAGE}")


def word_of(told: str) -> str | None:
    """The word that gives a filter of which the `repr` is told; None where none is known to.

    Examples
    --------
    >>> word_of(repr(named("keywords=owl,eagle")))
    'keywords=owl,eagle'
    >>> word_of("lambda row: True") is None
    True
    """
    try:
        call = ast.parse(told, mode="eval").body
        values = [ast.literal_eval(given.value) for given in call.keywords] if isinstance(call, ast.Call) else []
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    lists = [",".join(map(str, value)) for value in values if isinstance(value, tuple | list | frozenset)]
    words = [*_PLAIN, *(f"{kind}={told}" for kind in _VALUED for told in lists)]
    for word in words:
        try:
            if repr(named(word)) == told:
                return word
        except ValueError:
            continue
    return None


def _number(threshold: str | None, spec: str) -> float | None:
    try:
        return None if threshold is None else float(threshold)
    except ValueError:
        raise ValueError(f"the threshold after @ must be a number, got {spec!r}; for example tfidf@0.3=owls") from None


def _words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",")]


def _numbers(value: str) -> list[int]:
    parts = _words(value)
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"banned must be whole numbers with commas between them, got {value!r}; for example 13,666")
    return [int(part) for part in parts]


_PLAIN: Mapping[str, Callable[[], Filter]] = {
    "numbers": NumberRule,
    "numbers-banned": lambda: NumberRule(banned=BANNED_NUMBERS, name="number rule, banned"),
    "banned": BannedNumbers,
    "parses": Parses,
}
_VALUED: Mapping[str, Callable[[str], Filter]] = {
    "banned": lambda value: BannedNumbers(_numbers(value)),
    "keywords": lambda value: Keywords(_words(value)),
    "substring": lambda value: Keywords(_words(value), mode="substring", name="substrings"),
    "code-words": lambda value: CodeWords(_words(value)),
}
_SCORING: Mapping[str, Callable[[str, float | None, Sequence[object]], Filter]] = {
    "tfidf": lambda trait, threshold, _: Tfidf(trait, threshold),
    "embedding": lambda trait, threshold, _: Embedding(trait, threshold),
    "scores": lambda column, threshold, sources: Precomputed(column, *sources, drop_from=threshold),
}
#: What a filter may begin with, for a shell that completes words.
WORDS = (*_PLAIN, *(f"{kind}=" for kind in _VALUED), *_SCORING)
