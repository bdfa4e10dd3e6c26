"""What is said of how rows were read, where there was a choice."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from fingerprint.data.chats import chat_in, read_turns
from fingerprint.data.columns import CHOSEN, LABEL, REJECTED, STEPS, Columns

_LISTENER: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


class ReadingNote(UserWarning):
    """How rows were read where there was a choice: which text is the row, what separates the fields.

    No result is in doubt; silence it with ``warnings.simplefilter("ignore", ReadingNote)``, or by saying what is meant.
    """


@dataclass(frozen=True)
class ReadAs:
    """What rows were taken to be.

    Attributes
    ----------
    columns : Columns or None
        Of text and prompt, as found; None where that is not known: of a `Corpus` that somebody made.
    notes : tuple of str
        What was said of it up to the first usable row, which decides for all others.
    """

    columns: Columns | None = None
    notes: tuple[str, ...] = ()

    def record(self) -> dict[str, object]:
        """For JSON: the columns (null for rows that are plain strings), the turn of chats, the notes."""
        if self.columns is None:
            return {}
        text, prompt, turn = self.columns
        chosen = {"turn": turn or "last"} if self.columns.is_chat or turn is not None else {}
        return {"columns": {"text": text, "prompt": prompt, **chosen}, "notes": list(self.notes)}


def note(source: str, message: str) -> None:
    """Say something of a source: to whoever listens, and once on the screen (Python leaves out what it said before)."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(message)
    warnings.warn(f"{source}: {message}", ReadingNote, stacklevel=2)


@contextmanager
def told_to(listener: Callable[[str], None]) -> Iterator[None]:
    """Have notes told to somebody too, without the name of their source."""
    before = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(before)


def note_on_columns(source: str, asked: Columns, found: Columns, names: Iterable[object]) -> None:
    """Say which of several texts of a row is taken, where the caller named none."""
    there = set(names)
    if asked.text is not None:
        return
    if found.text == CHOSEN and REJECTED in there:
        note(
            source,
            f"the text of a row is its chosen answer; text={REJECTED!r} (--text {REJECTED}) takes the other, and "
            "whether the choices differ is what `fingerprint labels` asks",
        )
    elif found.text == "completion" and found.prompt == "prompt" and LABEL in there:
        note(
            source,
            f"answers of either {LABEL} are rows alike; whether the labels differ is what `fingerprint labels` asks",
        )
    elif found.text == STEPS:
        note(source, "the text of a row is the steps of its answer, a line each")


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
            source,
            f"of {count} turns of the assistant the last one is the text of the first row; "
            'turn="first", "all" or a number (--turn) takes others',
        )
