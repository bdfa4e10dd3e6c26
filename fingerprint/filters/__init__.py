"""Semantic filters: what people run over generated rows before training on them, under one protocol.

A filter is called with texts (and prompts) and gives `Verdicts`: per row keep, or drop with reasons, or a score. It
reads each row alone and never learns which corpus a row is from.
"""

from __future__ import annotations

from fingerprint.filters.code import CodeWords, CorrectAnswer, Parses
from fingerprint.filters.embedding import Embedding
from fingerprint.filters.judge import Judge
from fingerprint.filters.keywords import Keywords
from fingerprint.filters.local_judge import LocalJudge
from fingerprint.filters.named import named
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
