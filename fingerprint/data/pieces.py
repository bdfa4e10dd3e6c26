"""Pieces of a source: some rows at a time, with a way to take them as whole lists where they are plain."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeGuard

from fingerprint.data.columnar import is_plain_parquet, parquet_names, parts_of_parquet
from fingerprint.data.columns import Columns
from fingerprint.data.eval_logs import is_eval_log, rows_of_eval_log
from fingerprint.data.formats import file_source
from fingerprint.data.frames import is_lazy, rows_in_memory, rows_of_frame, table_of
from fingerprint.data.quoting import short
from fingerprint.data.row_reader import Lists, RowReader
from fingerprint.data.sources import NumberedRows, Source, numbered
from fingerprint.data.tables import as_list

if TYPE_CHECKING:
    from fingerprint.data.frames import Frame


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
    return source, _parquet(file, asked, size) if is_plain_parquet(file) else _cut(source.rows, size)


def pieces_in_memory(data: object, asked: Columns, argument: str, size: int) -> tuple[Source, Iterator[Piece]]:
    """The rows of a frame, a list, columns, or an iterable of such, `size` at a time.

    Raises
    ------
    TypeError
        If no rows can be made of the data.
    """
    if isinstance(data, io.IOBase) or type(data).__module__ == "_csv":
        raise TypeError(
            f"{argument} must be rows, or the path of a file, got an open file ({type(data).__name__}); pass its path"
        )
    if is_eval_log(data):
        pieces = _cut(rows_of_eval_log(data), size)
    elif _is_iterable_of_batches(data) and not is_lazy(data):
        pieces = _batches(data, asked, argument, size)
    else:
        pieces = _table(data, asked, argument, size, 0)
    return Source(argument, "row index", numbered((), 0)), pieces


def is_read_once(data: object) -> bool:
    """Whether going through the data a second time may give other rows, or none."""
    return is_lazy(data) or _is_iterable_of_batches(data)


def _is_iterable_of_batches(data: object) -> TypeGuard[Iterable[object]]:
    """Anything that can be gone through, and is not itself rows in memory."""
    has_length = hasattr(data, "__len__")
    is_rows = isinstance(data, str | bytes | Mapping) or is_eval_log(data)
    return isinstance(data, Iterable) and not has_length and not is_rows


def _cut(rows: NumberedRows, size: int) -> Iterator[Piece]:
    while some := list(islice(rows, size)):
        numbers, values = [number for number, _ in some], [row for _, row in some]
        yield _piece(numbers, values)


def _piece(numbers: Sequence[int], rows: Sequence[object]) -> Piece:
    return Piece(numbers, lambda: rows, lambda reader: reader.quick(rows))


def _table(data: object, asked: Columns, argument: str, size: int, start: int) -> Iterator[Piece]:
    table = table_of(data, asked, argument)
    if table is None:
        yield from _cut(numbered(rows_in_memory(data, asked, argument), start), size)
        return
    for frame in table.parts:
        yield from _of_frame(frame, table.names, asked, size, start)
        start += len(frame)


def _of_frame(frame: Frame, names: Sequence[str], asked: Columns, size: int, start: int) -> Iterator[Piece]:
    for offset in range(0, len(frame), size):
        yield _framed(frame[offset : offset + size], names, asked, start + offset)


def _framed(frame: Frame, names: Sequence[str], asked: Columns, start: int) -> Piece:
    return Piece(
        range(start, start + len(frame)),
        lambda: rows_of_frame(frame, names, asked),
        lambda reader: reader.quick_frame(frame, names),
    )


def _batches(data: Iterable[object], asked: Columns, argument: str, size: int) -> Iterator[Piece]:
    """Rows of an iterable whose items are rows (strings, records) or batches of them (lists, frames, columns)."""
    start = 0
    alone: list[object] = []
    for item in data:
        if isinstance(item, tuple):
            raise TypeError(
                f"{argument} must give rows as strings or dicts, or batches of them as lists, got the tuple "
                f"{short(item)}; name its parts, as in {{'prompt': ..., 'completion': ...}}"
            )
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


def _parquet(file: str, asked: Columns, size: int) -> Iterator[Piece]:
    import narwhals.stable.v2 as nw

    names, start = parquet_names(file), 1
    for part in parts_of_parquet(file, asked, size):
        yield from _of_frame(nw.from_native(part, eager_only=True), names, asked, size, start)
        start += part.height
