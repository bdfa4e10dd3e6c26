"""Pieces of a source: some rows at a time, with a way to take them as whole lists where they are plain."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeGuard

from fingerprint.data.columns import Columns, needed_columns
from fingerprint.data.formats import file_source
from fingerprint.data.frames import rows_in_memory
from fingerprint.data.quoting import short
from fingerprint.data.row_reader import Lists, RowReader
from fingerprint.data.sources import NumberedRows, Source, numbered
from fingerprint.data.tables import as_list, rows_of_table

if TYPE_CHECKING:
    import polars as pl

# Bytes of a Parquet file that are decoded at a time, beside its row group: 10^6 rows of ten numbers at 1.4 M rows/s
# and a peak of 180 MiB (row groups of 122,880 rows) or 230 MiB (one row group), 60 MiB of them before the first row.
DECODED = 1 << 25
_PARQUET = b"PAR1"


@dataclass(frozen=True)
class Piece:
    """Some rows of a source.

    Attributes
    ----------
    numbers : sequence of int
        What messages call the rows.
    rows : callable
        The rows, one by one.
    quick : callable
        All of them at once, by the columns of a reader; None where they are not plain.
    """

    numbers: Sequence[int]
    rows: Callable[[], Iterable[object]]
    quick: Callable[[RowReader], Lists | None]


def pieces_of_file(file: str, asked: Columns, size: int) -> tuple[Source, Iterator[Piece]]:
    """The rows of a file, `size` at a time; it is opened when they are asked for."""
    source = file_source(file, asked)
    return source, _parquet(file, asked, size) if _is_plain_parquet(file) else _cut(source.rows, size)


def pieces_in_memory(data: object, asked: Columns, argument: str, size: int) -> tuple[Source, Iterator[Piece]]:
    """The rows of a frame, a list, columns, or an iterable of such, `size` at a time.

    Raises
    ------
    TypeError
        If no rows can be made of the data.
    """
    if is_lazy_frame(data):
        pieces = _lazy(data, asked, size)
    elif _is_iterable_of_batches(data):
        pieces = _batches(data, asked, argument, size)
    else:
        pieces = _table(data, asked, argument, size, 0)
    return Source(argument, "row index", numbered((), 0)), pieces


def is_frame(data: object) -> TypeGuard[pl.DataFrame]:
    """Whether the data are a frame of polars, which is not imported to find out."""
    return _is_polars(data, "DataFrame")


def is_lazy_frame(data: object) -> TypeGuard[pl.LazyFrame]:
    """Whether the data are a query of polars."""
    return _is_polars(data, "LazyFrame")


def is_read_once(data: object) -> bool:
    """Whether going through the data a second time may give other rows, or none."""
    return is_lazy_frame(data) or _is_iterable_of_batches(data)


def _is_polars(data: object, name: str) -> bool:
    return any((cls.__module__.partition(".")[0], cls.__name__) == ("polars", name) for cls in type(data).__mro__)


def _is_iterable_of_batches(data: object) -> TypeGuard[Iterable[object]]:
    """Anything that can be gone through, and is not itself rows in memory."""
    has_length = hasattr(data, "__len__")
    return isinstance(data, Iterable) and not has_length and not isinstance(data, str | bytes | Mapping)


def _cut(rows: NumberedRows, size: int) -> Iterator[Piece]:
    while some := list(islice(rows, size)):
        numbers, values = [number for number, _ in some], [row for _, row in some]
        yield _piece(numbers, values)


def _piece(numbers: Sequence[int], rows: Sequence[object]) -> Piece:
    return Piece(numbers, lambda: rows, lambda reader: reader.quick(rows))


def _table(data: object, asked: Columns, argument: str, size: int, start: int) -> Iterator[Piece]:
    if is_frame(data):
        yield from _of_frame(data, data.columns, asked, size, start)
    else:
        yield from _cut(numbered(rows_in_memory(data, asked, argument), start), size)


def _of_frame(frame: pl.DataFrame, names: Sequence[str], asked: Columns, size: int, start: int) -> Iterator[Piece]:
    for offset in range(0, frame.height, size):
        yield _framed(frame.slice(offset, size), names, asked, start + offset)


def _framed(frame: pl.DataFrame, names: Sequence[str], asked: Columns, start: int) -> Piece:
    return Piece(
        range(start, start + frame.height),
        lambda: _rows(frame, names, asked),
        lambda reader: reader.quick_frame(frame, names),
    )


def _rows(frame: pl.DataFrame, names: Sequence[str], asked: Columns) -> Iterable[object]:
    return rows_of_table(names, frame.height, lambda name: frame.get_column(name).to_list(), asked)


def _batches(data: Iterable[object], asked: Columns, argument: str, size: int) -> Iterator[Piece]:
    """Rows of an iterable whose items are rows (strings, records) or batches of them (lists, frames, columns)."""
    start = 0
    alone: list[object] = []
    for item in data:
        if isinstance(item, str) or (isinstance(item, Mapping) and not _is_columns(item)):
            alone.append(item)
            if len(alone) < size:
                continue
            batch: object = alone
        else:
            if alone:
                yield from _table(alone, asked, argument, size, start)
                start, alone = start + len(alone), []
            batch = item
        for piece in _table(batch, asked, argument, size, start):
            start += len(piece.numbers)
            yield piece
        alone = []
    if alone:
        yield from _table(alone, asked, argument, size, start)


def _is_columns(item: Mapping[object, object]) -> bool:
    """Columns of many rows, and not one row: every value is a list or array, and none is a chat (of turns)."""
    lists = [as_list(value) for value in item.values()]
    return bool(lists) and all(
        values is not None and not (values and isinstance(values[0], Mapping)) for values in lists
    )


def _lazy(data: pl.LazyFrame, asked: Columns, size: int) -> Iterator[Piece]:
    """Rows of a query: what it gives goes through a file once, so that it never has to be held."""
    names = data.collect_schema().names()
    needed = [name for name in names if name in needed_columns(asked)]
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "rows.parquet")
        data.select(needed or names).sink_parquet(file)
        yield from _parquet(file, asked, size, names=names, start=0)


def _is_plain_parquet(file: str) -> bool:
    """Whether slices of the file can be read without the rest: by its ending, and no compression around it."""
    if not file.lower().endswith(".parquet") or not os.path.isfile(file):
        return False
    with open(file, "rb") as content:
        return content.read(len(_PARQUET)) == _PARQUET


def _parquet(
    file: str, asked: Columns, size: int, names: Sequence[str] | None = None, start: int = 1
) -> Iterator[Piece]:
    """Rows of a Parquet file, of which about `DECODED` bytes are held at a time."""
    import polars as pl

    try:
        query = pl.scan_parquet(file, glob=False)
        known = query.collect_schema().names()
        needed = [name for name in known if name in needed_columns(asked)]
        height = int(query.select(pl.len()).collect().item())
        offset, rows = 0, size
        while offset < height:
            frame = query.select(needed or known).slice(offset, rows).collect()
            yield from _of_frame(frame, known if names is None else names, asked, size, start + offset)
            offset += frame.height
            rows = max(size, int(DECODED * frame.height / max(frame.estimated_size(), 1)) // size * size)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ValueError(f"{file} must be a Parquet file, got: {short(str(error))}; write or copy it again") from None
