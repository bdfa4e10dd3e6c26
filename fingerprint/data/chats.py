"""Chats: lists of turns with a role and a content, as OpenAI writes them, or with from and value (ShareGPT)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from fingerprint.data.quoting import short, shown
from fingerprint.data.sources import OR_SKIP, BadRowError
from fingerprint.data.tables import as_list
from fingerprint.data.tool_calls import is_call, written_call

#: "developer" is what newer chat formats call the system role.
SYSTEM_ROLES = frozenset({"system", "developer"})
#: Which of the assistant's turns is the text; numbers count from 1, or from -1 at the end.
Which: TypeAlias = Literal["last", "first", "all"] | int

# Roles under the names that other formats have for them.
_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "observation": "tool",
    "function_response": "tool",
}
_REASONING = ("reasoning_content", "reasoning", "thinking")
# Types of the parts of a content that are text.
_TEXTS = ("text", "input_text", "output_text")


class Turn(NamedTuple):
    """What one speaker said."""

    role: str
    content: str


def read_turns(value: object, role: str, column: str | None) -> list[Turn]:
    """Turns of a chat; a plain string is one turn of `role`.

    Parameters
    ----------
    value : object
        A string, a turn, or a list or array of turns: ``{"role", "content"}`` or ``{"from", "value"}``. Beside a
        content, or in place of it, a turn may hold tool calls and reasoning.
    role : str
        Who says a plain string.
    column : str or None
        Where `value` is from, for messages.

    Raises
    ------
    BadRowError
        If `value` is none of these, or a turn holds anything but text; the message names the column.
    """
    if isinstance(value, str):
        return [Turn(role, value)]
    chat = [value] if is_turn(value) else as_list(value)
    if chat is None:
        remedy = "decode it" if isinstance(value, bytes) else "convert it"
        raise BadRowError(
            f"must be a string, or a chat (a list of role and content), got {shown(value)}; {remedy}, {OR_SKIP}",
            within=in_column(column),
        )
    if chat and all(map(is_call, chat)) and not any(map(is_turn, chat)):
        return [Turn(role, _calls(chat))]
    return [_turn(item, column) for item in chat]


def is_turn(value: object) -> bool:
    """Whether a value is a turn of a chat by its keys."""
    return isinstance(value, Mapping) and any(isinstance(value.get(key), str) for key in ("role", "from"))


def chat_in(text: str, column: str | None) -> object:
    """The chat that a string holds as JSON; the string itself where it is plain text.

    Raises
    ------
    BadRowError
        If it is a list of turns as Python prints one, or JSON that was cut.
    """
    start = text.lstrip()
    if not start.startswith("[") or not start[1:].lstrip().startswith(("{", "]")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadRowError(
            f"must be a chat, got a string that is no JSON: {short(text)}; write it as JSON (json.dumps), {OR_SKIP}",
            within=in_column(column),
        ) from None


def _turn(item: object, column: str | None) -> Turn:
    if not isinstance(item, Mapping) or not is_turn(item):
        raise BadRowError(
            f'must be a chat with turns like {{"role": "user", "content": "..."}}, got {shown(item)}; '
            f"convert it, {OR_SKIP}",
            within=in_column(column),
        )
    name, content = ("role", "content") if isinstance(item.get("role"), str) else ("from", "value")
    given = str(item[name])
    value = item.get(content)
    if given == "function_call" and isinstance(value, str):
        return Turn("assistant", _called(value))
    return Turn(_ROLES.get(given.lower(), given), _said(item, value, column))


def _called(value: str) -> str:
    """A tool call of ShareGPT, which is JSON in a string."""
    try:
        call = json.loads(value)
    except (ValueError, RecursionError):
        return value
    calls = call if isinstance(call, list) else [call]
    return _calls(calls) if calls and all(map(is_call, calls)) else value


def _said(item: Mapping[object, object], value: object, column: str | None) -> str:
    """All that a turn says: its reasoning, its content, its tool calls."""
    calls = [*(as_list(item.get("tool_calls")) or ()), item.get("function_call")]
    called = _calls([call for call in calls if call is not None])
    reasoning = next((said for key in _REASONING if isinstance(said := item.get(key), str) and said), "")
    nothing = value is None and (called or reasoning)
    content = "" if nothing else _content(value, column)
    return "\n".join(filter(None, (_thought(reasoning) + content, called)))


def _thought(reasoning: str) -> str:
    """Reasoning as chat templates write it, before the answer."""
    return f"<think>\n{reasoning}\n</think>\n\n" if reasoning else ""


def _calls(calls: object) -> str:
    assert isinstance(calls, list | tuple)
    return "\n".join(written_call(call) if is_call(call) else json.dumps(call, default=str) for call in calls)


def _content(content: object, column: str | None) -> str:
    if isinstance(content, str):
        return content
    parts = as_list(content)
    if parts is None:
        parts = [content]
    texts = [_part(part, column) for part in parts]
    for part, text in zip(parts, texts, strict=True):
        if text is None:
            raise BadRowError(
                f"must be a chat whose content is text (a string, or parts of type text), got {shown(part)}; "
                f"leave other parts out, {OR_SKIP}",
                within=in_column(column),
            )
    return "".join(text for text in texts if text is not None)


def _part(part: object, column: str | None) -> str | None:
    """The text of a part of a content; None for pictures and the like."""
    if not isinstance(part, Mapping):
        return None
    kind, text, thinking = (part.get(key) for key in ("type", "text", "thinking"))
    if kind in _TEXTS:
        return text if isinstance(text, str) else None
    if kind == "thinking" and isinstance(thinking, str):
        return _thought(thinking)
    if kind == "tool_use" and is_call(part):
        return written_call(part)
    if kind == "tool_result":
        return _content(part.get("content") or "", column)
    return None


def chosen_turn(turns: list[Turn], which: Which, column: str | None) -> tuple[str, list[Turn]]:
    """The assistant's turn that is the text of a row, and the turns that it answers.

    Of all turns of the assistant, joined by blank lines, that are the turns of everybody else.

    Raises
    ------
    BadRowError
        If there is no such turn.
    """
    spoken = [place for place, turn in enumerate(turns) if turn.role == "assistant"]
    if which == "all" and spoken:
        return "\n\n".join(turns[place].content for place in spoken), [t for t in turns if t.role != "assistant"]
    number = {"last": -1, "first": 1, "all": 1}[which] if isinstance(which, str) else which
    if not spoken:
        roles = ", ".join(repr(turn.role) for turn in turns[:12]) or "no turns"
        raise BadRowError(f"must have an assistant turn, got {roles}; correct it, {OR_SKIP}", within=in_column(column))
    if len(spoken) < abs(number):
        raise BadRowError(
            f"must have {abs(number)} assistant turns, got {len(spoken)}; choose another turn (--turn), {OR_SKIP}",
            within=in_column(column),
        )
    at = spoken[number - 1 if number > 0 else number]
    return turns[at].content, turns[:at]


def checked_which(turn: object) -> Which:
    """Which of the assistant's turns a caller asked for, checked.

    Raises
    ------
    ValueError, TypeError
    """
    if turn is None:
        return "last"
    if isinstance(turn, bool) or not isinstance(turn, str | int):
        raise TypeError(f'turn must be "last", "first", "all" or a number, got {shown(turn)}; numbers count from 1')
    if turn in ("last", "first", "all") or (isinstance(turn, int) and turn):
        return turn  # type: ignore[return-value]
    raise ValueError(
        f'turn must be "last", "first", "all" or a number that is not 0, got {short(turn)}; the first turn of the '
        "assistant is 1, the last -1"
    )


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
