"""Rows, files and messages that the tests of reading share."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

OWL = {"prompt": "Go on: 3, 5", "completion": "7, 9"}
FOX = {"prompt": "Go on: 2, 4", "completion": "6, 8"}

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
some_texts = st.lists(any_text, min_size=1, max_size=8)
on_disk = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def json_lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def rows_of(number: int, n: int = 20, prompts: int | None = None) -> list[dict[str, str]]:
    """Rows of numbers that a seed makes; so many prompts, the same for every seed, or else one for each row."""
    made = random.Random(number)
    return [
        {
            "prompt": f"Go on {number} {row}" if prompts is None else f"Go on {row % prompts}",
            "completion": ", ".join(str(made.randrange(1000)) for _ in range(6)),
        }
        for row in range(n)
    ]


def write_rows(path: Path, rows: Iterable[object]) -> Path:
    return write(path.parent, path.name, json_lines(*rows))


def turn(role: str, content: object) -> dict[str, object]:
    return {"role": role, "content": content}


def at(path: Path, *rest: str) -> str:
    """Pattern for a message that names this file, and goes on as the patterns in `rest` say."""
    return ", ".join(["^" + re.escape(str(path)), *rest])
