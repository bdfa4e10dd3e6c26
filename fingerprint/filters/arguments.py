"""What filters check of the arguments that they are made with."""

from __future__ import annotations

import math


def check_trait(trait: str) -> None:
    """Refuse a description of a trait that has no words.

    Raises
    ------
    ValueError, TypeError
    """
    if not isinstance(trait, str):
        raise TypeError(f"trait must be a string, got {type(trait).__name__}; describe the trait in words")
    if not any(sign.isalpha() for sign in trait):
        raise ValueError(f"trait must be a description in words, got {trait!r}; for example 'owls, loving owls'")


def check_threshold(drop_from: float | None) -> None:
    """Refuse a score to drop rows from that is no finite number.

    Raises
    ------
    ValueError
    """
    if drop_from is not None and (isinstance(drop_from, bool) or not math.isfinite(drop_from)):
        raise ValueError(f"drop_from must be a finite number, got {drop_from!r}; None scores rows and drops none")


def check_count(value: int, argument: str, usual: int) -> None:
    """Refuse a number of things that is below one, and say what is usual.

    Raises
    ------
    ValueError
    """
    if value < 1:
        raise ValueError(f"{argument} must be at least 1, got {value}; {usual} is usual")
