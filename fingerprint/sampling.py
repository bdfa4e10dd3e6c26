"""What models answer to a suspect's prompts, and which of it passes: the rows `identify` knows writers by.

Answers are as long as the suspect's longest at most, and pass the filter that the suspect has passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fingerprint.candidates import BASE, Scorers
from fingerprint.corpus import Corpus
from fingerprint.pass_rates import PassRate, pass_rate

if TYPE_CHECKING:
    from fingerprint.filters import Filter
    from fingerprint.lab.teachers import Teacher


@dataclass(frozen=True)
class Tries:
    """Answers of a model, and which of them passed: ended within the limit, and kept by the rule."""

    texts: tuple[str, ...]
    prompts: tuple[str, ...]
    passed: NDArray[np.bool_]

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


def sampled_reference(base: Teacher, suspect: Corpus, rng: int, rule: Filter | None) -> Tries:
    """Answers of the base to the suspect's prompts, one a row."""
    from fingerprint.lab.teachers import prompts_of

    return _answers(base, prompts_of(suspect.prompts, suspect.name), _limit(base, suspect), rng, rule)


def answer_pool(scorers: Scorers, suspect: Corpus, n_tries: int, rng: int, rule: Filter | None) -> list[Tries]:
    """Answers of every model to random prompts of the suspect."""
    if not scorers.teachers:
        return []
    from fingerprint.lab.teachers import prompts_of

    asked = prompts_of(suspect.prompts, suspect.name)
    draws = np.random.default_rng([rng, 12])
    found = []
    for teacher in scorers.teachers.values():
        chosen = [asked[i] for i in draws.integers(0, len(asked), n_tries)]
        # Row numbers above those of the reference: the base's rows here are other draws than there.
        found.append(_answers(teacher, chosen, _limit(teacher, suspect), rng, rule, first_row=len(asked)))
    return found


def passing(scorers: Scorers, reference: Sequence[Tries], pool: Sequence[Tries]) -> dict[str, PassRate]:
    """How often each model's answers pass, prompt by prompt: the base's, and what speaks for another rate."""
    if not pool:
        return {}
    of_base = [*reference, pool[0]]
    base = pass_rate([p for t in of_base for p in t.prompts], np.concatenate([t.passed for t in of_base]))
    others = {
        name: pass_rate(tries.prompts, tries.passed, start=base)
        for name, tries in zip(list(scorers.teachers)[1:], pool[1:], strict=True)
    }
    return {BASE: base, **others}


def together(corpora: Sequence[Corpus]) -> Corpus:
    """Rows of several corpora, one after another."""
    texts = tuple(text for corpus in corpora for text in corpus.texts)
    return Corpus(texts, tuple(prompt for corpus in corpora for prompt in corpus.prompts), name="sampled rows")


def _answers(
    teacher: Teacher, prompts: Sequence[str], limit: int, seed: int, rule: Filter | None, first_row: int = 0
) -> Tries:
    """Answers of a teacher of at most `limit` tokens, judged by the rule."""
    answers = teacher.sample(prompts, seed=seed, max_new_tokens=limit, first_row=first_row)
    texts = tuple(answer.text for answer in answers)
    passed = np.array([answer.finished for answer in answers], dtype=bool)
    if rule is not None:
        passed &= [not why for why in rule(list(texts), list(prompts)).reasons]
    return Tries(texts, tuple(prompts), passed)


def _limit(teacher: Teacher, suspect: Corpus) -> int:
    """Tokens of the suspect's longest answer, its end included: what is sampled is as long at most."""
    return max(len(ids) for ids in teacher.lm.answers(suspect.texts))
