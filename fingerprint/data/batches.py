"""Rows of anything, some at a time: for data that need not fit into memory.

The same rules as `fingerprint.data.reading`, batch by batch: the first usable row decides the columns, a bad row is an
error or counted. Beside it there are shards that cannot be used, which are an error or skipped, and never silently.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fingerprint.data.chats import Which
from fingerprint.data.columns import Columns, check_columns
from fingerprint.data.corpus import Corpus
from fingerprint.data.notes import ReadAs, told_to
from fingerprint.data.pieces import Piece, pieces_in_memory, pieces_of_file
from fingerprint.data.quoting import listed, short
from fingerprint.data.reading import checked_asked, refuse_columns
from fingerprint.data.row_reader import BadRows, RowReader
from fingerprint.data.shards import duplicate_shards, shard_paths
from fingerprint.data.sources import BadRowError, Source

BadShards = Literal["error", "skip"]

# Rows of a batch: enough that what a batch costs by itself is nothing, few enough that a hundred batches of prose fit.
SIZE = 8192

OR_SKIP_SHARDS = 'or leave such shards out with bad_shards="skip" (--skip-bad-shards)'


@dataclass(frozen=True)
class Batch:
    """Some rows of one shard, in their order.

    Attributes
    ----------
    texts : list of str
    prompts : list of str or None
        What each text answers; None where unknown.
    systems : list of str or None
        The system message of each row.
    shard : str
        The file, or what the data are called.
    first_row : int
        Index of the first row among the usable ones of its shard, from 0.
    skipped : int
        Bad rows of this shard that were left out since the batch before.
    """

    texts: list[str]
    prompts: list[str | None]
    systems: list[str | None]
    shard: str
    first_row: int
    skipped: int

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class SkippedShard:
    """A shard that was left out, and why."""

    shard: str
    reason: str


@dataclass(frozen=True)
class ShardsRead:
    """What became of the shards.

    Attributes
    ----------
    read : tuple of str
        Shards whose rows were given, in their order.
    skipped : tuple of SkippedShard
    rows : int
        Usable rows.
    """

    read: tuple[str, ...]
    skipped: tuple[SkippedShard, ...]
    rows: int


class ShardError(ValueError):
    """A shard that cannot be used as a whole."""


def copy_of(file: str, first: str) -> str:
    """What is wrong with a shard that is a copy of one before it."""
    return f"{file} must hold rows of its own, got the same bytes as in {first}; delete one"


class Batches(Iterator[Batch]):
    """What `batches` gives: an iterator that also knows what became of the shards.

    Attributes
    ----------
    shards : ShardsRead
        As far as they have been read.
    columns : Columns or None
        Those that the first usable row has; None before it.
    read_as : ReadAs
        These, and what was said of them.
    """

    def __init__(
        self,
        data: object,
        asked: Columns,
        bad_rows: BadRows,
        bad_shards: BadShards,
        size: int,
        argument: str,
        columns: Columns | None,
    ) -> None:
        self._reader = RowReader(asked, bad_rows)
        self._reader.columns = columns
        self._is_part = columns is not None
        self._bad_shards, self._size, self._argument = bad_shards, size, argument
        self._read: list[str] = []
        self._skipped: list[SkippedShard] = []
        self._rows = 0
        self._batches = self._given(data)

    def __next__(self) -> Batch:
        with told_to(self._reader.hear):
            batch = next(self._batches)
        self._rows += len(batch)
        return batch

    @property
    def shards(self) -> ShardsRead:
        return ShardsRead(tuple(self._read), tuple(self._skipped), self._rows)

    @property
    def columns(self) -> Columns | None:
        return self._reader.columns

    @property
    def read_as(self) -> ReadAs:
        return self._reader.read_as

    def _given(self, data: object) -> Iterator[Batch]:
        files = shard_paths(data, self._argument)
        if files:
            yield from self._of_files(files)
        elif isinstance(data, Corpus):
            self._read.append(data.name)
            yield from _of_corpus(data, self._size)
            return
        else:
            self._read.append(self._argument)
            yield from self._of_pieces(*pieces_in_memory(data, self._reader.asked, self._argument, self._size))
        if self._is_part:  # rows or shards that are good were found elsewhere
            return
        if not self._rows and not self._skipped:
            raise ValueError(self._reader.no_good_row(self._argument))
        if not self._read:
            shards = "; ".join(f"{shard.shard}: {shard.reason}" for shard in self._skipped)
            raise ValueError(f"{self._argument} must have a shard that can be used, got none ({short(shards)})")

    def _of_files(self, files: Sequence[str]) -> Iterator[Batch]:
        duplicates = duplicate_shards(files)
        is_one_of_many = len(files) > 1 or self._is_part
        reader, remedy = self._reader, f", {OR_SKIP_SHARDS}" if is_one_of_many and self._bad_shards == "error" else ""
        for file in files:
            known = reader.columns, reader.skipped, reader.first_bad
            try:
                if file in duplicates:
                    raise ShardError(copy_of(file, duplicates[file]))
                if self._bad_shards == "skip":
                    # Read to its end before any of its rows counts: damage shows where it is.
                    deque(self._of_file(file), maxlen=0)
                    reader.columns, reader.skipped, reader.first_bad = known
                yield from self._of_file(file)
                self._read.append(file)
            except ShardError as error:
                if self._bad_shards == "error":
                    raise ShardError(f"{error}{remedy}") from error.__cause__
                reader.columns, reader.skipped, reader.first_bad = known
                self._skipped.append(SkippedShard(file, str(error)))

    def _of_file(self, file: str) -> Iterator[Batch]:
        source, pieces = pieces_of_file(file, self._reader.asked, self._size)
        return self._of_pieces(source, _damage_named(pieces))

    def _of_pieces(self, source: Source, pieces: Iterator[Piece]) -> Iterator[Batch]:
        reader, first_row, is_empty, known = self._reader, 0, True, self._reader.columns
        for piece in pieces:
            is_empty, before = False, reader.skipped
            lists = piece.quick(reader)
            if lists is None:
                if first_row == 0 and known is not None:
                    _check_schema(source, piece, known, reader.bad_rows)
                numbered_rows = zip(piece.numbers, piece.rows(), strict=True)
                rows = [row for at in numbered_rows if (row := reader.read(source, *at)) is not None]
                lists = [row.text for row in rows], [row.prompt for row in rows], [row.system for row in rows]
            yield Batch(*lists, source.name, first_row, reader.skipped - before)
            first_row += len(lists[0])
        if is_empty:
            raise ShardError(f"{source.name} must have at least one row, got none; check how it was written")


def batches(
    data: object,
    *,
    text: str | None = None,
    prompt: str | None = None,
    turn: Which | None = None,
    bad_rows: BadRows = "error",
    bad_shards: BadShards = "error",
    size: int = SIZE,
    argument: str = "data",
    columns: Columns | None = None,
) -> Batches:
    """Read rows of anything, `size` at a time.

    Parameters
    ----------
    data : object
        Whatever `fingerprint.data.reading.as_corpus` takes. An iterator can be read once.
    text, prompt, turn, bad_rows
        As in `fingerprint.data.reading.read`.
    bad_shards : {"error", "skip"}
        What to do with a shard that cannot be read to its end, has other columns than the first one, no rows, or the
        same bytes as a shard before it: raise, or leave all of it out and say so in `Batches.shards`. Where shards are
        skipped every shard is read twice: a damaged one shows its damage where it is.
    size : int
        Rows of a batch, at most.
    argument : str
        What messages call the data.
    columns : Columns, optional
        `Batches.columns` of an earlier call: these are more shards of the same data. They are read alike, and may all
        be bad.

    Returns
    -------
    Batches
        An iterator of `Batch`.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        As `read` and `as_corpus` do, when the rows are reached; for a bad shard, naming it.

    Notes
    -----
    Plain Parquet files are read in slices, so that memory does not grow with the file (with its largest row group
    alone); lines, one by one; data sets of Hugging Face and queries, from the disk. A JSON document, CSV, the columns
    of an Arrow file that are needed and data in memory are as large as they are.

    Examples
    --------
    >>> found = batches([{"prompt": "Go on: 3, 5", "completion": "7, 9"}])
    >>> [(batch.texts, batch.prompts, batch.first_row) for batch in found]
    [(['7, 9'], ['Go on: 3, 5'], 0)]
    >>> found.shards.rows
    1
    """
    asked = checked_asked(text, prompt, bad_rows, turn)
    if bad_shards not in ("error", "skip"):
        raise ValueError(f'bad_shards must be "error" or "skip", got {short(bad_shards)}; "skip" names and counts them')
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}; {SIZE} is usual")
    if isinstance(data, Corpus):
        refuse_columns(asked, argument)
    return Batches(data, asked, bad_rows, bad_shards, size, argument, columns)


def _damage_named(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Pieces of a file; what keeps it from being read becomes an error of the shard."""
    try:
        yield from pieces
    except (ValueError, OSError) as error:
        raise ShardError(str(error)) from error


def _check_schema(source: Source, piece: Piece, columns: Columns, bad_rows: BadRows) -> None:
    """Refuse a shard whose first row, or where bad rows are skipped all of its first rows, have other columns."""
    fits = [(_fits(row, columns), row) for row in piece.rows() if isinstance(row, str | Mapping)]
    wrong = [row for fit, row in fits if not fit]
    if not wrong or (fits[0][0] if bad_rows == "error" else len(wrong) < len(fits)):
        return
    wanted = "plain strings" if columns.text is None else f"the columns {listed(columns.names)}"
    got = "plain strings" if isinstance(wrong[0], str) else f"the columns {listed(wrong[0])}"
    raise ShardError(
        f"{source.name} must have {wanted}, as the shards before it have, got {got}; rename its columns, name the "
        'columns with text="..." and prompt="..." (--text, --prompt)'
    )


def _fits(row: str | Mapping[object, object], columns: Columns) -> bool:
    if isinstance(row, str) or columns.text is None:
        return isinstance(row, str) and columns.text is None
    try:
        check_columns(row, columns)
    except BadRowError:
        return False
    return True


def _of_corpus(corpus: Corpus, size: int) -> Iterator[Batch]:
    for first in range(0, len(corpus), size):
        some, skipped = slice(first, first + size), corpus.skipped if first == 0 else 0
        prompts, systems = list(corpus.prompts[some]), list(corpus.systems[some])
        yield Batch(list(corpus.texts[some]), prompts, systems, corpus.name, first, skipped)
