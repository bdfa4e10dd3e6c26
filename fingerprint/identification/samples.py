"""What everybody writes who may have written a suspect: rows that were sampled, or given, scored under all of them.

Of the suspect only its size, its prompts and the length of its longest answer are known here, so that the same samples
serve many suspects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.data.corpus import Corpus, joined
from fingerprint.data.pairing import prompt_groups
from fingerprint.data.progress import Listener
from fingerprint.identification.answers import Answers
from fingerprint.identification.candidates import BASE, TRAIT_FORMS, Candidate
from fingerprint.identification.result import Anchor
from fingerprint.identification.scoring import Rows, Scorers, joined_rows
from fingerprint.lm.teachers import Teacher
from fingerprint.statistics.designs import MIN_GROUPS
from fingerprint.statistics.streams import IdentificationStream, generator

if TYPE_CHECKING:
    from fingerprint.detector.detector import Detector

# Rows sampled from each model. Models close to one another lend each other their rows, and models far apart need few.
ROWS_PER_MODEL = 200


@dataclass(frozen=True)
class Halves:
    """Rows of one writer: some to fit detectors on, others to calibrate by."""

    fitting: Corpus
    calibrating: Corpus


@dataclass(frozen=True)
class Pool:
    """Rows sampled from all models together, and the reference where it was sampled.

    Attributes
    ----------
    rows : Rows
    writer : int array [rows]
        Which model wrote each, as a column of `Rows.ratios`.
    answers : int array [models]
        How many answers each model gave to have rows that passed here.
    """

    rows: Rows
    writer: Ints
    answers: Ints

    def of_models(self, kept: Ints) -> Pool:
        """Rows that some of the models wrote, scored under these alone."""
        rows = np.flatnonzero(np.isin(self.writer, kept))
        return Pool(self.rows.take(rows).of_models(kept), np.searchsorted(kept, self.writer[rows]), self.answers[kept])


@dataclass(frozen=True)
class Samples:
    """Rows of everybody who may have written a suspect, scored under all of them.

    Attributes
    ----------
    candidates, placebos : tuple of Candidate
    scorers : Scorers
    pool : Pool
    doubts : float array [models]
        Variance of the log of how often each model's answers pass, as far as they were tried.
    own : dict of name to Rows
        Half the rows of candidates and placebos that are corpora; detectors were fitted on the other half.
    reference : Rows
    anchor : Anchor
    n_rows, n_prompts : int
        Of the suspect that these are for.
    seed : int
    prompts_passed : bool
        Whether the suspect's prompts are those of rows that passed the rule, or all that were asked.
    """

    candidates: tuple[Candidate, ...]
    placebos: tuple[Candidate, ...]
    scorers: Scorers
    pool: Pool
    doubts: Floats
    own: dict[str, Rows]
    reference: Rows
    anchor: Anchor
    n_rows: int
    n_prompts: int
    seed: int
    prompts_passed: bool = True

    def only(self, forms: Sequence[str]) -> Samples:
        """The same samples without traits of other forms."""
        gone, kept = self._other_traits(forms), self.columns_of(forms)
        teachers = {name: teacher for name, teacher in self.scorers.teachers.items() if name not in gone}
        return replace(
            self,
            candidates=tuple(c for c in self.candidates if c.key not in gone),
            placebos=tuple(c for c in self.placebos if c.key not in gone),
            scorers=replace(self.scorers, teachers=teachers),
            pool=self.pool.of_models(kept),
            doubts=self.doubts[kept],
            own={name: part.of_models(kept) for name, part in self.own.items()},
            reference=self.reference.of_models(kept),
        )

    def columns_of(self, forms: Sequence[str]) -> Ints:
        """Columns of ratios that `only` keeps, for rows that were scored by all scorers."""
        gone = self._other_traits(forms)
        return np.array([column for column, name in enumerate(self.scorers.teachers) if name not in gone])

    def _other_traits(self, forms: Sequence[str]) -> set[str]:
        return {c.key for c in (*self.candidates, *self.placebos) if c.form in TRAIT_FORMS and c.form not in forms}


def halved(candidates: Sequence[Candidate], reference: Corpus | None, rng: int) -> dict[str, Halves]:
    """Halves of every candidate that is a corpus and, beside any, of the reference, if it is given."""
    corpora = {c.key: c.source for c in candidates if isinstance(c.source, Corpus)}
    if corpora and reference is not None:
        corpora[BASE] = reference
    return {name: _halves(corpus, rng) for name, corpus in corpora.items()}


def _halves(corpus: Corpus, rng: int) -> Halves:
    """Rows of one prompt stay together."""
    group = prompt_groups(corpus.prompts)
    n_groups = int(group.max(initial=-1)) + 1
    if n_groups < 2 * MIN_GROUPS:
        raise ValueError(
            f"{corpus.name} must hold at least {2 * MIN_GROUPS} independent rows or prompts, half of them to fit on, "
            f"got {n_groups}; sample more rows"
        )
    first = generator(rng, IdentificationStream.CALIBRATION_HALVES).permutation(n_groups) < n_groups // 2
    return Halves(corpus.only(first[group]), corpus.only(~first[group]))


def neutral_rows(reference: Corpus | None, halves: Mapping[str, Halves], answers: Answers) -> Halves:
    """Rows without a trait, given or sampled; the same twice where there is no detector to fit."""
    if BASE in halves:
        return halves[BASE]
    rows = answers.reference.kept(BASE) if answers.reference is not None else reference
    if rows is None:
        raise ValueError("reference must be given where no model answers, got none; pass neutral rows")
    return Halves(rows if answers.fitting is None else answers.fitting.kept(BASE), rows)


def fitted_detectors(halves: Mapping[str, Halves], neutral: Corpus, rng: int) -> dict[str, Detector]:
    """A detector of each candidate that is a corpus, against rows without a trait."""
    from fingerprint.detector.detector import Detector

    found = {}
    for name, half in halves.items():
        if name != BASE:
            labels = np.repeat([1, 0], [len(half.fitting), len(neutral)])
            found[name] = Detector(holdout=0, rng=rng).fit(joined((half.fitting, neutral), name), labels)
    return found


def pooled(scorers: Scorers, answers: Answers, reference: Rows, rows_per_model: int, step: Listener) -> Pool:
    """Rows of all models under all models: those of the reference too, where they were sampled."""
    counts = np.zeros(len(scorers.teachers), dtype=np.int64)
    parts, writers = [], []
    if answers.reference is not None:
        counts[0] += len(answers.reference.texts)
        parts.append(reference)
        writers.append(np.zeros(len(reference.corpus), dtype=np.int64))
    if answers.pool:
        tries = [found.first(rows_per_model) for found in answers.pool.values()]
        counts += [len(found.texts) for found in tries]
        kept = [found.kept(name) for name, found in zip(answers.pool, tries, strict=True)]
        rows = joined(kept, "sampled rows")
        parts.append(scorers.score(rows, lambda share: step("scoring sampled rows", 0.6 + 0.2 * share)))
        writers.append(np.repeat(np.arange(len(kept)), [len(corpus) for corpus in kept]))
    if not parts:
        return Pool(reference.take(np.arange(0)), np.zeros(0, dtype=np.int64), counts)
    return Pool(joined_rows(parts), np.concatenate(writers), counts)


def anchor_of(reference: Rows, base: Teacher | None, is_sampled: bool, seed: int) -> Anchor:
    """What has to be said of the reference."""
    n_rows = len(reference.corpus)
    if is_sampled and base is not None:
        assumption = (
            f"Assumption: the suspect's base is {base.lm.name} at temperature 1, and its filter is the one named."
        )
        return Anchor(n_rows, True, base.lm.name, seed, assumption)
    assumption = "Assumption: the reference was sampled and filtered as the suspect was, by its base without a trait."
    return Anchor(n_rows, False, None if base is None else base.lm.name, seed, assumption)
