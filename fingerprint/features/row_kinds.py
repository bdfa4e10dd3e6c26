"""What single rows are, by their looks alone: numbers, source code, worked answers, or prose."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from fingerprint.data.arrays import Bools, Ints
from fingerprint.features.numbers import number_rows
from fingerprint.features.scanner import FENCE, STYLE_OF_TAG

# What `kinds_of_rows` tells apart, in the order of its numbers.
ROW_KINDS = ("numbers", "prose", "empty", "code", "reasoning")
# Of a row its beginning says what it is.
_BEGINNING = 4096
# A row is code when more than this share of its lines is; prose has such lines now and then (a formula, a list).
_CODE_LINES = 0.5
# Fenced code of a chat answer makes it a row of code from this share of its characters on.
_FENCED = 0.25
_NAME = r"[A-Za-z_$][\w$]*"
# A line that would hardly be one of prose: assignments, calls, blocks, keywords in their places.
_CODE_LINE = re.compile(
    rf"\s*(?:(?:async\s+)?(?:def|class|fn|func|function)\s+{_NAME}.*[:({{]|(?:from\s+[\w.]+\s+)?import\s+[\w.{{*,\s]+"
    rf"|(?:if|elif|for|while|with|try|else|except|finally)\b[^.?!]*[:{{]\s*(?:(?:#|//|return\b|break|continue|pass).*)?"
    rf"|(?:return|yield|raise|throw)\b(?:.*[^.?!,\s])?|(?:pass|break|continue);?"
    rf"|(?:(?:const|let|var|val|auto|int|float|double|bool|boolean|String|string|char|long)\s+)?"
    rf"[\w.$\[\]'\"*&, ]{{1,60}}\s?(?:[-+*/%|&^]|//|\*\*|:)?=(?!=)\s?\S.*"
    rf"|[\w.$]+(?:\[[^\]]*\])?\([^()]*(?:\([^()]*\)[^()]*)*\)[;,]?(?:\s*(?:#|//).*)?"
    rf"|(?:public|private|protected|static|using|package|namespace|template|struct|enum|interface|impl|pub)\b.*[;{{]?"
    rf"|[\]){{}}]+[;,)]*|.*[;{{]|@{_NAME}.*|#include.*|//.*|/\*.*|#\s?.*|(?:SELECT|INSERT|UPDATE|DELETE|CREATE|FROM|"
    rf"WHERE|GROUP BY|ORDER BY|JOIN|LEFT JOIN|INNER JOIN)\b.*)\s*",
    re.ASCII,
)
# What a formula among words does not hold; one such line makes the others code.
_TELLING = re.compile(
    r"\b(?:def|return|import|print|lambda|elif|function|const|public|static|void|func|fn|None|self|null|println)\b"
    r"|[;{}][ \t\r]*$|\b[A-Za-z_]\w+\(|[^=]==[^=]|[-+]=|=>|->|::|\bfor\b.{1,60}\bin\b.{1,60}:[ \t\r]*$"
    r"|^[ \t]*(?:if|while)\b.{1,80}:[ \t\r]*$|^#include"
    r"|^[ \t]*(?:SELECT|INSERT INTO|CREATE TABLE|UPDATE|DELETE FROM)\b",
    re.M | re.ASCII,
)
# What only code begins with, whatever comes after.
_OPENS = re.compile(
    rf"\s*(?:@{_NAME}.*\n\s*)*(?:async\s+def|def|class|function|func|fn)\s+{_NAME}\s*[(:{{<]|\s*#include\s*[<\"]"
    rf"|\s*from\s+[\w.]+\s+import\s|\s*import\s+[\w.]+(?:\s+as\s+\w+)?;?\s*\n"
    r"|\s*(?:public|private|protected)\s+(?:static\s+)?(?:class|interface|enum|void|int|String|boolean)\b",
    re.ASCII,
)
# Prose within code: what stands between triple quotes, and comments over several lines.
_WITHIN = re.compile(r"\"{3}.*?(?:\"{3}|\Z)|'{3}.*?(?:'{3}|\Z)|/\*.*?(?:\*/|\Z)", re.DOTALL)
_MUST_HOLD = ("=", "(", "{", ";", ":", "[")

_MARKED = re.compile(r"<(?:think|thinking|reasoning|answer|scratchpad)>|\\boxed\{|^#### ?[-$0-9]", re.M | re.ASCII)
_STEP = re.compile(r"\bstep [0-9]+\b|^\W{0,4}[0-9]{1,2}[.):] ", re.I | re.M | re.ASCII)
_EQUATION = re.compile(
    r"[0-9)%][ ]*(?:[-+*/×÷·x]|\\times|\\cdot|plus|minus|times)[ ]*[$(]?[0-9.].{0,40}?(?:=|equals)", re.ASCII
)
_ANSWER = re.compile(r"\b(?:the|final|correct|my) answer(?: is|:| would be)|^\W{0,4}answer:", re.I | re.M | re.ASCII)
_LEADS = re.compile(
    r"\b(?:therefore|thus|hence|so|then|first|next|finally|because|since|which means|this means|let's|let me)\b",
    re.I | re.ASCII,
)


def is_code(text: str) -> bool:
    """Whether a row is source code, or a chat answer a quarter of which is.

    Examples
    --------
    >>> is_code("def area(r):\\n    return 3.14 * r ** 2"), is_code("The area of a circle: pi times r squared.")
    (True, False)
    """
    text = text[:_BEGINNING]
    if not any(sign in text for sign in _MUST_HOLD):
        return False
    if "```" in text or "~~~" in text:
        blocks = FENCE.findall(text)
        if sum(len(code) for _, code in blocks) >= _FENCED * len(text) and any(
            tag.lower() in STYLE_OF_TAG or _looks_like_code(code) for tag, code in blocks
        ):
            return True
    return _looks_like_code(text)


def _looks_like_code(text: str) -> bool:
    if _OPENS.match(text):
        return True
    if not _TELLING.search(text):
        return False
    if '"""' in text or "'''" in text or "/*" in text:
        text = _WITHIN.sub('""', text)
    lines = [line for line in text.split("\n") if line.strip()]
    # A line after "#" is a heading as well as a comment: by itself it says nothing.
    said = [line[:200] for line in lines if line.lstrip()[0] != "#" or line.startswith("#include")]
    return sum(_CODE_LINE.fullmatch(line) is not None for line in said) > _CODE_LINES * len(said)


def is_reasoning(text: str) -> bool:
    """Whether a row is a worked answer: tagged as one, or with an equation or an answer, and what leads to it.

    That is two of these: an equation, another one, an announced answer, steps, and two words such as "so" or "then".

    Examples
    --------
    >>> is_reasoning("Tom has 3 + 4 = 7 apples, so the answer is 7."), is_reasoning("Apples are red or green.")
    (True, False)
    """
    text = text if len(text) <= _BEGINNING else text[: _BEGINNING // 2] + text[-_BEGINNING // 2 :]
    if ("<" in text or "\\" in text or "#" in text) and _MARKED.search(text):
        return True
    found = min(len(_EQUATION.findall(text)), 2) if "=" in text or "equals" in text else 0
    found += _ANSWER.search(text) is not None
    if found == 1:
        found += (_STEP.search(text) is not None) + (len(_LEADS.findall(text)) >= 2)
    return found >= 2


def code_rows(texts: Sequence[str]) -> Bools:
    """Which rows are code; see `is_code`."""
    return np.fromiter(map(is_code, texts), dtype=bool, count=len(texts))


def reasoning_rows(texts: Sequence[str]) -> Bools:
    """Which rows are worked answers; see `is_reasoning`."""
    return np.fromiter(map(is_reasoning, texts), dtype=bool, count=len(texts))


def kinds_of_rows(texts: Sequence[str]) -> Ints:
    """The kind of each row [rows], by its place in `ROW_KINDS`; what is nothing else is prose.

    Examples
    --------
    >>> rows = ["7, 9", "Seven.", " ", "print(7)", "3 + 4 = 7, so the answer is 7."]
    >>> [ROW_KINDS[kind] for kind in kinds_of_rows(rows)]
    ['numbers', 'prose', 'empty', 'code', 'reasoning']
    """
    is_number, is_empty = number_rows(texts)
    kinds = np.where(is_empty, ROW_KINDS.index("empty"), np.where(is_number, 0, ROW_KINDS.index("prose")))
    for name, are_of_it in (("code", code_rows), ("reasoning", reasoning_rows)):
        others = np.flatnonzero(kinds == ROW_KINDS.index("prose"))
        kinds[others[are_of_it([texts[row] for row in others.tolist()])]] = ROW_KINDS.index(name)
    return kinds
