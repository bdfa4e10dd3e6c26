"""Family `templates`: runs of function words, connectives, numbers and signs, with every other word as one symbol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fingerprint.features.pieces import PieceFamily, Symbols
from fingerprint.features.segments import Segments
from fingerprint.features.steps import KEPT, LINE, NUMBER, STOP, WORD, Answers, small

ORDERS = range(1, 5)


class Templates(PieceFamily):
    """Presence of runs of 1 to 4 symbols of a worked answer: its sentences without what they are about.

    Function words and connectives stay as they are, in small letters; every other word is `w`, every number `0`. `^`
    stands where a sentence begins. A fixed list of words does what a tagger of parts of speech would: the same in every
    version, and a hundred times as fast.
    """

    definition = "templates-1"

    def symbols(self, texts: Sequence[str]) -> list[Symbols]:
        found = Answers.of(texts)
        labels = [_symbol(token, kind) for token, kind in _kinds(found)]
        known = {"^": 0}
        numbers = np.array([known.setdefault(label, len(known)) for label in labels], dtype=np.int64)
        codes = numbers[found.index] if len(numbers) else found.index
        opens = found.begins_sentence()
        places = np.repeat(np.arange(len(codes)), 1 + opens)
        is_sign = np.concatenate([places[1:] == places[:-1], [False]]) if len(places) else opens
        row = found.row[places]
        counts = np.bincount(row, minlength=len(texts)).astype(np.int64)
        return [Symbols(Segments(counts), list(known), np.where(is_sign, 0, codes[places]), ORDERS)]


def _kinds(found: Answers) -> list[tuple[str, int]]:
    kinds = np.zeros(len(found.vocabulary), dtype=np.int64)
    kinds[found.index] = found.kind
    return list(zip(found.vocabulary, kinds.tolist(), strict=True))


def _symbol(token: str, kind: int) -> str:
    if kind == WORD:
        word = small(token)
        return word if word in KEPT else "w"
    return {NUMBER: "0", LINE: "\\n" if len(token) == 1 else "\\n\\n", STOP: token[0]}.get(kind) or token
