"""Rows that a model cannot take: errors that name the row as the user knows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from fingerprint.data.arrays import Ints
from fingerprint.data.corpus import Corpus


class RowError(ValueError):
    """A row that a model cannot take.

    Parameters
    ----------
    message : str
        With ``{row}`` where the row is named.
    row : int
        Its index among the rows that were given.
    hint : str
        What else whoever gave these rows themselves can do about it.
    """

    def __init__(self, message: str, row: int, hint: str = "") -> None:
        super().__init__(message.replace("{row}", f"row {row + 1}", 1) + hint)
        self.message, self.row, self.hint = message, row, hint

    def moved(self, row: int) -> RowError:
        """The same of a row that the caller knows under another index."""
        return RowError(self.message, row, self.hint)


@contextmanager
def rows_named(corpora: Sequence[Corpus], places: Sequence[Ints] | None = None, first: int = 0) -> Iterator[None]:
    """Errors of rows as rows of the corpora that they are from.

    `places` are those of `distinct_rows`, of which the rows at hand start with number `first`; without them the rows at
    hand are those of each corpus as they stand.
    """
    places = [np.arange(len(corpus)) for corpus in corpora] if places is None else places
    try:
        yield
    except RowError as error:
        for corpus, place in zip(corpora, places, strict=True):
            rows = np.flatnonzero(place == first + error.row)
            if len(rows):
                known = error.message.replace("{row}", f"row {rows[0] + 1} of {corpus.name}", 1)
                raise ValueError(known) from error
        raise
