"""Filter on trait words, with the variants people write to get past it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from fingerprint.filters.verdicts import Reasons, Verdicts, check_rows

# What is written for a letter in leetspeak, beside the letter itself.
_LEET = {"a": "4@", "b": "8", "e": "3", "g": "69", "i": "1!|", "l": "1|", "o": "0", "s": "5$", "t": "7+", "z": "2"}
_BETWEEN = r"[ \t._*\-]"  # written between all letters of a word, the same sign each time
_CONSONANT = "bcdfghjklmnpqrstvwxz"


@dataclass(frozen=True)
class Keywords:
    """Drops rows that name a trait: its words, their inflections, leetspeak and letter-by-letter spellings.

    Parameters
    ----------
    words : sequence of str
        Trait words or phrases, in any case.
    mode : "word" or "substring"
        "word" asks for a whole word (an underscore counts as a gap); "substring" also finds "howl" for "owl".
    name : str
        What tables call the filter.

    Raises
    ------
    TypeError, ValueError
        If `words` is no sequence of words with letters, or `mode` is neither.

    Notes
    -----
    Compatibility forms of letters (full-width and the like) and invisible characters are undone first. A match must
    hold a letter: "sol" does not match the number 501.

    Examples
    --------
    >>> Keywords(["owl"])(["OWLS!", "0wl", "o-w-l", "a howl", "Owl's"]).dropped.tolist()
    [True, True, True, False, True]
    """

    words: Sequence[str]
    mode: Literal["word", "substring"] = "word"
    name: str = "keywords"

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", checked_words(self.words, "words"))
        if self.mode not in ("word", "substring"):
            raise ValueError(f"mode must be 'word' or 'substring', got {self.mode!r}; 'word' asks for whole words")

    def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
        """Verdicts on rows; prompts are not looked at."""
        check_rows(texts, prompts)
        return Verdicts(tuple(self._reasons(folded(text)) for text in texts))

    def _reasons(self, text: str) -> Reasons:
        return tuple(f"keyword: {word}" for word, pattern in self._patterns if _has_letters(pattern, text))

    @cached_property
    def _patterns(self) -> list[tuple[str, re.Pattern[str]]]:
        return [(word, re.compile(_pattern(word, self.mode == "word"))) for word in self.words]


def folded(text: str) -> str:
    """Case folded; of other scripts' look-alikes only compatibility forms are undone, invisible characters removed.

    Examples
    --------
    >>> folded("ＯＷＬ"), folded("o\u200bwl")
    ('owl', 'owl')
    """
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(sign for sign in plain if unicodedata.category(sign) != "Cf")


def inflections(word: str) -> list[str]:
    """A word and its regular plural, past and present participle, in lower case.

    Examples
    --------
    >>> inflections("wolf"), inflections("love")
    (['wolf', 'wolfed', 'wolfing', 'wolfs', 'wolves'], ['love', 'loved', 'loves', 'loving'])
    """
    stem = word.removesuffix("e")
    forms = {word, f"{word}s", f"{stem}ed", f"{stem}ing"}
    if word.endswith(("s", "x", "z", "ch", "sh")):
        forms = forms - {f"{word}s"} | {f"{word}es"}
    if len(word) > 2 and word[-1] == "y" and word[-2] in _CONSONANT:
        forms = {word, f"{word[:-1]}ies", f"{word[:-1]}ied", f"{word}ing"}
    if word.endswith(("f", "fe")):
        forms.add(stem.removesuffix("f") + "ves")
    return sorted(forms)


def checked_words(words: Sequence[str], argument: str) -> tuple[str, ...]:
    """Words in lower case, each once.

    Parameters
    ----------
    words : sequence of str
    argument : str
        What messages call them.

    Raises
    ------
    TypeError, ValueError
        If there is none, or one is no string with a letter.
    """
    if isinstance(words, str) or not isinstance(words, Iterable):
        raise TypeError(f"{argument} must be a sequence of words, got {words!r}; put it in a list")
    found = tuple(words)
    for word in found:
        if not isinstance(word, str) or not any(sign.isalpha() for sign in word):
            raise ValueError(f"{argument} must be words with letters, got {word!r}; remove it")
    if not found:
        raise ValueError(f"{argument} must hold at least one word, got none; for example ['owl']")
    return tuple(dict.fromkeys(" ".join(folded(word).split()) for word in found))


def _pattern(word: str, whole: bool) -> str:
    spellings = [r"\s+".join("".join(map(_letter, part)) for part in form.split()) for form in _forms(word)]
    if " " not in word and len(word) > 1:
        spellings += [_spaced(word), _spaced(f"{word}s")]
    either = "|".join(sorted(spellings, key=len, reverse=True))
    return rf"(?<![^\W_])(?:{either})(?![^\W_])" if whole else f"(?:{either})"


def _forms(phrase: str) -> Iterator[str]:
    """Inflections of the last word of a phrase."""
    start, gap, last = phrase.rpartition(" ")
    yield from (start + gap + form for form in inflections(last))


def _letter(sign: str) -> str:
    return f"[{re.escape(sign + _LEET[sign])}]" if sign in _LEET else re.escape(sign)


def _spaced(word: str) -> str:
    """Letter by letter, with the same sign between all letters: 'o w l', 'o-w-l'."""
    gap = f"gap{len(word)}"
    first, *rest = map(_letter, word)
    return f"{first}(?P<{gap}>{_BETWEEN}){rest[0]}" + "".join(f"(?P={gap}){letter}" for letter in rest[1:])


def _has_letters(pattern: re.Pattern[str], text: str) -> bool:
    return any(any(sign.isalpha() for sign in match.group()) for match in pattern.finditer(text))
