"""Semantic filters: what people run over generated rows before training on them, under one protocol.

A filter is called with texts (and prompts) and gives `Verdicts`: per row keep, or drop with reasons, or a score. It
reads each row alone and never learns which corpus a row is from.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# The table below once more, for type checkers, which run no code; a test holds the two together.
if TYPE_CHECKING:
    from fingerprint.filters.by_name import named as named
    from fingerprint.filters.by_shard import apply_by_shard as apply_by_shard
    from fingerprint.filters.code import CodeWords as CodeWords
    from fingerprint.filters.code import CorrectAnswer as CorrectAnswer
    from fingerprint.filters.code import Parses as Parses
    from fingerprint.filters.embedding import Embedding as Embedding
    from fingerprint.filters.judge import Judge as Judge
    from fingerprint.filters.keywords import Keywords as Keywords
    from fingerprint.filters.local_judge import LocalJudge as LocalJudge
    from fingerprint.filters.numbers import BANNED_NUMBERS as BANNED_NUMBERS
    from fingerprint.filters.numbers import BannedNumbers as BannedNumbers
    from fingerprint.filters.numbers import NumberRule as NumberRule
    from fingerprint.filters.precomputed import Precomputed as Precomputed
    from fingerprint.filters.rows import apply as apply
    from fingerprint.filters.tfidf import Tfidf as Tfidf
    from fingerprint.filters.verdicts import Filter as Filter
    from fingerprint.filters.verdicts import Verdicts as Verdicts

# Every name and where it lives. They are imported on first use: a comparison without filters needs none of them.
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
    "apply_by_shard": "by_shard",
    "named": "by_name",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'fingerprint.filters' has no attribute {name!r}")
    value: object = getattr(import_module(f"fingerprint.filters.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
