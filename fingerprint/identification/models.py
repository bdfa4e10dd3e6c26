"""The models of candidates: built from their base, and how long what they answer may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fingerprint.data.corpus import Corpus
from fingerprint.data.progress import Listener
from fingerprint.data.row_errors import rows_named
from fingerprint.identification.candidates import BASE, Candidate
from fingerprint.lm.batching import encode
from fingerprint.lm.loading import Spec
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.teachers import Teacher, as_teacher, finetuned, neutral, placebo, prompted
from fingerprint.lm.traits import PLACEBO as INERT
from fingerprint.lm.traits import Trait

# What it costs to have a candidate that is a prompt or loaded, where to fine-tune one costs 1.
_READY = 0.02


@dataclass(frozen=True)
class Models:
    """Everybody who is a model.

    Attributes
    ----------
    teachers : dict of name to Teacher
        The base under the name "base", first; candidates and placebos as "form: name". Empty if there is no model.
    longest : dict of name to int
        Tokens of the suspect's longest answer as each of them reads it.
    """

    teachers: dict[str, Teacher] = field(default_factory=dict)
    longest: dict[str, int] = field(default_factory=dict)


def build(model: Spec | None, candidates: Sequence[Candidate], suspect: Corpus, step: Listener) -> Models:
    """The base, every candidate that is a model, and the lab's placebo prompts where one has a system message.

    Parameters
    ----------
    model : str, path, model or None
        The base; without one there are no models.
    candidates : sequence of Candidate
        Placebos among them.
    suspect : Corpus
    step : callable (step, share done)
    """
    if model is None:
        return Models()
    base = neutral(model)
    longest_answer(base, suspect)  # a row that is too long is named before minutes of building candidates
    asked = [candidate for candidate in candidates if candidate.form != "corpus"]
    found = {BASE: base}
    costs = [1.0 if is_trained(candidate) else _READY for candidate in asked]
    for i, candidate in enumerate(asked):

        def told(share: float, candidate: Candidate = candidate, i: int = i) -> None:
            done = (sum(costs[:i]) + share * costs[i]) / sum(costs)
            step(f"building {candidate.name}, {candidate.form}", 0.5 * done)

        told(0.0)
        found[candidate.key] = _built(candidate, base.lm, told)
    has_system = any(found[c.key].system for c in asked)
    found |= {f"placebo: prompt {n}": t for n, t in enumerate(_inert(asked, base.lm, has_system), 1)}
    return Models(found, {name: longest_answer(teacher, suspect) for name, teacher in found.items()})


def is_trained(candidate: Candidate) -> bool:
    """Whether a candidate has to be fine-tuned first."""
    return isinstance(candidate.source, Trait) and candidate.form == "finetuned"


def _built(candidate: Candidate, base: LanguageModel, told: Callable[[float], None]) -> Teacher:
    """The model behind a candidate; a trait's teacher is made from the base, the lab's way and seed 0."""
    if isinstance(candidate.source, Trait):
        if candidate.form == "finetuned":
            return finetuned(base, candidate.source, progress=told)
        return prompted(base, candidate.source)
    if candidate.form == "system prompt":
        return Teacher(base, candidate.name, str(candidate.source))
    if isinstance(candidate.source, Corpus):
        raise TypeError(f"candidate must be a model, got the corpus {candidate.name!r}; fit a detector to it")
    return as_teacher(candidate.source)


def _inert(asked: Sequence[Candidate], base: LanguageModel, has_system: bool) -> list[Teacher]:
    """Placebo prompts: that of a trait is as long as the trait's; other system messages share one."""
    traits = [c.source for c in asked if c.form == "prompted" and isinstance(c.source, Trait)]
    found = {teacher.system: teacher for teacher in (placebo(base, trait) for trait in traits)}
    if not found and has_system:
        return [Teacher(base, "placebo", INERT)]
    return list(found.values())


def longest_answer(teacher: Teacher, suspect: Corpus) -> int:
    """Tokens of the suspect's longest answer, its end included: what is sampled is as long at most."""
    with rows_named([suspect]):
        rows = encode(teacher.lm, suspect.every_prompt(), suspect.texts, system=teacher.system)
    return max(len(row.ids) - row.start for row in rows)
