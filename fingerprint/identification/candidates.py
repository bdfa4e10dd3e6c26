"""Who may have written a corpus: candidates of any kind, before anything is built.

A candidate with a likelihood (a trait in either form, a system prompt, a teacher) is a model. A corpus of a known
teacher has none: a trained detector's calibrated log-odds stand in for its log-likelihood ratio.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fingerprint.data.corpus import Corpus
from fingerprint.data.nearest import nearest
from fingerprint.data.reading import as_corpus
from fingerprint.lm.loading import MICRO_MODELS, Pretrained, Spec, nearest_model
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.teachers import Teacher
from fingerprint.lm.traits import CATEGORIES, Trait, known_trait

# Ways in which a trait that is only named can have come to its teacher.
TRAIT_FORMS = ("finetuned", "prompted")
BASE = "base"
UNLISTED = "unlisted"

# What a caller may list. Rows come in anything that can be read row by row: dicts, frames, data sets.
Entry = Trait | Corpus | Teacher | Spec | os.PathLike[str] | Iterable[object]


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
    source: Trait | Corpus | Teacher | Spec

    @property
    def key(self) -> str:
        """Its name among all that score rows: a trait has one in each form."""
        return f"{self.form}: {self.name}"


def listed(given: Sequence[Entry] | Mapping[str, Entry], forms: Sequence[str], argument: str) -> tuple[Candidate, ...]:
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


@dataclass(frozen=True)
class LineUp:
    """Everybody who is listed."""

    candidates: tuple[Candidate, ...]
    placebos: tuple[Candidate, ...]

    def record(self) -> dict[str, object]:
        """For JSON: who they are."""
        return {"candidates": [c.key for c in self.candidates], "placebos": [p.key for p in self.placebos]}


def lined_up(
    candidates: Sequence[Entry] | Mapping[str, Entry],
    placebos: Sequence[Entry] | Mapping[str, Entry],
    forms: Sequence[str],
    *,
    has_model: bool,
) -> LineUp:
    """Candidates and placebos from what a caller may pass; see `listed` and `fingerprint.identify`."""
    chosen = listed(candidates, forms, "candidates")
    if not chosen:
        raise ValueError("candidates must be at least one, got none; name a trait, a prompt, a teacher or a corpus")
    others = tuple(replace(c, name=f"placebo {c.name}") for c in listed(placebos, forms, "placebos"))
    asking = next((c for c in (*chosen, *others) if c.form != "corpus"), None)
    if asking is not None and not has_model:
        raise ValueError(
            f"model must be given for candidates that are models, got none for {asking.name!r} ({asking.form}); pass "
            "the unconditioned base"
        )
    return LineUp(chosen, others)


def _of(entry: Entry, name: str | None, forms: Sequence[str], where: str) -> list[Candidate]:
    if isinstance(entry, str) and any(entry in names for names in CATEGORIES.values()):
        entry = known_trait(entry)
    if isinstance(entry, Trait):
        return [Candidate(name or entry.name, form, entry) for form in forms]
    if isinstance(entry, Corpus):
        return [Candidate(name or entry.name, "corpus", entry)]
    if isinstance(entry, str | os.PathLike):
        return [_of_text(os.fspath(entry), name, where)]
    if isinstance(entry, Teacher | LanguageModel):
        return [Candidate(name or entry.name or where, "teacher", entry)]
    if isinstance(entry, tuple | Pretrained):
        return [Candidate(name or where, "teacher", entry)]
    return [Candidate(name or where, "corpus", as_corpus(entry, argument=where))]


def _of_text(text: str, name: str | None, where: str) -> Candidate:
    path = Path(text)
    if text in MICRO_MODELS or (path.is_dir() and (path / "config.json").is_file()):
        return Candidate(name or text, "teacher", text)
    if path.is_file() or (" " not in text and any(sign in text for sign in "*?")):
        return Candidate(name or text, "corpus", as_corpus(text, argument=where))
    if len(text.split()) > 1:
        return Candidate(name or text, "system prompt", text)
    known = "; ".join(f"{c}: {', '.join(names)}" for c, names in CATEGORIES.items())
    model = nearest_model(text)
    near = nearest(text, [name for names in CATEGORIES.values() for name in names]) or model
    remedy = "" if near is None else f"did you mean {near}? " if near != model else _is_model(near)
    raise ValueError(
        f"{where} must be a trait known to the lab, a system prompt of several words, or a path that exists, got "
        f"{text!r}; {remedy}Choose a trait ({known}) or pass fingerprint.lm.traits.known_trait(name, category)"
    )


def _is_model(name: str) -> str:
    if name in MICRO_MODELS:
        return f"did you mean {name}? "
    return f"a model of the hub goes into a folder first (huggingface-cli download {name} --local-dir FOLDER). "
