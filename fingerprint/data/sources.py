"""A source: the rows of one file or object, numbered, and what can be wrong with one of them."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass

#: How every message about a bad row ends: the way out that changes no data.
OR_SKIP = 'or leave such rows out with bad_rows="skip" (--skip-bad-rows)'

#: Rows with the number that messages call them by; a BadRowError in place of a row that could not be cut out.
NumberedRows = Generator[tuple[int, object], None, None]


@dataclass(frozen=True)
class Source:
    """Rows of one file or object.

    Attributes
    ----------
    name : str
        The file, or what the object is called in messages.
    unit : str
        What a row is called beside its number: "line", "row" or "row index".
    rows : generator of (int, object)
        Numbers and rows; a `BadRowError` in place of a row that could not be cut out.
    """

    name: str
    unit: str
    rows: NumberedRows


class BadRowError(ValueError):
    """What is wrong with a row. The place is added by whoever knows it.

    Parameters
    ----------
    message : str
        "must be ..., got ...; ...".
    within : str, optional
        Where in the row: "column 'text'", "byte 12".
    """

    def __init__(self, message: str, within: str = "") -> None:
        super().__init__(message)
        self.within = within

    def at(self, place: str) -> str:
        """The whole message, of a row at this place."""
        return f"{place}, {self.within} {self}" if self.within else f"{place} {self}"


def numbered(rows: Iterable[object], start: int) -> NumberedRows:
    """Rows with their numbers, counted from `start`: 0 in memory, 1 in files."""
    yield from enumerate(rows, start)
