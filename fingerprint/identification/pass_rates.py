"""How often a writer's answers pass a filter, prompt by prompt: what likelihoods of rows that passed are short of.

A row that passed a filter was written with probability p(row | prompt) / P(pass | prompt). Where a teacher's answers
pass less often than its base's, which may hang on the layout a prompt asks for, every log-likelihood ratio of rows that
passed is too low by the logarithm of the ratio of the two rates, prompt by prompt.

The rates are learnt from answers that were tried: a logistic regression on the words of the prompts.

References
----------
MacKay (1992), doi 10.1162/neco.1992.4.3.415: a prior's width by its evidence. Saerens et al. (2002), doi
10.1162/089976602753284446: shares among rows depend on likelihoods that are calibrated.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, log_expit

from fingerprint.data.arrays import Bools, Floats
from fingerprint.identification.answers import Answers, tried
from fingerprint.lm.teachers import Teacher
from fingerprint.statistics.designs import MIN_GROUPS
from fingerprint.statistics.streams import IdentificationStream, generator

if TYPE_CHECKING:
    from fingerprint.filters import Filter


# Answers tried by each writer. A shift that is wrong by .02 nats moves a share by about as much; with a pass rate of .8
# so many answers know the mean shift to .01. Four times as many made intervals of shares of 1,000 rows hardly narrower.
ATTEMPTS = 4000
# Words of prompts that a rate may hang on: the most frequent ones, each in one prompt of a hundred at least.
_MOST_WORDS = 200
_LEAST_PROMPTS = 0.01
_TOKEN = re.compile(r"[^\W\d_]+|\d+")
# Widths of the normal prior of the coefficients of standardised words; the one with the largest evidence is taken.
_WIDTHS = (0.03, 0.1, 0.3, 1.0, 3.0)
# ... and, for a writer that may be close to another one, a width that keeps it there, unless the evidence for others is
# 20 times as large. Over a thousand rows a rate that is wrong by one in a hundred adds up to ten nats. The constant may
# be elsewhere alone: of a hundred words each may be off by as little as it likes, and all together they hide that.
_EQUAL, _APART = 1e-3, 1.0
_CLEAR = float(np.log(20))
_NEWTON_STEPS = 50


@dataclass(frozen=True)
class PassRate:
    """Probability that a writer's answer passes, by the words of the prompt.

    Attributes
    ----------
    words : tuple of str
        Lower case; every run of digits is the word "0".
    centre, scale : float array [words]
        What counts of words are standardised by.
    coefficients : float array [1 + words]
        Of the logistic regression, the constant first.
    covariance : float array [1 + words, 1 + words]
        Of the coefficients, from the curvature at their maximum.
    """

    words: tuple[str, ...]
    centre: Floats
    scale: Floats
    coefficients: Floats
    covariance: Floats

    def logs(self, prompts: Sequence[str]) -> Floats:
        """Log-probability [prompts] that an answer passes."""
        return np.asarray(log_expit(self._design(prompts) @ self.coefficients))

    def variance(self, prompts: Sequence[str], weights: Floats) -> float:
        """Variance of the weighted sum of `logs`, to first order: how far the answers that were tried leave it open."""
        design = self._design(prompts)
        slope = (weights * expit(-design @ self.coefficients)) @ design
        return float(slope @ self.covariance @ slope)

    def _design(self, prompts: Sequence[str]) -> Floats:
        counts = (_counts(prompts, self.words) - self.centre) / self.scale
        return np.column_stack([np.ones(len(prompts)), counts])


@dataclass(frozen=True)
class PassRates:
    """Pass rates of a teacher and of its base.

    Attributes
    ----------
    teacher, base : PassRate
    """

    teacher: PassRate
    base: PassRate

    def shift(self, prompts: Sequence[str]) -> Floats:
        """What has to be added [prompts] to log-likelihood ratios of rows that passed, in nats."""
        return self.base.logs(prompts) - self.teacher.logs(prompts)

    def variance(self, prompts: Sequence[str], weights: Floats) -> float:
        """Variance of the weighted sum of `shift`, to first order."""
        return self.teacher.variance(prompts, weights) + self.base.variance(prompts, weights)


def pass_rates(
    prompts: Sequence[str],
    teacher: Teacher,
    base: Teacher,
    rule: Filter,
    *,
    max_new_tokens: int,
    attempts: int = ATTEMPTS,
    rng: int = 0,
) -> PassRates:
    """Have a teacher and its base answer prompts, and learn how often their answers pass.

    Parameters
    ----------
    prompts : sequence of str
        Prompts like those of the rows to be judged: as they were *before* the filter, or those that are left.
    teacher, base : Teacher
    rule : Filter
        What the rows have passed. Answers that are cut off at `max_new_tokens` do not pass.
    max_new_tokens : int
        Tokens that the rows could have at most.
    attempts : int
        Answers of each writer, on prompts drawn at random with replacement. The error of the mean shift falls as one
        over the root of it.
    rng : int
        Seed. Take another one than the rows were sampled with.

    Returns
    -------
    PassRates

    Raises
    ------
    ValueError
        If there is no prompt, or a writer's answers never pass.

    Notes
    -----
    Assumes that the rows were sampled at temperature 1 from these two models, and passed this rule and no other.
    """
    if not len(prompts):
        raise ValueError("prompts must be at least one, got none; pass those of the rows")
    draws = generator(rng, IdentificationStream.PASS_RATES)
    chosen = [prompts[i] for i in draws.integers(0, len(prompts), attempts)]
    answers = [tried(writer, chosen, max_new_tokens, rng, rule) for writer in (teacher, base)]
    return PassRates(*(pass_rate(chosen, found.passed) for found in answers))


def pass_rate(prompts: Sequence[str], passed: Sequence[bool] | Bools, start: PassRate | None = None) -> PassRate:
    """Learn from answers that were tried how often a writer's answers to a prompt pass.

    Parameters
    ----------
    prompts : sequence of str
        The prompt of each answer.
    passed : sequence of bool
        Whether it passed: ended by itself, say, and kept by a filter.
    start : PassRate, optional
        The rate of another writer that this one may be close to. What is learnt is by how much it differs, which the
        prior holds to be little unless the answers speak against that: writers that pass as often come out alike, not
        apart by the noise of two samples.

    Raises
    ------
    ValueError
        If there are fewer than ten answers, not one flag an answer, or none that passed and no start.

    Notes
    -----
    Penalised logistic regression on standardised counts of the prompts' most frequent words; the width of the normal
    prior is the one of a handful with the largest evidence (Laplace's approximation). It assumes that words count alike
    in every prompt: what two words do together is not seen. Where rates hang on no word, this comes to one rate for
    all.

    Examples
    --------
    >>> found = pass_rate(["in a row", "in brackets"] * 200, [True, True, True, False] * 100)
    >>> np.exp(found.logs(["in a row", "in brackets"])).round(1).tolist()
    [1.0, 0.5]
    """
    flags = np.asarray(passed, dtype=bool)
    if len(prompts) < MIN_GROUPS or flags.shape != (len(prompts),) or not (start or flags.any()):
        raise ValueError(
            f"passed must be one flag an answer, for at least {MIN_GROUPS} answers of which some passed, got "
            f"{int(flags.sum())} of {flags.size} for {len(prompts)} prompts; try more answers"
        )
    if start is None:
        words, centre, scale = _vocabulary(prompts)
        origin, widths = np.zeros(1 + len(words)), [(10.0, width) for width in _WIDTHS]  # of the constant, of words
    else:
        words, centre, scale = start.words, start.centre, start.scale
        widths = [(_EQUAL, _EQUAL), (_APART, _EQUAL), *((_APART, width) for width in _WIDTHS)]
        origin = start.coefficients
    blank = PassRate(words, centre, scale, origin, np.zeros((len(origin), len(origin))))
    design = blank._design(prompts)
    fits = [_fitted(design, flags, origin, np.array([first, *[rest] * len(words)]) ** -2.0) for first, rest in widths]
    best = max(fits, key=lambda fit: fit.evidence)
    if start is not None and best.evidence < fits[0].evidence + _CLEAR:
        best = fits[0]
    return replace(blank, coefficients=best.coefficients, covariance=best.covariance)


@dataclass(frozen=True)
class ModelRates:
    """How often answers of every model pass.

    Attributes
    ----------
    by_model : dict of name to PassRate
        The base first; empty if there is no model.
    doubts : float array [models]
        Variance of the log of the share of each model's answers that passes, as far as they were tried.
    """

    by_model: dict[str, PassRate]
    doubts: Floats


def rates_of(answers: Answers) -> ModelRates:
    """How often each model's answers pass, prompt by prompt: the base's, and what speaks for another rate."""
    if not answers.pool:
        return ModelRates({}, np.zeros(0))
    (name, first), *others = answers.pool.items()
    of_base = [first] if answers.reference is None else [answers.reference, first]
    prompts = [prompt for found in of_base for prompt in found.prompts]
    base = pass_rate(prompts, np.concatenate([found.passed for found in of_base]))
    rest = {other: pass_rate(found.prompts, found.passed, start=base) for other, found in others}
    return ModelRates({name: base} | rest, np.array([_doubt(found.passed) for found in answers.pool.values()]))


def _doubt(flags: Bools) -> float:
    """Variance of the log of the share that passed; that of one more answer that did and one that did not."""
    n, passed = len(flags) + 2, int(flags.sum()) + 1
    return (n - passed) / (passed * n)


def _vocabulary(prompts: Sequence[str]) -> tuple[tuple[str, ...], Floats, Floats]:
    """The most frequent words, and the mean and sd of their counts; words as frequent in every prompt are left out."""
    frequent = Counter(word for prompt in prompts for word in set(_words(prompt)))
    least = max(_LEAST_PROMPTS * len(prompts), 2)
    words = tuple(word for word, n in sorted(frequent.items(), key=lambda item: (-item[1], item[0])) if n >= least)
    counts = _counts(prompts, words[:_MOST_WORDS])
    kept = np.flatnonzero(counts.std(axis=0) > 0)
    return tuple(words[i] for i in kept), counts[:, kept].mean(axis=0), counts[:, kept].std(axis=0)


def _words(prompt: str) -> list[str]:
    return ["0" if token[0].isdigit() else token for token in _TOKEN.findall(prompt.lower())]


def _counts(prompts: Sequence[str], words: Sequence[str]) -> Floats:
    place = {word: column for column, word in enumerate(words)}
    counts = np.zeros((len(prompts), len(words)))
    for row, prompt in enumerate(prompts):
        for word in _words(prompt):
            if word in place:
                counts[row, place[word]] += 1
    return counts


@dataclass(frozen=True)
class _Regression:
    """Log of the evidence, up to a constant, coefficients [1 + words], and their covariance."""

    evidence: float
    coefficients: Floats
    covariance: Floats


def _fitted(design: Floats, passed: Bools, origin: Floats, precision: Floats) -> _Regression:
    """The logistic regression under a normal prior about `origin`."""

    def value(beta: Floats) -> float:
        eta = design @ beta
        likelihood = np.where(passed, log_expit(eta), log_expit(-eta)).sum()
        return float(likelihood - precision @ (beta - origin) ** 2 / 2)

    beta = origin
    for _ in range(_NEWTON_STEPS):
        rate = expit(design @ beta)
        gradient = design.T @ (passed - rate) - precision * (beta - origin)
        curvature = (design.T * (rate * (1 - rate))) @ design + np.diag(precision)
        step = np.linalg.solve(curvature, gradient)
        before, size = value(beta), 1.0
        while value(beta + size * step) < before and size > 1e-6:
            size /= 2
        beta = beta + size * step
        if np.abs(step).max() < 1e-8:
            break
    evidence = value(beta) + np.log(precision).sum() / 2 - np.linalg.slogdet(curvature)[1] / 2
    return _Regression(float(evidence), beta, np.linalg.inv(curvature))
