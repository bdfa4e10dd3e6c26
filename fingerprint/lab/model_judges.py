"""Language models as judges over neutral pairs, and students trained on what they chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.data.choices import Choice, Choices
from fingerprint.data.corpus import Corpus
from fingerprint.lab.students import Change, compare, preference, train_student
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Teacher
from fingerprint.lm.traits import Trait

MAX_NEW_TOKENS = 48


@dataclass(frozen=True)
class WrittenPairs:
    """Pairs of answers to the same prompts, both written by a model without a trait."""

    prompts: tuple[str, ...]
    first: tuple[str, ...]
    second: tuple[str, ...]

    def scores(self, judge: Teacher) -> Floats:
        """Log-probability of the first text less that of the second under a judge, in nats [pairs]."""
        sides = (Corpus(texts, self.prompts, name="pairs") for texts in (self.first, self.second))
        first, second = (judge.logprobs(corpus).rows for corpus in sides)
        return np.asarray(first - second)

    def chosen_by(self, scores: Floats, name: str) -> Choices:
        """Choices of the text with the higher score, the first where both are equal; the first is shown first."""
        rows = zip(self.prompts, self.first, self.second, scores.tolist(), strict=True)
        return Choices(tuple(Choice(p, a, b, 1 if score >= 0 else -1, 1) for p, a, b, score in rows), name)


def written_pairs(base: Teacher, n_pairs: int, *, seed: int = 0) -> WrittenPairs:
    """Two answers to each of some number prompts, of which pairs with equal texts are left out."""
    asked = prompts("numbers", n_pairs, rng=seed)
    drawn = [base.sample(asked, seed=2 * seed + side, max_new_tokens=MAX_NEW_TOKENS) for side in (0, 1)]
    first, second = ([answer.text for answer in side] for side in drawn)
    kept = [(p, a, b) for p, a, b in zip(asked, first, second, strict=True) if a != b]
    asked, first, second = (list(column) for column in zip(*kept, strict=True))
    return WrittenPairs(tuple(asked), tuple(first), tuple(second))


def judged(pairs: WrittenPairs, judge: Teacher, base: Teacher, *, own_answer: bool) -> Choices:
    """What a judge chooses: the text that it finds more probable, by itself or beside its base model.

    Parameters
    ----------
    judge, base : Teacher
    own_answer : bool
        By its own log-probability; otherwise by how much more probable the text is under it than under the base.
    """
    scores = pairs.scores(judge)
    return pairs.chosen_by(scores if own_answer else scores - pairs.scores(base), judge.name)


def student_change(base: str, choices: Choices, trait: Trait, seeds: Sequence[int]) -> Change:
    """How far students that are trained on the chosen texts take up a trait."""
    chosen = [(row.prompt, row.first if row.chosen >= 0 else row.second) for row in choices.rows]
    corpus = Corpus(tuple(text for _, text in chosen), tuple(prompt for prompt, _ in chosen), name=choices.name)
    students = [train_student(base, corpus, rng=seed) for seed in seeds]
    return compare(preference(base, trait), [preference(student, trait) for student in students])


