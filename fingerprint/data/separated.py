"""Tables in lines of text: what separates the fields, which their header shows, and the rows."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from fingerprint.data.columns import PROMPT_COLUMNS, SYSTEM, Columns, folded, is_needed
from fingerprint.data.limits import how_to_raise, limits
from fingerprint.data.notes import note
from fingerprint.data.sources import OR_SKIP, BadRowError, NumberedRows
from fingerprint.data.tables import distinct_names

# csv refuses fields of more than 128 KiB by default; this is its greatest limit on every platform.
_LONGEST_FIELD = (1 << 31) - 1
# Columns up to which a row is held whole. Of a wider table those are held that are needed, and the first ones, for
# messages: a row of 100,000 empty fields takes 100 kB in the file and 10 MB as a dict.
_WIDE = 256
#: What separates fields, and what messages call it.
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def separated_rows(lines: Iterator[str], file: str, asked: Columns, usual: str) -> NumberedRows:
    """Rows of a CSV file. polars is faster, but fills short rows up in silence and names no row in its errors.

    Parameters
    ----------
    lines : iterator of str
        With their ends.
    file : str
        What messages call it.
    asked : Columns
        The columns that the caller named.
    usual : str
        What separates fields by the name of the file. Another separator is taken, and said, where the header has more
        known columns with it; or more columns, where it has known ones with none.
    """
    csv.field_size_limit(_LONGEST_FIELD)  # of all readers of the process: how long a record may be is counted here
    first = next((line for line in lines if line.strip("\r\n")), "")
    lines = chain([first], lines)
    separator = _separator(first, asked, usual)
    is_spaced = f'{separator} "' in first and f'{separator}"' not in first
    if separator != usual:
        note(file, f"its fields are separated by {_SEPARATORS[separator]}, as its header shows")
    record = _Record(lines, file)
    reader = csv.reader(record, delimiter=separator, skipinitialspace=is_spaced, strict=True)
    filled = (fields for fields in record.each(reader) if fields)
    unknown = {*PROMPT_COLUMNS, SYSTEM, asked.prompt}
    number = 0
    try:
        header = _few(distinct_names(next(filled, []), file), file)
        held = _held(header, asked)
        empty = {name for name in header if name != asked.text and (name in unknown or folded(name) in unknown)}
        for number, fields in enumerate(filled, 1):
            yield number, _record(header, held, fields, empty)
    except csv.Error as error:
        raise ValueError(
            f"{file}, row {number + 1} (up to line {reader.line_num}) must be well-formed CSV, got: {error}; "
            f'quote fields that hold quotes or line breaks, and double the quotes inside ("")'
        ) from None


class _Record(Iterator[str]):
    """Lines of a table, as many at a time as a record may have: a quote that is never closed takes all of them."""

    def __init__(self, lines: Iterator[str], file: str) -> None:
        self._lines, self._file, self._most = lines, file, limits().line
        self._length = self._number = 0

    def __next__(self) -> str:
        line = next(self._lines)
        self._length += len(line)
        if self._length > self._most:
            raise ValueError(
                f"{self._file}, record {self._number + 1:,} (with the header) must have at most {self._most:,} "
                f"characters, got more: is a quote not closed? Close it, or {how_to_raise('line')}"
            )
        return line

    def each(self, records: Iterable[list[str]]) -> Iterator[list[str]]:
        """Records that are made of these lines, each counted by itself."""
        for record in records:
            self._length, self._number = 0, self._number + 1
            yield record


def _separator(header: str, asked: Columns, usual: str) -> str:
    def worth(separator: str) -> tuple[int, int, bool]:
        names = _names(header, separator)
        known = sum(is_needed(name, asked) for name in names)
        return known, 0 if known else len(names), separator == usual

    return max(_SEPARATORS, key=worth)


def _names(header: str, separator: str) -> Sequence[str]:
    try:
        return next(iter(csv.reader([header], delimiter=separator, skipinitialspace=True)), [])
    except csv.Error:
        return []


def _few(header: Sequence[str], file: str) -> Sequence[str]:
    most = limits().columns
    if len(header) > most:
        raise ValueError(f"{file} must have at most {most:,} columns, got {len(header):,}; {how_to_raise('columns')}")
    return header


def _held(header: Sequence[str], asked: Columns) -> Sequence[tuple[int, str]]:
    """Which columns rows have, with their places in the header."""
    return [
        (place, name) for place, name in enumerate(header) if place < _WIDE or is_needed(name, asked)
    ]


def _record(
    header: Sequence[str], held: Sequence[tuple[int, str]], fields: list[str], unknown: Iterable[str]
) -> object:
    """A row by the names of its columns; an empty field is an empty text, but an unknown prompt."""
    if len(fields) != len(header):
        return BadRowError(
            f"must have {len(header)} fields, as the header has, got {len(fields)}; quote them, {OR_SKIP}"
        )
    return {name: None if not fields[at] and name in unknown else fields[at] for at, name in held}
