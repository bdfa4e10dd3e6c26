"""Frozen dataclasses to JSON values and back, and to polars frames, all driven by their type hints."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import Field, fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import polars as pl

# Values are JSON; a recursive alias would make every reader of a nested key narrow its type at each step.
JsonObject = dict[str, Any]

_DTYPES: dict[type, type[pl.DataType]] = {str: pl.String, int: pl.Int64, float: pl.Float64, bool: pl.Boolean}


def json_key(field: Field[Any]) -> str | None:
    """Key of a field in JSON: its name unless its metadata say otherwise, None where it stays out."""
    key: str | None = field.metadata.get("json", field.name)
    return key


def encode(hint: Any, value: Any) -> Any:
    """JSON value of a record: floats to 10 significant digits, figures that are not finite as None.

    Parameters
    ----------
    hint : type or type hint
        What `value` is declared as: a dataclass, ``tuple[X, ...]``, ``X | None``, a dict or a scalar.
    value : object
        The value itself.

    Returns
    -------
    dict, list, str, float, int, bool or None
    """
    if value is None:
        return None
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return {key: encode(hints[f.name], getattr(value, f.name)) for f in fields(hint) if (key := json_key(f))}
    if get_origin(hint) is tuple:
        return [encode(get_args(hint)[0], item) for item in value]
    if NoneType in get_args(hint):
        return encode(_without_none(hint), value)
    if hint is float:
        return _finite(value)
    return _plain(value) if get_origin(hint) is dict else hint(value)


def _plain(value: Any) -> Any:
    """JSON value of free-form settings; numpy scalars count as the Python numbers they hold."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, dict):
        if wrong := [key for key in value if not isinstance(key, str)]:
            raise TypeError(f"settings must have string keys, got {wrong[0]!r}; convert it with str()")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, (bool, int)):
        return number
    if isinstance(number, float):
        return _finite(number)
    raise TypeError(f"settings must hold JSON values, got {type(value).__name__}; convert it to str, int or float")


def _finite(value: float) -> float | None:
    return float(f"{value:.10g}") if math.isfinite(value) else None


def decode(hint: Any, value: Any, where: str) -> Any:
    """Inverse of `encode`, up to rounding; every mismatch is an error that names the place.

    Parameters
    ----------
    hint : type or type hint
        What to build.
    value : object
        JSON value.
    where : str
        Path of `value` in the document, for messages.

    Raises
    ------
    ValueError
        If a key is missing or unknown, or a value has the wrong type.
    """
    if is_dataclass(hint):
        return _record(hint, value, where)
    if get_origin(hint) is tuple:
        items = _expect(list, value, where)
        return tuple(decode(get_args(hint)[0], item, f"{where}[{i}]") for i, item in enumerate(items))
    if NoneType in get_args(hint):
        return None if value is None else decode(_without_none(hint), value, where)
    if get_origin(hint) is dict:
        return _expect(dict, value, where)
    if hint is float:
        return math.nan if value is None else float(_expect((int, float), value, where))
    return _expect(hint, value, where)


def _record(cls: Any, value: Any, where: str) -> Any:
    hints = get_type_hints(cls)
    keys = {key: f.name for f in fields(cls) if (key := json_key(f))}
    given = _expect(dict, value, where)
    if missing := [key for key in keys if key not in given]:
        raise ValueError(f"{where} must have the key {missing[0]!r}, got {sorted(given)}; write it with Report.to_json")
    if unknown := [key for key in given if key not in keys]:
        raise ValueError(f"{where} must have only the keys {sorted(keys)}, got {unknown[0]!r}; remove it")
    return cls(**{name: decode(hints[name], given[key], f"{where}.{key}") for key, name in keys.items()})


def _expect(kind: type | tuple[type, ...], value: Any, where: str) -> Any:
    is_number = kind is not bool and isinstance(value, bool)  # bool is an int to Python, not to a reader
    if is_number or not isinstance(value, kind):
        names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise ValueError(f"{where} must be {names}, got {value!r:.80}; write it with Report.to_json")
    return value


def _without_none(hint: Any) -> Any:
    (inner,) = (part for part in get_args(hint) if part is not NoneType)
    return inner


def frame(cls: Any, records: Iterable[Any]) -> pl.DataFrame:
    """Table of records, one a row; an estimate `x` becomes the columns `x`, `x_low` and `x_high`.

    Parameters
    ----------
    cls : type
        The dataclass of the records; it fixes columns and types even where there are none.
    records : iterable of cls
        The rows.
    """
    hints = get_type_hints(cls)
    schema: dict[str, Any] = {}
    for field in fields(cls):
        hint = hints[field.name]
        if is_dataclass(hint):
            schema |= {_flat(field.name, part.name): pl.Float64 for part in fields(hint)}
        else:
            schema[field.name] = _DTYPES[_without_none(hint) if NoneType in get_args(hint) else hint]
    rows = [_flat_row(record) for record in records]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _flat_row(record: Any) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if is_dataclass(value):
            row |= {_flat(field.name, part.name): getattr(value, part.name) for part in fields(value)}
        elif isinstance(value, str):  # polars holds no lone surrogates, JSON escapes can make them
            row[field.name] = value.encode("utf-8", "backslashreplace").decode()
        else:
            row[field.name] = value
    return row


def _flat(name: str, part: str) -> str:
    return name if part == "value" else f"{name}_{part}"
