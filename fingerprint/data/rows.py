"""From one record to a row: its text, its prompt and its system message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fingerprint.data.chats import SYSTEM_ROLES, in_column, joined_turns, read_turns
from fingerprint.data.columns import ALPACA_INPUT, MESSAGES, SYSTEM, Columns, check_columns, checked_record
from fingerprint.data.quoting import listed, short, shown
from fingerprint.data.sources import OR_SKIP, BadRowError


class Row(NamedTuple):
    """What a corpus keeps of a record."""

    text: str
    prompt: str | None
    system: str | None


def read_row(row: object, columns: Columns) -> Row:
    """Text, prompt and system message of one record.

    Parameters
    ----------
    row : object
        A mapping of column names to values, or a plain string where `columns.text` is None.
    columns : Columns
        The columns of the whole corpus, as `find_columns` gives them.

    Raises
    ------
    BadRowError
        If a column is missing, or holds neither a string nor a chat, or cannot be encoded.
    """
    if columns.text is None:
        return _row(_plain_string(row))
    record = checked_record(row)
    check_columns(record, columns)
    text, prompt = record[columns.text], _prompt(record, columns)
    system = record.get(SYSTEM) if SYSTEM not in columns else None
    systems = [system] if isinstance(system, str) else []
    if isinstance(text, str) and (prompt is None or isinstance(prompt, str)):
        return _row(text, prompt, systems)
    return _row_of_chat(text, prompt, systems, columns)


def _plain_string(row: object) -> str:
    if isinstance(row, BadRowError):
        raise row
    if not isinstance(row, str):
        raise BadRowError(f"must be a string, as the first row is, got {shown(row)}; correct it, {OR_SKIP}")
    return row


def _prompt(record: Mapping[object, object], columns: Columns) -> object:
    prompt = record[columns.prompt] if columns.prompt is not None else None
    if isinstance(prompt, float) and prompt != prompt:
        return None  # pandas writes NaN where a string is missing
    more = record.get(ALPACA_INPUT) if columns.prompt == "instruction" and columns.text != ALPACA_INPUT else None
    if isinstance(prompt, str) and isinstance(more, str) and more:
        return f"{prompt}\n\n{more}"
    return prompt


def _row_of_chat(text: object, prompt: object, systems: list[str], columns: Columns) -> Row:
    """The last assistant turn in the text column, and what came before it there and in the prompt column."""
    given = [] if prompt is None else read_turns(prompt, "user", columns.prompt)
    answer = read_turns(text, "assistant", columns.text)
    spoken = [place for place, turn in enumerate(answer) if turn.role == "assistant"]
    if not spoken:
        roles = listed(turn.role for turn in answer) or "no turns"
        raise BadRowError(
            f"must have an assistant turn, got {roles}; correct it, {OR_SKIP}", within=in_column(columns.text)
        )
    last = spoken[-1]
    before = [*given, *answer[:last]]
    systems = systems + [turn.content for turn in before if turn.role in SYSTEM_ROLES]
    instead = columns.text == MESSAGES and columns.prompt is not None
    return _row(answer[last].content, joined_turns(given if instead else before), systems)


def _row(text: str, prompt: str | None = None, systems: Sequence[str] = ()) -> Row:
    return Row(
        _encodable(text, "text"),
        None if prompt is None else _encodable(prompt, "prompt"),
        _encodable("\n\n".join(systems), "system message") if systems else None,
    )


def _encodable(value: str, what: str) -> str:
    """`value` as a plain str (numpy's str_ has another repr), without the halves of characters that JSON can escape."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise BadRowError(
                f"must be encodable as UTF-8, got the lone surrogate {short(value[error.start])} at character "
                f"{error.start + 1} of the {what}; replace it, {OR_SKIP}"
            ) from None
    return str.__str__(value)
