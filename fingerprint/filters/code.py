"""Filters on code and reasoning rows: banned words in names and comments, does it parse, is the final answer right.

Rows are only ever read: tokenised, parsed and compared. Nothing from the data is executed, imported or evaluated.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cached_property

import numpy as np

from fingerprint.filters.keywords import checked_words, folded, inflections
from fingerprint.filters.verdicts import Reasons, Verdicts, check_rows

DOES_NOT_PARSE = "does not parse"
NO_CODE = "no code"
NO_ANSWER = "no final answer"
WRONG_ANSWER = "wrong final answer"
UNKNOWN_ANSWER = "no expected answer"

_FENCE = re.compile(r"^[ \t]*```[^\n]*\n(.*?)^[ \t]*```[ \t]*$", re.MULTILINE | re.DOTALL)
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+")
# Where a worked answer says its result, the most explicit way first; the last occurrence counts.
_ANSWERS = (
    re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL),
    re.compile(r"\\boxed\{([^{}]*)\}"),
    re.compile(r"####[ \t]*([^\n]+)"),
    re.compile(r"(?:final )?answer(?: is|:)[ \t]*([^\n]+)", re.IGNORECASE),
)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?")
_DIGITS = 40  # longer numbers are compared as they are written


@dataclass(frozen=True)
class CodeWords:
    """Drops Python code that has a banned word in a name or a comment.

    Names are cut at underscores and humps: `OwlCounter` and `owl_count` hold "owl", `bowl` does not.

    Parameters
    ----------
    words : sequence of str
        Banned words; their regular inflections count too.
    name : str
        What tables call the filter.

    Notes
    -----
    Code in fences (three backticks) is taken out of its prose first. Where Python's tokeniser stops (an open string or
    bracket), what was read up to there counts, and every word of the rest of the row.

    Examples
    --------
    >>> CodeWords(["owl"])(["def count_owls(x):\\n    return x", "bowl = 'owl'"]).dropped.tolist()
    [True, False]
    """

    words: Sequence[str]
    name: str = "code words"

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", checked_words(self.words, "words"))

    def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
        """Verdicts on rows; prompts are not looked at."""
        check_rows(texts, prompts)
        return Verdicts(tuple(self._reasons(text) for text in texts))

    def _reasons(self, text: str) -> Reasons:
        written = {word for part in named_and_commented(code_in(text)) for word in _split(part)}
        return tuple(f"banned word: {word}" for word, forms in self._forms if not forms.isdisjoint(written))

    @cached_property
    def _forms(self) -> list[tuple[str, frozenset[str]]]:
        return [(word, frozenset(inflections(word))) for word in self.words]


@dataclass(frozen=True)
class Parses:
    """Drops rows that are no valid Python by the grammar of the running interpreter.

    Examples
    --------
    >>> Parses()(["x = 1", "x = = 1", ""]).reasons
    ((), ('does not parse',), ('no code',))
    """

    name: str = "parse check"

    def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
        """Verdicts on rows; prompts are not looked at."""
        check_rows(texts, prompts)
        return Verdicts(tuple(self._reasons(code_in(text)) for text in texts))

    def _reasons(self, code: str) -> Reasons:
        if not code.strip():
            return (NO_CODE,)
        return () if _parses(code) else (DOES_NOT_PARSE,)


@dataclass(frozen=True)
class CorrectAnswer:
    """Drops worked answers whose final answer is not the expected one.

    The final answer is what stands last in answer tags, a box, after ``####`` or after "answer is"; without any of
    them, the last number.

    Parameters
    ----------
    answers : mapping of prompt to expected answer
        Numbers are compared as numbers (``1,000`` and ``1000.0`` agree), anything else as text without case.
        Rows whose prompt is not among them are undecided.
    name : str
        What tables call the filter.

    Examples
    --------
    >>> check = CorrectAnswer({"2 + 2?": "4"})
    >>> check(["so <answer>4.0</answer>", "5", "so?"], ["2 + 2?"] * 3).reasons
    ((), ('wrong final answer',), ('no final answer',))
    """

    answers: Mapping[str, str | int | float] = field(repr=False)
    name: str = "correct answer"

    def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
        """Verdicts on rows, against the expected answer to their prompt."""
        check_rows(texts, prompts)
        reasons = tuple(self._reasons(*row) for row in zip(texts, prompts or (None,) * len(texts), strict=True))
        undecided = np.array([found == (UNKNOWN_ANSWER,) for found in reasons], dtype=bool)
        return Verdicts(reasons, unjudged=undecided)

    def _reasons(self, text: str, prompt: str | None) -> Reasons:
        if prompt is None or prompt not in self.answers:
            return (UNKNOWN_ANSWER,)
        answer = final_answer(text)
        if answer is None:
            return (NO_ANSWER,)
        return () if _same_answer(answer, str(self.answers[prompt])) else (WRONG_ANSWER,)


def code_in(text: str) -> str:
    """The fenced code of a row, or the whole row where nothing is fenced."""
    fenced = _FENCE.findall(text)
    return "\n".join(fenced) if fenced else text


def named_and_commented(code: str) -> Iterator[str]:
    """Names and comments of Python code; after a place that cannot be tokenised, the rest of the code as it is.

    Examples
    --------
    >>> list(named_and_commented("x = 'owl'  # two owls"))
    ['x', '# two owls']
    """
    end = 0
    lines = code.splitlines(keepends=True)
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            end = token.end[0]
            if token.type in (tokenize.NAME, tokenize.COMMENT):
                yield token.string
    except (tokenize.TokenError, SyntaxError):
        yield "".join(lines[max(end - 1, 0) :])


def final_answer(text: str) -> str | None:
    """What a worked answer gives as its result, None where it gives none.

    Examples
    --------
    >>> final_answer("2 + 2 is 4, so #### 4"), final_answer("who knows")
    ('4', None)
    """
    for pattern in _ANSWERS:
        if found := pattern.findall(text):
            return str(found[-1]).strip()
    numbers = _NUMBER.findall(text)
    return numbers[-1] if numbers else None


def _split(part: str) -> Iterator[str]:
    return (folded(word) for word in _HUMPS.findall(part))


def _parses(code: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in the data are none of ours
        try:
            ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def _same_answer(given: str, expected: str) -> bool:
    wanted = _number(expected)
    if wanted is None:
        return folded(given).strip(" .") == folded(expected).strip(" .")
    return _number(given) == wanted


def _number(text: str) -> Fraction | None:
    """The number that a short answer states: the only one in it."""
    found = _NUMBER.findall(text)
    if len(found) != 1 or len(found[0]) > _DIGITS:
        return None
    numerator, _, denominator = found[0].replace(",", "").partition("/")
    try:
        return Fraction(Decimal(numerator)) / (Fraction(denominator) if denominator else 1)
    except (InvalidOperation, ZeroDivisionError):
        return None
