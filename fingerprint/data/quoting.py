"""How values from the data are quoted in error messages."""

from __future__ import annotations

from collections.abc import Iterable


def short(value: object) -> str:
    """A value as Python writes it, cut to 60 characters."""
    written = repr(value)
    return written if len(written) <= 60 else f"{written[:57]}..."


def shown(value: object) -> str:
    """A value, shortened, and its type."""
    return f"{short(value)} ({type(value).__name__})"


def listed(names: Iterable[object]) -> str:
    """The first twelve of some names, and how many more there are."""
    written = [repr(name) for name in names]
    return ", ".join(written[:12]) + (f" and {len(written) - 12} more" if len(written) > 12 else "")


def around(text: str, position: int) -> str:
    """The 20 characters on either side of a place in a text."""
    return short(text[max(0, position - 20) : position + 20])
