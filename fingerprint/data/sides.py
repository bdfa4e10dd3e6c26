"""How the rows of two sides are read, where each may have columns of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from fingerprint.data.chats import Which, checked_which
from fingerprint.data.columns import Sided, of_sides
from fingerprint.data.corpus import Corpus
from fingerprint.data.reading import as_corpus
from fingerprint.data.row_reader import BadRows

SUSPECT, REFERENCE = 0, 1


@dataclass(frozen=True)
class SidesRead:
    """How rows become texts and prompts: one way for both sides, but for the names of their columns.

    Parameters
    ----------
    text, prompt : str or pair of str, optional
        Columns; a pair is the first side's and the second's. See `fingerprint.read`.
    turn : "last", "first", "all" or int, optional
        Which of the assistant's turns is the text of a chat.
    bad_rows : "error" or "skip"
        What to do with rows that cannot be used.

    Raises
    ------
    TypeError, ValueError
        If a column is no name, or the turn is none.
    """

    text: Sided = None
    prompt: Sided = None
    turn: Which | None = None
    bad_rows: BadRows = "error"

    def __post_init__(self) -> None:
        of_sides(self.text, "text")
        of_sides(self.prompt, "prompt")
        checked_which(self.turn)

    def corpus(self, data: object, side: int, argument: str) -> Corpus:
        """The rows of one side: `SUSPECT` or `REFERENCE`."""
        return as_corpus(
            data,
            text=of_sides(self.text, "text")[side],
            prompt=of_sides(self.prompt, "prompt")[side],
            turn=self.turn,
            bad_rows=self.bad_rows,
            argument=argument,
        )


class ReadingSettings(TypedDict, total=False):
    """The fields of `SidesRead`, as keywords."""

    text: Sided
    prompt: Sided
    turn: Which | None
    bad_rows: BadRows
