"""File formats: from the bytes of a file to numbered rows, by the ending of its name.

A new format is a reader and its line in `FORMATS`, at the end.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fingerprint.data.columnar import parquet_names, parts_of_parquet, read_arrow
from fingerprint.data.columns import CHATS, CHOSEN, TEXT_COLUMNS, Columns, is_needed
from fingerprint.data.compression import COMPRESSIONS, Held, on_disk, opened
from fingerprint.data.eval_logs import rows_of_eval_file
from fingerprint.data.json_values import DeepError, TwiceError, value_of_document, value_of_line
from fingerprint.data.limits import limits
from fingerprint.data.notes import note
from fingerprint.data.quoting import around, short, shown
from fingerprint.data.separated import separated_rows
from fingerprint.data.signatures import HEAD, refuse_binary
from fingerprint.data.sources import OR_SKIP, BadRowError, NumberedRows, Source
from fingerprint.data.table_process import begin
from fingerprint.data.tables import rows_of_columns, rows_of_table

if TYPE_CHECKING:
    import polars as pl

# Rows of a Parquet file that are decoded at a time, at the least.
_SLICE = 8192
#: No file system has longer paths; texts that long are not looked up.
_LONGEST_PATH = 4096


class Format(NamedTuple):
    """How the rows of a file are read.

    Attributes
    ----------
    read : callable
        From the decompressed bytes, the name of the file for messages, and the columns that the caller named, to rows.
    unit : str
        What a row is called beside its number.
    is_text : bool
        Whether the file is refused when its first bytes are no text.
    held : {"lines", "whole", "columns"}
        What is in memory at a time: lines, all of it, or what another process decodes.
    """

    read: Callable[[io.BufferedReader, str, Columns], NumberedRows]
    unit: str = "row"
    is_text: bool = True
    held: Held = "lines"


def file_source(file: str, asked: Columns) -> Source:
    """The rows of a file, by its ending; it is opened when they are asked for."""
    found = FORMATS.get(_ending(file), _GUESSED)
    return Source(file, found.unit, _rows_of_file(file, found, asked))


def ending_of(file: str) -> str:
    """The ending of a file of rows, with that of its compression; "" for any other file."""
    found = _ending(file)
    return file[file.lower().rindex(found) :] if found in FORMATS else ""


def begin_decoding(files: Iterable[str]) -> None:
    """Start the process that decodes tables, if some are among files that will be read: libraries load meanwhile."""
    if any(found.read in (_parquet_rows, _arrow_rows) for found in map(FORMATS.get, map(_ending, files)) if found):
        begin()


def names_rows(text: str) -> bool:
    """Whether a text is the name of a file or folder that exists, or a word that ends like a file of rows."""
    if not text or len(text) > _LONGEST_PATH or not text.isprintable():
        return False
    return (_ending(text) in FORMATS and not any(map(str.isspace, text))) or os.path.exists(text)


def _ending(file: str) -> str:
    stem, ending = os.path.splitext(file.lower())
    return os.path.splitext(stem)[1] if ending in COMPRESSIONS else ending


def _rows_of_file(file: str, found: Format, asked: Columns) -> NumberedRows:
    with opened(file, found.held) as stream:
        if found.is_text:
            refuse_binary(stream.peek()[:HEAD], file)
        yield from found.read(stream, file, asked)


# --- Formats cut into lines -------------------------------------------------------------------------------------------


def _decoded_lines(stream: io.BufferedReader) -> Iterator[tuple[int, str | BadRowError]]:
    """Lines cut at the byte \\n only: str.splitlines would also cut at U+2028, U+0085 and six others inside a text."""
    offset = 0
    for number, line in enumerate(stream, 1):
        yield number, _decoded(line, offset)
        offset += len(line)


def _decoded(line: bytes, offset: int) -> str | BadRowError:
    try:
        decoded = line.decode()
    except UnicodeDecodeError as error:
        return BadRowError(
            f"must be UTF-8, got the byte 0x{line[error.start]:02x}; "
            f"convert the file, with `iconv -f latin-1 -t utf-8` if it is Latin-1",
            within=f"byte {offset + error.start}",
        )
    return decoded.removeprefix("\ufeff") if offset == 0 else decoded


def _text_lines(stream: io.BufferedReader, file: str, asked: Columns) -> NumberedRows:
    for number, line in _decoded_lines(stream):
        if number == 1 and isinstance(line, str) and _has_columns(line):
            note(file, "a line is a text, though the first is an object with columns; name it .jsonl to read these")
        yield number, line.removesuffix("\n").removesuffix("\r") if isinstance(line, str) else line


def _has_columns(line: str) -> bool:
    """Whether a line is an object of JSON with a column that rows are known by."""
    value = _json_value(line.strip(), limits().depth) if line.lstrip().startswith("{") else None
    return isinstance(value, dict) and any(is_needed(name, Columns()) for name in value)


def _json_lines(stream: io.BufferedReader, file: str, asked: Columns) -> NumberedRows:
    depth = limits().depth
    for number, line in _decoded_lines(stream):
        if not isinstance(line, str):
            yield number, line
        elif value := line.rstrip(" \t\r\n"):
            yield number, _json_value(value, depth)


def _guessed_lines(stream: io.BufferedReader, file: str, asked: Columns) -> NumberedRows:
    """Without a telling suffix (a pipe, say): JSON objects taken for plain texts would be compared key by key."""
    objects = re.match(rb'(\xef\xbb\xbf)?\s*\{\s*"', stream.peek()[:HEAD])
    if not objects and (suffix := os.path.splitext(file)[1]):
        note(file, f"each line is a row, for {suffix} is the name of no format; known are {', '.join(FORMATS)}")
    return (_json_lines if objects else _text_lines)(stream, file, asked)


def _json_value(line: str, depth: int) -> object:
    try:
        return value_of_line(line, depth)
    except json.JSONDecodeError as error:
        return BadRowError(
            f"must be one JSON value, got {around(line, error.pos)} ({error.msg}); "
            f"write one a line (a document over many lines is named .json), {OR_SKIP}",
            within=f"column {error.colno}",
        )
    except DeepError as error:
        return BadRowError(f"must be one JSON value, {error}; {OR_SKIP}", within=f"column {error.position + 1}")
    except TwiceError as error:
        return BadRowError(f"must have every key once, {error}; rename one, {OR_SKIP}")
    except (ValueError, RecursionError) as error:  # a number of thousands of digits
        return BadRowError(f"must be one JSON value, got {short(line)} ({error}); correct it, {OR_SKIP}")


# --- Formats with records ---------------------------------------------------------------------------------------------


def _whole_lines(stream: io.BufferedReader, file: str) -> Iterator[str]:
    """Lines of a format in which a row may span several: one that cannot be decoded is never skipped."""
    for number, line in _decoded_lines(stream):
        if isinstance(line, BadRowError):
            raise ValueError(line.at(f"{file}, line {number}"))
        yield line


def _json_document(stream: io.BufferedReader, file: str, asked: Columns) -> NumberedRows:
    document = "".join(_whole_lines(stream, file))
    try:
        value = value_of_document(document)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{file}, line {error.lineno}, column {error.colno} must be JSON, got {around(document, error.pos)} "
            f"({error.msg}); a file with one object a line is named .jsonl"
        ) from None
    except DeepError as error:
        before = document[: error.position]
        place = f"line {before.count(chr(10)) + 1}, column {error.position - before.rfind(chr(10))}"
        raise ValueError(f"{file}, {place} must be JSON that rows can be taken from, {error}") from None
    except TwiceError as error:
        raise ValueError(f"{file} must have every key once, {error}; rename one") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} must be JSON that Python can hold, got {error}; write it as .jsonl") from None
    yield from enumerate(_rows_of_json(value, file, asked), 1)


def _rows_of_json(value: object, file: str, asked: Columns) -> Iterable[object]:
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        has_text = not value.keys().isdisjoint({*TEXT_COLUMNS, *CHATS, CHOSEN, asked.text})
        value = value if has_text else value["data"]
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return rows_of_columns(value, file)
    raise ValueError(f"{file} must hold a list of rows or an object of columns, got {shown(value)}; write it so")


def _csv_rows(stream: io.BufferedReader, file: str, asked: Columns) -> NumberedRows:
    return separated_rows(_whole_lines(stream, file), file, asked, ",")


def _tsv_rows(stream: io.BufferedReader, file: str, asked: Columns) -> NumberedRows:
    return separated_rows(_whole_lines(stream, file), file, asked, "\t")


def _psv_rows(stream: io.BufferedReader, file: str, asked: Columns) -> NumberedRows:
    return separated_rows(_whole_lines(stream, file), file, asked, "|")


def _parquet_rows(stream: io.BufferedReader, file: str, asked: Columns) -> NumberedRows:
    with on_disk(stream, file) as place:
        names, start = parquet_names(file, place), 1
        for frame in parts_of_parquet(file, asked, _SLICE, place):
            yield from _framed_rows(names, frame, start)
            start += frame.height


def _arrow_rows(stream: io.BufferedReader, file: str, asked: Columns) -> NumberedRows:
    with on_disk(stream, file) as place:
        yield from _framed_rows(*read_arrow(file, asked, place), 1)


def _framed_rows(names: Sequence[str], frame: pl.DataFrame, start: int) -> NumberedRows:
    yield from enumerate(rows_of_table(names, frame.height, {c.name: c.to_list for c in frame.get_columns()}), start)


def _eval_samples(stream: io.BufferedReader, file: str, asked: Columns) -> NumberedRows:
    yield from rows_of_eval_file(file)


FORMATS = {
    ".jsonl": Format(_json_lines, "line"),
    ".ndjson": Format(_json_lines, "line"),
    ".txt": Format(_text_lines, "line"),
    ".json": Format(_json_document, held="whole"),
    ".csv": Format(_csv_rows),
    ".tsv": Format(_tsv_rows),
    ".psv": Format(_psv_rows),
    ".eval": Format(_eval_samples, "sample", is_text=False, held="columns"),
    ".parquet": Format(_parquet_rows, is_text=False, held="columns"),
    ".arrow": Format(_arrow_rows, is_text=False, held="columns"),
    ".feather": Format(_arrow_rows, is_text=False, held="columns"),
    ".ipc": Format(_arrow_rows, is_text=False, held="columns"),
}
_GUESSED = Format(_guessed_lines, "line")
