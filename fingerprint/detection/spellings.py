"""Columns that say one thing in several ways, put together: a word and the blank before it, the bins of a rank."""

from __future__ import annotations

from collections.abc import Sequence

from fingerprint.data.arrays import Floats
from fingerprint.features.family import Column

# What is stripped from the ends of a piece of text: white space, separators, quotes, brackets, marks of Markdown.
# Signs that change what stands beside them stay: - + % $ # = & @ ~
_EDGES = " \t\r\n\f\v\N{NO-BREAK SPACE},;:.!?|/\\\"'`“”‘’()[]{}<>*_"
# A piece of a longer text is that text if the two are correlated like this: "wls", which no row has but in "owls", is;
# "12", which stands in many numbers, is not "123".
PIECE = 0.9
# A measurement is another feature in other words if the two are correlated like this: no report could tell them apart.
EQUAL = 0.99


def normal_key(text: str) -> str:
    """What spellings of one thing have in common: separators and white space at the ends removed, no initial capital.

    The first letter is lowered where the rest is in lower case (a sentence may begin there); other capitals stay, since
    "US" is not "us". Text that holds separators alone is its own key: there they are the thing.

    Examples
    --------
    >>> [normal_key(text) for text in (" 567,", "Owls", "US", ", ", "-5")]
    ['567', 'owls', 'US', ', ', '-5']
    """
    stripped = text.strip(_EDGES)
    first, rest = stripped[:1], stripped[1:]
    return (first.lower() + rest if rest and rest == rest.lower() else stripped) or text


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
        Numbers of the columns of each thing, the strongest first: it represents the thing. Pieces of text are one thing
        if their normal keys are equal and both are more, or both less, in the suspect. So are, then, a text of two
        characters or more and one that holds it, if they are correlated by `PIECE`. Measurements are one thing if they
        are one family's and have one name, and go with whatever they are correlated with by `EQUAL`, up or down.
    """
    keys = [
        (normal_key(column.subject), str(more)) if column.is_text else (column.subject, family, "measured")
        for family, column, more in zip(families, columns, is_more, strict=True)
    ]
    things: list[list[int]] = []
    by_key: dict[tuple[str, ...], list[int]] = {}
    for number, (column, key) in enumerate(zip(columns, keys, strict=True)):
        thing = by_key.get(key)
        if thing is None:
            heads = ((thing, thing[0]) for thing in things)
            alike = (t for t, i in heads if _is_same(column, columns[i], key[0], keys[i][0], float(r[number, i])))
            thing = next(alike, None)
        if thing is None:
            thing = []
            things.append(thing)
        by_key[key] = thing
        thing.append(number)
    return things


def _is_same(column: Column, other: Column, key: str, other_key: str, r: float) -> bool:
    if not (column.is_text and other.is_text):
        return abs(r) >= EQUAL
    is_piece = (key in other_key or other_key in key) and min(len(key), len(other_key)) > 1
    return is_piece and r >= PIECE
