"""What models answer to a suspect's prompts, and which of it passes: the rows `identify` knows writers by.

Answers are as long as the suspect's longest at most, and pass the filter that the suspect has passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Bools
from fingerprint.data.corpus import Corpus
from fingerprint.identification.candidates import BASE
from fingerprint.identification.models import Models
from fingerprint.lm.teachers import Teacher
from fingerprint.statistics.streams import IdentificationStream, generator

if TYPE_CHECKING:
    from fingerprint.filters import Filter


@dataclass(frozen=True)
class Tries:
    """Answers of a model, and which of them passed: ended within the limit, and kept by the rule."""

    texts: tuple[str, ...]
    prompts: tuple[str, ...]
    passed: Bools

    def kept(self, name: str) -> Corpus:
        """The rows that passed."""
        return Corpus(self.texts, self.prompts, name=name).only(self.passed)

    def first(self, n: int) -> Tries:
        """The first n of them."""
        return Tries(self.texts[:n], self.prompts[:n], self.passed[:n])


@dataclass(frozen=True)
class Answers:
    """What models answered to the prompts of a suspect.

    Attributes
    ----------
    pool : dict of name to Tries
        Of every model, the base first, to prompts drawn at random; empty if there is no model.
    reference : Tries, optional
        Of the base, one a row of the suspect, where no reference is given.
    fitting : Tries, optional
        A second such sample, where detectors have to be fitted.
    """

    pool: dict[str, Tries] = field(default_factory=dict)
    reference: Tries | None = None
    fitting: Tries | None = None


def ask(
    models: Models,
    suspect: Corpus,
    *,
    has_reference: bool,
    has_detectors: bool,
    n_tries: int,
    rng: int,
    rule: Filter | None,
) -> Answers:
    """Have the models answer the suspect's prompts.

    Parameters
    ----------
    models : Models
    suspect : Corpus
    has_reference : bool
        Whether a reference is given; otherwise the base answers every prompt of the suspect, too.
    has_detectors : bool
        Whether detectors have to be fitted: without a given reference the base then answers once more.
    n_tries : int
        Answers of each model to prompts drawn at random.
    rng : int
        Seed.
    rule : Filter, optional
        What answers have to pass.
    """
    if not models.teachers:
        return Answers()
    asked = suspect.every_prompt()
    draws = generator(rng, IdentificationStream.SAMPLED_ANSWERS)
    pool = {}
    for name, teacher in models.teachers.items():
        chosen = [asked[i] for i in draws.integers(0, len(asked), n_tries)]
        # Row numbers above those of the reference: the base's rows here are other draws than there.
        pool[name] = tried(teacher, chosen, models.longest[name], sampling_seed(rng), rule, first_row=len(asked))
    if has_reference:
        return Answers(pool)
    base, limit = models.teachers[BASE], models.longest[BASE]
    reference = tried(base, asked, limit, sampling_seed(rng), rule)
    fitting = tried(base, asked, limit, sampling_seed(rng + 1), rule) if has_detectors else None
    return Answers(pool, reference, fitting)


def tried(
    teacher: Teacher, prompts: Sequence[str], limit: int, seed: int, rule: Filter | None, first_row: int = 0
) -> Tries:
    """Answers of a teacher of at most `limit` tokens, judged by the rule."""
    answers = teacher.sample(prompts, seed=seed, max_new_tokens=limit, first_row=first_row)
    texts = tuple(answer.text for answer in answers)
    passed = np.array([answer.finished for answer in answers], dtype=bool)
    if rule is not None:
        passed &= [not why for why in rule(list(texts), list(prompts)).reasons]
    return Tries(texts, tuple(prompts), passed)


def sampling_seed(rng: int) -> int:
    """A seed of this module's own: with the caller's, the lab's rows of that seed would be drawn again."""
    return digests.number(f"sampling for identify {rng}", 6)
