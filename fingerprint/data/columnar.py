"""Files of columns: Parquet and Arrow, of which only the columns are read that rows can be taken from.

They are decoded by another process (`fingerprint.data.table_process`): a file of 400 bytes can end the one that does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fingerprint.data.columns import Columns, is_needed
from fingerprint.data.limits import how_to_raise, limits
from fingerprint.data.quoting import short
from fingerprint.data.table_process import columns_of
from fingerprint.data.tables import distinct_names

if TYPE_CHECKING:
    import polars as pl

# Bytes of a Parquet file that are decoded at a time, beside its row group: 10^6 rows of ten numbers at 1.4 M rows/s
# and a peak of 180 MiB (row groups of 122,880 rows) or 230 MiB (one row group), 60 MiB of them before the first row.
DECODED = 1 << 25
_PARQUET = b"PAR1"
_KIND = "a Parquet file"
#: First bytes of an Arrow file (Feather 2) and of Feather 1; an Arrow stream has neither.
_ARROW, _FEATHER_1 = b"ARROW1", b"FEA1"
#: Last bytes of an Arrow stream.
_END = b"\xff\xff\xff\xff\0\0\0\0"


def is_plain_parquet(file: str) -> bool:
    """Whether slices of the file can be read without the rest: by its ending, and no compression around it."""
    if not file.lower().endswith(".parquet") or not os.path.isfile(file):
        return False
    with open(file, "rb") as content:
        return content.read(len(_PARQUET)) == _PARQUET


def parquet_names(file: str, place: str | None = None) -> Sequence[str]:
    """Names of all columns of a Parquet file, which is at `place` where that is not its name."""
    return _shape(file, place or file)[0]


def _shape(file: str, place: str) -> tuple[Sequence[str], int]:
    names, height = columns_of(_KIND, file, {"kind": "parquet"}, place=place)
    return _few(names, file), int(height.item())


def parts_of_parquet(file: str, asked: Columns, size: int, place: str | None = None) -> Iterator[pl.DataFrame]:
    """Rows of a Parquet file, of which about `DECODED` bytes are held at a time, `size` rows or a multiple of it."""
    place = place or file
    names, height = _shape(file, place)
    columns = [name for name in names if is_needed(name, asked)]
    offset, rows = 0, size
    while offset < height:
        request = {"kind": "parquet", "columns": columns, "offset": offset, "rows": rows}
        frame = columns_of(_KIND, file, request, place=place)[1]
        if not frame.height:
            raise ValueError(f"{file} must hold the {height:,} rows that it says, got {offset:,}; copy it again")
        _check_times(frame, file)
        yield frame
        offset += frame.height
        rows = max(size, int(DECODED * frame.height / max(frame.estimated_size(), 1)) // size * size)


def read_arrow(file: str, asked: Columns, place: str | None = None) -> tuple[Sequence[str], pl.DataFrame]:
    """Names of all columns of an Arrow file (Feather 2) or stream, whatever its ending says, and those needed."""
    place = place or file
    with open(place, "rb") as content:
        head = content.read(len(_ARROW))
        content.seek(max(0, os.path.getsize(place) - len(_END)))
        end = content.read()
    if head.startswith(_FEATHER_1):
        raise ValueError(f"{file} must be an Arrow file, got Feather of version 1; write it again as version 2")
    if head != _ARROW and end != _END:
        raise ValueError(f"{file} must be a complete Arrow file or stream, got one without its end; copy it again")
    kind, request = "an Arrow file", {"kind": "arrow"}
    names = distinct_names(_few(columns_of(kind, file, request, place=place)[0], file), file)
    columns = [name for name in names if is_needed(name, asked)]
    frame = columns_of(kind, file, {**request, "columns": columns}, place=place)[1]
    _check_times(frame, file)
    return names, frame


def _check_times(frame: pl.DataFrame, file: str) -> None:
    """Refuse times that Python has no values for, such as the year 300,000."""
    import polars as pl

    for series in frame.get_columns():
        if any(kind in str(series.dtype) for kind in ("Date", "Time", "Duration")):
            try:
                series.to_list()
            except (ValueError, OverflowError, pl.exceptions.PanicException) as error:
                raise ValueError(
                    f"{file} must hold times that Python has, got {series.dtype} out of range in {series.name!r} "
                    f"({short(str(error))}); write the column as text"
                ) from None


def _few(names: Sequence[str], file: str) -> Sequence[str]:
    most = limits().columns
    if len(names) > most:
        raise ValueError(f"{file} must have at most {most:,} columns, got {len(names):,}; {how_to_raise('columns')}")
    return names
