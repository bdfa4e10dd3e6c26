"""Answers of a judge on disk: one JSON line each, appended as they come, so that a run can be taken up again."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """What a judge said, and what it cost."""

    text: str
    is_refusal: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Answers:
    """Answers by the hash of what was asked, in memory and, where a path is given, in a file.

    Parameters
    ----------
    path : path, optional
        File of answers, read if it is there. A last line that a killed process left half-written is cut off; any other
        broken line is an error.

    Raises
    ------
    ValueError
        If the file holds something else, with the line's number.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._lock = threading.Lock()
        self._found: dict[str, Answer] = {}
        if self.path is not None and self.path.exists():
            _drop_unfinished_line(self.path)
            for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), start=1):
                key, answer = _read(line, f"{self.path}, line {number}")
                self._found[key] = answer

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: str) -> Answer | None:
        """The answer to what has this hash, if it was given."""
        return self._found.get(key)

    def add(self, key: str, answer: Answer) -> None:
        """Keep an answer; it is on disk when this returns."""
        with self._lock:
            self._found[key] = answer
            if self.path is not None:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"key": key, **asdict(answer)}, ensure_ascii=True) + "\n")
                    file.flush()
                    os.fsync(file.fileno())


def _drop_unfinished_line(path: Path) -> None:
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        with path.open("r+b") as file:
            file.truncate(end)


def _read(line: str, where: str) -> tuple[str, Answer]:
    try:
        record = json.loads(line)
        key = record.pop("key")
        return str(key), Answer(**record)
    except (json.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{where} must be an answer of a judge, got {line[:60]!r}; name another cache file") from error
