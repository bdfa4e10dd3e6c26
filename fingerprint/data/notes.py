"""What is said of how rows were read, where there was a choice."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

from fingerprint.data.chats import chat_in, read_turns
from fingerprint.data.columns import CHOSEN, LABEL, REJECTED, STEPS, Columns


class ReadingNote(UserWarning):
    """How rows were read where there was a choice: which text is the row, what separates the fields.

    No result is in doubt; silence it with ``warnings.simplefilter("ignore", ReadingNote)``, or by saying what is meant.
    """


def note(message: str) -> None:
    """Say it once: Python leaves out what it has said before."""
    warnings.warn(message, ReadingNote, stacklevel=2)


def note_on_columns(source: str, asked: Columns, found: Columns, names: Iterable[object]) -> None:
    """Say which of several texts of a row is taken, where the caller named none."""
    there = set(names)
    if asked.text is not None:
        return
    if found.text == CHOSEN and REJECTED in there:
        note(
            f"{source}: the text of a row is its chosen answer; text={REJECTED!r} (--text {REJECTED}) takes the other, "
            "and whether the choices differ is what `fingerprint labels` asks"
        )
    elif found.text == "completion" and found.prompt == "prompt" and LABEL in there:
        note(
            f"{source}: answers of either {LABEL} are rows alike; whether the labels differ is what `fingerprint "
            "labels` asks"
        )
    elif found.text == STEPS:
        note(f"{source}: the text of a row is the steps of its answer, a line each")


def note_on_turns(source: str, asked: Columns, found: Columns, record: object) -> None:
    """Say which of several turns of the assistant is taken, where the caller named none."""
    if asked.turn is not None or found.text in (None, STEPS) or not isinstance(record, Mapping):
        return
    chat = record.get(found.text)
    value = chat_in(chat, found.text) if isinstance(chat, str) and found.is_chat else chat
    if isinstance(value, str):
        return
    count = sum(turn.role == "assistant" for turn in read_turns(value, "assistant", found.text))
    if count > 1:
        note(
            f"{source}: of {count} turns of the assistant the last one is the text of the first row; "
            'turn="first", "all" or a number (--turn) takes others'
        )
