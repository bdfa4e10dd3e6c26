"""How values from the data are quoted in error messages."""

from __future__ import annotations

from collections.abc import Iterable


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _shown(value: object) -> str:
    return f"{_short(value)} ({type(value).__name__})"


def _names(names: Iterable[object]) -> str:
    listed = [repr(name) for name in names]
    return ", ".join(listed[:12]) + (f" and {len(listed) - 12} more" if len(listed) > 12 else "")


def _around(text: str, position: int) -> str:
    return _short(text[max(0, position - 20) : position + 20])
