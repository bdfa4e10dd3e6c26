"""Which columns hold text, prompt and system message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fingerprint.data.quoting import _names, _short, _shown
from fingerprint.data.sources import _OR_SKIP, _RowError

#: Names under which published data sets keep the model-written text; the first that a row has is taken.
TEXT_COLUMNS = ("completion", "response", "output", "text")
#: Names of the prompt, in the same way.
PROMPT_COLUMNS = ("prompt", "question", "instruction")
#: Chat rows: a list of {"role", "content"}; looked for when no text column is there.
MESSAGES = "messages"
#: Alpaca's second half of the prompt, kept beside `instruction`.
ALPACA_INPUT = "input"
SYSTEM = "system"

_NAME_TEXT = 'name the column with text="..." (--text)'


class _Columns(NamedTuple):
    """Columns of text and prompt: as asked for (None: find it), or as found (text None: rows are plain strings)."""

    text: str | None = None
    prompt: str | None = None


def _asked(text: object, prompt: object, bad_rows: object) -> _Columns:
    if bad_rows not in ("error", "skip"):
        raise ValueError(f'bad_rows must be "error" or "skip", got {_short(bad_rows)}; "skip" counts them')
    if text is not None and text == prompt:
        raise ValueError(f"text and prompt must be two different columns, got {text!r} for both; leave one of them out")
    return _Columns(_column_name(text, "text"), _column_name(prompt, "prompt"))


def _column_name(name: object, argument: str) -> str | None:
    if name is None or (isinstance(name, str) and name):
        return name
    kind = ValueError if isinstance(name, str) else TypeError
    raise kind(f"{argument} must be the name of a column, got {_shown(name)}; leave it out to have the column found")


def _needed(asked: _Columns) -> set[str | None]:
    return {*TEXT_COLUMNS, *PROMPT_COLUMNS, MESSAGES, ALPACA_INPUT, SYSTEM, *asked}


def _find_columns(row: object, asked: _Columns) -> _Columns:
    """Columns of the whole corpus, decided from one row."""
    if isinstance(row, str) and asked == _Columns():
        return asked
    if isinstance(row, str):
        column = asked.text or asked.prompt
        raise _RowError(
            f"must have the column {column!r}, got the plain string {_short(row)}; leave text and prompt out"
        )
    record = _record(row)
    text = asked.text or _first((*TEXT_COLUMNS, MESSAGES), record, asked.prompt)
    if text is None:
        known = _names((*TEXT_COLUMNS, MESSAGES))
        raise _RowError(f"must have a text column ({known}), got the columns {_names(record)}; {_NAME_TEXT}")
    prompt = asked.prompt or (None if text == MESSAGES else _first(PROMPT_COLUMNS, record, text))
    return _Columns(text, prompt)


def _first(names: Iterable[str], record: Mapping[object, object], taken: str | None) -> str | None:
    return next((name for name in names if name in record and name != taken), None)


def _record(row: object) -> Mapping[object, object]:
    if isinstance(row, _RowError):
        raise row
    if not isinstance(row, Mapping):
        what = f"the plain string {_short(row)}" if isinstance(row, str) else _shown(row)
        raise _RowError(
            f"must be an object with named columns (or every row a string), got {what}; correct it, {_OR_SKIP}"
        )
    return row


def _check_columns(record: Mapping[object, object], columns: _Columns) -> None:
    for kind, name in zip(columns._fields, columns, strict=True):
        if name is not None and name not in record:
            raise _RowError(
                f"must have the column {name!r}, as all rows must, got the columns {_names(record)}; "
                f'name another with {kind}="..." (--{kind}), {_OR_SKIP}'
            )
    if columns.prompt is None and columns.text != MESSAGES and (extra := _first(PROMPT_COLUMNS, record, columns.text)):
        raise _RowError(
            f"must have no column {extra!r}, as the first row has none, got the columns {_names(record)}; "
            f"give every row a prompt (null where it is unknown), {_OR_SKIP}"
        )
