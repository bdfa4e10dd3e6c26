"""What models answer to a suspect's prompts, and which of it passes: the rows `identify` knows writers by.

Answers are as long as the suspect's longest at most, and pass the filter that the suspect has passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.data import digests
from fingerprint.data.corpus import Corpus, rows_named
from fingerprint.identification.candidates import BASE, Scorers
from fingerprint.identification.pass_rates import PassRate, Tries, pass_rate, tried

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


def _draws(rng: int) -> int:
    """A seed of this module's own: with the caller's, the lab's rows of that seed would be drawn again."""
    return digests.number(f"sampling for identify {rng}", 6)


def longest_answer(teacher: Teacher, suspect: Corpus) -> int:
    """Tokens of the suspect's longest answer, its end included: what is sampled is as long at most."""
    from fingerprint.lm.model import encode

    with rows_named([suspect]):
        rows = encode(teacher.lm, suspect.every_prompt(), suspect.texts, system=teacher.system)
    return max(len(row.ids) - row.start for row in rows)
