"""Files of columns: Parquet and Arrow, of which only the columns are read that rows can be taken from."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from fingerprint.data.columns import Columns, is_needed
from fingerprint.data.quoting import short
from fingerprint.data.tables import distinct_names

if TYPE_CHECKING:
    import polars as pl

Found = TypeVar("Found")

# Bytes of a Parquet file that are decoded at a time, beside its row group: 10^6 rows of ten numbers at 1.4 M rows/s
# and a peak of 180 MiB (row groups of 122,880 rows) or 230 MiB (one row group), 60 MiB of them before the first row.
DECODED = 1 << 25
_PARQUET = b"PAR1"
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


def parquet_names(file: str) -> Sequence[str]:
    """Names of all columns of a Parquet file."""
    import polars as pl

    return _named("a Parquet file", file, lambda: pl.scan_parquet(file, glob=False).collect_schema().names())


def parts_of_parquet(file: str, asked: Columns, size: int) -> Iterator[pl.DataFrame]:
    """Rows of a Parquet file, of which about `DECODED` bytes are held at a time, `size` rows or a multiple of it."""
    import polars as pl

    query = pl.scan_parquet(file, glob=False)
    known = parquet_names(file)
    needed = [name for name in known if is_needed(name, asked)]
    height = _named("a Parquet file", file, lambda: int(query.select(pl.len()).collect().item()))
    offset, rows = 0, size
    while offset < height:
        part = query.select(needed or known).slice(offset, rows)
        frame = _named("a Parquet file", file, part.collect)
        yield frame
        offset += frame.height
        rows = max(size, int(DECODED * frame.height / max(frame.estimated_size(), 1)) // size * size)


def read_parquet(content: bytes, file: str, asked: Columns) -> tuple[Sequence[str], pl.DataFrame]:
    """Names of all columns of a Parquet file, and a frame of those that are needed."""
    import polars as pl

    def found() -> tuple[Sequence[str], pl.DataFrame]:
        names = list(pl.read_parquet_schema(io.BytesIO(content)))
        return names, pl.read_parquet(io.BytesIO(content), columns=_needed(names, asked))

    return _named("a Parquet file", file, found)


def read_arrow(content: bytes, file: str, asked: Columns) -> tuple[Sequence[str], pl.DataFrame]:
    """The same of an Arrow file (Feather 2) or an Arrow stream, whatever its ending says."""
    import polars as pl

    if content.startswith(_FEATHER_1):
        raise ValueError(f"{file} must be an Arrow file, got Feather of version 1; write it again as version 2")
    if not content.startswith(_ARROW) and not content.endswith(_END):
        raise ValueError(f"{file} must be a complete Arrow file or stream, got one without its end; copy it again")

    def found() -> tuple[Sequence[str], pl.DataFrame]:
        read = pl.read_ipc if content.startswith(_ARROW) else pl.read_ipc_stream
        names = read(io.BytesIO(content), n_rows=0).columns
        distinct_names(names, file)
        return names, read(io.BytesIO(content), columns=_needed(names, asked))

    return _named("an Arrow file", file, found)


def _needed(names: Iterable[str], asked: Columns) -> list[str] | None:
    return [name for name in names if is_needed(name, asked)] or None


def _named(kind: str, file: str, read: Callable[[], Found]) -> Found:
    """What was read; damage is named with its file."""
    import polars as pl

    try:
        return read()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ValueError(f"{file} must be {kind}, got: {short(str(error))}; write or copy it again") from None
