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

    while (message := receive(sys.stdin.buffer)) is not None:
        header, content = _answer(*message)
        send(sink, header, content)


def _answer(request: Request, content: bytes) -> tuple[Mapping[str, object], bytes]:
    import polars as pl

    try:
        _limit(int(str(request["memory"])), int(str(request["seconds"])))
        names, found = _READERS[str(request["kind"])](request, content)
        if found is None:
            return {"names": names, "height": 0}, b""
        buffer = io.BytesIO()
        # The oldest layout holds every text as it is: one that a million rows share shows how large it makes them.
        found.write_ipc_stream(buffer, compat_level=pl.CompatLevel.oldest())
        if buffer.tell() > int(str(request["most"])):
            return {"error": "", "size": buffer.tell()}, b""
        return {"names": names, "height": found.height}, buffer.getvalue()
    except (Exception, pl.exceptions.PanicException) as error:  # whatever a decoder raises is an answer
        return {"error": f"{str(error) or type(error).__name__}"[:2000]}, b""


def _limit(memory: int, seconds: int) -> None:
    """Let this request take no more memory than it may, nor time of a processor; more ends the process."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    for kind, most in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + seconds),
    ):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


Read = tuple[list[str], "pl.DataFrame | None"]


def _chosen(request: Request, names: list[str]) -> list[str] | None:
    columns = request.get("columns")
    return None if not isinstance(columns, list) else [name for name in names if name in set(columns)] or names[:1]


def _parquet(request: Request, content: bytes) -> Read:
    import polars as pl

    query = pl.scan_parquet(str(request["file"]), glob=False)
    names = query.collect_schema().names()
    if "offset" not in request:
        height = int(query.select(pl.len()).collect().item())
        return names, pl.DataFrame({"height": [height]})
    chosen = _chosen(request, names)
    part = query if chosen is None else query.select(chosen)
    return names, part.slice(int(str(request["offset"])), int(str(request["rows"]))).collect()


def _arrow(request: Request, content: bytes) -> Read:
    import polars as pl

    if "file" in request:
        with open(str(request["file"]), "rb") as file:
            content = file.read()
    read: Callable[..., pl.DataFrame] = pl.read_ipc if content.startswith(b"ARROW1") else pl.read_ipc_stream
    names = read(io.BytesIO(content), n_rows=0).columns
    return names, read(io.BytesIO(content), columns=_chosen(request, names)) if "columns" in request else None


def _scores(request: Request, content: bytes) -> Read:
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


_READERS: Mapping[str, Callable[[Request, bytes], Read]] = {"parquet": _parquet, "arrow": _arrow, "scores": _scores}

if __name__ == "__main__":
    serve()
