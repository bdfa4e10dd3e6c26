"""Chats: lists of turns with a role and a content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from fingerprint.data.quoting import shown
from fingerprint.data.sources import OR_SKIP, BadRowError
from fingerprint.data.tables import as_list

#: "developer" is what newer chat formats call the system role.
SYSTEM_ROLES = frozenset({"system", "developer"})


class Turn(NamedTuple):
    """What one speaker said."""

    role: str
    content: str


def read_turns(value: object, role: str, column: str | None) -> list[Turn]:
    """Turns of a chat; a plain string is one turn of `role`.

    Parameters
    ----------
    value : object
        A string, or a list or array of ``{"role", "content"}``.
    role : str
        Who says a plain string.
    column : str or None
        Where `value` is from, for messages.

    Raises
    ------
    BadRowError
        If `value` is neither, or a turn holds anything but text; the message names the column.
    """
    if isinstance(value, str):
        return [Turn(role, value)]
    chat = as_list(value)
    if chat is None:
        raise BadRowError(
            f"must be a string, or a chat (a list of role and content), got {shown(value)}; convert it, {OR_SKIP}",
            within=in_column(column),
        )
    return [_turn(item, column) for item in chat]


def _turn(item: object, column: str | None) -> Turn:
    if not isinstance(item, Mapping) or not isinstance(role := item.get("role"), str):
        raise BadRowError(
            f'must be a chat with turns like {{"role": "user", "content": "..."}}, got {shown(item)}; '
            f"convert it, {OR_SKIP}",
            within=in_column(column),
        )
    return Turn(role, _content(item.get("content"), column))


def _content(content: object, column: str | None) -> str:
    if isinstance(content, str):
        return content
    parts = as_list(content)
    if parts is None:
        parts = [content]
    texts = [part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None for part in parts]
    for part, text in zip(parts, texts, strict=True):
        if not isinstance(text, str):
            raise BadRowError(
                f"must be a chat whose content is text (a string, or parts of type text), got {shown(part)}; "
                f"leave other parts out, {OR_SKIP}",
                within=in_column(column),
            )
    return "".join(text for text in texts if isinstance(text, str))


def joined_turns(turns: list[Turn]) -> str | None:
    """A single user turn as it is; several as JSON, which no text inside a turn can imitate."""
    spoken = [turn for turn in turns if turn.role not in SYSTEM_ROLES]
    if not spoken:
        return None
    if len(spoken) == 1 and spoken[0].role == "user":
        return spoken[0].content
    return json.dumps(spoken, ensure_ascii=False)


def in_column(name: str | None) -> str:
    """Where in a row a message says that something is wrong."""
    return f"column {name!r}"
