"""Rungs of the ladder for source code: rewritten as text, token by token; nothing is run or parsed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from fingerprint.features.scanner import (
    BLANK,
    COMMENT,
    HASH,
    KEYWORD,
    NAME,
    NEWLINE,
    OPERATOR,
    SLASH,
    STRING,
    code_of,
    kinds,
    tokens,
)

Generator = np.random.Generator
Token = tuple[str, int]
# Of a row of code: its lines, each with its depth and its tokens without blanks.
Line = tuple[int, list[Token]]

_TAB = 4
_OPENING, _CLOSING = "([{", ")]}"


def tokens_of(text: str) -> tuple[str, list[Token]]:
    """How comments are written in a row's code, and its tokens with their kinds."""
    style, code = code_of(text)
    found = tokens(code, style)
    return style, list(zip(found, kinds(found, style), strict=True))


def _joined(found: Sequence[Token]) -> str:
    return "".join(token for token, _ in found)


# ----------------------------------------------------------------------------------------------------------- rewritings


def _without_remarks(found: list[Token]) -> list[Token]:
    """Comments and docstrings taken out, with their line where nothing else stands on it; other strings emptied."""
    kept: list[Token] = []
    for line in _cut(found):
        said = [(token, kind) for token, kind in line if kind not in (BLANK, NEWLINE)]
        is_remark = [kind == COMMENT or (kind == STRING and len(said) == 1 and _is_long(token)) for token, kind in said]
        if said and all(is_remark):
            continue
        left = [(_emptied(token), kind) if kind == STRING else (token, kind) for token, kind in line if kind != COMMENT]
        if len(left) < len(line):  # what a comment stood behind
            ends = left[-1:] if left and left[-1][1] == NEWLINE else []
            body = left[: len(left) - len(ends)]
            while body and body[-1][1] == BLANK:
                body.pop()
            left = [*body, *ends]
        kept += left
    return kept


def _is_long(token: str) -> bool:
    return len(token) > 5 and token.endswith(('"""', "'''"))


def _emptied(token: str) -> str:
    """A string without what it says: its quotes."""
    quote = token[-3:] if _is_long(token) else token[-1:]
    return quote * 2


def _without_names(found: list[Token]) -> list[Token]:
    return [("n", kind) if kind == NAME else (token, kind) for token, kind in found]


def _cut(found: Sequence[Token]) -> Iterator[list[Token]]:
    """Lines with their ends."""
    line: list[Token] = []
    for token, kind in found:
        line.append((token, kind))
        if kind == NEWLINE:
            yield line
            line = []
    if line:
        yield line


def _lines(style: str, found: Sequence[Token]) -> list[Line]:
    """Statements and their depth, whatever the layout: by indentation, or by braces where blocks have them."""
    lines, indentations, opened, blocks = list[Line](), [0], 0, 0
    current: list[Token] = []
    for line in _cut(found):
        said = [(token, kind) for token, kind in line if kind not in (BLANK, NEWLINE)]
        if not said:
            continue
        width = len(line[0][0].expandtabs(_TAB)) if line[0][1] == BLANK else 0
        if not current and style == HASH:
            while width < indentations[-1]:
                indentations.pop()
            if width > indentations[-1]:
                indentations.append(width)
        for token, kind in said:
            current.append((token, kind))
            if kind != OPERATOR:
                continue
            if style == SLASH and token in "{};":
                if token == "{":
                    lines.append((blocks, current))
                    current, blocks = [], blocks + 1
                elif token == ";" and not opened:
                    lines.append((blocks, current))
                    current = []
                elif token == "}":
                    blocks = max(blocks - 1, 0)
            elif token in _OPENING:
                opened += 1
            elif token in _CLOSING:
                opened = max(opened - 1, 0)
        if current and not opened:
            lines.append((len(indentations) - 1 if style == HASH else blocks, current))
            current = []
    return [*lines, (0, current)] if current else lines


def _in_one_format(style: str, found: list[Token]) -> str:
    """One blank between tokens and one for each level of depth, one kind of quotes, no blank lines."""
    rows = []
    for depth, line in _lines(style, found):
        said = ["''" if kind == STRING else token for token, kind in line]
        rows.append(" " * depth + " ".join(said))
    return "\n".join(rows)


_KINDS_OF_LINES = {"=": "set", "+=": "set", "-=": "set", "*=": "set", "/=": "set", ":=": "set"}


def _kind_of_line(line: list[Token]) -> str:
    """What a line does: its first keyword, or whether it sets something, calls something, or neither."""
    first = next((token for token, kind in line if kind == KEYWORD), None)
    if first is not None and line[0][1] == KEYWORD:
        return first
    depth = 0
    for token, kind in line:
        if kind == OPERATOR:
            if token in _KINDS_OF_LINES and depth == 0:
                return "set"
            depth += (token in _OPENING) - (token in _CLOSING)
    return "call" if any(token == "(" for token, _ in line) else "say"


def skeleton(text: str) -> list[str]:
    """What each line does, and how deep it stands."""
    style, found = tokens_of(text)
    lines = _lines(style, _without_remarks(found))
    said = [(depth, line) for depth, line in lines if any(token not in ")]};," for token, _ in line)]
    return [f"{depth}{_kind_of_line(line)}" for depth, line in said]


# ------------------------------------------------------------------------------------------------------------ as rungs


def _each(rewrite: Callable[[str], str], texts: Sequence[str], rng: Generator) -> list[str]:
    return [rewrite(text) for text in texts]


def _no_remarks(text: str) -> str:
    return _joined(_without_remarks(tokens_of(text)[1]))


def _no_names(text: str) -> str:
    return _joined(_without_names(_without_remarks(tokens_of(text)[1])))


def _normalised(text: str) -> str:
    style, found = tokens_of(text)
    return _in_one_format(style, _without_names(_without_remarks(found)))


def _structure(text: str) -> str:
    return " ".join(skeleton(text))


def floor(texts: Sequence[str], rng: Generator) -> list[str]:
    """As many lines a row, each drawn from the skeletons of both corpora."""
    pool = [line for text in texts for line in skeleton(text)] or ["0say"]
    count = max(round(len(pool) / max(len(texts), 1)), 1)
    drawn = rng.integers(len(pool), size=(len(texts), count)).tolist()
    return [" ".join(pool[place] for place in row) for row in drawn]


NO_REMARKS, NO_NAMES, NORMALISED, STRUCTURE = (
    partial(_each, rewrite) for rewrite in (_no_remarks, _no_names, _normalised, _structure)
)
