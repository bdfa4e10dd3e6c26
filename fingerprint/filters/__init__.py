"""Semantic filters: what people run over generated rows before training on them, under one protocol.

A filter is called with texts (and prompts) and gives `Verdicts`: per row keep, or drop with reasons, or a score. It
reads each row alone and never learns which corpus a row is from.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fingerprint.filters.by_name import named
    from fingerprint.filters.code import CodeWords, CorrectAnswer, Parses
    from fingerprint.filters.embedding import Embedding
    from fingerprint.filters.judge import Judge
    from fingerprint.filters.keywords import Keywords
    from fingerprint.filters.local_judge import LocalJudge
    from fingerprint.filters.numbers import BANNED_NUMBERS, BannedNumbers, NumberRule
    from fingerprint.filters.precomputed import Precomputed
    from fingerprint.filters.rows import apply
    from fingerprint.filters.tfidf import Tfidf
    from fingerprint.filters.verdicts import Filter, Verdicts

__all__ = [
    "BANNED_NUMBERS",
    "BannedNumbers",
    "CodeWords",
    "CorrectAnswer",
    "Embedding",
    "Filter",
    "Judge",
    "Keywords",
    "LocalJudge",
    "NumberRule",
    "Parses",
    "Precomputed",
    "Tfidf",
    "Verdicts",
    "apply",
    "named",
]

# Where the names live. They are imported on first use: a comparison without filters needs none of them.
_HOMES = {
    "BANNED_NUMBERS": "numbers",
    "BannedNumbers": "numbers",
    "CodeWords": "code",
    "CorrectAnswer": "code",
    "Embedding": "embedding",
    "Filter": "verdicts",
    "Judge": "judge",
    "Keywords": "keywords",
    "LocalJudge": "local_judge",
    "NumberRule": "numbers",
    "Parses": "code",
    "Precomputed": "precomputed",
    "Tfidf": "tfidf",
    "Verdicts": "verdicts",
    "apply": "rows",
    "named": "by_name",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'fingerprint.filters' has no attribute {name!r}")
    value: object = getattr(import_module(f"fingerprint.filters.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
