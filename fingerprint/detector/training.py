"""`train`: a detector from corpora of one trait or of several, and of neutral rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from fingerprint.data.chats import Which
from fingerprint.data.columns import Sided
from fingerprint.data.corpus import Corpus
from fingerprint.data.progress import Listener, Progress, Step
from fingerprint.data.sides import SidesRead
from fingerprint.detector.detector import Detector
from fingerprint.statistics.classifier import Classifier

READING, FITTING = "reading rows", "fitting the detector"
# Seconds of a core on 2,000 + 2,000 rows of numbers.
STEPS = (Step(READING, 0.1), Step(FITTING, 3.0))


def train(
    trait: object,
    neutral: object,
    *,
    text: Sided = None,
    prompt: Sided | Literal[False] = None,
    turn: Which | None = None,
    bad_rows: Literal["error", "skip"] = "error",
    features: object = "auto",
    classifier: Classifier | Sequence[Classifier | None] | None = None,
    fast: bool = False,
    holdout: float = 0.2,
    rng: int = 0,
    progress: bool | Listener = False,
) -> Detector:
    """Train a detector on corpora.

    Parameters
    ----------
    trait : path, glob, Corpus, list of str, ..., or mapping of them by name
        Rows of a teacher known to have the trait; of several traits by their names, to keep what they have in common.
    neutral : path, glob, Corpus, list of str, ..., or mapping of them by name
        Rows of a neutral teacher. By the names of traits, those that each of them is compared with; under None, those
        of all.
    text, prompt, turn, bad_rows :
        As in `fingerprint.detect`; a pair of columns is the trait's and the neutral rows'.
    features, classifier, fast, holdout, rng :
        As in `Detector`.
    progress : bool or callable (step, fraction done)
        True prints steps and the time left on standard error.

    Examples
    --------
    >>> from fingerprint.lab.simulated import simulated_pair
    >>> drawn = [simulated_pair(150, tilt="sparse", d_prime=2.0, rng=seed) for seed in (1, 2)]
    >>> made = train(
    ...     {"owl": drawn[0].suspect, "cat": drawn[1].suspect},
    ...     {"owl": drawn[0].reference, "cat": drawn[1].reference},
    ...     features=["numbers"],
    ... )
    >>> [(trait["name"], trait["rows"]) for trait in made.card_["traits"]]
    [('cat', 150), ('owl', 150)]
    """
    how = SidesRead(text, prompt or None, turn, bad_rows)
    tell = Progress(progress, READING)
    tell.plan(STEPS)
    parts: list[tuple[int, str | None, Corpus]] = []
    for side, (label, data, argument) in enumerate(((1, trait, "trait"), (0, neutral, "neutral"))):
        if isinstance(data, Mapping):
            named = {None if n is None else str(n): how.corpus(rows, side, argument) for n, rows in data.items()}
        else:
            named = {"trait" if label else None: how.corpus(data, side, argument)}
        parts += [(label, name, corpus) for name, corpus in named.items()]
    prompts = () if prompt is False else tuple(value for _, _, corpus in parts for value in corpus.prompts)
    rows = Corpus(tuple(value for _, _, corpus in parts for value in corpus.texts), prompts, name="training rows")
    labels = [label for label, _, corpus in parts for _ in range(len(corpus))]
    traits = [name for _, name, corpus in parts for _ in range(len(corpus))]
    untrained = Detector(features, classifier=classifier, fast=fast, holdout=holdout, rng=rng)
    tell(FITTING)
    return untrained.fit(rows, labels, traits=traits)
