"""Reading: from files, globs and in-memory tables to one type, the Corpus.

Two steps, whatever the input is: cut it into numbered rows, then take text, prompt and system message from every row
by the same rules. Nothing is dropped silently: a bad row is an error that names file and line, or it is counted.
"""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing

from fingerprint.data.chats import Which
from fingerprint.data.columns import Columns, asked_columns
from fingerprint.data.corpus import Corpus
from fingerprint.data.formats import file_source
from fingerprint.data.limits import how_to_raise, limits
from fingerprint.data.notes import told_to
from fingerprint.data.pieces import pieces_in_memory
from fingerprint.data.quoting import short
from fingerprint.data.row_reader import BadRows, RowReader
from fingerprint.data.shards import shard_paths
from fingerprint.data.sources import NumberedRows, Source

# Rows of data in memory that are turned into plain values at a time.
_SIZE = 8192
_NO_ROWS = "compare fingerprints, which hold no rows, or "


def read(
    path: str | os.PathLike[str],
    *,
    text: str | None = None,
    prompt: str | None = None,
    turn: Which | None = None,
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
        ``.csv``, ``.tsv``,      a header line, then rows; fields stay as written, an empty field is an empty text
        ``.psv``                 but an unknown prompt or system message; where the header shows that commas,
                                 semicolons, tabs or bars separate the fields and the name says otherwise, it is said
        ``.parquet``             only the columns that are needed are read
        ``.arrow``, ``.ipc``,    Arrow files and streams; only the columns that are needed are read
        ``.feather``
        a folder                 that `Dataset.save_to_disk` of Hugging Face wrote, or `DatasetDict.save_to_disk` where
                                 there is one split (else name the split: ``folder/train``)
        ``.eval``                a log of inspect_ai (extra ``inspect``): a row for each sample and epoch, the answer
                                 with the input of the sample as its prompt
        ``.txt``                 a text a line; a blank line is an empty text
        anything else            as ``.jsonl`` when the first line opens an object, else as ``.txt``
        =======================  =================================================================================

        Each may be compressed with gzip or zstd; ``.gz`` and ``.zst`` are stripped before looking at the suffix.
        Lines end in ``\\n`` or ``\\r\\n``, nothing else; the encoding is UTF-8, with or without byte order mark.
    text : str, optional
        Column of the model-written text. By default the first of `completion`, `response`, `output`, `text` that the
        first row has, else a chat in `messages` or `conversations`, else `chosen`, else `completions` with `labels`
        beside them, else `tool_calls`. Blanks around a name and its case do not matter where no name fits as it is.
    prompt : str, optional
        Column of the prompt. By default the first of `prompt`, `question`, `instruction`, `query`, `problem`, `input`
        that the first row has, if any. Null in a row means that its prompt is unknown.
    turn : {"last", "first", "all"} or int, optional
        Which of the assistant's turns of a chat is the text: the last one by default; the first; all of them, joined by
        blank lines; or a number, from 1, or from -1 at the end. The turns before it are the prompt; of "all" the turns
        of everybody else.
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

    A chat, in `messages` or `conversations` or as a list in the text or prompt column, is a list of ``{"role",
    "content"}`` or of ``{"from", "value"}`` (ShareGPT), where content is a string or a list of ``{"type": "text",
    "text"}``. Its last assistant turn (see `turn`) is the text and the turns before it are the prompt: the content of a
    single user turn as it is; several turns as the JSON list of their [role, content] pairs, which no other such list
    can equal. System turns go to `Corpus.systems`, as does a string column `system`. A chat in the prompt column comes
    before one in the text column, unless that repeats it. Beside a column of chats, a prompt column is used only when
    it is named, and then instead of the turns. A tool call is a line like ``look(at="owl", to=3)`` after the
    content; reasoning that is kept apart stands before it, between ``<think>`` and ``</think>``.

    Of preference data the chosen answer is the text. Where `chosen` and `rejected` have no prompt beside them, the
    turns before the answer are the prompt, of strings the whole lines with which both begin. Steps (`completions` with
    `labels`) are the lines of one text. Which of several texts was taken is said in a `ReadingNote`, a warning.

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
    return as_corpus(path, text=text, prompt=prompt, turn=turn, bad_rows=bad_rows, argument="path")


def as_corpus(
    data: object,
    *,
    text: str | None = None,
    prompt: str | None = None,
    turn: Which | None = None,
    bad_rows: BadRows = "error",
    argument: str = "data",
) -> Corpus:
    """Make a corpus of whatever holds one.

    Parameters
    ----------
    data : object
        A path or glob (a str is always one; see `read`); a list or tuple of paths (of strings, where every one of them
        exists or ends like a file of rows); a Corpus (returned as it is); a list or tuple of strings or of dicts; a
        dict of columns; a frame or series that narwhals knows (polars, also lazy, pandas, pyarrow, DuckDB and others);
        a one-dimensional numpy array of strings; a Hugging Face Dataset or IterableDataset, or a DatasetDict of one
        split; any iterable of rows or of batches of them. None of these packages is imported to ask what the data are.
        A level of a pandas index that has the name of a column is one.
    text, prompt, turn, bad_rows
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
    asked = checked_asked(text, prompt, bad_rows, turn)
    if isinstance(data, Corpus):
        refuse_columns(asked, argument)
        return data
    name = os.fspath(data) if isinstance(data, str | os.PathLike) else argument
    reader = RowReader(asked, bad_rows)
    with told_to(reader.hear):
        files = shard_paths(data, argument)
        return _collect(sources_of(data, files, asked, argument), reader, name, InMemory(name, files, _NO_ROWS))


def sources_of(data: object, files: Sequence[str], asked: Columns, argument: str) -> Iterable[Source]:
    """The files that data name, which are `shard_paths` of it, or the object that holds their rows."""
    if files:
        return (file_source(file, asked) for file in files)
    return [Source(argument, "row index", _numbered_rows(data, asked, argument))]


class InMemory:
    """What rows take in memory so far, and the end of it where that is more than the limits allow.

    Parameters
    ----------
    name : str
        What messages call the data.
    files : sequence of str
        Whose rows they are. Of pipes nobody knows the size, and what was in memory before is there: without files, or
        with pipes among them, rows are counted and their bytes are not.
    instead : str, optional
        What messages advise before they say how to raise a limit.
    """

    def __init__(self, name: str, files: Sequence[str], instead: str = "") -> None:
        bounds, is_known = limits(), bool(files) and all(map(os.path.isfile, files))
        self._name, self._instead, self._rows, self._held = name, instead, 0, 0
        self._most_rows = bounds.rows
        self._most_held = bounds.held + bounds.expansion * sum(map(os.path.getsize, files)) if is_known else math.inf

    def add(self, source: Source, *texts: str | None) -> None:
        """Count a row of these texts; a ValueError with the name of the source where it is one too many."""
        self._rows += 1
        self._held += sum(text.__sizeof__() for text in texts)
        if self._held > self._most_held:
            self._refuse(source, f"{self._most_held:,} bytes", "held")
        if self._rows > self._most_rows:
            self._refuse(source, f"{self._most_rows:,} rows", "rows")

    def _refuse(self, source: Source, most: str, limit: str) -> None:
        raise ValueError(
            f"{source.name} must bring at most {most} into memory, got more in {self._name}; "
            f"{self._instead}{how_to_raise(limit)}"
        )


def checked_asked(text: object, prompt: object, bad_rows: object, turn: object = None) -> Columns:
    """The columns and the turn that a caller named, once it is known what to do with bad rows."""
    if bad_rows not in ("error", "skip"):
        raise ValueError(f'bad_rows must be "error" or "skip", got {short(bad_rows)}; "skip" counts them')
    return asked_columns(text, prompt, turn)


def refuse_columns(asked: Columns, argument: str) -> None:
    """Refuse columns that are named beside a Corpus, whose columns are already chosen."""
    if asked.names:
        raise ValueError(
            f"text and prompt must be left out when {argument} is a Corpus, got text={asked.text!r}, "
            f"prompt={asked.prompt!r}; name the columns where the corpus is read"
        )


def _numbered_rows(data: object, asked: Columns, argument: str) -> NumberedRows:
    _, pieces = pieces_in_memory(data, asked, argument, _SIZE)
    for piece in pieces:
        yield from zip(piece.numbers, piece.rows(), strict=True)


def _collect(sources: Iterable[Source], reader: RowReader, name: str, in_memory: InMemory) -> Corpus:
    """A corpus of all rows of all sources; the first good row decides the columns."""
    with closing(placed_rows(sources)) as rows:
        kept = []
        for place in rows:
            if (row := reader.read(*place)) is not None:
                kept.append(row)
                in_memory.add(place[0], row.text, row.prompt, row.system)
    if not kept:
        raise ValueError(reader.no_good_row(name))
    return Corpus(
        texts=tuple(row.text for row in kept),
        prompts=tuple(row.prompt for row in kept),
        systems=tuple(row.system for row in kept),
        name=name,
        skipped=reader.skipped,
        read_as=reader.read_as,
    )


def placed_rows(sources: Iterable[Source]) -> Generator[tuple[Source, int, object], None, None]:
    """Rows of all sources, one source after the other, each with its source and number."""
    for source in sources:
        empty = True
        with closing(source.rows) as rows:
            for number, row in rows:
                empty = False
                yield source, number, row
        if empty:
            raise ValueError(f"{source.name} must have at least one row, got none; check how it was written")
