"""Which families a comparison looks at: by default as the data ask, otherwise as the user says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fingerprint.features.counted import CountedFamily
from fingerprint.features.family import Family
from fingerprint.features.layout import Layout
from fingerprint.features.ngrams import NGrams
from fingerprint.features.numbers import Numbers, number_rows
from fingerprint.features.prose import Prose
from fingerprint.features.tokens import Tokens
from fingerprint.features.transformer import Transformer
from fingerprint.features.user_transformer import UserTransformer, is_transformer

FAMILIES: Mapping[str, Callable[[], CountedFamily]] = {
    "tokens": Tokens,
    "ngrams": NGrams,
    "numbers": Numbers,
    "prose": Prose,
    "layout": Layout,
}

# A corpus is "numbers" (or "prose") when at least this share of its pooled rows is; between the two it is "both".
PURE_SHARE = 0.95


def data_kind(texts: Sequence[str]) -> str:
    """What the pooled rows are: "numbers", "prose" or "both"; empty rows say nothing."""
    is_number, is_empty = number_rows(texts)
    return kind_of_rows(int(is_number.sum()), int(is_empty.sum()), len(is_empty))


def kind_of_rows(numbers: int, empty: int, rows: int) -> str:
    """What rows are, of which so many hold numbers alone and so many are empty."""
    share = numbers / (rows - empty) if rows > empty else 0.0
    if share >= PURE_SHARE:
        return "numbers"
    return "prose" if share <= 1 - PURE_SHARE else "both"


def choose(features: object, texts: Sequence[str], kind: str | None = None) -> dict[str, Family]:
    """Turn the argument `features` of `detect` into named, unfitted families.

    Parameters
    ----------
    features : "auto", str, transformer, or a sequence or mapping of them
        "auto" takes tokens, ngrams and layout, and numbers, prose or both as the data ask.
    texts : sequence of str
        Pooled rows of both corpora.
    kind : str, optional
        What the rows are, as `data_kind` says, where `texts` are only some of them.
    """
    if isinstance(features, str) and features == "auto":
        extra = {"numbers": ["numbers"], "prose": ["prose"], "both": ["numbers", "prose"]}[kind or data_kind(texts)]
        features = ["tokens", "ngrams", *extra, "layout"]
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
            raise ValueError(f"features must be {_RULE}, got {feature!r}; check the spelling")
        return FAMILIES[feature]()
    if not is_transformer(feature):
        raise TypeError(f"features must be {_RULE}, got {feature!r}; a family needs fit and transform")
    if isinstance(feature, type):
        raise TypeError(f"features must be {_RULE}, got the class {feature.__name__}; pass an instance")
    if isinstance(feature, Transformer | UserTransformer):
        return feature.unfitted()
    return UserTransformer(feature)
