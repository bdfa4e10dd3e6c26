"""Who may have written a corpus: candidates of any kind, and how every row is scored under all of them.

A candidate with a likelihood (a trait in either form, a system prompt, a teacher) is a model. A corpus of a known
teacher has none: a trained detector's calibrated log-odds stand in for its log-likelihood ratio.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.data.corpus import Corpus, joined, rows_named
from fingerprint.data.reading import as_corpus
from fingerprint.lm.traits import CATEGORIES, Trait, known_trait
from fingerprint.statistics.intervals import bounded

if TYPE_CHECKING:
    from fingerprint.detector.detector import Detector
    from fingerprint.identification.pass_rates import PassRate
    from fingerprint.lm.teachers import Teacher

Progress = Callable[[str, float], None]

# Ways in which a trait that is only named can have come to its teacher.
TRAIT_FORMS = ("finetuned", "prompted")
BASE = "base"
UNLISTED = "unlisted"
# What `Rows` holds of every row beside its corpus, in order.
_SCORES = ("lengths", "base", "ratios", "shifts", "odds")


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


@dataclass(frozen=True)
class Scorers:
    """All that scores a row: models, the base first, and detectors.

    Attributes
    ----------
    teachers : dict of name to Teacher
        The base under the name "base", candidates and placebos as "form: name".
    detectors : dict of name to Detector
        One for each candidate that is a corpus, named alike.
    passing : dict of name to PassRate
        How often answers of each teacher pass what the suspect's rows have passed; empty if all do.
    """

    teachers: dict[str, Teacher]
    detectors: dict[str, Detector] = field(default_factory=dict)
    passing: dict[str, PassRate] = field(default_factory=dict)

    def score(self, corpus: Corpus, progress: Callable[[float], None] | None = None) -> Rows:
        """Every row under everybody: the one place where models are asked."""
        ratios = np.zeros((len(corpus), len(self.teachers)))
        lengths = np.ones(len(corpus))
        for column, teacher in enumerate(self.teachers.values()):
            with rows_named([corpus]):
                found = teacher.logprobs(corpus)
            ratios[:, column] = found.rows
            lengths = lengths if column else np.array([len(tokens) for tokens in found.tokens])
            if progress is not None:
                progress((column + 1) / len(self.teachers))
        base = ratios[:, 0].copy() if len(self.teachers) else np.zeros(len(corpus))
        ratios -= base[:, None]
        odds = [d.decision_function(corpus) - d.prior_log_odds_ for d in self.detectors.values()]
        columns = np.column_stack(odds) if odds else np.zeros((len(corpus), 0))
        return Rows(corpus, lengths, base, ratios, self._shifts(corpus), columns)

    def _shifts(self, corpus: Corpus) -> Floats:
        """What ratios of rows that passed lack [rows, models]: the log of the base's pass rate over the model's."""
        if not self.passing:
            return np.zeros((len(corpus), len(self.teachers)))
        prompts = [prompt or "" for prompt in corpus.prompts]
        logs = np.column_stack([self.passing[name].logs(prompts) for name in self.teachers])
        return np.asarray(logs[:, :1] - logs)


@dataclass(frozen=True)
class Rows:
    """Rows of one corpus, scored.

    Attributes
    ----------
    corpus : Corpus
    lengths : float array [rows]
        Tokens, as the base reads them.
    base : float array [rows]
        Log-probability under the base, in nats; zero where no model was asked.
    ratios : float array [rows, models]
        Log-likelihood ratio of each model against the base, in nats; the base's own column, the first, is zero.
    shifts : float array [rows, models]
        What has to be added to `ratios` because only rows that passed a filter are seen, in nats.
    odds : float array [rows, detectors]
        Log-likelihood ratio as a detector sees it, in nats.
    """

    corpus: Corpus
    lengths: Floats
    base: Floats
    ratios: Floats
    shifts: Floats
    odds: Floats

    @cached_property
    def evidence(self) -> Floats:
        """Log-likelihood ratios against the base [rows, 1 + candidates and placebos]: models', then detectors'.

        The first column is the base's, zero, whether or not the base is a model that was asked. Models' ratios, of rows
        that passed, are bounded: see `fingerprint.statistics.intervals.bounded`.
        """
        models = self.ratios + self.shifts if self.ratios.shape[1] else np.zeros((len(self.odds), 1))
        return np.column_stack([bounded(models), self.odds])

    def mean_logprobs(self, column: int) -> Floats:
        """Mean log-probability [rows] of a row's tokens under a model, in nats: it varies less than that of rows."""
        return np.asarray((self.base + self.ratios[:, column]) / self.lengths)

    def take(self, rows: Ints) -> Rows:
        """Some of the rows."""
        scores = (getattr(self, name)[rows] for name in _SCORES)
        return Rows(self.corpus.only(rows), *scores)


def joined_rows(parts: Sequence[Rows]) -> Rows:
    """Scored rows of several corpora as one."""
    scores = (np.concatenate([getattr(part, name) for part in parts]) for name in _SCORES)
    return Rows(joined([part.corpus for part in parts], "scored rows"), *scores)
