"""Columns that say one thing in several ways, put together: a word and the blank before it, the bins of a rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.features.family import Column

# What is stripped from the ends of a piece of text: white space, separators, quotes, brackets, marks of Markdown.
# Signs that change what stands beside them stay: - + % $ # = & @ ~
_EDGES = " \t\r\n\f\v\N{NO-BREAK SPACE},;:.!?|/\\\"'`“”‘’()[]{}<>*_"
# A piece of a longer text is that text if the two are correlated like this: "wls", which no row has but in "owls", is;
# "12", which stands in many numbers, is not "123".
PIECE = 0.9
# A measurement is another one in other words if the two are correlated like this: no report could tell them apart.
EQUAL = 0.99


def normal_key(text: str) -> str:
    """What spellings of one thing have in common: separators and white space at the ends removed, no initial capital.

    The first letter is lowered where the rest is in lower case (a sentence may begin there); other capitals stay, since
    "US" is not "us". Text that holds separators alone is its own key, for there they are the thing, and so is a single
    letter with separators: "s." is the end of many sentences.

    Examples
    --------
    >>> [normal_key(text) for text in (" 567,", "Owls", "US", ", ", "-5", "s.")]
    ['567', 'owls', 'US', ', ', '-5', 's.']
    """
    stripped = text.strip(_EDGES)
    if not stripped or (len(stripped) == 1 and stripped.isalpha()):
        return text
    first, rest = stripped[0], stripped[1:]
    return first.lower() + rest if rest and rest == rest.lower() else stripped


def merged(families: Sequence[str], columns: Sequence[Column], is_more: Sequence[bool], r: Floats) -> list[list[int]]:
    """Columns put together by what they say.

    Parameters
    ----------
    families : sequence of str [columns]
        Family of each column.
    columns : sequence of Column [columns]
        The strongest first.
    is_more : sequence of bool [columns]
        Whether each is more in the suspect.
    r : float array [columns, columns]
        Correlations over all rows, blind to the side.

    Returns
    -------
    list of lists of int
        Numbers of the columns of each thing, the strongest first. Pieces of text are one thing
        if their normal keys are equal and both are more, or both less, in the suspect. So are a text and one
        that holds it, if they are correlated by `PIECE`. Measurements are one thing if they are one family's and have
        one name, or if they are correlated by `EQUAL`, up or down; with a text only if besides they name it ("count of
        '!'"): no word is hidden behind a measurement.
    """
    keys = [
        (normal_key(column.subject), str(more)) if column.is_text else (column.subject, family, "measured")
        for family, column, more in zip(families, columns, is_more, strict=True)
    ]
    near = np.abs(r) >= min(PIECE, EQUAL)  # of hundreds of columns few pairs are one thing
    things: list[list[int]] = []
    cores: list[int] = []  # of each thing, the text that holds most
    by_key: dict[tuple[str, ...], int] = {}
    for number, (column, key) in enumerate(zip(columns, keys, strict=True)):
        thing = by_key.get(key)
        if thing is None:
            is_near = near[number].tolist()
            alike = (
                t for t, core in enumerate(cores)
                if is_near[core] and _is_same(column, columns[core], key[0], keys[core][0], float(r[number, core]))
            )  # fmt: skip
            thing = next(alike, len(things))
        if thing == len(things):
            things.append([])
            cores.append(number)
        things[thing].append(number)
        by_key[key] = thing
        if column.is_text and columns[cores[thing]].is_text and len(key[0]) > len(keys[cores[thing]][0]):
            cores[thing] = number
    return things


def _is_same(column: Column, other: Column, key: str, other_key: str, r: float) -> bool:
    if column.is_text and other.is_text:
        return (key in other_key or other_key in key) and r >= PIECE
    if column.is_text != other.is_text:
        text, measurement = (column, other) if column.is_text else (other, column)
        return repr(text.subject) in measurement.subject and abs(r) >= EQUAL
    return abs(r) >= EQUAL
