"""The table of characters, which keeps features the same whatever Unicode version a Python knows."""

from __future__ import annotations

import re
import unicodedata

import character_table
import numpy as np
import pytest

from fingerprint.features import characters as c


def kinds(text: str) -> list[int]:
    return [int(c.character_flags()[ord(sign)] & c.KIND) for sign in text]


def test_kinds_of_characters_are_those_of_tokens() -> None:
    assert kinds("7٣") == [c.DIGIT] * 2
    assert kinds("aÄ字²½Ⅷ") == [c.LETTER] * 6
    assert kinds(" \n\u00a0\u2028\x1c") == [c.SPACE] * 5
    assert kinds("_") == [c.UNDERSCORE]
    assert kinds("-,🦉\u0301\u200d\ud800\U000e0001") == [0] * 7


def test_every_code_point_has_one_kind_at_most_and_properties_that_fit_it() -> None:
    flags = c.character_flags()
    kind = flags & c.KIND
    assert (len(flags), flags.nbytes) == (0x110000, 0x110000)
    assert set(kind.tolist()) == {0, c.DIGIT, c.LETTER, c.SPACE, c.UNDERSCORE}
    assert (kind[flags & c.ALPHA > 0] == c.LETTER).all()
    assert (flags[kind == c.DIGIT] & c.NUMERAL).all()
    assert not flags.flags.writeable


@pytest.mark.parametrize(("bit", "test"), [
    (c.UPPER, str.isupper), (c.LOWER, str.islower), (c.ALPHA, str.isalpha), (c.NUMERAL, str.isdigit),
    (c.SPACE, str.isspace), (c.DIGIT, str.isdecimal), (c.LETTER, re.compile(r"[^\W\d_]").fullmatch),
])  # fmt: skip
def test_the_table_says_what_python_says_of_characters_it_knows(bit: int, test: object) -> None:
    """Latin, Greek, Cyrillic, Hebrew and Arabic have been settled for decades."""
    assert callable(test)
    known = [code for code in range(0x600) if unicodedata.category(chr(code)) != "Cn"]
    assert [bool(c.character_flags()[code] & bit) for code in known] == [bool(test(chr(code))) for code in known]


@pytest.mark.skipif(unicodedata.unidata_version != character_table.UNICODE, reason="made under another Unicode version")
def test_the_table_is_the_one_that_its_script_makes() -> None:
    assert np.array_equal(np.load(character_table.OUT), character_table.runs())
