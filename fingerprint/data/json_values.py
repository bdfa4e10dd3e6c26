"""JSON from files that are not trusted: how deep it may go, and each key once."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from fingerprint.data.limits import how_to_raise, limits
from fingerprint.data.quoting import short

_MARKS = re.compile(r'["\\\[\]{}]')
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKETS = re.compile(r"[^\[\]{}]+")
_PAIR = re.compile(r"\[\]|{}")


class TwiceError(ValueError):
    """An object that has a key twice: which of its values is meant?"""


class DeepError(ValueError):
    """Brackets within brackets beyond the limit.

    Attributes
    ----------
    position : int
        Of the first bracket too many, in characters.
    """

    def __init__(self, position: int, most: int) -> None:
        super().__init__(f"got brackets within brackets {most + 1} deep; {how_to_raise('depth')}")
        self.position = position


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise TwiceError(f"got {short(twice)} twice in one object")
    return found


#: Not strict: raw control characters inside strings are kept as they are.
_PLAIN = json.JSONDecoder(strict=False)
_CHECKED = json.JSONDecoder(strict=False, object_pairs_hook=_once)


def value_of_line(line: str, most: int) -> object:
    """The value of a line of JSON with brackets at most so deep.

    Raises
    ------
    json.JSONDecodeError, DeepError, TwiceError, ValueError
        For what is no JSON; goes too deep; has a key twice; or has a number of thousands of digits.
    """
    objects = line.count("{")
    if objects + line.count("[") > most:
        check_depth(line, most)
    if objects != 1:
        return _CHECKED.decode(line)
    value = _PLAIN.decode(line)
    # Of a flat object the colons behind quotes tell how many keys were written, unless a text holds some; checking
    # each object while it is read takes half as long again.
    if isinstance(value, dict) and (
        line.count('":') != len(value) or '" ' in line or '"\t' in line or '"\r' in line or '"\n' in line
    ):
        return _CHECKED.decode(line)
    return value


def value_of_document(document: str) -> object:
    """The value of a whole document; raises as `value_of_line` does."""
    most = limits().depth
    try:
        value: object = _CHECKED.decode(document)
    except RecursionError:
        check_depth(document, most)
        raise
    check_depth_of_document(document, most)
    return value


def check_depth_of_document(document: str, most: int) -> None:
    """What `check_depth` does, in a fraction of the time where all is well and the document is long.

    Raises
    ------
    DeepError
    """
    left = _NO_BRACKETS.sub("", _STRING.sub("", document))
    for _ in range(most):
        left = _PAIR.sub("", left)
    if left:
        check_depth(document, most)


def check_depth(text: str, most: int) -> None:
    """Raise `DeepError` if brackets go deeper than the limit.

    Raises
    ------
    DeepError
    """
    depth, is_inside, escaped = 0, False, -1
    for mark in _MARKS.finditer(text):
        sign, at = mark[0], mark.start()
        if at == escaped:
            continue
        if sign == "\\":
            escaped = at + 1 if is_inside else -1
        elif sign == '"':
            is_inside = not is_inside
        elif not is_inside:
            depth += 1 if sign in "[{" else -1
            if depth > most:
                raise DeepError(at, most)
