"""A trained detector as prior knowledge: its score joins the test as one more family, with a direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, Self, runtime_checkable

from fingerprint.data.arrays import Bools, Floats
from fingerprint.data.corpus import Corpus
from fingerprint.features import Family

# What the family is called.
PRIOR = "prior"


@runtime_checkable
class Prior(Protocol):
    """What a detector must do to serve as a prior: score rows, and know those it was trained on.

    Attributes
    ----------
    card_ : dict
        What it was trained on.
    """

    card_: dict[str, object]

    def decision_function(self, X: object) -> Floats:
        """Log-odds [rows] of the trait, in nats."""
        ...

    def trained_on(self, data: object) -> Bools:
        """Which rows [rows], or the prompts they answer, the detector was trained on."""
        ...


def checked_prior(prior: object) -> Prior:
    """The prior, if it is one.

    Raises
    ------
    TypeError
        If it is no trained detector.
    """
    if not isinstance(prior, Prior):
        raise TypeError(f"prior must be a trained fingerprint.Detector, got {prior!r:.80}; read one with Detector.load")
    return prior


def without_trained(corpus: Corpus, prior: Prior, trained_rows: str) -> Corpus:
    """The corpus without rows that the prior knows: its score on them is no fixed function of the row.

    Raises
    ------
    ValueError
        If there are some and `trained_rows` is "error", or if no others are left.
    """
    known = prior.trained_on(corpus)
    if not known.any():
        return corpus
    if trained_rows == "error":
        raise ValueError(
            f"{corpus.name} must hold no rows or prompts that the detector was trained on, got {int(known.sum())}; "
            "drop them (trained_rows='drop', --drop-trained-rows), or train the detector on others"
        )
    if known.all():
        raise ValueError(f"{corpus.name} must hold rows that the detector was not trained on, got none; sample others")
    return replace(corpus.only(~known), skipped=corpus.skipped)


class PriorScore(Family):
    """The prior as a feature family of one column: its log-odds, in nats."""

    ridge = 0.0

    def __init__(self, prior: Prior) -> None:
        self.prior = prior

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        return self

    def transform(self, texts: Sequence[str]) -> Floats:
        return self.prior.decision_function(list(texts))[:, None]

    def unfitted(self) -> Self:
        return type(self)(self.prior)
