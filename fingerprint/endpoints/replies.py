"""What endpoints answer: a reply, how it is found in a response, and a file that keeps replies as they come."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

from fingerprint.data.locks import PartLocks
from fingerprint.endpoints.faults import WHOLE_ATTEMPTS, Fault

# Tokens of a request or a reply that are believed: ten times the longest context that is offered.
MOST_TOKENS = 10_000_000
_STEP = 1 << 16  # bytes looked at for the end of a line
_MOST_DIGITS = 20  # of a whole number: more than any count has


@dataclass(frozen=True)
class Reply:
    """What a model said, and what it cost.

    Attributes
    ----------
    text : str
        What it said; of a refusal that the server marks as one, the refusal.
    is_refusal : bool
        Whether the server says so, or stopped the answer by a filter of its own.
    prompt_tokens, completion_tokens : int
        As the server counts them; 0 where it does not, or says what no count can be.
    finish_reason : str or None
        Why the answer ended: "stop", "length", "content_filter".
    model : str or None
        Which model the server says it was: often a version of the one that was asked for.
    """

    text: str
    is_refusal: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str | None = None
    model: str | None = None


def reply_in(body: bytes) -> Reply | Fault:
    """The reply in the body of a response, or what is wrong with one that is no completion.

    Servers and what stands before them send all sorts of things with status 200: nothing is there until it is found.
    """
    try:
        response = json.loads(body, object_pairs_hook=_each_once, parse_int=_whole_number)
    except (ValueError, RecursionError):
        return Fault("an answer that is no completion", paid_tokens=(0, 0))
    usage = _field(response, "usage")
    tokens = _count(_field(usage, "prompt_tokens")), _count(_field(usage, "completion_tokens"))
    choice = _item(_field(response, "choices"))
    message = _field(choice, "message")
    if not isinstance(message, dict):
        return Fault("an answer that is no completion", paid_tokens=tokens)
    text, refusal, why = message.get("content"), message.get("refusal"), _field(choice, "finish_reason")
    is_refusal = bool(refusal) or why == "content_filter"
    if not isinstance(text, str) and not is_refusal:
        what = "a completion without text"
        return Fault(what, most_attempts=WHOLE_ATTEMPTS, is_of_question=True, paid_tokens=tokens)
    model = _field(response, "model")
    said = text if isinstance(text, str) else refusal if isinstance(refusal, str) else ""
    return Reply(
        _without_lone_surrogates(said),
        is_refusal,
        *tokens,
        finish_reason=_without_lone_surrogates(why) if isinstance(why, str) else None,
        model=_without_lone_surrogates(model) if isinstance(model, str) else None,
    )


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose names are each there once: programs differ in which of two they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def _whole_number(digits: str) -> int:
    """A number of any length: numbers of thousands of digits would be an error, and none of them is a count."""
    return int(digits[:_MOST_DIGITS])


def _field(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _item(value: object) -> object:
    return value[0] if isinstance(value, list) and value else None


def _without_lone_surrogates(text: str) -> str:
    """Half a character, which JSON can say and no UTF-8 file can hold, as the sign for what could not be read."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _count(value: object) -> int:
    """Tokens, where that is what it says: what is negative, or more than any model takes, would turn into money."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else 0


class ReplyFile:
    """Replies by the hash of what was asked, in memory and, where a path is given, in a file that many can share.

    Parameters
    ----------
    path : path, optional
        File of replies, read if it is there. A last line that a killed process left half-written is cut off when the
        next one is added; any other broken line is an error.

    Raises
    ------
    ValueError
        If the file holds something else, with the line's number.

    Notes
    -----
    While it is `shared`, what one holder of the file has claimed no other asks, and what one has added all others find.
    A claim ends with its process, however that ends. It needs Linux's locks of parts of files (local disks have them,
    and NFS where its locks are on); elsewhere all is kept as well, but may be asked twice.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._found: dict[str, Reply] = {}
        self._read_bytes = self._read_lines = 0
        self._locks: PartLocks | None = None
        self.read_on()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: str) -> Reply | None:
        """The reply to what has this hash, if there is one."""
        return self._found.get(key)

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the file, so that others know what is claimed; all claims end with it."""
        if self.path is None:
            yield
            return
        with PartLocks.of(self.path) as self._locks:
            try:
                self.read_on()
                yield
            finally:
                self._locks = None

    def claim(self, key: str) -> bool:
        """Take it upon oneself to ask; False while another does. Look once more for the reply before asking."""
        if self._locks is None:
            return True
        if not self._locks.take(key):
            return False
        self.read_on()
        return True

    def release(self, keys: Iterable[str]) -> None:
        """Leave what was claimed to others."""
        for key in keys:
            if self._locks is not None:
                self._locks.leave(key)

    def add(self, replies: Mapping[str, Reply]) -> None:
        """Keep replies; they are on disk when this returns."""
        new = {key: reply for key, reply in replies.items() if key not in self._found}
        self._found |= new
        if self.path is None or not new:
            return
        lines = [json.dumps({"key": key, **asdict(reply)}, ensure_ascii=True) for key, reply in new.items()]
        with self.path.open("a+b") as file, nullcontext() if self._locks is None else self._locks.whole():
            _drop_unfinished_line(file)
            file.write("".join(f"{line}\n" for line in lines).encode())
            file.flush()
            os.fsync(file.fileno())

    def read_on(self) -> None:
        """Take in what others have added: whole lines, of which the last has its end."""
        if self.path is None or not self.path.exists():
            return
        with self.path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < self._read_bytes:
                self._read_bytes = self._read_lines = 0  # another file than before
            file.seek(self._read_bytes)
            whole = file.read()
        whole = whole[: whole.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self._read_lines += 1
            key, reply = _read(line, f"{self.path}, line {self._read_lines}")
            self._found[key] = reply
        self._read_bytes += len(whole)


def _drop_unfinished_line(file: IO[bytes]) -> None:
    """Cut off what a writer left that was killed: at most one line, and nobody is writing now."""
    size = start = file.seek(0, os.SEEK_END)
    tail = b""
    while start and b"\n" not in tail:
        start = max(start - _STEP, 0)
        file.seek(start)
        tail = file.read(size - start)
    kept = start + tail.rfind(b"\n") + 1
    if kept < size:
        file.truncate(kept)


def _read(line: bytes, where: str) -> tuple[str, Reply]:
    try:
        record = json.loads(line)
        key = record.pop("key")
        reply = Reply(**record)
        if not isinstance(reply.text, str):
            raise TypeError
        tokens = (_count(reply.prompt_tokens), _count(reply.completion_tokens))
        return str(key), replace(reply, prompt_tokens=tokens[0], completion_tokens=tokens[1])
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        shown = line[:60].decode("utf-8", "replace")
        raise ValueError(f"{where} must be an answer of a judge, got {shown!r}; name another cache file") from error
