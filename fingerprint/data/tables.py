"""Tables of columns, cut into rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

from fingerprint.data.columns import _Columns, _needed
from fingerprint.data.quoting import _names, _short, _shown


def _rows_of_columns(columns: Mapping[Any, object], place: str) -> Iterable[object]:
    lists: dict[Any, Sequence[object]] = {}
    for name, values in columns.items():
        listed = _as_list(values)
        if listed is None:
            raise ValueError(
                f"{place} must have a list in every column, got {_shown(values)} in {name!r}; "
                f"a single row goes into a list"
            )
        lists[name] = listed
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{place} must have columns of equal length, got {_short(lengths)}; check how it was written")
    return (dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True))


def _rows_of_table(
    names: Iterable[str], height: int, column: Callable[[str], Iterable[object]], asked: _Columns
) -> Iterable[object]:
    """Rows with all columns of a table, of which only those that may be needed are converted."""
    needed = _needed(asked)
    columns = {name: column(name) if name in needed else repeat(None, height) for name in names}
    return (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))


def _distinct(names: Sequence[str], place: str) -> Sequence[str]:
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{place} must have columns of different names, got {_names(twice)} twice; rename one")
    return names


def _as_list(value: object) -> Sequence[object] | None:
    """The items of a list, tuple, array or series; None for anything else, strings included."""
    for method in ("tolist", "to_list"):
        if hasattr(value, method):
            value = getattr(value, method)()
            break
    return value if isinstance(value, list | tuple) else None
