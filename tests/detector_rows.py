"""Rows of a trait and of a neutral teacher, and a detector trained on some: what tests of detectors share."""

from __future__ import annotations

from functools import cache

import numpy as np

from fingerprint import Detector
from fingerprint.data.corpus import Corpus
from fingerprint.lab.simulated import simulated_pair

FAMILIES_USED = ["tokens", "numbers"]


def rows(n: int, seed: int, **options: object) -> tuple[Corpus, np.ndarray]:
    """Trait rows, then neutral rows, with their labels."""
    drawn = simulated_pair(n, rng=seed, **({"tilt": "sparse", "d_prime": 2.0} | options))  # type: ignore[arg-type]
    texts = drawn.suspect.texts + drawn.reference.texts
    prompts = drawn.suspect.prompts + drawn.reference.prompts
    labels = np.repeat([1, 0], [len(drawn.suspect), len(drawn.reference)])
    return Corpus(texts, prompts, name=f"corpus {seed}"), labels


def arm(corpus: Corpus, labels: np.ndarray, label: int, name: str = "arm") -> Corpus:
    at = np.flatnonzero(labels == label).tolist()
    return Corpus(tuple(corpus.texts[i] for i in at), tuple(corpus.prompts[i] for i in at), name=name)


@cache
def trained_detector() -> Detector:
    """Trained on `rows(500, 1)`; who changes it puts it back."""
    return Detector(FAMILIES_USED).fit(*rows(500, 1))
