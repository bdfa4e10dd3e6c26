"""Data in memory: lists, columns, arrays, and the tables of polars, pandas and Hugging Face.

A new kind of frame is a converter and its line in `_CONVERTERS`, at the end, and its name in `_ACCEPTED`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from fingerprint.data.columns import Columns
from fingerprint.data.quoting import shown
from fingerprint.data.tables import distinct_names, rows_of_columns, rows_of_table

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

_ACCEPTED = (
    "a path or glob, a Corpus, a list of strings or of dicts, a dict of columns, a polars or pandas DataFrame or "
    "Series, a numpy array of strings, or a Hugging Face Dataset"
)


class _PandasSeries(Protocol):
    def tolist(self) -> list[object]: ...

    def isna(self) -> Iterable[bool]: ...


class _PandasFrame(Protocol):
    @property
    def columns(self) -> Iterable[str]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, name: str, /) -> _PandasSeries: ...


class _Dataset(Protocol):
    """A Hugging Face data set, as far as it is used here."""

    @property
    def column_names(self) -> list[str]: ...

    def __len__(self) -> int: ...

    def with_format(self, type: None) -> _Dataset: ...

    def select_columns(self, column_names: list[str]) -> _Dataset: ...

    def to_dict(self) -> dict[str, list[object]]: ...


def rows_in_memory(data: object, asked: Columns, argument: str) -> Iterable[object]:
    """Rows of anything but a path or a corpus.

    Raises
    ------
    TypeError
        If no rows can be made of `data`; `argument` is what the message calls it.
    """
    if isinstance(data, list | tuple):
        return data
    for cls in type(data).__mro__:
        kind = (cls.__module__.partition(".")[0], cls.__name__)
        if kind in _CONVERTERS:
            return _CONVERTERS[kind](data, asked, argument)
        if kind in _REMEDIES:
            raise TypeError(f"{argument} must be {_ACCEPTED}, got {cls.__name__}; {_REMEDIES[kind]}")
    if isinstance(data, Mapping):
        return rows_of_columns(data, argument)
    remedy = "collect it with list(...)" if isinstance(data, Iterable) else "read or convert it first"
    raise TypeError(f"{argument} must be {_ACCEPTED}, got {shown(data)}; {remedy}")


def _polars_rows(data: pl.DataFrame, asked: Columns, argument: str) -> Iterable[object]:
    return rows_of_table(data.columns, data.height, lambda name: data.get_column(name).to_list(), asked)


def _pandas_rows(data: _PandasFrame, asked: Columns, argument: str) -> Iterable[object]:
    names = distinct_names(list(data.columns), argument)
    return rows_of_table(names, len(data), lambda name: _pandas_values(data[name], asked, argument), asked)


def _pandas_values(data: _PandasSeries, asked: Columns, argument: str) -> list[object]:
    return [None if missing else value for value, missing in zip(data.tolist(), data.isna(), strict=True)]


def _datasets_rows(data: _Dataset, asked: Columns, argument: str) -> Iterable[object]:
    plain = data.with_format(None)
    return rows_of_table(data.column_names, len(data), lambda name: plain.select_columns([name]).to_dict()[name], asked)


def _values(data: Iterable[object], asked: Columns, argument: str) -> list[object]:
    return list(data)


def _numpy_values(data: NDArray[np.generic], asked: Columns, argument: str) -> list[object]:
    if data.ndim != 1:
        raise ValueError(f"{argument} must be a one-dimensional array, got the shape {data.shape}; use data.ravel()")
    return list(data.tolist())


#: By package and class, so that neither pandas nor datasets is imported only to ask what an object is.
#: (Any: each converter takes the type that stands beside it, which a table of functions cannot say.)
_CONVERTERS: dict[tuple[str, str], Callable[[Any, Columns, str], Iterable[object]]] = {
    ("polars", "DataFrame"): _polars_rows,
    ("polars", "Series"): _values,
    ("pandas", "DataFrame"): _pandas_rows,
    ("pandas", "Series"): _pandas_values,
    ("datasets", "Dataset"): _datasets_rows,
    ("datasets", "Column"): _values,
    ("numpy", "ndarray"): _numpy_values,
}
#: What to do with an object that holds rows, but not such that can be read as they are.
_REMEDIES = {
    ("polars", "LazyFrame"): "call its collect()",
    ("datasets", "DatasetDict"): 'choose a split, as in dataset["train"]',
    ("datasets", "IterableDatasetDict"): 'choose a split, as in list(dataset["train"].take(10_000))',
    ("datasets", "IterableDataset"): "take rows of the stream, as in list(dataset.take(10_000))",
}
