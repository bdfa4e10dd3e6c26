"""The process that decodes files of columns, and nothing else: what such a file does to it, it does to it alone.

The libraries that decode Parquet and Arrow end the whole program where a file asks for more memory than there is, and
on some damage besides. `fingerprint.data.table_process` starts this one, asks it for columns, and outlives it.

A message is the length of a JSON object, the length of what follows it, both as eight bytes, and the two of them.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_LENGTHS = struct.Struct("<QQ")

#: What is sent before the first request is read: from then on the time is that of the request.
READY: Mapping[str, object] = {"ready": True}
# First bytes of an Arrow file and of a message of a stream; the last ones of a stream.
_ARROW, _CONTINUED = b"ARROW1", 0xFFFFFFFF
ARROW_END = b"\xff\xff\xff\xff\0\0\0\0"
# Rows that are decoded before it is known how large rows are: of 100 kB each they are 25 MB.
_FEW = 256

#: What a request holds: what to read, where, which columns (None for all), which rows, and limits on what it takes.
Request = Mapping[str, object]
Message = tuple[dict[str, object], bytes]


def send(sink: IO[bytes], header: Mapping[str, object], content: bytes = b"") -> None:
    """Write one message."""
    encoded = json.dumps(header).encode()
    sink.write(_LENGTHS.pack(len(encoded), len(content)))
    sink.write(encoded)
    sink.write(content)
    sink.flush()


def receive(source: IO[bytes]) -> Message | None:
    """Read one message; None at the end, also of a process that ended in the middle of one."""
    lengths = source.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    size, more = _LENGTHS.unpack(lengths)
    encoded, content = source.read(size), source.read(more)
    if len(encoded) < size or len(content) < more:
        return None
    header: dict[str, object] = json.loads(encoded)
    return header, content


def serve() -> None:
    """Answer requests on standard input until it is closed."""
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not look like an answer
    import polars  # noqa: F401  # before the first request limits what there is

    send(sink, READY)
    while (message := receive(sys.stdin.buffer)) is not None:
        header, content = _answer(message[0])
        _limit(None)  # the next request has limits of its own, and is received before they are known
        send(sink, header, content)


def _answer(request: Request) -> tuple[Mapping[str, object], bytes]:
    import polars as pl

    try:
        _limit((_number(request, "memory"), _number(request, "seconds")))
        names, found = _READERS[str(request["kind"])](request)
        if found is None:
            return {"names": names, "height": 0}, b""
        found = _plain(found)
        buffer = io.BytesIO()
        # The oldest layout holds every text as it is: one that a million rows share shows how large it makes them.
        found.write_ipc_stream(buffer, compat_level=pl.CompatLevel.oldest())
        if buffer.tell() > _number(request, "most"):
            return {"error": "", "size": buffer.tell()}, b""
        return {"names": names, "height": found.height}, buffer.getvalue()
    except (Exception, pl.exceptions.PanicException) as error:  # whatever a decoder raises is an answer
        return {"error": f"{str(error) or type(error).__name__}"[:2000]}, b""


def _number(request: Request, name: str) -> int:
    return int(str(request[name]))


def _limit(most: tuple[int, int] | None) -> None:
    """Let what follows take no more memory, nor seconds of a processor, than it may; more ends the process."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    memory, seconds = most or (None, 0)
    for kind, amount in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_CPU, None if most is None else int(used.ru_utime + used.ru_stime) + 1 + seconds),
    ):
        hard = resource.getrlimit(kind)[1]
        soft = hard if amount is None else min(amount, sys.maxsize)
        resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with every text as it is, where a text that a million rows share was there once."""
    kinds = {name: _plain_kind(kind) for name, kind in frame.schema.items()}
    return frame.cast({name: kind for name, kind in kinds.items() if kind != frame.schema[name]})


def _plain_kind(kind: pl.DataType) -> pl.DataType:
    import polars as pl

    if isinstance(kind, pl.Categorical | pl.Enum):
        return pl.String()
    if isinstance(kind, pl.List):
        return pl.List(_plain_kind(_instance(kind.inner)))
    if isinstance(kind, pl.Array):
        return pl.Array(_plain_kind(_instance(kind.inner)), kind.size)
    if isinstance(kind, pl.Struct):
        return pl.Struct([pl.Field(field.name, _plain_kind(_instance(field.dtype))) for field in kind.fields])
    return kind


def _instance(kind: object) -> pl.DataType:
    import polars as pl

    found = kind() if isinstance(kind, type) else kind
    assert isinstance(found, pl.DataType)
    return found


Read = tuple[list[str], "pl.DataFrame | None"]


def _chosen(request: Request, names: list[str]) -> list[str] | None:
    columns = request.get("columns")
    return None if not isinstance(columns, list) else [name for name in names if name in set(columns)] or names[:1]


def _parquet(request: Request) -> Read:
    import polars as pl

    query = pl.scan_parquet(str(request["file"]), glob=False)
    names = query.collect_schema().names()
    if "offset" not in request:
        height = int(query.select(pl.len()).collect().item())
        return names, pl.DataFrame({"height": [height]})
    chosen = _chosen(request, names)
    part = query if chosen is None else query.select(chosen)
    offset, rows, held = (_number(request, name) for name in ("offset", "rows", "held"))
    found = _plain(part.slice(offset, rows if offset else min(rows, _FEW)).collect())
    fitting = held * found.height // max(int(found.estimated_size()), 1)
    if found.height == _FEW < min(rows, fitting) and not offset:
        found = _plain(part.slice(0, min(rows, fitting)).collect())
    while found.height > 1 and found.estimated_size() > held:  # longer ones than the rows before
        found = found.head(found.height // 2)
    return names, found


def _arrow(request: Request) -> Read:
    import polars as pl

    with open(str(request["file"]), "rb") as file:
        if "columns" not in request:
            return _names_of_arrow(file), None
        content = file.read()
    read: Callable[..., pl.DataFrame] = pl.read_ipc if content.startswith(_ARROW) else pl.read_ipc_stream
    names = read(io.BytesIO(content), n_rows=0).columns
    return names, read(io.BytesIO(content), columns=_chosen(request, names))


def _names_of_arrow(file: IO[bytes]) -> list[str]:
    """Names of the columns of an Arrow file, from its end, or stream, from its first message, without their values."""
    import polars as pl

    start = file.read(8)
    if start.startswith(_ARROW):
        file.seek(0)
        return list(pl.read_ipc_schema(file))
    continued, length = struct.unpack("<II", start)
    if continued == _CONTINUED:
        return pl.read_ipc_stream(io.BytesIO(start + file.read(length) + ARROW_END)).columns
    return pl.read_ipc_stream(io.BytesIO(start + file.read()), n_rows=0).columns  # as Arrow wrote before 0.15


def _scores(request: Request) -> Read:
    import polars as pl

    readers: Mapping[str, Callable[..., pl.DataFrame]] = {
        ".jsonl": pl.read_ndjson,
        ".ndjson": pl.read_ndjson,
        ".json": pl.read_json,
        ".csv": pl.read_csv,
        ".parquet": pl.read_parquet,
    }
    with open(str(request["file"]), "rb") as file:
        found = readers[str(request["ending"])](file)
    return found.columns, found


#: By kinds of files; "scores" are whole tables, with their ending in the request.
_READERS: Mapping[str, Callable[[Request], Read]] = {"parquet": _parquet, "arrow": _arrow, "scores": _scores}

if __name__ == "__main__":
    serve()
