"""Who may have written a corpus: candidates of any kind, and how every row is scored under all of them.

A candidate with a likelihood (a trait in either form, a system prompt, a teacher) is a model. A corpus of a known
teacher has none: a trained detector's calibrated log-odds stand in for its log-likelihood ratio.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fingerprint.data.corpus import Corpus
from fingerprint.data.reading import as_corpus
from fingerprint.lm.traits import CATEGORIES, Trait, known_trait

if TYPE_CHECKING:
    from fingerprint.lm.teachers import Teacher

Progress = Callable[[str, float], None]

# Ways in which a trait that is only named can have come to its teacher.
TRAIT_FORMS = ("finetuned", "prompted")
BASE = "base"
UNLISTED = "unlisted"


@dataclass(frozen=True)
class Candidate:
    """Somebody who may have written the suspect, not built yet.

    Attributes
    ----------
    name : str
        What to call it.
    form : "finetuned", "prompted", "system prompt", "teacher" or "corpus"
    source : Trait, str, Teacher, model or Corpus
        What it is made from; a trait has a candidate of each form.
    """

    name: str
    form: str
    source: Any

    @property
    def key(self) -> str:
        """Its name among all that score rows: a trait has one in each form."""
        return f"{self.form}: {self.name}"


def listed(given: Sequence[Any] | Mapping[str, Any], forms: Sequence[str], argument: str) -> tuple[Candidate, ...]:
    """Candidates from what a caller may pass, before anything slow.

    Parameters
    ----------
    given : sequence, or mapping of names to entries
        Each entry a trait's name or `Trait`, a system prompt (a string with a space in it), a path to a model folder
        or to a corpus, ``"micro-a"`` or ``"micro-b"``, a model, a `Teacher`, or a `Corpus`.
    forms : sequence of "finetuned", "prompted"
        Forms in which a trait is tried.
    argument : str
        What to call it in messages.

    Raises
    ------
    ValueError
        If an entry is none of these, a name occurs twice, or a form is unknown.
    """
    wrong = [form for form in forms if form not in TRAIT_FORMS]
    if wrong or not forms:
        shown = repr(wrong[0]) if wrong else "none"
        raise ValueError(f"forms must be among {', '.join(TRAIT_FORMS)}, got {shown}; choose of them")
    if isinstance(given, str | bytes | os.PathLike):
        raise TypeError(f"{argument} must be a list or a mapping of names, got {given!r:.80}; put it in a list")
    named = list(given.items()) if isinstance(given, Mapping) else [(None, entry) for entry in given]
    chosen = tuple(c for i, (name, entry) in enumerate(named) for c in _of(entry, name, forms, f"{argument}[{i}]"))
    seen: set[tuple[str, str]] = set()
    for candidate in chosen:
        if (candidate.name, candidate.form) in seen:
            raise ValueError(f"{argument} must differ in their names, got {candidate.name!r} twice; leave one out")
        seen.add((candidate.name, candidate.form))
    return chosen


def _of(entry: Any, name: str | None, forms: Sequence[str], where: str) -> list[Candidate]:
    if isinstance(entry, str) and any(entry in names for names in CATEGORIES.values()):
        entry = known_trait(entry)
    if isinstance(entry, Trait):
        return [Candidate(name or entry.name, form, entry) for form in forms]
    if isinstance(entry, Corpus):
        return [Candidate(name or entry.name, "corpus", entry)]
    if isinstance(entry, str | os.PathLike):
        return [_of_text(os.fspath(entry), name, where)]
    if isinstance(entry, tuple) or any(hasattr(entry, part) for part in ("logprobs", "tokenizer", "config")):
        return [Candidate(name or str(getattr(entry, "name", "") or where), "teacher", entry)]
    return [Candidate(name or where, "corpus", as_corpus(entry, argument=where))]


def _of_text(text: str, name: str | None, where: str) -> Candidate:
    path = Path(text)
    if text in ("micro-a", "micro-b") or (path.is_dir() and (path / "config.json").is_file()):
        return Candidate(name or text, "teacher", text)
    if path.is_file() or (" " not in text and any(sign in text for sign in "*?")):
        return Candidate(name or text, "corpus", as_corpus(text, argument=where))
    if len(text.split()) > 1:
        return Candidate(name or text, "system prompt", text)
    known = "; ".join(f"{c}: {', '.join(names)}" for c, names in CATEGORIES.items())
    raise ValueError(
        f"{where} must be a trait known to the lab, a system prompt of several words, or a path that exists, got "
        f"{text!r}; choose a trait ({known}) or pass fingerprint.lm.traits.known_trait(name, category)"
    )


def build(candidate: Candidate, model: Any, progress: Callable[[float], None] | None = None) -> Teacher:
    """The model behind a candidate that has one; a trait's teacher is made from `model`, the lab's way and seed 0."""
    from fingerprint.lm.teachers import Teacher, as_teacher, finetuned, prompted

    if candidate.form == "finetuned":
        return finetuned(model, candidate.source, progress=progress)
    if candidate.form == "prompted":
        return prompted(model, candidate.source)
    if candidate.form == "system prompt":
        return Teacher(model, candidate.name, candidate.source)
    return as_teacher(candidate.source)


def _teachers(candidates: Sequence[Candidate], base: Teacher | None, step: Progress) -> dict[str, Teacher]:
    """The base, every candidate that is a model, and the lab's placebo prompts where one has a system message.

    That of a trait is as long as the trait's; other system messages share one.
    """
    if base is None:
        return {}
    from fingerprint.lm.teachers import Teacher, placebo
    from fingerprint.lm.traits import PLACEBO as INERT

    found = {BASE: base}
    asked = [candidate for candidate in candidates if candidate.form != "corpus"]
    for done, candidate in enumerate(asked):
        step(f"building {candidate.name}, {candidate.form}", 0.5 * done / len(asked))
        found[candidate.key] = build(candidate, base.lm)
    inert = {t.system: t for t in (placebo(base.lm, c.source) for c in asked if c.form == "prompted")}
    if not inert and any(found[c.key].system for c in asked):
        inert[INERT] = Teacher(base.lm, "placebo", INERT)
    for number, teacher in enumerate(inert.values(), 1):
        found[f"placebo: prompt {number}"] = teacher
    return found
