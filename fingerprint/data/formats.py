"""File formats: from the bytes of a file to numbered rows, by the ending of its name."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence

from fingerprint.data.columns import MESSAGES, PROMPT_COLUMNS, SYSTEM, TEXT_COLUMNS, _Columns, _needed
from fingerprint.data.compression import _COMPRESSIONS, _GZIP, _ZSTD, _opened
from fingerprint.data.quoting import _around, _short, _shown
from fingerprint.data.sources import _OR_SKIP, _RowError, _Rows, _Source
from fingerprint.data.tables import _distinct, _rows_of_columns, _rows_of_table

#: Bytes looked at to tell text from binary data: enough for every header below.
_HEAD = 1024
_SIGNATURES = {
    b"PAR1": "Parquet (name it .parquet)",
    b"ARROW1": "an Arrow file",
    b"PK\x03\x04": "a zip archive (or .xlsx, .npz, a PyTorch checkpoint)",
    b"\x80\x02": "a pickle, which is never loaded",
    b"\x80\x03": "a pickle, which is never loaded",
    b"\x80\x04": "a pickle, which is never loaded",
    b"\x80\x05": "a pickle, which is never loaded",
    b"\x93NUMPY": "a numpy array",
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF-": "a PDF",
    b"SQLite format 3": "an SQLite database",
    b"BZh9": "bzip2 data (decompress it first)",
    b"\xfd7zXZ": "xz data (decompress it first)",
    _GZIP: "gzip data, compressed twice",
    _ZSTD: "zstd data, compressed twice",
}

#: Not strict: raw control characters inside strings are kept as they are.
_JSON = json.JSONDecoder(strict=False)

#: csv refuses fields of more than 128 KiB by default; this is its greatest limit on every platform.
_LONGEST_FIELD = (1 << 31) - 1


def _file_source(file: str, asked: _Columns) -> _Source:
    suffix = _suffix(file)
    return _Source(file, "row" if suffix in _ROW_FORMATS else "line", _rows_of_file(file, suffix, asked))


def _suffix(file: str) -> str:
    stem, suffix = os.path.splitext(file.lower())
    return os.path.splitext(stem)[1] if suffix in _COMPRESSIONS else suffix


def _rows_of_file(file: str, suffix: str, asked: _Columns) -> _Rows:
    with _opened(file) as stream:
        if suffix != ".parquet":
            _refuse_binary(stream.peek()[:_HEAD], file)
        rows = _ROW_FORMATS.get(suffix) or _LINE_FORMATS.get(suffix) or _guessed_lines
        yield from rows(stream, file, asked)


def _refuse_binary(head: bytes, file: str) -> None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError(f"{file} must be UTF-8, got UTF-16; convert it with `iconv -f utf-16 -t utf-8`")
    found = next((what for signature, what in _SIGNATURES.items() if head.startswith(signature)), None)
    if found is None and b"\0" in head:
        found = "safetensors" if head[8:9] == b"{" else "NUL bytes"
    if found is not None:
        raise ValueError(f"{file} must be text, got binary data: {found}; write the rows as JSON lines (.jsonl)")


# --- Formats cut into lines -------------------------------------------------------------------------------------------


def _decoded_lines(stream: io.BufferedReader) -> Iterator[tuple[int, str | _RowError]]:
    """Lines cut at the byte \\n only: str.splitlines would also cut at U+2028, U+0085 and six others inside a text."""
    offset = 0
    for number, line in enumerate(stream, 1):
        yield number, _decoded(line, offset)
        offset += len(line)


def _decoded(line: bytes, offset: int) -> str | _RowError:
    try:
        decoded = line.decode()
    except UnicodeDecodeError as error:
        return _RowError(
            f"must be UTF-8, got the byte 0x{line[error.start]:02x}; "
            f"convert the file, with `iconv -f latin-1 -t utf-8` if it is Latin-1",
            within=f"byte {offset + error.start}",
        )
    return decoded.removeprefix("\ufeff") if offset == 0 else decoded


def _text_lines(stream: io.BufferedReader, file: str, asked: _Columns) -> _Rows:
    for number, line in _decoded_lines(stream):
        yield number, line.removesuffix("\n").removesuffix("\r") if isinstance(line, str) else line


def _json_lines(stream: io.BufferedReader, file: str, asked: _Columns) -> _Rows:
    for number, line in _decoded_lines(stream):
        if not isinstance(line, str):
            yield number, line
        elif value := line.rstrip(" \t\r\n"):
            yield number, _json_value(value)


def _guessed_lines(stream: io.BufferedReader, file: str, asked: _Columns) -> _Rows:
    """Without a telling suffix (a pipe, say): JSON objects taken for plain texts would be compared key by key."""
    objects = re.match(rb'(\xef\xbb\xbf)?\s*\{\s*"', stream.peek()[:_HEAD])
    return (_json_lines if objects else _text_lines)(stream, file, asked)


def _json_value(line: str) -> object:
    try:
        return _JSON.decode(line)
    except json.JSONDecodeError as error:
        return _RowError(
            f"must be one JSON value, got {_around(line, error.pos)} ({error.msg}); "
            f"write one a line (a document over many lines is named .json), {_OR_SKIP}",
            within=f"column {error.colno}",
        )
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of open brackets
        return _RowError(f"must be one JSON value, got {_short(line)} ({error}); correct it, {_OR_SKIP}")


# --- Formats with records ---------------------------------------------------------------------------------------------


def _whole_lines(stream: io.BufferedReader, file: str) -> Iterator[str]:
    """Lines of a format in which a row may span several: one that cannot be decoded is never skipped."""
    for number, line in _decoded_lines(stream):
        if isinstance(line, _RowError):
            raise ValueError(line.at(f"{file}, line {number}"))
        yield line


def _json_document(stream: io.BufferedReader, file: str, asked: _Columns) -> _Rows:
    document = "".join(_whole_lines(stream, file))
    try:
        value = _JSON.decode(document)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{file}, line {error.lineno}, column {error.colno} must be JSON, got {_around(document, error.pos)} "
            f"({error.msg}); a file with one object a line is named .jsonl"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} must be JSON that Python can hold, got {error}; write it as .jsonl") from None
    yield from enumerate(_rows_of_json(value, file, asked), 1)


def _rows_of_json(value: object, file: str, asked: _Columns) -> Iterable[object]:
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        has_text = not value.keys().isdisjoint({*TEXT_COLUMNS, MESSAGES, asked.text})
        value = value if has_text else value["data"]
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return _rows_of_columns(value, file)
    raise ValueError(f"{file} must hold a list of rows or an object of columns, got {_shown(value)}")


def _csv_rows(stream: io.BufferedReader, file: str, asked: _Columns, delimiter: str = ",") -> _Rows:
    """Rows of a CSV file. polars is faster, but fills short rows up in silence and names no row in its errors."""
    reader = csv.reader(_whole_lines(stream, file), delimiter=delimiter, strict=True)
    filled = (fields for fields in reader if fields)
    unknown = {*PROMPT_COLUMNS, SYSTEM, asked.prompt} - {asked.text}
    number = 0
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        header = _distinct(next(filled, []), file)
        for number, fields in enumerate(filled, 1):
            yield number, _csv_record(header, fields, unknown)
    except csv.Error as error:
        raise ValueError(
            f"{file}, row {number + 1} (up to line {reader.line_num}) must be well-formed CSV, got: {error}; "
            f'quote fields that hold quotes or line breaks, and double the quotes inside ("")'
        ) from None
    finally:
        csv.field_size_limit(limit)


def _csv_record(header: Sequence[str], fields: list[str], unknown: set[str | None]) -> object:
    if len(fields) != len(header):
        return _RowError(
            f"must have {len(header)} fields, as the header has, got {len(fields)}; quote them, {_OR_SKIP}"
        )
    return {name: None if not value and name in unknown else value for name, value in zip(header, fields, strict=True)}


def _tsv_rows(stream: io.BufferedReader, file: str, asked: _Columns) -> _Rows:
    return _csv_rows(stream, file, asked, delimiter="\t")


def _parquet_rows(stream: io.BufferedReader, file: str, asked: _Columns) -> _Rows:
    import polars as pl

    content = stream.read()
    try:
        names = list(pl.read_parquet_schema(io.BytesIO(content)))
        needed = [name for name in names if name in _needed(asked)]
        frame = pl.read_parquet(io.BytesIO(content), columns=needed or None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ValueError(f"{file} must be a Parquet file, got: {_short(str(error))}; write or copy it again") from None
    yield from enumerate(_rows_of_table(names, frame.height, lambda name: frame.get_column(name).to_list(), asked), 1)


_LINE_FORMATS = {".jsonl": _json_lines, ".ndjson": _json_lines, ".txt": _text_lines}
_ROW_FORMATS = {".json": _json_document, ".csv": _csv_rows, ".tsv": _tsv_rows, ".parquet": _parquet_rows}
