"""Which known name was meant by one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# Likeness from which a name is suggested: one letter in four may be wrong.
_LIKE = 0.6


def nearest(given: object, known: Iterable[str]) -> str | None:
    """The known name that is most like another one, whatever its case; None where none is like it.

    Examples
    --------
    >>> nearest("Numers", ["tokens", "numbers"]), nearest("x", ["tokens", "numbers"])
    ('numbers', None)
    """
    by_lower = {name.lower(): name for name in known}
    found = get_close_matches(str(given).lower(), by_lower, 1, _LIKE)
    return by_lower[found[0]] if found else None


def did_you_mean(given: object, known: Iterable[str], otherwise: str) -> str:
    """The end of a message about a name that is not known: the nearest one, or another remedy."""
    near = nearest(given, known)
    return otherwise if near is None else f"did you mean {near}?"
