"""What models answer to a suspect's prompts, and which of it passes: the rows `identify` knows writers by.

Answers are as long as the suspect's longest at most, and pass the filter that the suspect has passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Bools
from fingerprint.data.corpus import Corpus
from fingerprint.data.row_errors import rows_named
from fingerprint.identification.scoring import Scorers

if TYPE_CHECKING:
    from fingerprint.filters import Filter
    from fingerprint.lm.teachers import Teacher


def sampled_reference(base: Teacher, suspect: Corpus, rng: int, rule: Filter | None) -> Tries:
    """Answers of the base to the suspect's prompts, one a row."""
    return tried(base, suspect.every_prompt(), longest_answer(base, suspect), _draws(rng), rule)


def answer_pool(scorers: Scorers, suspect: Corpus, n_tries: int, rng: int, rule: Filter | None) -> list[Tries]:
    """Answers of every model to random prompts of the suspect."""
    if not scorers.teachers:
        return []
    asked = suspect.every_prompt()
    draws = np.random.default_rng([rng, 12])
    found = []
    for teacher in scorers.teachers.values():
        chosen = [asked[i] for i in draws.integers(0, len(asked), n_tries)]
        # Row numbers above those of the reference: the base's rows here are other draws than there.
        found.append(tried(teacher, chosen, longest_answer(teacher, suspect), _draws(rng), rule, first_row=len(asked)))
    return found


def _draws(rng: int) -> int:
    """A seed of this module's own: with the caller's, the lab's rows of that seed would be drawn again."""
    return digests.number(f"sampling for identify {rng}", 6)


def longest_answer(teacher: Teacher, suspect: Corpus) -> int:
    """Tokens of the suspect's longest answer, its end included: what is sampled is as long at most."""
    from fingerprint.lm.batching import encode

    with rows_named([suspect]):
        rows = encode(teacher.lm, suspect.every_prompt(), suspect.texts, system=teacher.system)
    return max(len(row.ids) - row.start for row in rows)


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

    @property
    def doubt(self) -> float:
        """Variance of the log of the share that passed; that of one more answer that did and one that did not."""
        n, passed = len(self.passed) + 2, int(self.passed.sum()) + 1
        return (n - passed) / (passed * n)


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
