"""Frozen dataclasses to JSON values and back, and to polars frames, all driven by their type hints."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import Field, fields, is_dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

if TYPE_CHECKING:
    import polars as pl

# Values are JSON; a recursive alias would make every reader of a nested key narrow its type at each step.
JsonObject: TypeAlias = dict[str, Any]


class Dataclass(Protocol):
    """Any dataclass: `dataclasses.fields` and mypy know it by this attribute."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]  # as typeshed has it: fields are of any type


Record = TypeVar("Record", bound=Dataclass)
Kind = TypeVar("Kind")


def finite(value: float) -> float | None:
    """A float of any kind to 10 significant digits; None for what JSON has no word for."""
    return float(f"{value:.10g}") if math.isfinite(value) else None


# How values of these types are written; numpy scalars become the Python numbers they hold.
_SCALARS: dict[object, Callable[..., object]] = {float: finite, int: int, str: str, bool: bool}


def _json_keys(cls: type[Dataclass]) -> dict[str, str]:
    """Names of fields by their keys in JSON: the name, unless metadata say otherwise; None there keeps a field out."""
    keys = {field.name: field.metadata.get("json", field.name) for field in fields(cls)}
    return {key: name for name, key in keys.items() if key is not None}


def encode_record(record: Dataclass) -> JsonObject:
    """JSON object of a dataclass: floats to 10 significant digits, figures that are not finite as None."""
    hints = get_type_hints(type(record))
    return {key: _encode(hints[name], getattr(record, name)) for key, name in _json_keys(type(record)).items()}


def _encode(hint: object, value: object) -> object:
    """JSON value of what is declared as `hint`: a dataclass, ``tuple[X, ...]``, ``X | None``, a dict or a scalar."""
    if value is None:
        return None
    if is_dataclass(value) and not isinstance(value, type):
        return encode_record(value)
    if isinstance(value, (tuple, list)) and get_origin(hint) is tuple:
        return [_encode(get_args(hint)[0], item) for item in value]
    if NoneType in get_args(hint):
        return _encode(_without_none(hint), value)
    return _plain(value) if get_origin(hint) is dict else _SCALARS[hint](value)


def _plain(value: object) -> object:
    """JSON value of free-form settings; numpy scalars count as the Python numbers they hold."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, dict):
        if wrong := [key for key in value if not isinstance(key, str)]:
            raise TypeError(f"settings must have string keys, got {wrong[0]!r}; convert it with str()")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, (bool, int)):
        return number
    if isinstance(number, float):
        return finite(number)
    raise TypeError(f"settings must hold JSON values, got {type(value).__name__}; convert it to str, int or float")


def decode_record(cls: type[Record], value: object, where: str) -> Record:
    """Inverse of `encode_record`, up to rounding; every mismatch is an error that names the place.

    Parameters
    ----------
    cls : type
        The dataclass to build.
    value : object
        JSON value.
    where : str
        Path of `value` in the document, for messages.

    Raises
    ------
    ValueError
        If a key is missing or unknown, or a value has the wrong type.
    """
    hints = get_type_hints(cls)
    names = _json_keys(cls)
    given = _expect(dict, value, where)
    if missing := [key for key in names if key not in given]:
        raise ValueError(f"{where} must have the key {missing[0]!r}, got {sorted(given)}; write it with to_json")
    if unknown := [key for key in given if key not in names]:
        raise ValueError(f"{where} must have only the keys {sorted(names)}, got {unknown[0]!r}; remove it")
    return cls(**{name: _decode(hints[name], given[key], f"{where}.{key}") for key, name in names.items()})


def _decode(hint: object, value: object, where: str) -> object:
    if isinstance(hint, type) and is_dataclass(hint):
        return decode_record(hint, value, where)
    if get_origin(hint) is tuple:
        items = _expect(list, value, where)
        return tuple(_decode(get_args(hint)[0], item, f"{where}[{i}]") for i, item in enumerate(items))
    if NoneType in get_args(hint):
        return None if value is None else _decode(_without_none(hint), value, where)
    if get_origin(hint) is dict:
        return _expect(dict, value, where)
    if hint is float:
        return math.nan if value is None else float(_expect((int, float), value, where))
    if not isinstance(hint, type):
        raise TypeError(f"{where} must be declared as a record, tuple, dict or scalar, got {hint}; declare it so")
    return _expect(hint, value, where)


def _expect(kind: type[Kind] | tuple[type[Kind], ...], value: object, where: str) -> Kind:
    is_number = kind is not bool and isinstance(value, bool)  # bool is an int to Python, not to a reader
    if is_number or not isinstance(value, kind):
        names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise ValueError(f"{where} must be {names}, got {value!r:.80}; write it with to_json")
    return value


def _without_none(hint: object) -> object:
    (inner,) = (part for part in get_args(hint) if part is not NoneType)
    return inner


def frame(cls: type, records: Iterable[object]) -> pl.DataFrame:
    """Table of records, one a row; an estimate `x` becomes the columns `x`, `x_low` and `x_high`.

    Parameters
    ----------
    cls : type
        The dataclass of the records; it fixes columns and types even where there are none.
    records : iterable of cls
        The rows.
    """
    import polars as pl

    hints = get_type_hints(cls)
    schema: dict[str, pl.DataType | type[pl.DataType]] = {}
    for field in fields(cls):
        hint = hints[field.name]
        if is_dataclass(hint):
            schema |= {_flat(field.name, part.name): pl.Float64 for part in fields(hint)}
        else:
            schema[field.name] = _dtype(hint)
    rows = [_flat_row(cls, record) for record in records]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _flat_row(cls: type, record: object) -> dict[str, object]:
    row: dict[str, object] = {}
    for field in fields(cls):
        value = getattr(record, field.name)
        if is_dataclass(value):
            row |= {_flat(field.name, part.name): getattr(value, part.name) for part in fields(value)}
        else:
            row[field.name] = [_storable(item) for item in value] if isinstance(value, tuple) else _storable(value)
    return row


def _storable(value: object) -> object:
    """A cell of a frame: polars holds no lone surrogates, JSON escapes can make them."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _dtype(hint: object) -> pl.DataType | type[pl.DataType]:
    import polars as pl

    dtypes: dict[object, type[pl.DataType]] = {str: pl.String, int: pl.Int64, float: pl.Float64, bool: pl.Boolean}
    if get_origin(hint) is tuple:
        return pl.List(dtypes[get_args(hint)[0]])
    return dtypes[_without_none(hint) if NoneType in get_args(hint) else hint]


def _flat(name: str, part: str) -> str:
    return name if part == "value" else f"{name}_{part}"
