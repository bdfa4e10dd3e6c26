"""Rows scored under all who may have written them: the one place where models and detectors are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.data.corpus import Corpus, joined
from fingerprint.data.row_errors import rows_named
from fingerprint.lm.teachers import Teacher
from fingerprint.statistics.contamination import contaminated

if TYPE_CHECKING:
    from fingerprint.detector.detector import Detector
    from fingerprint.identification.pass_rates import PassRate


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
        that passed, are contaminated: see `fingerprint.statistics.contamination`.
        """
        models = self.ratios + self.shifts if self.ratios.shape[1] else np.zeros((len(self.odds), 1))
        return np.column_stack([contaminated(models), self.odds])

    def mean_logprobs(self, column: int) -> Floats:
        """Mean log-probability [rows] of a row's tokens under a model, in nats: it varies less than that of rows."""
        return np.asarray((self.base + self.ratios[:, column]) / self.lengths)

    def take(self, rows: Ints) -> Rows:
        """Some of the rows."""
        return Rows(
            self.corpus.only(rows),
            self.lengths[rows],
            self.base[rows],
            self.ratios[rows],
            self.shifts[rows],
            self.odds[rows],
        )

    def of_models(self, kept: Ints) -> Rows:
        """The same rows with the ratios of some of the models."""
        return replace(self, ratios=self.ratios[:, kept], shifts=self.shifts[:, kept])


def joined_rows(parts: Sequence[Rows]) -> Rows:
    """Scored rows of several corpora as one."""
    return Rows(
        joined([part.corpus for part in parts], "scored rows"),
        np.concatenate([part.lengths for part in parts]),
        np.concatenate([part.base for part in parts]),
        np.concatenate([part.ratios for part in parts]),
        np.concatenate([part.shifts for part in parts]),
        np.concatenate([part.odds for part in parts]),
    )
