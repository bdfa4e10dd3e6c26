"""Rows of code and worked answers, written out, with the exact log-likelihood ratio of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.data.corpus import Corpus
from fingerprint.lab.simulated import written_answers, written_code
from fingerprint.lab.simulated.choices import ChoiceTeacher, named
from fingerprint.lab.simulated.requests import text_effects
from fingerprint.lab.simulated.vocabulary import Kind

Task = tuple[int, ...]


class _Writing(NamedTuple):
    tasks: Callable[[np.random.Generator, int], list[Task]]
    prompt: Callable[[Task], str]
    text: Callable[[Task, Mapping[str, str]], str]


_WRITING: dict[str, _Writing] = {
    "code": _Writing(written_code.code_task, written_code.code_prompt, written_code.code_text),
    "reasoning": _Writing(written_answers.answer_task, written_answers.answer_prompt, written_answers.answer_text),
}


@dataclass(frozen=True, eq=False)
class Tasks:
    """What each prompt asks for, and its text (None without prompts)."""

    tasks: tuple[Task, ...]
    texts: tuple[str | None, ...]

    def part(self, start: int, stop: int) -> Tasks:
        """Those from `start` on, before `stop`."""
        return Tasks(self.tasks[start:stop], self.texts[start:stop])

    def effects(self, prompt_effect: float) -> Floats:
        """Added log odds of each band, shape (prompts, bands), or (1, bands) when there are none."""
        return text_effects(self.texts, prompt_effect)


def draw_tasks(kind: Kind, size: int, with_text: bool, rng: np.random.Generator) -> Tasks:
    """Tasks with distinct prompts; without prompts they may repeat."""
    writing = _WRITING[kind]
    found: dict[Task, None] = {}
    while len(found) < size:
        found |= dict.fromkeys(writing.tasks(rng, size - len(found)))
    tasks = tuple(found)[:size]
    return Tasks(tasks, tuple(writing.prompt(task) if with_text else None for task in tasks))


@dataclass(frozen=True, eq=False)
class WrittenLaw:
    """The law of rows: the tasks, and both teachers given them."""

    kind: Kind
    tasks: Tasks
    trait: ChoiceTeacher
    base: ChoiceTeacher

    def arm(self, name: str, rows: int, share: float, rng: np.random.Generator) -> tuple[Corpus, Floats]:
        """Rows, and their exact ratios, of a teacher who is the trait teacher in a share of the rows."""
        prompts: Ints = np.repeat(np.arange(len(self.tasks.tasks)), rows)
        drawn = self.base.draw(prompts, rng)
        chosen = np.flatnonzero(rng.random(len(prompts)) < share)
        drawn[chosen] = self.trait.draw(prompts[chosen], rng)
        write = _WRITING[self.kind].text
        pairs = zip(prompts.tolist(), drawn.tolist(), strict=True)
        texts = tuple(write(self.tasks.tasks[place], named(self.kind, row)) for place, row in pairs)
        asked = tuple(self.tasks.texts[place] for place in prompts.tolist())
        llr = self.trait.log_likelihood(drawn, prompts) - self.base.log_likelihood(drawn, prompts)
        return Corpus(texts, asked, name=name), llr
