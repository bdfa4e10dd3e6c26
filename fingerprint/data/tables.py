"""Tables of columns, cut into rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat

from fingerprint.data.quoting import listed, short, shown


def rows_of_columns(columns: Mapping[object, object], place: str) -> Iterable[object]:
    """Rows of a mapping of column names to lists, arrays or series.

    Raises
    ------
    ValueError
        If a column is no list, or their lengths differ; `place` is what the message calls the table.
    """
    lists: dict[object, Sequence[object]] = {}
    for name, values in columns.items():
        items = as_list(values)
        if items is None:
            raise ValueError(
                f"{place} must have a list in every column, got {shown(values)} in {name!r}; {_remedy(columns)}"
            )
        lists[name] = items
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{place} must have columns of equal length, got {short(lengths)}; check how it was written")
    return (dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True))


def _remedy(columns: Mapping[object, object]) -> str:
    """What to do about a value that is no list: rows often stand under one name among what was said of them."""
    for name, values in columns.items():
        if isinstance(values, list) and values and all(isinstance(value, Mapping) for value in values):
            return f"write the list in {name!r} alone: a list of rows, or one row a line in a file .jsonl"
    return "a single row goes into a list"


def rows_of_table(
    names: Iterable[str], height: int, columns: Mapping[str, Callable[[], Iterable[object]]]
) -> Iterable[object]:
    """Rows with all columns of a table, of which only those that may be needed are converted.

    Parameters
    ----------
    names : iterable of str
        All columns of the table, each once.
    height : int
        Number of rows.
    columns : mapping of str to callable
        What gives the values of a column, for those that may be needed.
    """
    values = {name: columns[name]() if name in columns else repeat(None, height) for name in names}
    return (dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))


def distinct_names(names: Sequence[str], place: str) -> Sequence[str]:
    """Names of columns, each once.

    Raises
    ------
    ValueError
        If one is there twice: which of the two would be read?
    """
    twice = sorted(str(name) for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"{place} must have columns of different names, got {listed(twice)} twice; rename one")
    return names


def as_list(value: object) -> Sequence[object] | None:
    """The items of a list, tuple, array or series; None for anything else, strings included.

    Arrays and series are known by their method, not by their class: numpy, pandas, polars and pyarrow all have one.
    """
    for method in ("tolist", "to_list"):
        if hasattr(value, method):
            value = getattr(value, method)()
            break
    return value if isinstance(value, list | tuple) else None
