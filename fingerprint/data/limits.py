"""How much of a file is believed: limits on what reading may take, and how a caller raises them.

Files may be made by those who are suspected. Each limit is far above what rows of language models need, and low enough
that what a small file can ask for fits into two gigabytes of memory and twenty seconds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace

#: The environment variable that raises limits, of every command and process: ``rows=20000000,line=256MiB``.
VARIABLE = "FINGERPRINT_LIMITS"

_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_AMOUNT = re.compile(r"(\d{1,18})([a-z]*)")
# What may be decompressed of any file, however small: one row a thousand times over is no bomb.
_FREE = 1 << 25


@dataclass(frozen=True)
class Limits:
    """What one file may ask for.

    Attributes
    ----------
    expansion : int
        Times its size on disk that what is held of a file may be, beyond 32 MiB: rows of models make 3 to 20, one
        prompt over and over 60; bombs 1,000 (gzip) to 32,000 (zstd).
    stream : int
        Times its size for what is read some rows at a time, lines and slices of Parquet, beyond 32 MiB: one prompt of
        40 kB in every row with answers of 100 bytes makes 300 to 1,000. Held is a line or a slice.
    seconds : int
        Seconds of a processor for a Parquet or Arrow file, beside one for every 20 MB that it may hold unpacked.
    line : int
        Bytes of a line of JSONL, text or CSV: the longest transcripts of agents at hand have 6 MB.
    blank : int
        Bytes of white space at a stretch in these, each of which may be a row of text files.
    document : int
        Bytes of what is held as a whole before there are rows: a JSON document; held, it takes 5 to 20 times as many.
    rows : int
        Rows of a corpus in memory: 5 microseconds and 400 bytes each, beside their texts. Batches and fingerprints hold
        no rows, and have no such limit.
    held : int
        Bytes of texts, prompts and system messages of a corpus in memory, beyond `expansion` times the size of its
        files: what is cut into lines may be 2,000 times as large as a file, one line at a time.
    columns : int
        Columns of a table.
    members : int
        Members of a zip file, such as the samples of an evaluation: each takes some kilobytes once it is listed.
    depth : int
        Brackets within brackets in JSON: a chat with tool calls has 8.
    file : int
        Bytes of a detector, panel, fingerprint or report, unpacked: ten million rows that a detector knows take 160 MB.
    """

    expansion: int = 200
    stream: int = 2000
    seconds: int = 10
    line: int = 1 << 25
    blank: int = 1 << 19
    document: int = 1 << 30
    rows: int = 2_000_000
    held: int = 1 << 30
    columns: int = 100_000
    members: int = 200_000
    depth: int = 100
    file: int = 1 << 30

    def unpacked(self, size: int) -> int:
        """Bytes that a file of `size` bytes may be decompressed to."""
        return _FREE + self.expansion * size

    def streamed(self, size: int) -> int:
        """Bytes that the rows of a file of `size` bytes may have, where some are read at a time."""
        return _FREE + max(self.stream, self.expansion) * size


_USUAL = Limits()

# What `raised` has changed. A thread does not read a stranger's files with the limits that another one has raised.
_raised: ContextVar[tuple[dict[str, int], ...]] = ContextVar("raised", default=())


def limits() -> Limits:
    """The limits that hold: the usual ones, those of the environment, those of `raised`.

    Raises
    ------
    ValueError
        If the environment variable names others, or no numbers.
    """
    given = os.environ.get(VARIABLE)
    found = _of_text(given) if given else _USUAL
    for changes in _raised.get():
        found = replace(found, **changes)
    return found


@contextmanager
def raised(**changes: int) -> Iterator[None]:
    """Other limits for what is read within, by this thread or task (by another one in a copy of the context).

    Parameters
    ----------
    **changes : int
        Attributes of `Limits`.

    Raises
    ------
    ValueError
        For an unknown one, or what is no number from 1 on.

    Examples
    --------
    >>> with raised(rows=10):
    ...     limits().rows
    10
    """
    for name, amount in changes.items():
        _check(name, isinstance(amount, int) and amount >= 1, amount)
    _raised.set((*_raised.get(), changes))
    try:
        yield
    finally:
        _raised.set(tuple(other for other in _raised.get() if other is not changes))


def how_to_raise(name: str, what: str = "") -> str:
    """The remedy that every message about a limit ends with."""
    trusted = f"if you trust the file{what}"
    return f"{trusted}, set the environment variable {VARIABLE}={name}=N (in Python limits.raised({name}=N))"


def _of_text(given: str) -> Limits:
    changes: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in given.split(","))):
        name, _, amount = part.partition("=")
        found = _AMOUNT.fullmatch(amount.strip().lower().replace("_", ""))
        unit = None if found is None else _UNITS.get(found[2])
        _check(name.strip(), found is not None and unit is not None and int(found[1]) >= 1, amount)
        if found is not None and unit is not None:
            changes[name.strip()] = int(found[1]) * unit
    return replace(Limits(), **changes)


def _check(name: str, is_amount: bool, amount: object) -> None:
    known = [field.name for field in fields(Limits)]
    if name not in known:
        raise ValueError(f"{VARIABLE} must name limits among {', '.join(known)}, got {name!r}; correct it")
    if not is_amount:
        raise ValueError(f"{VARIABLE} must give a number from 1 on for {name}, got {amount!r}; as in 256MiB")
