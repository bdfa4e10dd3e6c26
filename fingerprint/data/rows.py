"""From one record to a row: its text, its prompt and its system message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fingerprint.data.chats import SYSTEM_ROLES, Turn, chat_in, chosen_turn, joined_turns, read_turns
from fingerprint.data.columns import (
    ALPACA_INPUT,
    CHOSEN,
    LABELS,
    REJECTED,
    STEPS,
    SYSTEM,
    Columns,
    check_columns,
    checked_record,
)
from fingerprint.data.preferences import without_prompt
from fingerprint.data.quoting import short, shown
from fingerprint.data.sources import OR_SKIP, BadRowError
from fingerprint.data.tables import as_list


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
    text, prompt = _text_and_prompt(record, columns)
    system = record.get(SYSTEM) if SYSTEM not in columns.names else None
    systems = [system] if isinstance(system, str) else []
    if isinstance(text, str) and (prompt is None or isinstance(prompt, str)):
        return _row(text, prompt, systems)
    return _row_of_chat(text, prompt, systems, columns)


def _text_and_prompt(record: Mapping[object, object], columns: Columns) -> tuple[object, object]:
    """What the columns of text and prompt hold, with the forms of preference data put into those of others."""
    assert columns.text is not None
    text, prompt = record[columns.text], _prompt(record, columns)
    if columns.is_chat and isinstance(text, str):
        text = chat_in(text, columns.text)
    other = record.get(REJECTED if columns.text == CHOSEN else CHOSEN)
    if columns.is_implicit and isinstance(text, str) and (other is None or isinstance(other, str)):
        text, prompt = without_prompt(text, text if other is None else other)
    if columns.text == STEPS and LABELS in record:
        steps = as_list(text)
        if steps is not None and all(isinstance(step, str) for step in steps):
            text = "\n".join(map(str, steps))
    return text, prompt


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
    more = record.get(ALPACA_INPUT) if columns.is_alpaca else None
    if isinstance(prompt, str) and isinstance(more, str) and more:
        return f"{prompt}\n\n{more}"
    return prompt


def _row_of_chat(text: object, prompt: object, systems: list[str], columns: Columns) -> Row:
    """An assistant's turn of the text column, and what came before it there and in the prompt column."""
    given = [] if prompt is None else read_turns(prompt, "user", columns.prompt)
    chat = read_turns(text, "assistant", columns.text)
    answer, before = chosen_turn(chat, columns.turn or "last", columns.text)
    is_repeated = _spoken(before)[: len(_spoken(given))] == _spoken(given)
    context = before if is_repeated and given else [*given, *before]
    systems = systems + [turn.content for turn in context if turn.role in SYSTEM_ROLES]
    instead = columns.is_chat and columns.prompt is not None
    return _row(answer, joined_turns(given if instead else context), systems)


def _spoken(turns: list[Turn]) -> list[Turn]:
    return [turn for turn in turns if turn.role not in SYSTEM_ROLES]


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
