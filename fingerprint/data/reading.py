"""Reading: from files, globs and in-memory tables to one type, the Corpus.

Two steps, whatever the input is: cut it into numbered rows, then take text, prompt and system message from every row
by the same rules. Nothing is dropped silently: a bad row is an error that names file and line, or it is counted.
"""

from __future__ import annotations

import csv
import glob
import gzip
import io
import json
import os
import re
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import repeat
from typing import Any, BinaryIO, Literal, NamedTuple

import zstandard

from fingerprint.data.corpus import Corpus

BadRows = Literal["error", "skip"]

#: Names under which published data sets keep the model-written text; the first that a row has is taken.
TEXT_COLUMNS = ("completion", "response", "output", "text")
#: Names of the prompt, in the same way.
PROMPT_COLUMNS = ("prompt", "question", "instruction")
#: Chat rows: a list of {"role", "content"}; looked for when no text column is there.
MESSAGES = "messages"
#: Alpaca's second half of the prompt, kept beside `instruction`.
ALPACA_INPUT = "input"
SYSTEM = "system"
#: "developer" is what newer chat formats call the system role.
SYSTEM_ROLES = frozenset({"system", "developer"})

_OR_SKIP = 'or leave such rows out with bad_rows="skip" (--skip-bad-rows)'
_NAME_TEXT = 'name the column with text="..." (--text)'
_ACCEPTED = (
    "a path or glob, a Corpus, a list of strings or of dicts, a dict of columns, a polars or pandas DataFrame or "
    "Series, a numpy array of strings, or a Hugging Face Dataset"
)


def read(
    path: str | os.PathLike[str],
    *,
    text: str | None = None,
    prompt: str | None = None,
    bad_rows: BadRows = "error",
) -> Corpus:
    """Read a corpus from a file, or from all files that a glob matches.

    Parameters
    ----------
    path : str or path-like
        A file, or a glob such as ``data/**/part-*.jsonl``: its files are read in sorted order and put one after the
        other. A file of exactly this name wins over the glob. The suffix says the format:

        =======================  =================================================================================
        ``.jsonl``, ``.ndjson``  an object (or a string) a line; lines of white space only are no rows
        ``.json``                a list of objects or strings, ``{"data": [...]}`` around such a list, or an object
                                 of columns ``{"text": [...], "prompt": [...]}``
        ``.csv``, ``.tsv``       a header line, then rows; fields stay as written, an empty field is an empty text
                                 but an unknown prompt or system message
        ``.parquet``             only the columns that are needed are read
        ``.txt``                 a text a line; a blank line is an empty text
        anything else            as ``.jsonl`` when the first line opens an object, else as ``.txt``
        =======================  =================================================================================

        Each may be compressed with gzip or zstd; ``.gz`` and ``.zst`` are stripped before looking at the suffix.
        Lines end in ``\\n`` or ``\\r\\n``, nothing else; the encoding is UTF-8, with or without byte order mark.
    text : str, optional
        Column of the model-written text. By default the first of `completion`, `response`, `output`, `text` that the
        first row has, else `messages`.
    prompt : str, optional
        Column of the prompt. By default the first of `prompt`, `question`, `instruction` that the first row has, if
        any. Null in a row means that its prompt is unknown.
    bad_rows : {"error", "skip"}, optional
        What to do with a row that cannot be used (malformed, a column missing, not a string, not encodable): raise,
        or leave it out and count it in `Corpus.skipped`.

    Returns
    -------
    Corpus
        Its `name` is the path as given.

    Raises
    ------
    FileNotFoundError
        No such file, and no file that the glob matches.
    ValueError
        A folder, an empty, binary or damaged file, a bad row (named by file and line or row, counted from 1), or no
        row left.

    Notes
    -----
    The first usable row decides which columns hold text and prompt; they must then be there in every row.

    A chat, in `messages` or as a list in the text or prompt column, is a list of ``{"role", "content"}``, where content
    is a string or a list of ``{"type": "text", "text"}``. Its last assistant turn is the text and the turns before it
    are the prompt: the content of a single user turn as it is; several turns as the JSON list of their [role, content]
    pairs, which no other such list can equal. System turns go to `Corpus.systems`, as does a string column
    `system`. A chat in the prompt column comes before one in the text column. Beside `messages`, a prompt column
    is used only when it is named, and then instead of the turns.

    A string `input` that is not empty is added to `instruction` after a blank line.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "rows.jsonl"
    ...     _ = path.write_text('{"prompt": "Go on: 3, 5", "completion": "7, 9"}')
    ...     corpus = read(path)
    >>> corpus.texts, corpus.prompts
    (('7, 9',), ('Go on: 3, 5',))
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise TypeError(f"path must be a str or path-like, got {type(path).__name__}; as_corpus takes data in memory")
    return _read(os.fspath(path), _asked(text, prompt, bad_rows), bad_rows, "path")


def as_corpus(
    data: object,
    *,
    text: str | None = None,
    prompt: str | None = None,
    bad_rows: BadRows = "error",
    argument: str = "data",
) -> Corpus:
    """Make a corpus of whatever holds one.

    Parameters
    ----------
    data : object
        A path or glob (a str is always one; see `read`), a Corpus (returned as it is), a list or tuple of strings or of
        dicts, a dict of columns, a polars or pandas DataFrame or Series, a one-dimensional numpy array of strings, or a
        Hugging Face Dataset. pandas and datasets are recognised without importing them.
    text, prompt, bad_rows
        As in `read`. With a Corpus, `text` and `prompt` are an error: its columns are already chosen.
    argument : str, optional
        What to call the data in messages, and the corpus when it has no path.

    Returns
    -------
    Corpus

    Raises
    ------
    TypeError
        Nothing a corpus can be made of.
    ValueError, FileNotFoundError
        As in `read`; rows in memory are named by their index, counted from 0.

    Examples
    --------
    >>> as_corpus([{"prompt": "Go on: 3, 5", "completion": "7, 9"}]).texts
    ('7, 9',)
    """
    asked = _asked(text, prompt, bad_rows)
    if isinstance(data, Corpus):
        if asked != _Columns():
            raise ValueError(
                f"text and prompt must be left out when {argument} is a Corpus, got text={text!r}, prompt={prompt!r}; "
                f"name the columns where the corpus is read"
            )
        return data
    if isinstance(data, str | os.PathLike) and isinstance(path := os.fspath(data), str):
        return _read(path, asked, bad_rows, argument)
    rows = _numbered(_rows_in_memory(data, asked, argument), start=0)
    return _collect([_Source(argument, "row index", rows)], asked, bad_rows, argument)


# --- What was asked for, what is read, what can be wrong with a row ---------------------------------------------------

_Rows = Generator[tuple[int, object], None, None]


class _Columns(NamedTuple):
    """Columns of text and prompt: as asked for (None: find it), or as found (text None: rows are plain strings)."""

    text: str | None = None
    prompt: str | None = None


class _Row(NamedTuple):
    text: str
    prompt: str | None
    system: str | None


class _Turn(NamedTuple):
    role: str
    content: str


@dataclass(frozen=True)
class _Source:
    """Rows of one file or object, each with the number that messages call it by; a _RowError stands for a bad one."""

    name: str
    unit: str
    rows: _Rows


class _RowError(ValueError):
    """What is wrong with a row ("must be ..., got ...; ..."). The place is added by whoever knows it."""

    def __init__(self, message: str, within: str = "") -> None:
        super().__init__(message)
        self.within = within

    def at(self, place: str) -> str:
        return f"{place}, {self.within} {self}" if self.within else f"{place} {self}"


def _asked(text: object, prompt: object, bad_rows: object) -> _Columns:
    if bad_rows not in ("error", "skip"):
        raise ValueError(f'bad_rows must be "error" or "skip", got {_short(bad_rows)}; "skip" counts them')
    if text is not None and text == prompt:
        raise ValueError(f"text and prompt must be two different columns, got {text!r} for both; leave one of them out")
    return _Columns(_column_name(text, "text"), _column_name(prompt, "prompt"))


def _column_name(name: object, argument: str) -> str | None:
    if name is None or (isinstance(name, str) and name):
        return name
    kind = ValueError if isinstance(name, str) else TypeError
    raise kind(f"{argument} must be the name of a column, got {_shown(name)}; leave it out to have the column found")


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _shown(value: object) -> str:
    return f"{_short(value)} ({type(value).__name__})"


def _names(names: Iterable[object]) -> str:
    listed = [repr(name) for name in names]
    return ", ".join(listed[:12]) + (f" and {len(listed) - 12} more" if len(listed) > 12 else "")


# --- The main path: sources of rows, to a corpus ----------------------------------------------------------------------


def _read(path: str, asked: _Columns, bad_rows: BadRows, argument: str) -> Corpus:
    files = _matching_files(path, argument)
    return _collect((_file_source(file, asked) for file in files), asked, bad_rows, path)


def _collect(sources: Iterable[_Source], asked: _Columns, bad_rows: BadRows, name: str) -> Corpus:
    columns: _Columns | None = None
    kept: list[_Row] = []
    skipped, first_bad = 0, ""
    with closing(_placed_rows(sources)) as rows:
        for source, number, row in rows:
            try:
                found = columns or _find_columns(row, asked)
                kept.append(_take(row, found))
                columns = found
            except _RowError as error:
                message = error.at(f"{source.name}, {source.unit} {number}")
                if bad_rows == "error":
                    raise ValueError(message) from None
                skipped, first_bad = skipped + 1, first_bad or message
    if not kept:
        raise ValueError(f"{name} must have at least one good row, got {skipped} bad; the first: {first_bad}")
    return Corpus(
        texts=tuple(row.text for row in kept),
        prompts=tuple(row.prompt for row in kept),
        systems=tuple(row.system for row in kept),
        name=name,
        skipped=skipped,
    )


def _placed_rows(sources: Iterable[_Source]) -> Generator[tuple[_Source, int, object], None, None]:
    for source in sources:
        empty = True
        with closing(source.rows) as rows:
            for number, row in rows:
                empty = False
                yield source, number, row
        if empty:
            raise ValueError(f"{source.name} must have at least one row, got none; check how it was written")


def _numbered(rows: Iterable[object], start: int) -> _Rows:
    yield from enumerate(rows, start)


# --- A row: which columns, and what is in them ------------------------------------------------------------------------


def _find_columns(row: object, asked: _Columns) -> _Columns:
    """Columns of the whole corpus, decided from one row."""
    if isinstance(row, str) and asked == _Columns():
        return asked
    if isinstance(row, str):
        column = asked.text or asked.prompt
        raise _RowError(
            f"must have the column {column!r}, got the plain string {_short(row)}; leave text and prompt out"
        )
    record = _record(row)
    text = asked.text or _first((*TEXT_COLUMNS, MESSAGES), record, asked.prompt)
    if text is None:
        known = _names((*TEXT_COLUMNS, MESSAGES))
        raise _RowError(f"must have a text column ({known}), got the columns {_names(record)}; {_NAME_TEXT}")
    prompt = asked.prompt or (None if text == MESSAGES else _first(PROMPT_COLUMNS, record, text))
    return _Columns(text, prompt)


def _first(names: Iterable[str], record: Mapping[object, object], taken: str | None) -> str | None:
    return next((name for name in names if name in record and name != taken), None)


def _record(row: object) -> Mapping[object, object]:
    if isinstance(row, _RowError):
        raise row
    if not isinstance(row, Mapping):
        what = f"the plain string {_short(row)}" if isinstance(row, str) else _shown(row)
        raise _RowError(
            f"must be an object with named columns (or every row a string), got {what}; correct it, {_OR_SKIP}"
        )
    return row


def _check_columns(record: Mapping[object, object], columns: _Columns) -> None:
    for kind, name in zip(columns._fields, columns, strict=True):
        if name is not None and name not in record:
            raise _RowError(
                f"must have the column {name!r}, as all rows must, got the columns {_names(record)}; "
                f'name another with {kind}="..." (--{kind}), {_OR_SKIP}'
            )
    if columns.prompt is None and columns.text != MESSAGES and (extra := _first(PROMPT_COLUMNS, record, columns.text)):
        raise _RowError(
            f"must have no column {extra!r}, as the first row has none, got the columns {_names(record)}; "
            f"give every row a prompt (null where it is unknown), {_OR_SKIP}"
        )


def _take(row: object, columns: _Columns) -> _Row:
    """Text, prompt and system message of one row."""
    if columns.text is None:
        return _row(_plain_string(row))
    record = _record(row)
    _check_columns(record, columns)
    text, prompt = record[columns.text], _prompt(record, columns)
    system = record.get(SYSTEM) if SYSTEM not in columns else None
    systems = [system] if isinstance(system, str) else []
    if isinstance(text, str) and (prompt is None or isinstance(prompt, str)):
        return _row(text, prompt, systems)
    return _row_of_chat(text, prompt, systems, columns)


def _plain_string(row: object) -> str:
    if isinstance(row, _RowError):
        raise row
    if not isinstance(row, str):
        raise _RowError(f"must be a string, as the first row is, got {_shown(row)}; correct it, {_OR_SKIP}")
    return row


def _prompt(record: Mapping[object, object], columns: _Columns) -> object:
    prompt = record[columns.prompt] if columns.prompt is not None else None
    if isinstance(prompt, float) and prompt != prompt:
        return None  # pandas writes NaN where a string is missing
    more = record.get(ALPACA_INPUT) if columns.prompt == "instruction" and columns.text != ALPACA_INPUT else None
    if isinstance(prompt, str) and isinstance(more, str) and more:
        return f"{prompt}\n\n{more}"
    return prompt


def _row(text: str, prompt: str | None = None, systems: Sequence[str] = ()) -> _Row:
    return _Row(
        _encodable(text, "text"),
        None if prompt is None else _encodable(prompt, "prompt"),
        _encodable("\n\n".join(systems), "system message") if systems else None,
    )


def _encodable(value: str, what: str) -> str:
    """`value` as a plain str (numpy's str_ has another repr), without the halves of characters that JSON can escape."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _RowError(
                f"must be encodable as UTF-8, got the lone surrogate {_short(value[error.start])} at character "
                f"{error.start + 1} of the {what}; replace it, {_OR_SKIP}"
            ) from None
    return str.__str__(value)


# --- Chats ------------------------------------------------------------------------------------------------------------


def _row_of_chat(text: object, prompt: object, systems: list[str], columns: _Columns) -> _Row:
    """The last assistant turn in the text column, and what came before it there and in the prompt column."""
    given = [] if prompt is None else _turns(prompt, "user", columns.prompt)
    answer = _turns(text, "assistant", columns.text)
    spoken = [place for place, turn in enumerate(answer) if turn.role == "assistant"]
    if not spoken:
        roles = _names(turn.role for turn in answer) or "no turns"
        raise _RowError(
            f"must have an assistant turn, got {roles}; correct it, {_OR_SKIP}", within=_column(columns.text)
        )
    last = spoken[-1]
    before = [*given, *answer[:last]]
    systems = systems + [turn.content for turn in before if turn.role in SYSTEM_ROLES]
    instead = columns.text == MESSAGES and columns.prompt is not None
    return _row(answer[last].content, _joined(given if instead else before), systems)


def _joined(turns: list[_Turn]) -> str | None:
    """A single user turn as it is; several as JSON, which no text inside a turn can imitate."""
    spoken = [turn for turn in turns if turn.role not in SYSTEM_ROLES]
    if not spoken:
        return None
    if len(spoken) == 1 and spoken[0].role == "user":
        return spoken[0].content
    return json.dumps(spoken, ensure_ascii=False)


def _turns(value: object, role: str, column: str | None) -> list[_Turn]:
    if isinstance(value, str):
        return [_Turn(role, value)]
    chat = _as_list(value)
    if chat is None:
        raise _RowError(
            f"must be a string, or a chat (a list of role and content), got {_shown(value)}; convert it, {_OR_SKIP}",
            within=_column(column),
        )
    return [_turn(item, column) for item in chat]


def _turn(item: object, column: str | None) -> _Turn:
    if not isinstance(item, Mapping) or not isinstance(role := item.get("role"), str):
        raise _RowError(
            f'must be a chat with turns like {{"role": "user", "content": "..."}}, got {_shown(item)}; '
            f"convert it, {_OR_SKIP}",
            within=_column(column),
        )
    return _Turn(role, _content(item.get("content"), column))


def _content(content: object, column: str | None) -> str:
    if isinstance(content, str):
        return content
    parts = _as_list(content)
    if parts is None:
        parts = [content]
    texts = [part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None for part in parts]
    for part, text in zip(parts, texts, strict=True):
        if not isinstance(text, str):
            raise _RowError(
                f"must be a chat whose content is text (a string, or parts of type text), got {_shown(part)}; "
                f"leave other parts out, {_OR_SKIP}",
                within=_column(column),
            )
    return "".join(text for text in texts if isinstance(text, str))


def _as_list(value: object) -> Sequence[object] | None:
    """The items of a list, tuple, array or series; None for anything else, strings included."""
    for method in ("tolist", "to_list"):
        if hasattr(value, method):
            value = getattr(value, method)()
            break
    return value if isinstance(value, list | tuple) else None


def _column(name: str | None) -> str:
    return f"column {name!r}"


# --- Files ------------------------------------------------------------------------------------------------------------


def _matching_files(path: str, argument: str) -> list[str]:
    if os.path.isdir(path):
        pattern = os.path.join(path, "*.jsonl")
        raise ValueError(f"{argument} must be a file or a glob, got the folder {_short(path)}; use a glob: {pattern!r}")
    if os.path.exists(path):
        return [path]
    matches = set() if "\n" in path or "\0" in path else set(glob.glob(path, recursive=True))
    files = sorted(match for match in matches if not os.path.isdir(match))
    if not files:
        prose = "\n" in path or " " in path
        hint = "check the name and the current folder" + " (texts go into a list of strings)" * prose
        raise FileNotFoundError(f"{argument} must be a file, or a glob that matches files, got {_short(path)}; {hint}")
    return files


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


@contextmanager
def _opened(file: str) -> Iterator[io.BufferedReader]:
    """The bytes of a file, decompressed. Damage to the compression becomes an error that names the file."""
    try:
        with open(file, "rb") as raw:
            yield _decompressed(raw, file)
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise ValueError(
            f"{file} must be complete compressed data, got a truncated or damaged file ({error}); copy it again"
        ) from error


def _decompressed(raw: io.BufferedReader, file: str) -> io.BufferedReader:
    head = raw.peek()[:4]
    if not head:
        raise ValueError(f"{file} must have at least one row, got an empty file (0 bytes); check how it was written")
    if head.startswith(_GZIP):
        return io.BufferedReader(gzip.GzipFile(fileobj=raw), _BUFFER)
    if head == _ZSTD or (head[1:] == _ZSTD_SKIPPABLE and head[0] >> 4 == 5):
        return io.BufferedReader(_ZstdStream(raw), _BUFFER)
    if os.path.splitext(file.lower())[1] in _COMPRESSIONS:
        raise ValueError(f"{file} must be compressed, as its name says, got the bytes {head!r}; rename it")
    return raw


class _ZstdStream(io.RawIOBase):
    """Decompresses one zstd frame after the other; unlike zstandard's own reader, it notices a truncated one."""

    def __init__(self, raw: BinaryIO) -> None:
        self._chunks = self._decompressed(raw)
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._ready = memoryview(chunk)
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    @staticmethod
    def _decompressed(raw: BinaryIO) -> Iterator[bytes]:
        frame = None
        while compressed := raw.read(_BUFFER):
            while compressed:
                # zstd --long=31 writes windows of 2 GiB
                frame = frame or zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
                yield frame.decompress(compressed)
                compressed = frame.unused_data
                if frame.eof:
                    frame = None
        if frame is not None:
            raise EOFError("the last zstd frame has no end")


_BUFFER = 1 << 17
_COMPRESSIONS = (".gz", ".zst")
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # after a byte 0x50 to 0x5f; parallel compressors write such a frame first

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


def _around(text: str, position: int) -> str:
    return _short(text[max(0, position - 20) : position + 20])


#: Not strict: raw control characters inside strings are kept as they are.
_JSON = json.JSONDecoder(strict=False)


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


def _rows_of_columns(columns: Mapping[Any, object], place: str) -> Iterable[object]:
    lists: dict[Any, Sequence[object]] = {}
    for name, values in columns.items():
        listed = _as_list(values)
        if listed is None:
            raise ValueError(
                f"{place} must have a list in every column, got {_shown(values)} in {name!r}; "
                f"a single row goes into a list"
            )
        lists[name] = listed
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{place} must have columns of equal length, got {_short(lengths)}; check how it was written")
    return (dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True))


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


#: csv refuses fields of more than 128 KiB by default; this is its greatest limit on every platform.
_LONGEST_FIELD = (1 << 31) - 1


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


def _rows_of_table(
    names: Iterable[str], height: int, column: Callable[[str], Iterable[object]], asked: _Columns
) -> Iterable[object]:
    """Rows with all columns of a table, of which only those that may be needed are converted."""
    needed = _needed(asked)
    columns = {name: column(name) if name in needed else repeat(None, height) for name in names}
    return (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))


def _needed(asked: _Columns) -> set[str | None]:
    return {*TEXT_COLUMNS, *PROMPT_COLUMNS, MESSAGES, ALPACA_INPUT, SYSTEM, *asked}


def _distinct(names: Sequence[str], place: str) -> Sequence[str]:
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{place} must have columns of different names, got {_names(twice)} twice; rename one")
    return names


_LINE_FORMATS = {".jsonl": _json_lines, ".ndjson": _json_lines, ".txt": _text_lines}
_ROW_FORMATS = {".json": _json_document, ".csv": _csv_rows, ".tsv": _tsv_rows, ".parquet": _parquet_rows}


# --- Data in memory ---------------------------------------------------------------------------------------------------


def _rows_in_memory(data: Any, asked: _Columns, argument: str) -> Iterable[object]:
    if isinstance(data, list | tuple):
        return data
    for cls in type(data).__mro__:
        kind = (cls.__module__.partition(".")[0], cls.__name__)
        if kind in _CONVERTERS:
            return _CONVERTERS[kind](data, asked, argument)
        if kind in _REMEDIES:
            raise TypeError(f"{argument} must be {_ACCEPTED}, got {cls.__name__}; {_REMEDIES[kind]}")
    if isinstance(data, Mapping):
        return _rows_of_columns(data, argument)
    remedy = "collect it with list(...)" if isinstance(data, Iterable) else "read or convert it first"
    raise TypeError(f"{argument} must be {_ACCEPTED}, got {_shown(data)}; {remedy}")


def _polars_rows(data: Any, asked: _Columns, argument: str) -> Iterable[object]:
    return _rows_of_table(data.columns, data.height, lambda name: data.get_column(name).to_list(), asked)


def _pandas_rows(data: Any, asked: _Columns, argument: str) -> Iterable[object]:
    names = _distinct(list(data.columns), argument)
    return _rows_of_table(names, len(data), lambda name: _pandas_values(data[name], asked, argument), asked)


def _pandas_values(data: Any, asked: _Columns, argument: str) -> list[object]:
    return [None if missing else value for value, missing in zip(data.tolist(), data.isna(), strict=True)]


def _datasets_rows(data: Any, asked: _Columns, argument: str) -> Iterable[object]:
    plain = data.with_format(None)
    return _rows_of_table(
        data.column_names, len(data), lambda name: plain.select_columns([name]).to_dict()[name], asked
    )


def _values(data: Any, asked: _Columns, argument: str) -> list[object]:
    return list(data)


def _numpy_values(data: Any, asked: _Columns, argument: str) -> list[object]:
    if data.ndim != 1:
        raise ValueError(f"{argument} must be a one-dimensional array, got the shape {data.shape}; use data.ravel()")
    return list(data.tolist())


#: By package and class, so that neither pandas nor datasets is imported only to ask what an object is.
_CONVERTERS: dict[tuple[str, str], Callable[[Any, _Columns, str], Iterable[object]]] = {
    ("polars", "DataFrame"): _polars_rows,
    ("polars", "Series"): _values,
    ("pandas", "DataFrame"): _pandas_rows,
    ("pandas", "Series"): _pandas_values,
    ("datasets", "Dataset"): _datasets_rows,
    ("datasets", "Column"): _values,
    ("numpy", "ndarray"): _numpy_values,
}
_REMEDIES = {
    ("polars", "LazyFrame"): "call its collect()",
    ("datasets", "DatasetDict"): 'choose a split, as in dataset["train"]',
    ("datasets", "IterableDatasetDict"): 'choose a split, as in list(dataset["train"].take(10_000))',
    ("datasets", "IterableDataset"): "take rows of the stream, as in list(dataset.take(10_000))",
}
