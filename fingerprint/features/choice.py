"""Which families a comparison looks at: by default as the data ask, otherwise as the user says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from fingerprint.data.nearest import did_you_mean
from fingerprint.features.code import Code
from fingerprint.features.counted import CountedFamily
from fingerprint.features.family import Family
from fingerprint.features.layout import Layout
from fingerprint.features.ngrams import NGrams
from fingerprint.features.numbers import Numbers
from fingerprint.features.prose import Prose
from fingerprint.features.reasoning import Reasoning
from fingerprint.features.row_kinds import ROW_KINDS, kinds_of_rows
from fingerprint.features.syntax import Syntax
from fingerprint.features.templates import Templates
from fingerprint.features.tokens import Tokens
from fingerprint.features.transformer import Transformer
from fingerprint.features.user_transformer import UserTransformer, is_transformer

FAMILIES: Mapping[str, Callable[[], CountedFamily]] = {
    "tokens": Tokens,
    "ngrams": NGrams,
    "numbers": Numbers,
    "code": Code,
    "syntax": Syntax,
    "reasoning": Reasoning,
    "templates": Templates,
    "prose": Prose,
    "layout": Layout,
}
# Those that any row says something to. The others, for code and worked answers, read some thousand rows a second.
GENERAL = ("tokens", "ngrams", "numbers", "prose", "layout")
# What is looked at beside tokens, ngrams and layout. `prose` beside the families for code and worked answers was tried:
# it changes the AUROC of rows by .000 to .002, within the error of 16 draws.
_OF_KIND = {
    "numbers": ("numbers",),
    "prose": ("prose",),
    "both": ("numbers", "prose"),
    "code": ("code", "syntax"),
    "reasoning": ("reasoning", "templates"),
}

# A corpus is "numbers" (or not) when at least this share of its pooled rows is; between the two it is "both".
PURE_SHARE = 0.95
# Rows without numbers are code, or worked answers, when more than this share of all rows is: a plain majority. The
# rules of single rows err in less than 1 row of 1,000 of prose (`benchmarks/code_and_reasoning.py kinds`), so that a
# corpus is nowhere near the threshold unless it is mixed.
MAJORITY = 0.5


@dataclass(frozen=True)
class KindCounts:
    """How many rows are of a kind; counts of several shards add up.

    Attributes
    ----------
    rows, numbers, empty, code, reasoning : int
        All rows, and of them those that hold numbers alone, nothing but white space, source code, a worked answer.
    """

    rows: int = 0
    numbers: int = 0
    empty: int = 0
    code: int = 0
    reasoning: int = 0

    @classmethod
    def of(cls, texts: Sequence[str]) -> KindCounts:
        """Count rows, each by its looks alone."""
        counts = np.bincount(kinds_of_rows(texts), minlength=len(ROW_KINDS)).tolist()
        return cls(len(texts), *(counts[ROW_KINDS.index(k)] for k in ("numbers", "empty", "code", "reasoning")))

    def __add__(self, other: KindCounts) -> KindCounts:
        return KindCounts(*(mine + others for mine, others in zip(astuple(self), astuple(other), strict=True)))

    @property
    def kind(self) -> str:
        """What most of the rows are; see `data_kind`."""
        kind, filled = kind_of_rows(self.numbers, self.empty, self.rows), self.rows - self.empty
        if kind != "prose" or not filled:
            return kind
        for name, count in (("code", self.code), ("reasoning", self.reasoning)):
            if count > MAJORITY * filled:
                return name
        return kind


def data_kind(texts: Sequence[str]) -> str:
    """What the pooled rows are: "numbers", "prose", "both", "code" or "reasoning"; empty rows say nothing.

    Labels have no say in it: rows are judged one by one, and the majority of both corpora together decides.
    """
    return KindCounts.of(texts).kind


def kind_of_rows(numbers: int, empty: int, rows: int) -> str:
    """What rows are, of which so many hold numbers alone and so many are empty: "numbers", "prose" or "both"."""
    share = numbers / (rows - empty) if rows > empty else 0.0
    if share >= PURE_SHARE:
        return "numbers"
    return "prose" if share <= 1 - PURE_SHARE else "both"


def choose(features: object, texts: Sequence[str], kind: str | None = None) -> dict[str, Family]:
    """Turn the argument `features` of `detect` into named, unfitted families.

    Parameters
    ----------
    features : "auto", str, transformer, or a sequence or mapping of them
        "auto" takes tokens, ngrams and layout, and what else the kind of rows asks for.
    texts : sequence of str
        Pooled rows of both corpora.
    kind : str, optional
        What the rows are, as `data_kind` says, where `texts` are only some of them.
    """
    if isinstance(features, str) and features == "auto":
        features = ["tokens", "ngrams", *_OF_KIND[kind or data_kind(texts)], "layout"]
    if isinstance(features, str) or is_transformer(features):
        features = [features]
    if isinstance(features, Mapping):
        named = {str(name): _one(value) for name, value in features.items()}
    elif isinstance(features, Sequence):
        named = _named_list(features)
    else:
        raise TypeError(f"features must be {_RULE}, got {features!r}; for example features=['tokens', 'layout']")
    if not named:
        raise ValueError(f"features must be {_RULE}, got nothing; leave it out for an automatic choice")
    return named


_RULE = f"'auto', names among {', '.join(FAMILIES)}, or scikit-learn transformers"


def _named_list(features: Sequence[object]) -> dict[str, Family]:
    named: dict[str, Family] = {}
    for feature in features:
        name = feature if isinstance(feature, str) else type(feature).__name__.lower()
        if name in named:
            raise ValueError(f"features must be distinct, got {name!r} twice; name them with a dict")
        named[name] = _one(feature)
    return named


def _one(feature: object) -> Family:
    if isinstance(feature, str):
        if feature not in FAMILIES:
            remedy = did_you_mean(feature, ("auto", *FAMILIES), "check the spelling")
            raise ValueError(f"features must be {_RULE}, got {feature!r}; {remedy}")
        return FAMILIES[feature]()
    if not is_transformer(feature):
        raise TypeError(f"features must be {_RULE}, got {feature!r}; a family needs fit and transform")
    if isinstance(feature, type):
        raise TypeError(f"features must be {_RULE}, got the class {feature.__name__}; pass an instance")
    if isinstance(feature, Transformer | UserTransformer):
        return feature.unfitted()
    return UserTransformer(feature)
