"""Warnings about the writing of the rows: sides in other scripts, or in other languages of one script."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from fingerprint.data.arrays import Bools
from fingerprint.detection.findings import SURE, Findings, fisher_exact, one_row_a_group
from fingerprint.features.measured import code_points
from fingerprint.report.results import Warning

# Difference of the shares of rows, among those with letters, that hold a letter of one script; it must also be
# significant at `SURE`, shared between all scripts. Far above the odd Greek letter or quoted name.
SCRIPT_SHARE = 0.05
# Total variation distance between the letters of the two sides, 0 (alike) to 1 (no letter in common). English and
# French are .17 apart; 13,000 everyday answers with a trait and without .01, fifty of them .08.
LETTER_DISTANCE = 0.1
# ... and at least so many times the distance between two halves of one side: few or long rows are far apart by chance.
TIMES_CHANCE = 2.0
READ = 500  # characters of a row that are looked at: enough to know its script
_LATIN = frozenset({"LATIN"})  # the script of all letters of ASCII


def scripts_differ(f: Findings) -> Iterator[Warning]:
    """One row a prompt and side is looked at, if it has letters: rows of one prompt are alike.

    Few rows of a set of numbers may have letters, so the test must hold for any number of rows.
    """
    first = one_row_a_group(f.comparison)
    sides = [
        [names for names in (scripts(f.comparison.texts[row]) for row in np.flatnonzero(first & side)) if names]
        for side in f.comparison.sides
    ]
    known = sorted(set().union(*(names for side in sides for names in side)))
    if len(known) < 2 or not all(sides):
        return
    rows = len(sides[0]), len(sides[1])
    differences = {}
    for script in known:
        held = sum(script in names for names in sides[0]), sum(script in names for names in sides[1])
        difference = held[0] / rows[0] - held[1] / rows[1]
        if abs(difference) >= SCRIPT_SHARE and len(known) * fisher_exact(held, rows) <= SURE:
            differences[script] = difference
    if differences:
        script, difference = max(differences.items(), key=lambda item: abs(item[1]))
        side = "suspect" if difference > 0 else "reference"
        message = (
            f"letters of the script {script.title()} stand in this many more of the {side} rows than of the other "
            "side's (share of rows with letters, one a prompt): compare rows in the same languages"
        )
        yield Warning("scripts_differ", abs(difference), SCRIPT_SHARE, message)


def letters_differ(f: Findings) -> Iterator[Warning]:
    """Languages of one script differ in their letters; what a row is about moves them far less."""
    half = f.comparison.group % 2 == 0
    quarters = [[_letters(f.comparison.texts, side & part) for part in (half, ~half)] for side in f.comparison.sides]
    if not all(part.total() for side in quarters for part in side):
        return
    chance = max(_distance(*side) for side in quarters)
    distance = _distance(*(first + second for first, second in quarters))
    if distance >= max(LETTER_DISTANCE, TIMES_CHANCE * chance):
        message = (
            "the sides use letters this differently (total variation distance): they may be written in other "
            "languages; compare rows in the same languages"
        )
        yield Warning("letters_differ", distance, LETTER_DISTANCE, message)


def scripts(text: str) -> frozenset[str]:
    """Names of the scripts that letters of a text are from, as Unicode has them.

    Examples
    --------
    >>> sorted(scripts("Москва, Rome 7"))
    ['CYRILLIC', 'LATIN']
    """
    beginning = text[:READ]
    if beginning.isascii():
        return _LATIN if beginning.lower() != beginning.upper() else frozenset()
    letters = {script(sign) for sign in set(beginning)}
    return frozenset(letters - {None})  # type: ignore[arg-type]


@lru_cache(maxsize=1 << 14)
def script(sign: str) -> str | None:
    """The first word of a letter's name in Unicode, None for other signs; bold and wide letters count as plain ones."""
    plain = unicodedata.normalize("NFKC", sign)[:1]
    if unicodedata.category(plain or " ") not in ("Ll", "Lu", "Lo"):
        return None
    return unicodedata.name(plain, "").partition(" ")[0] or None


def _letters(texts: Sequence[str], rows: Bools) -> Counter[str]:
    """How often each letter stands in these rows [rows], capitals as small ones."""
    joined = "".join(texts[row][:READ] for row in np.flatnonzero(rows).tolist()).lower()
    times = np.bincount(code_points([joined]))
    return Counter({sign: int(times[ord(sign)]) for sign in dict.fromkeys(joined) if sign.isalpha()})


def _distance(first: Counter[str], second: Counter[str]) -> float:
    """Total variation distance between the shares of letters."""
    totals = first.total(), second.total()
    return sum(abs(first[sign] / totals[0] - second[sign] / totals[1]) for sign in first | second) / 2
