"""Data in memory: frames of any library, Hugging Face data sets, lists, columns and arrays.

Frames are read through narwhals, which speaks to pandas, polars, pyarrow, DuckDB and others without importing any of
them; a frame that narwhals does not know is a line in `_CONVERTERS`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from fingerprint.data.columnar import parts_of_parquet
from fingerprint.data.columns import Columns, find_prompt, is_needed
from fingerprint.data.quoting import listed, shown
from fingerprint.data.tables import distinct_names, rows_of_columns, rows_of_table

if TYPE_CHECKING:
    import narwhals.stable.v2 as nw

    Frame: TypeAlias = nw.DataFrame[Any]  # Any: the frame of whichever library

_ACCEPTED = (
    "a path or glob, a Corpus, a list of strings or of dicts, a dict of columns, a frame or series (polars, pandas, "
    "pyarrow, DuckDB), a numpy array of strings, a Hugging Face Dataset, or an iterable of rows"
)

# Rows of a data set that are taken out of its files at a time.
_PART = 1 << 16
# Entries of a pandas index that are looked at to see whether they are prompts.
_LOOKED_AT = 100


class _PandasIndex(Protocol):
    @property
    def names(self) -> Sequence[object]: ...

    def tolist(self) -> list[object]: ...


class _Pandas(Protocol):
    """A frame or series of pandas, as far as it is used here."""

    @property
    def index(self) -> _PandasIndex: ...

    def __len__(self) -> int: ...

    def head(self, n: int) -> _Pandas: ...

    def reset_index(self, *, level: Sequence[str]) -> _Pandas: ...


class _Dataset(Protocol):
    """A Hugging Face data set, as far as it is used here."""

    @property
    def column_names(self) -> list[str]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> object: ...

    def with_format(self, type: str | None) -> _Dataset: ...

    def select_columns(self, column_names: list[str]) -> _Dataset: ...


@dataclass(frozen=True)
class Table:
    """Rows of a frame, some at a time.

    Attributes
    ----------
    names : sequence of str
        All columns. The parts may hold only those that can be needed.
    parts : iterator of frames of narwhals
    """

    names: Sequence[str]
    parts: Iterator[Frame]


def table_of(data: object, asked: Columns, argument: str) -> Table | None:
    """The frame or data set that `data` is; None for anything else.

    Raises
    ------
    TypeError, ValueError
        For several data sets in one, columns of one name, and an index that looks like prompts.
    """
    if isinstance(data, list | tuple | str | bytes) or type(data) is dict:
        return None  # what most data are need not wait for narwhals
    kinds = _kinds(data)
    if kinds & {("datasets", "DatasetDict"), ("datasets", "IterableDatasetDict")}:
        return table_of(only_split(data, argument), asked, argument)
    if ("datasets", "Dataset") in kinds:
        return _of_dataset(data, asked)  # type: ignore[arg-type]
    frame = _native(data, kinds, asked, argument)
    if frame is None:
        return None
    import narwhals.stable.v2 as nw

    if isinstance(frame, nw.LazyFrame):
        names = frame.collect_schema().names()
        return Table(names, _lazily(frame, names, asked))
    if isinstance(frame, nw.Series):
        return None
    return Table(frame.columns, iter([frame]))


def rows_in_memory(data: object, asked: Columns, argument: str) -> Iterable[object]:
    """Rows of anything but a path, a corpus or a frame.

    Raises
    ------
    TypeError
        If no rows can be made of `data`; `argument` is what the message calls it.
    """
    if isinstance(data, list | tuple):
        return data
    kinds = _kinds(data)
    if ("numpy", "ndarray") in kinds:
        return _numpy_values(data, argument)
    if kinds & {("datasets", "IterableDatasetDict"), ("datasets", "DatasetDict")}:
        return rows_in_memory(only_split(data, argument), asked, argument)
    if ("datasets", "IterableDataset") in kinds:
        return iter(data.with_format(None))  # type: ignore[attr-defined, no-any-return]
    if isinstance(data, Mapping):
        return rows_of_columns(data, argument)
    if (found := _series_values(data, kinds, asked, argument)) is not None:
        return found
    remedy = "collect it with list(...)" if isinstance(data, Iterable) else "read or convert it first"
    raise TypeError(f"{argument} must be {_ACCEPTED}, got {shown(data)}; {remedy}")


def is_lazy(data: object) -> bool:
    """Whether the data are a query, which may give its rows in another order when it runs again."""
    kinds = _kinds(data)
    if kinds & {("datasets", "IterableDataset"), ("datasets", "IterableDatasetDict")}:
        return True
    if isinstance(data, list | tuple | str | bytes | Mapping | os.PathLike) or kinds & _HELD:
        return False
    import narwhals.stable.v2 as nw

    return isinstance(nw.from_native(data, pass_through=True), nw.LazyFrame)


def only_split(data: object, argument: str) -> object:
    """The data set of a dict of data sets, where there is one; which of several is meant, its owner has to say.

    Raises
    ------
    TypeError
    """
    splits: Mapping[str, object] = data  # type: ignore[assignment]
    if len(splits) == 1:
        return next(iter(splits.values()))
    first = next(iter(splits), "train")
    raise TypeError(
        f"{argument} must be one data set, got {type(data).__name__} with the splits {listed(splits) or 'none'}; "
        f'choose one, as in dataset["{first}"]'
    )


def _kinds(data: object) -> set[tuple[str, str]]:
    """Package and name of the classes of an object, so that no package is imported only to ask what it is."""
    return {(cls.__module__.partition(".")[0], cls.__name__) for cls in type(data).__mro__}


def _of_dataset(data: _Dataset, asked: Columns) -> Table:
    """Rows by way of Arrow: what is on disk stays there, and nothing is decoded that is not needed."""
    names = list(data.column_names)
    needed = [name for name in names if is_needed(name, asked)]
    tables = data.select_columns(needed or names[:1]).with_format("arrow")

    def parts() -> Iterator[Frame]:
        import narwhals.stable.v2 as nw

        for first in range(0, len(data), _PART):
            yield nw.from_native(tables[first : first + _PART], eager_only=True)

    return Table(names, parts())


def _native(
    data: object, kinds: set[tuple[str, str]], asked: Columns, argument: str
) -> Frame | nw.LazyFrame[Any] | nw.Series[Any] | None:
    """What narwhals makes of the data, those of pandas with the prompts that stand in their index."""
    import narwhals.stable.v2 as nw
    from narwhals.exceptions import DuplicateError

    known = next((kind for kind in _CONVERTERS if kind in kinds), None)
    if known is not None:
        data = _CONVERTERS[known](data)
    if kinds & {("pandas", "DataFrame"), ("pandas", "Series")}:
        data = _with_index(data, kinds, asked, argument)  # type: ignore[arg-type]
    try:
        found = nw.from_native(data, allow_series=True, pass_through=True)
    except DuplicateError:
        distinct_names(list(data.columns), argument)  # type: ignore[attr-defined]
        raise
    return found if isinstance(found, nw.DataFrame | nw.LazyFrame | nw.Series) else None


def _with_index(data: _Pandas, kinds: set[tuple[str, str]], asked: Columns, argument: str) -> object:
    """The data with the levels of their index that are columns by their names.

    Raises
    ------
    ValueError
        For an index that looks like prompts and is not called so.
    """
    is_series = ("pandas", "Series") in kinds
    columns: list[object] = [] if is_series else list(data.columns)  # type: ignore[attr-defined]
    levels = [
        name for name in data.index.names
        if isinstance(name, str) and is_needed(name, asked) and name not in columns
    ]  # fmt: skip
    has_prompt = asked.prompt is not None or find_prompt([*columns, *levels], asked) is not None
    if not has_prompt and len(data.index.names) == 1 and _is_prose(data.head(_LOOKED_AT).index.tolist()):
        raise ValueError(
            f"{argument} must have its prompts in a column, got an index (of the name {data.index.names[0]!r}) that "
            "looks like prompts; make it a column, as in data.rename_axis('prompt').reset_index(), or leave it out "
            "with data.reset_index(drop=True)"
        )
    if not levels:
        return data
    if is_series:
        name = data.name  # type: ignore[attr-defined]
        text = name if isinstance(name, str) and is_needed(name, asked) else "text"
        data = data.to_frame(text)  # type: ignore[attr-defined]
    return data.reset_index(level=levels)


def _is_prose(index: Sequence[object]) -> bool:
    """Whether the entries of an index are prompts rather than names of rows: strings, most of several words."""
    if not index or not all(isinstance(entry, str) for entry in index):
        return False
    return 2 * sum(len(str(entry).split()) > 2 for entry in index) > len(index)


def _series_values(
    data: object, kinds: set[tuple[str, str]], asked: Columns, argument: str
) -> Iterable[object] | None:
    """Values of a series, an array of Arrow or a column of a data set."""
    if ("datasets", "Column") in kinds:
        return list(data)  # type: ignore[call-overload, no-any-return]
    import narwhals.stable.v2 as nw

    found = _native(data, kinds, asked, argument)
    return values_of(found) if isinstance(found, nw.Series) else None


def values_of(series: nw.Series[Any]) -> list[object]:
    """The values of a series, None where one is missing: pandas has other values for that."""
    values: list[object] = series.to_list()
    if not series.null_count():
        return values
    return [None if missing else value for value, missing in zip(values, series.is_null().to_list(), strict=True)]


def rows_of_frame(frame: Frame, names: Sequence[str], asked: Columns) -> Iterable[object]:
    """Rows of a frame that holds those of the named columns that are needed."""
    held = {name: partial(_column, frame, name) for name in frame.columns if is_needed(name, asked)}
    return rows_of_table(names, len(frame), held)


def _column(frame: Frame, name: str) -> list[object]:
    return values_of(frame.get_column(name))


def _lazily(frame: nw.LazyFrame[Any], names: Sequence[str], asked: Columns) -> Iterator[Frame]:
    """Rows of a query: what it gives goes through a file once, so that it never has to be held."""
    import narwhals.stable.v2 as nw

    needed = [name for name in names if is_needed(name, asked)]
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "rows.parquet")
        frame.select(needed or list(names)).sink_parquet(file)
        for part in parts_of_parquet(file, asked, _PART):
            yield nw.from_native(part, eager_only=True)


def _numpy_values(data: Any, argument: str) -> list[object]:
    if data.ndim != 1:
        raise ValueError(f"{argument} must be a one-dimensional array, got the shape {data.shape}; use data.ravel()")
    return list(data.tolist())


def _arrow(data: object) -> object:
    import polars as pl

    return pl.from_arrow(data)


#: What of Arrow narwhals does not know.
_CONVERTERS: dict[tuple[str, str], Callable[[object], object]] = {
    ("pyarrow", "RecordBatch"): _arrow,
    ("pyarrow", "Array"): _arrow,
}
#: Frames that are held, whichever way they are read.
_HELD = {
    (package, name)
    for package in ("polars", "pandas", "pyarrow", "numpy", "datasets")
    for name in ("DataFrame", "Series", "Table", "ChunkedArray", "Array", "RecordBatch", "ndarray", "Dataset", "Column")
}
