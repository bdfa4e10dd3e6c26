"""When two texts are the same but for form: one normal form for prompts and for remembered rows."""

from __future__ import annotations

import unicodedata
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
    return " ".join(unicodedata.normalize("NFC", text).split())
