"""Source code cut into tokens by one regular expression: read as text, never run and never parsed.

Why not a lexer of a library: Pygments reads .3 MB of Python a second on one core, this 8 (`python
benchmarks/code_and_reasoning.py speed`), and what a library makes of a text changes with its version, whereas a
family's definition must not. The tests hold both against one another.

Time grows with the length of what is read, of which there is a bound; patterns never go back over more than a line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from fingerprint.data.arrays import Bools, Ints
from fingerprint.features.segments import Segments

# Of a longer row its beginning is read as code: a whole file's habits show there, and a row takes 10 ms at most.
LONGEST = 8192
# Rows whose tokens are held at once.
ROWS_AT_ONCE = 2048

NEWLINE, BLANK, COMMENT, STRING, NUMBER, KEYWORD, BUILTIN, NAME, OPERATOR = range(9)

# How comments are written, which is what a scanner has to know of a language.
HASH, SLASH, DASH = "hash", "slash", "dash"
_COMMENTS = {
    HASH: r"#[^\n]*",
    SLASH: r"//[^\n]*|/\*.*?(?:\*/|\Z)",
    DASH: r"--[^\n]*|/\*.*?(?:\*/|\Z)",
}
_COMMENT_MARKS = {HASH: ("#",), SLASH: ("//", "/*"), DASH: ("--", "/*")}
_STRINGS = {
    HASH: r"""(?:[rbfuRBFU]{1,2})?(?:\"{3}(?:[^\\]|\\.)*?(?:\"{3}|\Z)|'{3}(?:[^\\]|\\.)*?(?:'{3}|\Z)"""
    r"""|"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+')""",
    SLASH: r""""(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+'|`(?:[^`\\]|\\.)*+`""",
    DASH: r"""'[^'\n]*+'|"[^"\n]*+"|`[^`\n]*+`""",
}
_REST = (
    r"\n|[ \t\r\f\v]+"
    # With what it escapes: a quote that is escaped outside of a string would begin one that goes on to the row's end,
    # and each further one again.
    r"|\\[^\n]"
    r"|0[xXbBoO][0-9a-fA-F_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9]+)?[jJlLfFuUn]*"
    r"|[A-Za-z_$\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*"
    r"|\*\*=|//=|>>=|<<=|===|!==|\.\.\.|>>>|->|=>|:=|::|\+\+|--|&&|\|\||\?\?|\?\.|\*\*|//|>>|<<|[-+*/%&|^=!<>]=|."
)

KEYWORDS = {
    HASH: (
        "False None True and as assert async await break class continue def del elif else except finally for from "
        "global if import in is lambda nonlocal not or pass raise return try while with yield"
    ).split(),
    SLASH: (
        "abstract async await bool boolean break byte case catch char class const continue default delete do double "
        "else enum export extends extern false final finally float fn for foreach func function go if impl implements "
        "import in include instanceof int interface let long match mut namespace new nil null of override package "
        "private protected public pub return self short static string struct super switch this throw throws trait "
        "true try type typeof undefined unsigned use using var void while yield"
    ).split(),
    DASH: (
        "ALL AND AS ASC BETWEEN BY CASE CREATE DELETE DESC DISTINCT DROP ELSE END EXISTS FROM FULL GROUP HAVING IN "
        "INNER INSERT INTO IS JOIN LEFT LIKE LIMIT NOT NULL ON OR ORDER OUTER OVER PARTITION RIGHT SELECT SET TABLE "
        "THEN UNION UPDATE VALUES WHEN WHERE WITH"
    ).split(),
}  # fmt: skip
BUILTINS = {
    HASH: (
        "abs all any bool bytes callable chr dict divmod enumerate filter float format frozenset getattr hasattr hash "
        "input int isinstance issubclass iter len list map max min next object open ord pow print property range repr "
        "reversed round set setattr slice sorted str sum super tuple type zip Exception IndexError KeyError TypeError "
        "ValueError self cls"
    ).split(),
    SLASH: "Array Math Map Object Promise Set String System console document length printf std vec".split(),
    DASH: "AVG COALESCE COUNT MAX MIN ROUND SUM".split(),
}

STYLE_OF_TAG = {
    **dict.fromkeys("py python python3 pycon ipython rb ruby sh bash shell zsh r perl yaml toml".split(), HASH),
    **dict.fromkeys(
        "js javascript jsx ts typescript tsx java c cpp c++ h hpp cs csharp c# go golang rust rs php swift kotlin kt "
        "scala dart json css html xml".split(),
        SLASH,
    ),
    **dict.fromkeys("sql mysql postgresql sqlite lua haskell hs ada".split(), DASH),
}
FENCE = re.compile(r"^[ \t]*(?:```|~~~)([A-Za-z0-9+#.-]*)[^\n]*\n(.*?)(?:^[ \t]*(?:```|~~~)[ \t]*$|\Z)", re.M | re.S)
_SLASH_LINE = re.compile(r"^[ \t]*(?://|/\*)|[;{}][ \t\r]*$", re.M | re.ASCII)
_HASH_LINE = re.compile(
    r"^[ \t]*#(?!include|define|if|endif|pragma)|:[ \t\r]*$|^[ \t]*(?:def|import|from|elif|print\()", re.M | re.ASCII
)
_SQL = re.compile(
    r"\s*(?:--|SELECT\b|INSERT\s+INTO\b|CREATE\s+TABLE\b|UPDATE\s+\w+\s+SET\b|WITH\s+\w+\s+AS\b)", re.I | re.ASCII
)


def code_of(text: str) -> tuple[str, str]:
    """How comments are written in a row's code, and the code: fenced blocks if there are any, else all of the row.

    Both follow from the row alone: the tag of the first block, or the look of the lines; in doubt it is Python.

    Examples
    --------
    >>> code_of("Here you are:\\n```js\\nlet n = 1;\\n```\\nGood luck!")
    ('slash', 'let n = 1;\\n')
    """
    text = text[:LONGEST]
    if "```" in text or "~~~" in text:
        blocks = FENCE.findall(text)
        code = "\n".join(block for _, block in blocks)
        if code.strip():
            return STYLE_OF_TAG.get(blocks[0][0].lower()) or _style(code), code
    return _style(text), text


def _style(code: str) -> str:
    if _SQL.match(code):
        return DASH
    return SLASH if len(_SLASH_LINE.findall(code)) > len(_HASH_LINE.findall(code)) else HASH


def tokens(code: str, style: str = HASH) -> list[str]:
    """Tokens in order; joined they are the code again."""
    return _scanner(style).findall(code)


@cache
def _scanner(style: str) -> re.Pattern[str]:
    """Compiled when code is read: it takes 10 ms."""
    return re.compile(f"{_COMMENTS[style]}|{_STRINGS[style]}|{_REST}", re.ASCII | re.DOTALL)


class _KindOf(dict[str, int]):
    """Kind of each token of a style; filled when first asked for."""

    MOST = 2**16  # then forgotten: a corpus has no end of strings

    def __init__(self, style: str) -> None:
        super().__init__()
        self.style = style
        self._known = dict.fromkeys(KEYWORDS[style], KEYWORD) | dict.fromkeys(BUILTINS[style], BUILTIN)

    def __missing__(self, token: str) -> int:
        if len(self) >= self.MOST:
            self.clear()
        self[token] = kind = self._kind(token)
        return kind

    def _kind(self, token: str) -> int:
        first = token[0]
        if first == "\n":
            return NEWLINE
        if first in " \t\r\f\v":
            return BLANK
        if token.startswith(_COMMENT_MARKS[self.style]):
            return COMMENT
        if len(token) > 1 and ('"' in token or "'" in token or "`" in token):
            return STRING
        if "0" <= first <= "9":
            return NUMBER
        if first in "_$" or ord(first) > 127 or first.isalpha():
            return self._known.get(token.upper() if self.style == DASH else token, NAME)
        return OPERATOR


@cache
def _kinds_of(style: str) -> _KindOf:
    return _KindOf(style)


def kinds(found: Sequence[str], style: str = HASH) -> list[int]:
    """Kind of each of the tokens."""
    table = _kinds_of(style)
    return [table[token] for token in found]


@dataclass(frozen=True)
class Scanned:
    """Tokens of some rows, row after row.

    Attributes
    ----------
    segments : Segments
        How many tokens a row has.
    kind, index : int arrays [tokens]
        Kind of each token, and its place in the vocabulary.
    vocabulary : list of str
    row : int array [tokens]
    """

    segments: Segments
    kind: Ints
    index: Ints
    vocabulary: list[str]
    row: Ints

    @classmethod
    def of(cls, texts: Sequence[str]) -> Scanned:
        """Scan the code of rows; see `code_of`."""
        places: dict[str, int] = {}
        counts, index, kind = [], [], []
        for text in texts:
            style, code = code_of(text)
            found = tokens(code, style)
            counts.append(len(found))
            index += [places.setdefault(token, len(places)) for token in found]
            kind += kinds(found, style)
        segments = Segments(np.array(counts, dtype=np.int64))
        return cls(
            segments, np.array(kind, dtype=np.int64), np.array(index, dtype=np.int64), list(places), segments.row
        )

    def total(self, chosen: Bools) -> Ints:
        """How many of the chosen tokens each row has."""
        return np.bincount(self.row[chosen], minlength=self.segments.n_rows)

    def before(self, values: Ints, start: int) -> Ints:
        """Value of the token before, `start` at the beginning of a row."""
        moved = np.concatenate([[start], values[:-1]]) if len(values) else values
        first = self.segments.start[self.segments.counts > 0]
        moved[first] = start
        return moved

    def after(self, values: Ints, end: int) -> Ints:
        """Value of the token after, `end` at the end of a row."""
        moved = np.concatenate([values[1:], [end]]) if len(values) else values
        filled = self.segments.counts > 0
        moved[(self.segments.start + self.segments.counts - 1)[filled]] = end
        return moved
