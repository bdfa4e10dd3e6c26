"""When two texts are the same but for form: one normal form for prompts and for remembered rows."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache


@lru_cache(maxsize=1 << 16)
def normal_form(text: str) -> str:
    """The text in Unicode's composed form (NFC), white space at its ends removed and elsewhere one blank.

    Prompts are the same prompt if their normal forms are equal: a blank at the end, another line end or a decomposed
    accent is how a file was written, not what was asked.

    References
    ----------
    Unicode Standard Annex 15, Unicode normalization forms.

    Examples
    --------
    >>> normal_form(" Name  three\\nnumbers. ")
    'Name three numbers.'
    """
    composed = text if text.isascii() else unicodedata.normalize("NFC", text)
    return " ".join(composed.split())


# White space of ASCII other than the blank.
_SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f"


def normal_forms(texts: Sequence[str | None]) -> Sequence[str | None]:
    """Normal forms of many texts; None stays.

    Where all are in normal form already, as most prompts are, that is seen for all of them at once.
    """
    together = "\0".join(["", *(text for text in texts if text is not None), ""])
    spaces = ("  ", "\0 ", " \0", *_SPACES)
    if together.isascii() and not any(space in together for space in spaces):
        return texts
    return [None if text is None else normal_form(text) for text in texts]
