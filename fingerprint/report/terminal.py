"""What a terminal is like: how wide, and whether it takes colours."""

from __future__ import annotations

import os
import re
import shutil
from typing import Literal, Protocol

from fingerprint.report.formatting import visible

Color = Literal["auto", "always", "never"]
COLORS: tuple[Color, ...] = ("auto", "always", "never")

# Columns of a text. Narrower, tables would lose columns that a verdict is read by; wider, eyes lose the line.
LEAST, MOST = 60, 120
# What is assumed where nothing says how wide it is: a pipe, a file.
USUAL = 80

Style = Literal["alarm", "bold", "caution", "dim"]
_CODES: dict[Style, str] = {"alarm": "1;31", "bold": "1", "caution": "33", "dim": "2"}
_HEAD = re.compile(r"(\s*)([^:]{1,60}:)(.*)", re.DOTALL)


class Stream(Protocol):
    """What text goes to."""

    def isatty(self) -> bool:
        """Whether somebody is looking."""


def columns() -> int:
    """Columns of a text for a terminal: ``COLUMNS`` where it is set, or the terminal's; 80 where there is none."""
    return min(max(shutil.get_terminal_size((USUAL, 24)).columns, LEAST), MOST)


def takes_colors(stream: Stream | None, color: Color = "auto") -> bool:
    """Whether text to a stream is coloured.

    Parameters
    ----------
    stream : file
    color : "auto", "always" or "never"
        "auto" colours on a terminal, unless ``NO_COLOR`` is set (https://no-color.org) or the terminal is a dumb one.

    Raises
    ------
    ValueError
        For another word.
    """
    if color not in COLORS:
        raise ValueError(f"color must be auto, always or never, got {visible(color)!r}; choose one of them")
    if color != "auto":
        return color == "always"
    is_dumb = os.environ.get("TERM") == "dumb" or bool(os.environ.get("NO_COLOR"))
    return stream is not None and stream.isatty() and not is_dumb


def painted(text: str, style: Style, is_on: bool) -> str:
    """A piece of text in a style, blanks around it left alone."""
    bare = text.strip()
    if not is_on or not bare:
        return text
    start = text.index(bare)
    return f"{text[:start]}\x1b[{_CODES[style]}m{bare}\x1b[0m{text[start + len(bare) :]}"


def head_painted(line: str, style: Style, is_on: bool) -> str:
    """A line with what stands before its first colon in a style; all of it where there is no colon."""
    found = _HEAD.fullmatch(line)
    return painted(line, style, is_on) if found is None else found[1] + painted(found[2], style, is_on) + found[3]
