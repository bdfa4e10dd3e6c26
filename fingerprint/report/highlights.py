"""Where in a text the features stand that differ: pieces of quoted rows, to be coloured."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from fingerprint.features.tokens import tokenize
from fingerprint.report.formatting import figure, visible
from fingerprint.report.results import FeatureDifference

# A feature whose effect is under this share of the strongest one's of its direction would colour every row and say
# little: on numbers, single digits where whole runs of them differ.
_LEAST = 0.5
_LEVELS = 3  # of colour
_NAMED = re.compile(r"(?:(chars|tokens) )?(['\"].*['\"])", re.DOTALL)


@dataclass(frozen=True)
class Speaking:
    """A feature that is a piece of text: what it is, and how much more it is in the suspect."""

    piece: str
    is_whole: bool
    """Whether it counts only where it is made of whole tokens."""
    effect: float


@dataclass(frozen=True)
class Piece:
    """A part of a quoted text, fit to print: `level` is 0 where no feature speaks, and above 0 for more in the suspect.

    `told` says which feature speaks, in words.
    """

    text: str
    level: int
    told: str

    @property
    def style(self) -> str:
        """The class of the page's style sheet."""
        return f"fp-{'more' if self.level > 0 else 'less'} fp-level{abs(self.level)}"


def speaking(differences: Sequence[FeatureDifference], alpha: float) -> list[Speaking]:
    """Features that differ at `alpha` and are pieces of text, the strongest first.

    A feature that is told by its name alone, such as the mean of the numbers of a row, stands at no place in a text.
    """
    found = []
    for item in differences:
        if item.pvalue_adjusted > alpha or not item.effect:
            continue
        named = _NAMED.fullmatch(item.feature)
        piece = _literal(named[2]) if named is not None else None
        if named is not None and piece and piece.strip(" "):  # blanks are in nearly every row
            found.append(Speaking(piece, named[1] != "chars", item.effect))
    found.sort(key=lambda feature: -abs(feature.effect))
    most = {sign: max((f.effect * sign for f in found), default=0.0) for sign in (1, -1)}
    return [f for f in found if abs(f.effect) >= _LEAST * most[1 if f.effect > 0 else -1]]


def _literal(written: str) -> str | None:
    try:
        value = ast.literal_eval(written)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, str) else None


def pieces(text: str, features: Sequence[Speaking], limit: int) -> list[Piece]:
    """A text cut where features begin and end, each part with the strongest feature that speaks there.

    Parameters
    ----------
    text : str
        As it came.
    features : sequence of Speaking
        The strongest first.
    limit : int
        Greatest length of what is shown, as `visible` counts it; what is cut off is marked by an ellipsis.
    """
    begun = text[: limit + 1]  # one more than is shown: enough to know whether it is cut
    owner: list[Speaking | None] = [None] * len(begun)
    for feature in features:
        for start in _places(begun, feature):
            for place in range(start, min(start + len(feature.piece), len(begun))):
                owner[place] = owner[place] or feature
    edges = [0, *(i for i in range(1, len(begun)) if owner[i] is not owner[i - 1]), len(begun)]
    parts = [(visible(begun[start:end]), owner[start]) for start, end in pairwise(edges) if start < end]
    is_cut = sum(len(shown) for shown, _ in parts) > limit
    strongest = max((abs(feature.effect) for feature in features), default=1.0)
    found, room = [], limit - is_cut
    for shown, speaker in parts:
        if room > 0:
            found.append(_piece(shown[:room], speaker, strongest))
        room -= len(shown)
    return [*found, Piece("…", 0, "")] if is_cut else found


def _places(text: str, feature: Speaking) -> list[int]:
    """Where a feature's piece begins."""
    if feature.piece not in text:
        return []
    starts = [found.start() for found in re.finditer(f"(?={re.escape(feature.piece)})", text)]
    if not feature.is_whole:
        return starts
    edges, place = {0}, 0
    for token in tokenize(text):
        place += len(token)
        edges.add(place)
    return [start for start in starts if start in edges and start + len(feature.piece) in edges]


def _piece(shown: str, feature: Speaking | None, strongest: float) -> Piece:
    if feature is None:
        return Piece(shown, 0, "")
    level = min(_LEVELS, 1 + int(_LEVELS * abs(feature.effect) / strongest))
    more = "more" if feature.effect > 0 else "less"
    told = f"{visible(repr(feature.piece), 40)}: {more} in the suspect, effect {figure(feature.effect, 2)}"
    return Piece(shown, level if feature.effect > 0 else -level, told)
