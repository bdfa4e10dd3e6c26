"""A source: the rows of one file or object, numbered, and what can be wrong with one of them."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass

_OR_SKIP = 'or leave such rows out with bad_rows="skip" (--skip-bad-rows)'

_Rows = Generator[tuple[int, object], None, None]


@dataclass(frozen=True)
class _Source:
    """Rows of one file or object, each with the number that messages call it by; a _RowError stands for a bad one."""

    name: str
    unit: str
    rows: _Rows


class _RowError(ValueError):
    """What is wrong with a row ("must be ..., got ...; ..."). The place is added by whoever knows it."""

    def __init__(self, message: str, within: str = "") -> None:
        super().__init__(message)
        self.within = within

    def at(self, place: str) -> str:
        return f"{place}, {self.within} {self}" if self.within else f"{place} {self}"


def _numbered(rows: Iterable[object], start: int) -> _Rows:
    yield from enumerate(rows, start)
