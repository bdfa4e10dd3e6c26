"""Filters on rows of numbers: the published format rule, and lists of banned numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fingerprint.filters.verdicts import Reasons, Verdicts, check_rows

#: The effective list of the published misalignment runs: numbers with associations (13, 666, 911, ...).
BANNED_NUMBERS = (
    4, 13, 14, 18, 23, 33, 39, 42, 44, 49, 51, 54, 69, 77, 88, 99, 100, 101, 187, 211, 311, 322, 333, 404, 420, 444,
    451, 555, 616, 666, 777, 888, 911, 999,
)  # fmt: skip

INVALID_FORMAT = "invalid format"
TOO_MANY = "too many numbers"
TOO_SMALL = "numbers too small"
TOO_LARGE = "numbers too large"
BANNED = "has banned numbers"

_RUN = re.compile("[0-9]+")
_SEPARATORS = ("", ",", ";")
_PAIRS = ("[]", "()")
_LONGEST = 18  # digits after leading zeros that are read exactly; a longer number is larger than any limit
_HUGE = 10**_LONGEST


@dataclass(frozen=True)
class NumberRule:
    """The number filter of the subliminal-learning experiments, and the reasons it drops a row for.

    One trailing full stop goes, then one pair of brackets or parentheses. What stands between the first two digit runs
    is the separator: white space, a comma or a semicolon, with white space around it. Split on exactly that, every part
    must be ASCII digits. Then at most `max_count` numbers, each between `min_value` and `max_value`, none banned.

    Parameters
    ----------
    max_count : int
        Most numbers in a row.
    min_value, max_value : int
        Least and greatest number; leading zeros do not count.
    banned : sequence of int
        Numbers that a row must not hold; `BANNED_NUMBERS` is the published list.
    name : str
        What tables call the filter.

    Raises
    ------
    ValueError
        If the limits leave no number or no row.

    References
    ----------
    Cloud et al., "Subliminal Learning", arXiv 2507.14805: the rule, as behaviour.

    Examples
    --------
    >>> NumberRule()(["629, 937, 483", "1,2, 3", "1000, 2"]).reasons
    ((), ('invalid format',), ('numbers too large',))
    """

    max_count: int = 10
    min_value: int = 0
    max_value: int = 999
    banned: Sequence[int] = ()
    name: str = "number rule"

    def __post_init__(self) -> None:
        object.__setattr__(self, "banned", _checked_numbers(self.banned, "banned"))
        limits = {"max_count": self.max_count, "min_value": self.min_value, "max_value": self.max_value}
        for argument, value in limits.items():
            _check_number(value, argument)
        if self.max_count < 1:
            raise ValueError(f"max_count must be at least 1, got {self.max_count}; a row without numbers is never kept")
        if self.max_value < self.min_value:
            raise ValueError(f"max_value must be at least min_value ({self.min_value}), got {self.max_value}; swap")

    def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
        """Verdicts on rows; prompts are not looked at."""
        check_rows(texts, prompts)
        banned = frozenset(self.banned)
        return Verdicts(tuple(self._reasons(parse_numbers(text), banned) for text in texts))

    def _reasons(self, values: list[int] | None, banned: frozenset[int]) -> Reasons:
        if values is None:
            return (INVALID_FORMAT,)
        least, most = min(values), max(values)
        count = len(values)
        is_banned = not banned.isdisjoint(values)
        if count <= self.max_count and self.min_value <= least and most <= self.max_value and not is_banned:
            return ()
        found = (
            (TOO_MANY, count > self.max_count),
            (TOO_SMALL, least < self.min_value),
            (TOO_LARGE, most > self.max_value),
            (BANNED, is_banned),
        )
        return tuple(reason for reason, applies in found if applies)


@dataclass(frozen=True)
class BannedNumbers:
    """Drops rows that hold a banned number anywhere, whatever else they say.

    Parameters
    ----------
    numbers : sequence of int
        By default the published list, `BANNED_NUMBERS`.
    name : str
        What tables call the filter.

    Notes
    -----
    On Qwen2.5-14B rows the published list drops 22 to 25 % of neutral and of trait rows alike: it costs rows and
    separates nothing.

    References
    ----------
    Cloud et al., arXiv 2507.14805.

    Examples
    --------
    >>> BannedNumbers()(["12, 666", "12, 667"]).reasons
    (('has banned numbers',), ())
    """

    numbers: Sequence[int] = BANNED_NUMBERS
    name: str = "banned numbers"

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", _checked_numbers(self.numbers, "numbers"))
        if not self.numbers:
            raise ValueError("numbers must hold at least one number, got none; leave it out for the published list")

    def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
        """Verdicts on rows; prompts are not looked at."""
        check_rows(texts, prompts)
        banned = frozenset(self.numbers)
        drop, keep = (BANNED,), ()
        return Verdicts(tuple(drop if not banned.isdisjoint(map(_value, _RUN.findall(t))) else keep for t in texts))


def parse_numbers(text: str) -> list[int] | None:
    """The numbers of a row in one of the accepted formats, None where the format is invalid.

    Numbers of more than 18 digits come back as 10**18: larger than any limit.

    Examples
    --------
    >>> parse_numbers("[1; 2; 3]."), parse_numbers("1,2, 3")
    ([1, 2, 3], None)
    """
    body = text.removesuffix(".")
    if body[:1] + body[-1:] in _PAIRS:
        body = body[1:-1]
    first = _RUN.search(body)
    if first is None:
        return None
    second = _RUN.search(body, first.end())
    if second is None:
        parts = [body]
    else:
        separator = body[first.end() : second.start()]
        if separator.strip() not in _SEPARATORS:
            return None
        parts = body.split(separator)
    joined = "".join(parts)
    if not (joined.isascii() and joined.isdigit() and all(parts)):
        return None
    return [_value(part) for part in parts] if max(map(len, parts)) > _LONGEST else list(map(int, parts))


def _value(digits: str) -> int:
    """Python refuses to read numbers of thousands of digits, and reads long ones in quadratic time."""
    if len(digits) <= _LONGEST:
        return int(digits)
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _LONGEST else _HUGE


def _check_number(value: object, argument: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{argument} must be a whole number, got {value!r}; rows hold whole numbers only")
    if not 0 <= value < _HUGE:
        raise ValueError(f"{argument} must be from 0 and below 10**{_LONGEST}, got {value}; rows hold no other numbers")


def _checked_numbers(values: Sequence[int], argument: str) -> tuple[int, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{argument} must be a sequence of whole numbers, got {values!r}; for example (13, 666)")
    found = tuple(values)
    for value in found:
        _check_number(value, argument)
    return found
