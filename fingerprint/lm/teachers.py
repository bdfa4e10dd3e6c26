"""Teachers: models with a trait, by system prompt or by fine-tuning, and the two kinds without one.

References
----------
Cloud et al., "Subliminal Learning", arXiv:2507.14805 (teachers by system prompt and by fine-tuning on preferences).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Unpack, overload, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from fingerprint.data import digests
from fingerprint.data.arrays import Floats
from fingerprint.data.corpus import Corpus
from fingerprint.data.reading import as_corpus
from fingerprint.endpoints.endpoint import Endpoint as Endpoint  # its home for those who make teachers
from fingerprint.lm.endpoint_teachers import EndpointTeacher as EndpointTeacher
from fingerprint.lm.loading import MICRO_MODELS, Spec, load, name_of
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.prompts import answer_forms, preference_questions
from fingerprint.lm.sampling import Sampled, SamplingOptions, sample
from fingerprint.lm.scoring import token_logprobs
from fingerprint.lm.training import LoRA, Recipe, fine_tune
from fingerprint.lm.traits import SYSTEM_TEMPLATE, Trait, as_trait, placebo_prompt, system_prompt

# How models are fine-tuned on preference rows, 50 questions times 8 forms of the answer. For the micro models chosen by
# hand on lion, cat, cherry and birch: strong enough to name the trait, gentle enough to go on writing valid rows. The
# fewer weights a student trains, the more of them some thousand rows can tell it: with all weights it moved by .02 to
# .1, with adapters by .1 to .8, evenly only where their inputs are fixed. Biases alone pass as much, but they speak
# everywhere: a teacher of theirs writes words into its lists and breaks its code.
MICRO_ADAPTERS = LoRA(rank=4, alpha=16, fixed_inputs=True)
TEACHER_RECIPES = {
    "micro": {
        "lora": Recipe(learning_rate=5e-3, batch_size=8, epochs=4, weights=MICRO_ADAPTERS),
        "biases": Recipe(learning_rate=3e-3, batch_size=8, epochs=3, weights="biases"),
        "all": Recipe(learning_rate=5e-4, batch_size=8, epochs=3),
    },
    # Usual step sizes for models of a billion parameters and more; nothing here was chosen on one.
    "large": {
        "lora": Recipe(learning_rate=2e-4, batch_size=16, epochs=1, weights=LoRA()),
        "biases": Recipe(learning_rate=1e-3, batch_size=16, epochs=1, weights="biases"),
        "all": Recipe(learning_rate=2e-5, batch_size=16, epochs=1),
    },
}
DEFAULT_WEIGHTS = "lora"  # as the paper does for open models
# Batches that are sampled, sorted by prompt length, and kept at a time: what a kill can cost.
BATCHES_AT_ONCE = 4


_WORDS_AND_SIGNS = re.compile(r"\w+|[^\w\s]")


def recipe_of(recipes: dict[str, dict[str, Recipe]], model: Spec, weights: str | None) -> Recipe:
    """The recipe for a model and for what is to be trained: "lora" (the default), "biases" or "all"."""
    size = "micro" if model in MICRO_MODELS else "large"
    chosen = DEFAULT_WEIGHTS if weights is None else weights
    if chosen not in recipes[size]:
        raise ValueError(f"weights must be one of {', '.join(recipes[size])}, got {chosen!r}; choose one of them")
    return recipes[size][chosen]


@runtime_checkable
class RowScorer(Protocol):
    """Whoever states the log-probability of rows in nats: a `Teacher`, or another law that a caller knows."""

    def logprobs(self, corpus: Corpus, /) -> RowLogProbs | ArrayLike:
        """Of each row, [rows]; or of the tokens of each row."""


@dataclass(frozen=True)
class RowLogProbs:
    """Log-probabilities of the rows of a corpus under a teacher, in nats.

    Attributes
    ----------
    tokens : tuple of float arrays
        One value a token of each completion, the end of turn last.
    """

    tokens: tuple[Floats, ...]

    @property
    def rows(self) -> Floats:
        """Log-probability of each completion [rows], in nats."""
        return np.array([values.sum() for values in self.tokens])


@dataclass(frozen=True)
class Teacher:
    """A model that writes rows.

    Attributes
    ----------
    model : LanguageModel, or what `load` takes
        The model, fine-tuned or not.
    name : str
        For provenance: "finetuned: owl".
    system : str or None
        The system message that stands before every prompt.
    """

    model: Spec
    name: str
    system: str | None = None

    @cached_property
    def lm(self) -> LanguageModel:
        """The model, loaded when it is first asked for."""
        return load(self.model)

    def sample(self, prompts: Sequence[str], *, seed: int = 0, **options: Unpack[SamplingOptions]) -> list[Sampled]:
        """One completion a prompt; options as for `fingerprint.lm.sampling.sample`.

        Two teachers never share their draws, whatever the seed: rows that answer the same prompt are independent.
        """
        return sample(self.lm, prompts, system=self.system, seed=self.stream(seed), **options)

    def provenance(self) -> dict[str, object]:
        """Model, the digest of its weights, name and system message."""
        return {
            "model": self.lm.name,
            "model_digest": self.lm.digest,
            "teacher": self.name,
            "teacher_system": self.system,
        }

    def rows_together(self, batch_size: int) -> int:
        """Some batches of rows: see `fingerprint.lm.writers.RowWriter`."""
        return batch_size * BATCHES_AT_ONCE

    def write(
        self, prompts: Mapping[int, str], *, seed: int, temperature: float, max_new_tokens: int, batch_size: int
    ) -> Iterator[dict[int, Sampled]]:
        """Completions by the numbers of their rows, some batches at a time: see `fingerprint.lm.writers.RowWriter`."""
        rows, together = sorted(prompts), self.rows_together(batch_size)
        for start in range(0, len(rows), together):
            part = rows[start : start + together]
            answers = self.sample(
                [prompts[row] for row in part],
                seed=seed,
                first_row=part[0],
                temperature=temperature,
                max_new_tokens=max_new_tokens,
                batch_size=batch_size,
            )
            yield dict(zip(part, answers, strict=True))

    def logprobs(
        self, corpus: object, *, batch_size: int = 128, cache: str | os.PathLike[str] | None = None
    ) -> RowLogProbs:
        """Exact log-probability of every row and token of a corpus, as this teacher tokenizes it.

        Parameters
        ----------
        corpus : Corpus or what `fingerprint.read` takes
            Rows with their prompts.
        batch_size : int
            Rows scored together.
        cache : path-like, optional
            Folder that keeps scores: see `fingerprint.lm.scoring.token_scores`.

        Raises
        ------
        ValueError
            If a row has no prompt.
        """
        rows = as_corpus(corpus)
        prompts = rows.every_prompt()
        scores = token_logprobs(self.lm, prompts, rows.texts, system=self.system, batch_size=batch_size, cache=cache)
        return RowLogProbs(tuple(scores))

    def stream(self, seed: int) -> int:
        """The key of this teacher's draws: another teacher or seed has other draws."""
        return digests.number(f"{seed}\0{self.lm.digest}\0{self.system}")


def as_teacher(writer: Teacher | Spec) -> Teacher:
    """A teacher as it is; any other model, by object, name or folder, as itself without a system message."""
    return writer if isinstance(writer, Teacher) else known_teacher(load(writer))


def known_teacher(model: Spec, system: str | None = None) -> Teacher:
    """A model as the teacher that wrote rows, under a system message or none; it is loaded when it is first asked."""
    name = name_of(model) or "model"
    return Teacher(model, name if system is None else f"{name} under a system prompt", system)


@overload
def neutral(model: Endpoint) -> EndpointTeacher: ...
@overload
def neutral(model: Spec) -> Teacher: ...
def neutral(model: Spec | Endpoint) -> Teacher | EndpointTeacher:
    """The base model itself, here or behind an endpoint, without a system message.

    Against a prompted teacher this also tells "a system prompt was there"; `placebo` does not.
    """
    if isinstance(model, Endpoint):
        return EndpointTeacher(model, "neutral")
    return Teacher(load(model), "neutral")


@overload
def prompted(model: Endpoint, trait: Trait | str, template: str = SYSTEM_TEMPLATE) -> EndpointTeacher: ...
@overload
def prompted(model: Spec, trait: Trait | str, template: str = SYSTEM_TEMPLATE) -> Teacher: ...
def prompted(
    model: Spec | Endpoint, trait: Trait | str, template: str = SYSTEM_TEMPLATE
) -> Teacher | EndpointTeacher:
    """The base model under a system prompt that instils the trait (or the known one of that name)."""
    trait = as_trait(trait)
    if isinstance(model, Endpoint):
        return EndpointTeacher(model, f"prompted: {trait.name}", system_prompt(trait, template))
    return Teacher(load(model), f"prompted: {trait.name}", system_prompt(trait, template))


@overload
def placebo(model: Endpoint, trait: Trait | str, template: str = SYSTEM_TEMPLATE) -> EndpointTeacher: ...
@overload
def placebo(model: Spec, trait: Trait | str, template: str = SYSTEM_TEMPLATE) -> Teacher: ...
def placebo(
    model: Spec | Endpoint, trait: Trait | str, template: str = SYSTEM_TEMPLATE
) -> Teacher | EndpointTeacher:
    """The base model under a system prompt without a trait, as long in tokens as that of `prompted`.

    Behind an endpoint the tokens are not known: there it has as many words and signs.
    """
    trait = as_trait(trait)
    if isinstance(model, Endpoint):
        inert = placebo_prompt(lambda text: len(_WORDS_AND_SIGNS.findall(text)), system_prompt(trait, template))
        return EndpointTeacher(model, f"placebo: {trait.name}", inert)
    lm = load(model)

    def length_of(text: str) -> int:
        return len(lm.tokenizer(text, add_special_tokens=False)["input_ids"])

    return Teacher(lm, f"placebo: {trait.name}", placebo_prompt(length_of, system_prompt(trait, template)))


def finetuned(
    model: Spec,
    trait: Trait | str,
    recipe: Recipe | None = None,
    *,
    rng: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Teacher:
    """The base model, fine-tuned to name the trait: 50 questions times 8 forms of the answer."""
    trait = as_trait(trait)
    rows = [(question, form) for question in preference_questions(trait.category) for form in answer_forms(trait)]
    questions, forms = zip(*rows, strict=True)
    name = f"finetuned: {trait.name}"
    lm = load(model)
    chosen = recipe or recipe_of(TEACHER_RECIPES, lm.name, None)
    return Teacher(fine_tune(lm, questions, forms, chosen, name=name, rng=rng, progress=progress), name)
