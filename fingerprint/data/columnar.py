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
from fingerprint.data.table_reader import ARROW_END
from fingerprint.data.tables import distinct_names

if TYPE_CHECKING:
    import polars as pl

# Bytes of a Parquet file that are decoded at a time, beside its row group: 10^6 rows of ten numbers at 1.4 M rows/s
# and a peak of 180 MiB (row groups of 122,880 rows) or 230 MiB (one row group), 60 MiB of them before the first row.
DECODED = 1 << 25
# At the most: rows of 16 kB are still decoded 8192 at a time, longer ones fewer.
_MOST_DECODED = 4 * DECODED
_PARQUET = b"PAR1"
_KIND = "a Parquet file"
#: First bytes of an Arrow file (Feather 2) and of Feather 1; an Arrow stream has neither.
_ARROW, _FEATHER_1 = b"ARROW1", b"FEA1"


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
    names, height = columns_of(_KIND, file, {"kind": "parquet"}, place=place, size=_size(file, place))
    return _few(names, file), int(height.item())


def _size(file: str, place: str) -> int:
    """Bytes of a file as it was given; of a pipe, those that came."""
    return os.path.getsize(file if os.path.isfile(file) else place)


def parts_of_parquet(file: str, asked: Columns, size: int, place: str | None = None) -> Iterator[pl.DataFrame]:
    """Rows of a Parquet file, of which about `DECODED` bytes are held at a time.

    `size` rows or a multiple of it; fewer where these would be more than four times as many bytes.
    """
    place = place or file
    names, height = _shape(file, place)
    columns = [name for name in names if is_needed(name, asked)]
    packed = _size(file, place)
    # Half of what an answer may hold: as it is sent, a text takes some bytes more.
    held, given, most = min(_MOST_DECODED, limits().unpacked(packed) // 2), 0, limits().streamed(packed)
    offset, rows = 0, size
    while offset < height:
        request = {"kind": "parquet", "columns": columns, "offset": offset, "rows": rows, "held": held}
        frame = columns_of(_KIND, file, request, place=place, size=packed)[1]
        if not frame.height:
            raise ValueError(f"{file} must hold the {height:,} rows that it says, got {offset:,}; copy it again")
        bytes_of_frame = max(int(frame.estimated_size()), 1)
        given += bytes_of_frame
        if given > most:
            raise ValueError(
                f"{file} must hold at most {most:,} bytes unpacked, got over {given:,} from "
                f"{packed:,}: a bomb, by all appearances; {how_to_raise('stream')}"
            )
        _check_times(frame, file)
        yield frame
        offset += frame.height
        few, many = (amount * frame.height // bytes_of_frame for amount in (held, DECODED))
        rows = max(min(size, few), many // size * size, 1)


def read_arrow(file: str, asked: Columns, place: str | None = None) -> tuple[Sequence[str], pl.DataFrame]:
    """Names of all columns of an Arrow file (Feather 2) or stream, whatever its ending says, and those needed."""
    place = place or file
    with open(place, "rb") as content:
        head = content.read(len(_ARROW))
        content.seek(max(0, os.path.getsize(place) - len(ARROW_END)))
        end = content.read()
    if head.startswith(_FEATHER_1):
        raise ValueError(f"{file} must be an Arrow file, got Feather of version 1; write it again as version 2")
    if head != _ARROW and end != ARROW_END:
        raise ValueError(f"{file} must be a complete Arrow file or stream, got one without its end; copy it again")
    kind, request, size = "an Arrow file", {"kind": "arrow"}, _size(file, place)
    names = distinct_names(_few(columns_of(kind, file, request, place=place, size=size)[0], file), file)
    columns = [name for name in names if is_needed(name, asked)]
    frame = columns_of(kind, file, {**request, "columns": columns}, place=place, size=size)[1]
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
