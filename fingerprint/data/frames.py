"""Data in memory: lists, columns, arrays, and the tables of polars, pandas and Hugging Face."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fingerprint.data.columns import _Columns
from fingerprint.data.quoting import _shown
from fingerprint.data.tables import _distinct, _rows_of_columns, _rows_of_table

_ACCEPTED = (
    "a path or glob, a Corpus, a list of strings or of dicts, a dict of columns, a polars or pandas DataFrame or "
    "Series, a numpy array of strings, or a Hugging Face Dataset"
)


def _rows_in_memory(data: Any, asked: _Columns, argument: str) -> Iterable[object]:
    if isinstance(data, list | tuple):
        return data
    for cls in type(data).__mro__:
        kind = (cls.__module__.partition(".")[0], cls.__name__)
        if kind in _CONVERTERS:
            return _CONVERTERS[kind](data, asked, argument)
        if kind in _REMEDIES:
            raise TypeError(f"{argument} must be {_ACCEPTED}, got {cls.__name__}; {_REMEDIES[kind]}")
    if isinstance(data, Mapping):
        return _rows_of_columns(data, argument)
    remedy = "collect it with list(...)" if isinstance(data, Iterable) else "read or convert it first"
    raise TypeError(f"{argument} must be {_ACCEPTED}, got {_shown(data)}; {remedy}")


def _polars_rows(data: Any, asked: _Columns, argument: str) -> Iterable[object]:
    return _rows_of_table(data.columns, data.height, lambda name: data.get_column(name).to_list(), asked)


def _pandas_rows(data: Any, asked: _Columns, argument: str) -> Iterable[object]:
    names = _distinct(list(data.columns), argument)
    return _rows_of_table(names, len(data), lambda name: _pandas_values(data[name], asked, argument), asked)


def _pandas_values(data: Any, asked: _Columns, argument: str) -> list[object]:
    return [None if missing else value for value, missing in zip(data.tolist(), data.isna(), strict=True)]


def _datasets_rows(data: Any, asked: _Columns, argument: str) -> Iterable[object]:
    plain = data.with_format(None)
    return _rows_of_table(
        data.column_names, len(data), lambda name: plain.select_columns([name]).to_dict()[name], asked
    )


def _values(data: Any, asked: _Columns, argument: str) -> list[object]:
    return list(data)


def _numpy_values(data: Any, asked: _Columns, argument: str) -> list[object]:
    if data.ndim != 1:
        raise ValueError(f"{argument} must be a one-dimensional array, got the shape {data.shape}; use data.ravel()")
    return list(data.tolist())


#: By package and class, so that neither pandas nor datasets is imported only to ask what an object is.
_CONVERTERS: dict[tuple[str, str], Callable[[Any, _Columns, str], Iterable[object]]] = {
    ("polars", "DataFrame"): _polars_rows,
    ("polars", "Series"): _values,
    ("pandas", "DataFrame"): _pandas_rows,
    ("pandas", "Series"): _pandas_values,
    ("datasets", "Dataset"): _datasets_rows,
    ("datasets", "Column"): _values,
    ("numpy", "ndarray"): _numpy_values,
}
_REMEDIES = {
    ("polars", "LazyFrame"): "call its collect()",
    ("datasets", "DatasetDict"): 'choose a split, as in dataset["train"]',
    ("datasets", "IterableDatasetDict"): 'choose a split, as in list(dataset["train"].take(10_000))',
    ("datasets", "IterableDataset"): "take rows of the stream, as in list(dataset.take(10_000))",
}
