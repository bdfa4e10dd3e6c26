"""Chats: lists of turns with a role and a content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from fingerprint.data.quoting import _shown
from fingerprint.data.sources import _OR_SKIP, _RowError
from fingerprint.data.tables import _as_list

#: "developer" is what newer chat formats call the system role.
SYSTEM_ROLES = frozenset({"system", "developer"})


class _Turn(NamedTuple):
    role: str
    content: str


def _turns(value: object, role: str, column: str | None) -> list[_Turn]:
    if isinstance(value, str):
        return [_Turn(role, value)]
    chat = _as_list(value)
    if chat is None:
        raise _RowError(
            f"must be a string, or a chat (a list of role and content), got {_shown(value)}; convert it, {_OR_SKIP}",
            within=_column(column),
        )
    return [_turn(item, column) for item in chat]


def _turn(item: object, column: str | None) -> _Turn:
    if not isinstance(item, Mapping) or not isinstance(role := item.get("role"), str):
        raise _RowError(
            f'must be a chat with turns like {{"role": "user", "content": "..."}}, got {_shown(item)}; '
            f"convert it, {_OR_SKIP}",
            within=_column(column),
        )
    return _Turn(role, _content(item.get("content"), column))


def _content(content: object, column: str | None) -> str:
    if isinstance(content, str):
        return content
    parts = _as_list(content)
    if parts is None:
        parts = [content]
    texts = [part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None for part in parts]
    for part, text in zip(parts, texts, strict=True):
        if not isinstance(text, str):
            raise _RowError(
                f"must be a chat whose content is text (a string, or parts of type text), got {_shown(part)}; "
                f"leave other parts out, {_OR_SKIP}",
                within=_column(column),
            )
    return "".join(text for text in texts if isinstance(text, str))


def _joined(turns: list[_Turn]) -> str | None:
    """A single user turn as it is; several as JSON, which no text inside a turn can imitate."""
    spoken = [turn for turn in turns if turn.role not in SYSTEM_ROLES]
    if not spoken:
        return None
    if len(spoken) == 1 and spoken[0].role == "user":
        return spoken[0].content
    return json.dumps(spoken, ensure_ascii=False)


def _column(name: str | None) -> str:
    return f"column {name!r}"
