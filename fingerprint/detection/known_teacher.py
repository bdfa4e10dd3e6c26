"""Known teachers: the exact log-likelihood ratio of every row, the best that any detector can do on such rows.

The likelihood ratio is the most powerful test between two known laws (Neyman and Pearson 1933, doi
10.1098/rsta.1933.0009), row by row and for bags of independent rows. It is exact where rows were sampled from the
teachers as given: at temperature 1, from the whole vocabulary, not cut off and not filtered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from fingerprint.data.arrays import Floats, Ints
from fingerprint.data.corpus import Corpus, distinct_rows
from fingerprint.data.row_errors import RowError, rows_named
from fingerprint.detection.model_families import LOUD, noise_warning
from fingerprint.lm.loading import ChatTokenizer, Spec
from fingerprint.lm.noise_floor import NoiseFloor, noise_floor
from fingerprint.lm.teachers import RowLogProbs, RowScorer, Teacher, known_teacher
from fingerprint.report.results import Warning

# The suspect's teacher alone, or beside the reference's.
Teachers = RowScorer | Spec | tuple[RowScorer | Spec, RowScorer | Spec]


@dataclass(frozen=True)
class ExactRatios:
    """Exact log-likelihood ratios in nats of the rows of two corpora, and how noisy they are."""

    teacher: str
    reference: str
    rows: tuple[Floats, Floats]
    floor: NoiseFloor | None

    @property
    def limit(self) -> float:
        """Ratios up to this size have no sign that means anything."""
        return 0.0 if self.floor is None else self.floor.row_nats

    def warnings(self) -> tuple[Warning, ...]:
        spread = float(np.concatenate(self.rows).std())
        loud = spread > 0 and self.limit > LOUD * spread
        return (noise_warning(self.limit / spread, "the log-likelihood ratio of rows"),) if loud else ()


def checked_teachers(teacher: Teachers, model: Spec | None) -> tuple[RowScorer, RowScorer]:
    """The suspect's and the reference's teacher: a pair, or one teacher beside the unconditioned model."""
    if isinstance(teacher, tuple) and len(teacher) == 2 and not isinstance(teacher[1], ChatTokenizer):
        return _as_scorer(teacher[0]), _as_scorer(teacher[1])
    if model is None:
        raise ValueError(
            f"teacher must come with the reference's teacher, got {teacher!r:.80} alone; pass model= (the base without "
            "a system prompt wrote the reference), or teacher=(suspect's, reference's)"
        )
    alone = cast("RowScorer | Spec", teacher)  # a tuple of two that is left here is a model with its tokenizer
    return _as_scorer(alone), known_teacher(model)


def _as_scorer(given: RowScorer | Spec) -> RowScorer:
    return given if isinstance(given, RowScorer) else known_teacher(given)


def exact_ratios(teachers: tuple[RowScorer, RowScorer], corpora: Sequence[Corpus]) -> ExactRatios:
    """log p(row | suspect's teacher) - log p(row | reference's teacher) for every row of suspect and reference.

    Raises
    ------
    ValueError
        If a teacher gives another number of rows than there are, or figures that are not finite.
    """
    distinct, places = distinct_rows(corpora[:2])
    one, other = (_row_logprobs(teacher, corpora[:2], distinct, places) for teacher in teachers)
    floors = [_floor(teacher, distinct) for teacher in teachers]
    known = [floor for floor in floors if floor is not None]
    moved = (sum(floor.row_nats for floor in known), sum(floor.token_nats for floor in known))
    floor = NoiseFloor(*moved, known[0].n_rows) if known else None
    # A scorer of the caller's own need not have a name.
    names = [str(getattr(teacher, "name", type(teacher).__name__)) for teacher in teachers]
    return ExactRatios(names[0], names[1], (one[0] - other[0], one[1] - other[1]), floor)


def _row_logprobs(
    teacher: RowScorer, corpora: Sequence[Corpus], distinct: Corpus, places: Sequence[Ints]
) -> list[Floats]:
    """Log-probability [rows] of the rows of each corpus; a language model reads the distinct ones."""
    if not isinstance(teacher, Teacher):
        found = []
        for corpus in corpora:
            with rows_named([corpus]):
                found.append(_checked(teacher.logprobs(corpus), corpus))
        return found
    for corpus in corpora:  # said of a file the user knows, not of both at once
        corpus.every_prompt("teacher")
    with rows_named(corpora, places):
        values = _checked(teacher.logprobs(distinct), distinct)
    return [values[place] for place in places]


def _checked(found: RowLogProbs | ArrayLike, corpus: Corpus) -> Floats:
    values = np.asarray(found.rows if isinstance(found, RowLogProbs) else found, dtype=np.float64)
    if values.shape != (len(corpus),):
        raise ValueError(
            f"teacher must give one log-probability a row, got shape {values.shape} for {len(corpus)} rows of "
            f"{corpus.name}; return an array [rows], or RowLogProbs"
        )
    if not np.isfinite(values).all():
        wrong = int(np.flatnonzero(~np.isfinite(values))[0])
        raise RowError(
            f"log-probabilities of the teacher must be finite, got {values[wrong]} in {{row}}; "
            "a row that a teacher cannot write has no likelihood ratio",
            wrong,
        )
    return values


def _floor(teacher: RowScorer, distinct: Corpus) -> NoiseFloor | None:
    """The noise floor of a teacher that is a language model."""
    if not isinstance(teacher, Teacher):
        return None
    return noise_floor(teacher.lm, distinct.every_prompt("teacher"), distinct.texts, system=teacher.system)
