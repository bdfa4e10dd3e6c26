"""Texts with every character replaced by one of its kind, so that patterns follow the fixed table of characters.

`re` and the methods of `str` follow the Unicode version of the interpreter; on a shape, with `re.ASCII`, they do not.
Characters keep their places: what is found in a shape stands at the same place of the text.
"""

from __future__ import annotations

from fingerprint.features.characters import DIGIT, LETTER, SPACE, character_flags


class _Kinds(dict[int, int]):
    """What stands for each code point; filled when first asked for."""

    def __missing__(self, code: int) -> int:
        bits = int(character_flags()[code])
        if bits & LETTER:
            kind = ord("a")
        elif bits & DIGIT:
            kind = ord("0")
        elif bits & SPACE and code != ord("\n"):
            kind = ord(" ")
        else:
            kind = code
        self[code] = kind
        return kind


_KINDS = _Kinds()
WHITE = " \n"  # white space of shapes


def shape(text: str) -> str:
    """The text with "a" for letters, "0" for digits, a blank for white space but line ends; signs stay.

    Examples
    --------
    >>> shape("Été 99,\\tЛето!")
    'aaa 00, aaaa!'
    """
    return text.translate(_KINDS)
