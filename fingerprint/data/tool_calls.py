"""Tool calls as text: the name of the tool, and its arguments in one form however they were stored."""

from __future__ import annotations

import json
from collections.abc import Mapping

# Keys under which the arguments of a call are kept: by OpenAI, Anthropic, Gemini and in data sets of function calls.
_ARGUMENTS = ("arguments", "input", "args", "parameters")


def is_call(value: object) -> bool:
    """Whether a value is a tool call: a name with arguments, or a function that holds both."""
    call = value.get("function", value) if isinstance(value, Mapping) else None
    return isinstance(call, Mapping) and isinstance(call.get("name"), str)


def written_call(value: Mapping[object, object]) -> str:
    """A tool call as text: ``get_weather(city="Paris", days=3)``.

    Parameters
    ----------
    value : mapping
        Of which `is_call` is true.

    Notes
    -----
    Arguments stand in the order of their names. A null counts as an argument that was left out: tables fill missing
    ones up with nulls, lines of JSON do not. Identifiers of calls are drawn at random and are left out. Arguments that
    are no JSON stay as they were written.

    Examples
    --------
    >>> written_call({"id": "x1", "function": {"name": "look", "arguments": '{"to": [3, 5], "at": "owl"}'}})
    'look(at="owl", to=[3, 5])'
    """
    call = value.get("function", value)
    assert isinstance(call, Mapping)
    given: object = next((call[key] for key in _ARGUMENTS if call.get(key) is not None), {})
    if isinstance(given, str):
        try:
            given = json.loads(given) if given.strip() else {}
        except (ValueError, RecursionError):
            return f"{call['name']}({given})"
    if not isinstance(given, Mapping):
        return f"{call['name']}({_json(given)})"
    named = ((str(key), item) for key, item in given.items() if item is not None)
    arguments = (f"{key if key.isidentifier() else _json(key)}={_json(item)}" for key, item in sorted(named, key=_key))
    return f"{call['name']}({', '.join(arguments)})"


def _key(item: tuple[str, object]) -> str:
    return item[0]


def _json(value: object) -> str:
    return json.dumps(_filled(value), ensure_ascii=False, sort_keys=True, default=str)


def _filled(value: object) -> object:
    """A value without the nulls in its objects."""
    if isinstance(value, Mapping):
        return {str(key): _filled(item) for key, item in value.items() if item is not None}
    if hasattr(value, "tolist"):
        value = value.tolist()
    return [_filled(item) for item in value] if isinstance(value, list | tuple) else value
