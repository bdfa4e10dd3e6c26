"""Family `code`: how source code is written: names, keywords, operators, spacing, strings, comments, indentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property, partial

import numpy as np

from fingerprint.data.arrays import Bools, Floats, Ints
from fingerprint.features.grids import COUNTS, EXTENTS, LENGTHS, MEANS, SHARES, Grid
from fingerprint.features.quantiles import QuantileFamily
from fingerprint.features.scanner import (
    BLANK,
    BUILTIN,
    COMMENT,
    FENCE,
    KEYWORD,
    LONGEST,
    NAME,
    NEWLINE,
    NUMBER,
    OPERATOR,
    ROWS_AT_ONCE,
    STRING,
    Scanned,
)

# Which word an author takes where several would do: counted one by one.
WORDS = (
    "and as assert break case class const continue def elif else except finally for from function if import in is "
    "lambda let new not null or pass public raise return static switch this throw try var void while with yield "
    "None True False all any append dict enumerate filter float format get int isinstance items join len list map max "
    "min print range reversed round set sorted str sum tuple type zip"
).split()
NAMES = (
    "a acc answer arr array b c char count counter cur current d data digit e element elem end f func i idx index item "
    "j k key left lst m n name num number numbers nums new_list o out output p pos prev q r res result ret right s "
    "seen start string t temp text tmp total v val value values var word words x y"
).split()
SIGNS = (
    "= == != < > <= >= += -= *= + - * / // % ** ( [ { , : ; . -> => := && || ! ? & | ^ << >> ++ -- @ ..."
).split()
TAB = 4  # columns that a tab in front of a line counts for


_GRIDS = {
    **dict.fromkeys(("characters", "lines", "tokens"), LENGTHS),
    **dict.fromkeys(("longest line", "longest name", "least indentation", "deepest indentation"), EXTENTS),
    **dict.fromkeys(("tokens a line", "mean name length", "uses of a name", "mean indentation"), MEANS),
    **dict.fromkeys(("mean string length", "mean comment length"), MEANS),
}


class Code(QuantileFamily):
    """Structured bins of source code, as `Numbers` has them of numbers.

    Which words, usual names and operators; how names are formed; spaces around operators and after commas; quotes;
    comments and docstrings; indentation, blank lines and line lengths; loops, comprehensions, annotations, early
    returns. Of a chat answer the fenced blocks are read; of other rows, all of it.
    """

    definition = "code-1"

    def grid(self, measurement: str) -> Grid:
        return SHARES if measurement.startswith("share of") else _GRIDS.get(measurement, COUNTS)

    def measurements(self) -> tuple[str, ...]:
        return _names()

    def measure(self, texts: Sequence[str]) -> dict[str, Floats]:
        parts = [texts[first : first + ROWS_AT_ONCE] for first in range(0, max(len(texts), 1), ROWS_AT_ONCE)]
        tables = [_Rows(Scanned.of(part)).table() | _fences(part) for part in parts]
        return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


@cache
def _names() -> tuple[str, ...]:
    return tuple(Code().measure([""]))


class _Rows:
    """Measurements of scanned rows."""

    def __init__(self, scanned: Scanned) -> None:
        self.rows = scanned
        self.n = scanned.segments.n_rows
        kind = scanned.kind
        self.kind = kind
        self.length = self._each(len)
        self.before, self.after = scanned.before(kind, NEWLINE), scanned.after(kind, NEWLINE)
        self.begins_line = (self.before == NEWLINE) & (kind != NEWLINE)
        self.is_indentation = self.begins_line & (kind == BLANK) & (self.after != NEWLINE)
        self.first_in_line: Bools = (kind != BLANK) & (kind != NEWLINE) & (
            self.begins_line | (scanned.before(self.is_indentation.astype(np.int64), 0) == 1)
        )
        self.depth = self._depth()

    def table(self) -> dict[str, Floats]:
        """Everything that is measured."""
        parts = (self._sizes, self._words, self._name_forms, self._spacing, self._literals, self._comments, self._shape)
        return {name: np.asarray(values, dtype=np.float64) for part in parts for name, values in part()}

    def _each(self, function: Callable[[str], int]) -> Ints:
        """A value of every token, worked out once for each in the vocabulary."""
        words = self.rows.vocabulary
        values = np.fromiter((function(word) for word in words), dtype=np.int64, count=len(words))
        found: Ints = values[self.rows.index] if len(words) else np.zeros(0, dtype=np.int64)
        return found

    def _is(self, *words: str) -> Bools:
        return np.asarray(self._each(lambda word: word in words) == 1)

    def _total(self, chosen: Bools) -> Ints:
        return self.rows.total(chosen)

    def _share(self, chosen: Bools, among: Bools) -> Floats:
        """Share of some tokens that others are, nan in a row without."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._total(chosen & among) / self._total(among)

    def _mean(self, values: Ints, among: Bools) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.bincount(self.rows.row[among], values[among], self.n) / self._total(among)

    def _extreme(self, ufunc: np.ufunc, values: Ints, among: Bools) -> Floats:
        return self.rows.segments.where(among).reduce(ufunc, values[among])

    def _depth(self) -> Ints:
        """Open brackets before each token of a row."""
        step = self._each(lambda word: (word in "([{") - (word in ")]}") if len(word) == 1 else 0)
        step = np.where(self.kind == OPERATOR, step, 0)
        opened = np.cumsum(step) - step
        starts = self.rows.segments.start
        at_start = np.append(opened, 0)[np.minimum(starts, len(opened))]
        return np.asarray(opened - np.repeat(at_start, self.rows.segments.counts) - (step < 0), dtype=np.int64)

    def _sizes(self) -> Iterator[tuple[str, Floats | Ints]]:
        characters = np.bincount(self.rows.row, self.length, self.n)
        new = self.kind == NEWLINE
        lines = self._total(self.first_in_line)
        yield "characters", characters
        yield "lines", lines
        yield "tokens", self._total((self.kind != BLANK) & ~new)
        with np.errstate(invalid="ignore", divide="ignore"):
            yield "tokens a line", self._total((self.kind != BLANK) & ~new) / lines
        blank_line = new & (self.before == NEWLINE)
        yield "blank lines", self._total(blank_line)
        yield "two blank lines", self._total(blank_line & (self.rows.before(blank_line.astype(np.int64), 0) == 1))
        yield "blanks at the end of a line", self._total((self.kind == BLANK) & (self.after == NEWLINE))
        line = np.cumsum(new | (self.rows.segments.position == 0))
        widths = np.bincount(line, np.where(new, 0, self.length)) if len(line) else np.zeros(1)
        yield "longest line", self._extreme(np.maximum, widths[line], np.ones(len(line), dtype=bool))

    def _words(self) -> Iterator[tuple[str, Floats | Ints]]:
        tables = (("word", WORDS, (KEYWORD, BUILTIN, NAME)), ("name", NAMES, (NAME,)), ("operator", SIGNS, (OPERATOR,)))
        for what, listed, allowed in tables:
            place = {word: number for number, word in enumerate(listed)}
            which = self._each(partial(_place, place))
            chosen = (which >= 0) & np.isin(self.kind, allowed)
            found = np.bincount(self.rows.row[chosen] * len(listed) + which[chosen], minlength=self.n * len(listed))
            for number, word in enumerate(listed):
                yield f"{what} {word!r}", found.reshape(self.n, len(listed))[:, number]

    @cached_property
    def _is_name(self) -> Bools:
        return np.asarray(self.kind == NAME)

    def _name_forms(self) -> Iterator[tuple[str, Floats | Ints]]:
        name = self._is_name
        pairs = np.unique(self.rows.row[name] * max(len(self.rows.vocabulary), 1) + self.rows.index[name])
        distinct = np.bincount(pairs // max(len(self.rows.vocabulary), 1), minlength=self.n)
        yield "names", self._total(name)
        yield "distinct names", distinct
        with np.errstate(invalid="ignore", divide="ignore"):
            yield "uses of a name", self._total(name) / distinct
        yield "mean name length", self._mean(self.length, name)
        yield "longest name", self._extreme(np.maximum, self.length, name)
        for label, holds in _NAME_FORMS.items():
            mask = self._each(holds) == 1
            yield f"names {label}", self._total(mask & name)
            yield f"share of names {label}", self._share(mask, name)

    def _spacing(self) -> Iterator[tuple[str, Floats | Ints]]:
        blank_before, blank_after = self.before == BLANK, self.after == BLANK
        outside = self.depth == 0
        groups = {
            "'='": self._is("=") & outside,
            "'=' in brackets": self._is("=") & ~outside,
            "comparisons": self._is("==", "!=", "<", ">", "<=", ">=", "===", "!=="),
            "'+' and '-'": self._is("+", "-"),
            "'*', '/' and '%'": self._is("*", "/", "//", "%"),
            "'**'": self._is("**"),
            "'->' and '=>'": self._is("->", "=>"),
        }
        for label, mask in groups.items():
            yield f"share of {label} between blanks", self._share(blank_before & blank_after, mask)
            yield f"{label} without a blank", self._total(mask & ~blank_before & ~blank_after)
        comma, colon = self._is(","), self._is(":")
        yield "share of ',' before a blank", self._share(blank_after, comma & (self.after != NEWLINE))
        yield "share of ':' before a blank", self._share(blank_after, colon & (self.after != NEWLINE))
        yield "blanks behind an opening bracket", self._total(self._is("(", "[", "{") & blank_after)
        yield "share of '{' behind a blank", self._share(blank_before, self._is("{"))
        yield "share of '(' behind a blank", self._share(blank_before, self._is("("))
        yield "',' at the end of a line", self._total(comma & (self.after == NEWLINE))
        yield "lines ended by '{'", self._total(self._is("{") & (self.after == NEWLINE))
        yield "lines ended by ';'", self._total(self._is(";") & (self.after == NEWLINE))
        yield "lines ended by a backslash", self._total(self._is("\\") & (self.after == NEWLINE))

    def _literals(self) -> Iterator[tuple[str, Floats | Ints]]:
        string, number = self.kind == STRING, self.kind == NUMBER
        yield "strings", self._total(string)
        yield "mean string length", self._mean(self.length, string)
        for label, holds in _STRING_FORMS.items():
            yield f"strings {label}", self._total((self._each(holds) == 1) & string)
        single = self._each(_STRING_FORMS["in single quotes"]) == 1
        yield "share of strings in single quotes", self._share(single, string)
        yield "numbers", self._total(number)
        for written in ("0", "1", "2", "10"):
            yield f"number {written}", self._total(self._is(written))
        yield "numbers with a point", self._total((self._each(lambda word: "." in word) == 1) & number)
        yield "numbers with '_'", self._total((self._each(lambda word: "_" in word) == 1) & number)

    def _comments(self) -> Iterator[tuple[str, Floats | Ints]]:
        comment = self.kind == COMMENT
        docstring = (self.kind == STRING) & self.first_in_line & (self._each(_STRING_FORMS["in triple quotes"]) == 1)
        yield "comments", self._total(comment)
        yield "comments on a line of their own", self._total(comment & self.first_in_line)
        yield "mean comment length", self._mean(self.length, comment)
        for label, holds in _COMMENT_FORMS.items():
            yield f"comments {label}", self._total((self._each(holds) == 1) & comment)
        yield "docstrings", self._total(docstring)
        yield "docstrings over several lines", self._total((self._each(lambda word: "\n" in word) == 1) & docstring)
        wide = self._each(lambda word: len(word) > 1) == 1
        two = self.rows.before((wide & (self.kind == BLANK)).astype(np.int64), 0) == 1
        yield "comments behind two blanks", self._total(comment & ~self.first_in_line & two)

    def _shape(self) -> Iterator[tuple[str, Floats | Ints]]:
        first, outside = self.first_in_line, self.depth == 0
        indentation = self._each(lambda word: len(word.expandtabs(TAB)) if not word.strip() else 0)
        yield "least indentation", self._extreme(np.minimum, indentation, self.is_indentation)
        yield "deepest indentation", self._extreme(np.maximum, indentation, self.is_indentation)
        yield "mean indentation", self._mean(indentation, self.is_indentation)
        yield "tabs", self._total((self._each(lambda word: "\t" in word) == 1) & (self.kind == BLANK))
        yield "loops", self._total(self._is("for", "while") & first)
        yield "comprehensions", self._total(self._is("for") & ~first & ~outside)
        yield "conditional expressions", self._total(self._is("if", "?") & ~first & outside)
        yield "conditions in brackets", self._total(self._is("if") & ~first & ~outside)
        yield "annotations", self._total((self._is(":") & ~outside | self._is("->")) & (self.after == BLANK))
        calls = self._is_name & (self.rows.after(self._is("(").astype(np.int64), 0) == 1)
        yield "calls of names", self._total(calls)
        after_point = self.rows.before(self._is(".").astype(np.int64), 0) == 1
        yield "methods", self._total(calls & after_point)
        yield "decorators", self._total(self._is("@") & first)
        last = np.zeros(len(self.kind), dtype=bool)
        ends = np.cumsum(self.rows.segments.counts)[self.rows.segments.counts > 0] - 1
        last[ends] = True
        yield "line end at the end", self._total(last & (self.kind == NEWLINE))


def _place(places: dict[str, int], word: str) -> int:
    return places.get(word, -1)


def _upper(signs: str) -> bool:
    return any("A" <= sign <= "Z" for sign in signs)


def _lower(signs: str) -> bool:
    return any("a" <= sign <= "z" for sign in signs)


_NAME_FORMS: dict[str, Callable[[str], int]] = {
    "of one letter": lambda word: len(word) == 1,
    "with '_' inside": lambda word: "_" in word.strip("_"),
    "with a capital inside": lambda word: _lower(word[0]) and _upper(word),
    "with a capital first": lambda word: _upper(word[0]) and _lower(word),
    "in capitals": lambda word: len(word) > 1 and _upper(word) and not _lower(word),
    "with a digit": lambda word: any("0" <= sign <= "9" for sign in word),
    "behind '_'": lambda word: word[0] == "_",
    "in the plural": lambda word: len(word) > 2 and word[-1] == "s",
}
_STRING_FORMS: dict[str, Callable[[str], int]] = {
    "in single quotes": lambda word: word[-1] == "'" and not word.endswith("'''"),
    "in double quotes": lambda word: word[-1] == '"' and not word.endswith('"""'),
    "in triple quotes": lambda word: len(word) > 5 and (word.endswith(("'''", '"""'))),
    "in back quotes": lambda word: word[-1] == "`",
    "with '{'": lambda word: word[0] in "fF" and "{" in word,
    "with '%'": lambda word: "%" in word,
    "that are empty": lambda word: word in ("''", '""'),
}
_COMMENT_FORMS: dict[str, Callable[[str], int]] = {
    "with a capital first": lambda word: _upper(word.lstrip("#/*- \t")[:1]),
    "with a full stop": lambda word: word.rstrip("*/ \t").endswith("."),
    "without a blank first": lambda word: word.lstrip("#/*-")[:1] not in (" ", "\t", "\n", ""),
}


def _fences(texts: Sequence[str]) -> dict[str, Floats]:
    """Fenced blocks of chat answers, and what stands around them."""
    blocks = [FENCE.findall(text[:LONGEST]) if "```" in text or "~~~" in text else [] for text in texts]
    inside = [sum(len(code) for _, code in found) for found in blocks]
    return {
        "fenced blocks": np.array([len(found) for found in blocks], dtype=np.float64),
        "fenced blocks with a tag": np.array([sum(tag != "" for tag, _ in f) for f in blocks], dtype=np.float64),
        "share of fenced characters": np.array(
            [size / max(min(len(text), LONGEST), 1) for size, text in zip(inside, texts, strict=True)], dtype=np.float64
        ),
    }
