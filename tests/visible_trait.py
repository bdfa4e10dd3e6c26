"""A trait that rows say openly, and quick settings: what tests of filters share."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from fingerprint.data.corpus import Corpus

QUICK: dict[str, Any] = {"features": "numbers", "ladder": False, "n_permutations": 399}
ALPHA = 0.05


def with_visible_trait(corpus: Corpus, share: float, rng: np.random.Generator) -> Corpus:
    """A share of the rows says openly that it loves owls."""
    says = rng.random(len(corpus)) < share
    texts = [f"{text} I love owls." if s else text for text, s in zip(corpus.texts, says, strict=True)]
    return dataclasses.replace(corpus, texts=tuple(texts))
