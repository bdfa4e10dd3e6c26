"""JSON of files that are not trusted, held to the types that the code declares."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

from fingerprint.data.json_values import value_of_document
from fingerprint.data.quoting import listed, shown

Typed = TypeVar("Typed")

# Whole numbers that every part of numpy takes.
_GREATEST = 2**63 - 1


def typed(content: bytes, kind: type[Typed], name: str) -> Typed:
    """A value of JSON that has a type: a `TypedDict`, and whatever that holds.

    Raises
    ------
    ValueError
        If it is no JSON; if a value has another type, or a key is missing, or there twice; if a number is not finite.
    """
    try:
        value = value_of_document(content.decode())
    except (ValueError, RecursionError) as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise ValueError(f"{name} must be JSON, got {what.removeprefix('got '):.120}; make it again") from error
    check(value, kind, name)
    return value  # type: ignore[return-value]  # checked


def check(value: object, kind: object, place: str) -> None:
    """Refuse a value that has another type than is declared."""
    origin, parts = get_origin(kind), get_args(kind)
    if is_typeddict(kind) and isinstance(kind, type):
        _check_keys(value, get_type_hints(kind), place)
    elif origin in (Union, UnionType):
        if not any(_has_type(value, part) for part in parts):
            raise _wrong(value, kind, place)
        check(value, next(part for part in parts if _has_type(value, part)), place)
    elif not _has_type(value, kind):
        raise _wrong(value, kind, place)
    elif isinstance(value, dict):
        for name, item in value.items():
            check(item, parts[1] if parts else object, f"{place}.{name:.60}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            check(item, parts[0] if parts else object, f"{place}[{number}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} must be a finite number, got {value}; make it again")
    elif isinstance(value, int) and abs(value) > _GREATEST:
        raise ValueError(f"{place} must be a number below 2**63, got a greater one; make it again")


def _check_keys(value: object, kinds: Mapping[str, object], place: str) -> None:
    if not isinstance(value, dict) or value.keys() != kinds.keys():
        got = listed(value) if isinstance(value, dict) else shown(value)
        raise ValueError(f"{place} must have the keys {', '.join(kinds)}, got {got:.200}; make it again")
    for name, kind in kinds.items():
        check(value[name], kind, f"{place}.{name}")


def _has_type(value: object, kind: object) -> bool:
    origin = get_origin(kind) or kind
    if origin is dict or is_typeddict(origin):
        return isinstance(value, dict)
    if origin in (list, Sequence):
        return isinstance(value, list)
    if origin is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    if origin is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if origin in (str, bool, NoneType):
        return isinstance(value, origin)
    return True  # object and Any: whatever JSON holds


def _wrong(value: object, kind: object, place: str) -> ValueError:
    named = kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)
    return ValueError(f"{place} must be {named}, got {shown(value)}; make it again")
