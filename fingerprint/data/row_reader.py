"""From rows of any source to texts and prompts, by the columns that the first usable row decides."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from fingerprint.data.columns import ALPACA_INPUT, PROMPT_COLUMNS, SYSTEM, Columns, checked_record, find_columns
from fingerprint.data.formats import ending_of, names_rows
from fingerprint.data.notes import ReadAs, note_on_columns, note_on_turns
from fingerprint.data.quoting import short
from fingerprint.data.rows import Row, read_row
from fingerprint.data.sources import BadRowError, Source

if TYPE_CHECKING:
    from fingerprint.data.frames import Frame

BadRows = Literal["error", "skip"]

#: Texts, prompts and system messages of some rows, as lists.
Lists = tuple[list[str], list[str | None], list[str | None]]


class RowReader:
    """Reads rows one after another; all have the columns of the first that could be used.

    Parameters
    ----------
    asked : Columns
        The columns that the caller named.
    bad_rows : {"error", "skip"}

    Attributes
    ----------
    columns : Columns or None
        As found; None before the first usable row.
    skipped : int
        Bad rows so far.
    first_bad : str
        What was wrong with the first of them.
    """

    def __init__(self, asked: Columns, bad_rows: BadRows) -> None:
        self.asked, self.bad_rows = asked, bad_rows
        self.columns: Columns | None = None
        self.skipped, self.first_bad = 0, ""
        self._notes: list[str] = []

    def hear(self, note: str) -> None:
        """Keep a note, once, until the first usable row has decided how all are read."""
        if self.columns is None and note not in self._notes:
            self._notes.append(note)

    @property
    def read_as(self) -> ReadAs:
        """What the rows were taken to be."""
        return ReadAs(self.columns, tuple(self._notes))

    def read(self, source: Source, number: int, row: object) -> Row | None:
        """One row; None for a bad one that is skipped.

        Raises
        ------
        ValueError
            For a bad row, where they are errors: it is named by its source and number.
        """
        try:
            found = self.columns or find_columns(row, self.asked)
            kept = read_row(row, found)
        except BadRowError as error:
            message = error.at(f"{source.name}, {source.unit} {number}")
            if self.bad_rows == "error":
                raise ValueError(message) from None
            self.skipped, self.first_bad = self.skipped + 1, self.first_bad or message
            return None
        if self.columns is None:
            _refuse_file(source, number, kept.text)
            if found.text is not None:
                record = checked_record(row)
                note_on_columns(source.name, self.asked, found, record)
                note_on_turns(source.name, self.asked, found, record)
        self.columns = found
        return kept

    def no_good_row(self, name: str) -> str:
        """What to say of data none of whose rows could be used."""
        return f"{name} must have at least one good row, got {self.skipped} bad; the first: {self.first_bad}"

    def quick(self, rows: Sequence[object]) -> Lists | None:
        """Many rows at once, where all are plain: dicts (or strings) as the columns ask, every value a string.

        None says nothing of the rows: read them one by one.
        """
        columns = self.columns
        if columns is None:
            return None
        if columns.text is None:
            return _checked(list(rows), [None] * len(rows), [None] * len(rows)) if _all(rows, str) else None
        if not columns.is_plain or not _all(rows, dict):
            return None
        records: list[dict[object, object]] = rows  # type: ignore[assignment]
        refused = _refused(columns)
        if any(not refused.isdisjoint(record) for record in records):
            return None
        text, prompt = columns.text, columns.prompt
        try:
            texts = [record[text] for record in records]
            prompts = [None] * len(records) if prompt is None else [record[prompt] for record in records]
        except KeyError:
            return None
        systems = [None] * len(records) if SYSTEM in columns.names else [record.get(SYSTEM) for record in records]
        return _checked(texts, prompts, systems)

    def quick_frame(self, frame: Frame, names: Sequence[str]) -> Lists | None:
        """The same of a frame that holds some of the named columns of a table."""
        import narwhals.stable.v2 as nw

        if self.columns is None:
            try:
                columns = find_columns(dict.fromkeys(names), self.asked)
            except BadRowError:
                return None
        else:
            columns = self.columns
        text, prompt = columns.text, columns.prompt
        if text is None or not columns.is_plain or not _refused(columns).isdisjoint(names):
            return None
        held = frame.schema
        system = SYSTEM if SYSTEM in names and SYSTEM not in columns.names else None
        if any(name not in held for name in (text, *filter(None, (prompt, system)))) or held[text] != nw.String:
            return None
        nothing: list[str | None] = [None] * len(frame)
        texts, prompts, systems = (
            nothing if name is None else frame.get_column(name).to_list() for name in (text, prompt, system)
        )
        is_sure = frame.implementation.is_polars() and all(
            held[name] == nw.String for name in (prompt, system) if name is not None
        )  # polars holds valid strings and nothing else; a column of objects may hold anything
        if is_sure and not frame.get_column(text).null_count():
            found: Lists | None = (texts, prompts, systems)  # type: ignore[assignment]
        else:
            found = _checked(texts, prompts, systems)
        if self.columns is None and any(map(_is_file_of_rows, texts[:1])):
            return None
        if found is not None:
            if self.columns is None:
                note_on_columns("the frame", self.asked, columns, names)
            self.columns = columns
        return found


def _refuse_file(source: Source, number: int, text: str) -> None:
    """Refuse data whose first text is the name of a file that holds rows: a list of paths, taken for rows."""
    if _is_file_of_rows(text):
        raise ValueError(
            f"{source.name}, {source.unit} {number} must be a text, got the name of a file, {short(text)}; pass the "
            "files themselves: a list of paths, or a glob"
        )


def _is_file_of_rows(text: object) -> bool:
    return isinstance(text, str) and names_rows(text) and bool(ending_of(text)) and os.path.isfile(text)


def _refused(columns: Columns) -> set[str]:
    """Columns that make a row one to be read by itself."""
    if columns.prompt is None:
        return {*PROMPT_COLUMNS} - {columns.text}
    return {ALPACA_INPUT} if columns.is_alpaca else set()


def _all(values: Iterable[object], kind: type) -> bool:
    return set(map(type, values)) <= {kind}


def _checked(texts: Sequence[object], prompts: Sequence[object], systems: Sequence[object]) -> Lists | None:
    """The lists, where they hold strings that can be encoded, and None only where there may be none."""
    if not _all(texts, str) or set(map(type, [*prompts, *systems])) - {str, type(None)}:
        return None
    strings = [value for values in (texts, prompts, systems) for value in values if isinstance(value, str)]
    together = "".join(strings)
    if not together.isascii():
        try:
            together.encode()
        except UnicodeEncodeError:
            return None
    return texts, prompts, systems  # type: ignore[return-value]
