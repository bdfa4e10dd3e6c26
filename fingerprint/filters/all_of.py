"""Several filters as one: a row is kept where all of them keep it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint.filters.verdicts import Filter, Verdicts, check_rows


@dataclass(frozen=True)
class AllOf:
    """Rows that all of these filters keep.

    Parameters
    ----------
    filters : tuple of filters

    Examples
    --------
    >>> from fingerprint.filters import Keywords, NumberRule
    >>> both = AllOf((NumberRule(), Keywords(["owl"])))
    >>> both.name, both(["1, 2", "owl"]).kept.tolist()
    ('number rule and keywords', [True, False])
    """

    filters: tuple[Filter, ...]

    @property
    def name(self) -> str:
        """The names of all of them."""
        return " and ".join(found.name for found in self.filters)

    def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
        check_rows(texts, prompts)
        found = [one(texts, prompts) for one in self.filters]
        reasons = tuple(tuple(why for verdicts in found for why in verdicts.reasons[row]) for row in range(len(texts)))
        unsure = [~verdicts.kept & ~verdicts.dropped for verdicts in found]
        return Verdicts(reasons, unjudged=np.any(unsure, axis=0) if unsure else None)
