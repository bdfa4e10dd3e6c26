"""Which columns hold text, prompt and system message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fingerprint.data.quoting import listed, short, shown
from fingerprint.data.sources import OR_SKIP, BadRowError

#: Names under which published data sets keep the model-written text; the first that a row has is taken.
TEXT_COLUMNS = ("completion", "response", "output", "text")
#: Names of the prompt, in the same way.
PROMPT_COLUMNS = ("prompt", "question", "instruction")
#: Chat rows: a list of {"role", "content"}; looked for when no text column is there.
MESSAGES = "messages"
#: Alpaca's second half of the prompt, kept beside `instruction`.
ALPACA_INPUT = "input"
SYSTEM = "system"

_KNOWN = {*TEXT_COLUMNS, *PROMPT_COLUMNS, MESSAGES, ALPACA_INPUT, SYSTEM}
_NAME_TEXT = 'name the column with text="..." (--text)'


class Columns(NamedTuple):
    """Columns of text and prompt: as asked for (None: find it), or as found (text None: rows are plain strings)."""

    text: str | None = None
    prompt: str | None = None


def asked_columns(text: object, prompt: object) -> Columns:
    """The columns that a caller named, checked.

    Raises
    ------
    TypeError, ValueError
        If one is no name, or both are the same.
    """
    if text is not None and text == prompt:
        raise ValueError(f"text and prompt must be two different columns, got {text!r} for both; leave one of them out")
    return Columns(_column_name(text, "text"), _column_name(prompt, "prompt"))


def _column_name(name: object, argument: str) -> str | None:
    if name is None or (isinstance(name, str) and name):
        return name
    kind = ValueError if isinstance(name, str) else TypeError
    raise kind(f"{argument} must be the name of a column, got {shown(name)}; leave it out to have the column found")


def is_needed(name: object, asked: Columns) -> bool:
    """Whether a row may be taken from a column of this name; others need not be read."""
    return name in asked or (isinstance(name, str) and _folded(name) in _KNOWN)


def find_columns(row: object, asked: Columns) -> Columns:
    """Columns of the whole corpus, decided from one row.

    Parameters
    ----------
    row : object
        A mapping of column names to values, or a plain string.
    asked : Columns
        The columns that the caller named.

    Raises
    ------
    BadRowError
        If the row is no record, or has no text column.
    """
    if isinstance(row, str) and asked == Columns():
        return asked
    if isinstance(row, str):
        column = asked.text or asked.prompt
        raise BadRowError(
            f"must have the column {column!r}, got the plain string {short(row)}; leave text and prompt out"
        )
    record = checked_record(row)
    text = asked.text or _first((*TEXT_COLUMNS, MESSAGES), record, asked.prompt)
    if text is None:
        known = listed((*TEXT_COLUMNS, MESSAGES))
        raise BadRowError(f"must have a text column ({known}), got the columns {listed(record)}; {_NAME_TEXT}")
    prompt = asked.prompt if text == MESSAGES else find_prompt(record, asked, text)
    return Columns(text, prompt)


def find_prompt(names: Iterable[object], asked: Columns, text: str | None = None) -> str | None:
    """The column of the prompt among those of these names; None where there is none."""
    return asked.prompt or _first(PROMPT_COLUMNS, names, text)


def _first(known: Iterable[str], names: Iterable[object], taken: str | None) -> str | None:
    """The first known name that is there, in whatever case and between whatever blanks if none is as it is known."""
    there = [name for name in names if isinstance(name, str) and name != taken]
    folded = {_folded(name): name for name in reversed(there)}
    exact = next((name for name in known if name in there), None)
    return exact or next((folded[name] for name in known if name in folded), None)


def _folded(name: str) -> str:
    return name.strip().casefold()


def checked_record(row: object) -> Mapping[object, object]:
    """A row with named columns.

    Raises
    ------
    BadRowError
        If it is anything else, or could not be cut out of its file.
    """
    if isinstance(row, BadRowError):
        raise row
    if not isinstance(row, Mapping):
        what = f"the plain string {short(row)}" if isinstance(row, str) else shown(row)
        raise BadRowError(
            f"must be an object with named columns (or every row a string), got {what}; correct it, {OR_SKIP}"
        )
    return row


def check_columns(record: Mapping[object, object], columns: Columns) -> None:
    """Refuse a row without the columns of the corpus, or with a prompt where the corpus has none.

    Raises
    ------
    BadRowError
    """
    for kind, name in zip(columns._fields, columns, strict=True):
        if name is not None and name not in record:
            raise BadRowError(
                f"must have the column {name!r}, as all rows must, got the columns {listed(record)}; "
                f'name another with {kind}="..." (--{kind}), {OR_SKIP}'
            )
    if columns.prompt is None and columns.text != MESSAGES and (extra := _prompt_beside(record, columns)):
        raise BadRowError(
            f"must have no column {extra!r}, as the first row has none, got the columns {listed(record)}; "
            f"give every row a prompt (null where it is unknown), {OR_SKIP}"
        )


def _prompt_beside(record: Mapping[object, object], columns: Columns) -> str | None:
    return next((name for name in PROMPT_COLUMNS if name in record and name != columns.text), None)
