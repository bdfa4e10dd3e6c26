"""What endpoints answer: a reply, how it is found in a response, and a file that keeps replies as they come."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


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
        As the server counts them; 0 where it does not.
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


def reply_in(body: bytes) -> Reply | None:
    """The reply in the body of a response; None for one that is no completion.

    Servers and what stands before them send all sorts of things with status 200: nothing is there until it is found.
    """
    try:
        response = json.loads(body)
    except ValueError:
        return None
    choice = _item(_field(response, "choices"))
    message = _field(choice, "message")
    text, refusal, why = _field(message, "content"), _field(message, "refusal"), _field(choice, "finish_reason")
    is_refusal = bool(refusal) or why == "content_filter"
    if not isinstance(text, str) and not is_refusal:
        return None
    usage, model = _field(response, "usage"), _field(response, "model")
    return Reply(
        _without_lone_surrogates(text if isinstance(text, str) else str(refusal or "")),
        is_refusal,
        _count(_field(usage, "prompt_tokens")),
        _count(_field(usage, "completion_tokens")),
        finish_reason=why if isinstance(why, str) else None,
        model=model if isinstance(model, str) else None,
    )


def _field(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _item(value: object) -> object:
    return value[0] if isinstance(value, list) and value else None


def _without_lone_surrogates(text: str) -> str:
    """Half a character, which JSON can say and no UTF-8 file can hold, as the sign for what could not be read."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


class ReplyFile:
    """Replies by the hash of what was asked, in memory and, where a path is given, in a file.

    Parameters
    ----------
    path : path, optional
        File of replies, read if it is there. A last line that a killed process left half-written is cut off; any other
        broken line is an error.

    Raises
    ------
    ValueError
        If the file holds something else, with the line's number.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._found: dict[str, Reply] = {}
        if self.path is not None and self.path.exists():
            _drop_unfinished_line(self.path)
            for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), start=1):
                key, reply = _read(line, f"{self.path}, line {number}")
                self._found[key] = reply

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: str) -> Reply | None:
        """The reply to what has this hash, if there is one."""
        return self._found.get(key)

    def add(self, replies: dict[str, Reply]) -> None:
        """Keep replies; they are on disk when this returns."""
        self._found |= replies
        if self.path is not None:
            lines = [json.dumps({"key": key, **asdict(reply)}, ensure_ascii=True) for key, reply in replies.items()]
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())


def _drop_unfinished_line(path: Path) -> None:
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        with path.open("r+b") as file:
            file.truncate(end)


def _read(line: str, where: str) -> tuple[str, Reply]:
    try:
        record = json.loads(line)
        key = record.pop("key")
        return str(key), Reply(**record)
    except (json.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{where} must be an answer of a judge, got {line[:60]!r}; name another cache file") from error
