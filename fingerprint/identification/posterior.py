"""How probable each writer is, "unlisted" among them, and how far evidence is to be believed.

Writers are compared by their evidence, the sum over rows of their log-likelihood ratios, divided by a temperature.
"Unlisted", somebody else, is weighed against the candidate with the most evidence by fit and surprise: what these are
on the rows of a teacher that is not listed is known from candidates and placebos, each left out in turn.

References
----------
Guo et al. (2017), arXiv:1706.04599: temperature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

from fingerprint.data.arrays import Floats
from fingerprint.identification.goodness_of_fit import (
    Distance,
    Writer,
    own_logprobs,
    own_shares,
)
from fingerprint.statistics.designs import MIN_GROUPS

# How much nearer to its nearest candidate, or farther, an unlisted teacher may be than candidates are to each other.
_UNLISTED_SCALES = (0.5, 1.0, 2.0)
# Temperatures tried, and simulated corpora for each writer behind the choice.
_TEMPERATURES = np.geomspace(1.0, 10.0, 13)
_SIMULATED = 16


def posterior(
    writers: Sequence[Writer],
    distances: Mapping[str, Sequence[Distance]],
    evidence: Floats,
    fits: Floats,
    surprises: Floats,
    temperatures: Floats,
) -> Floats:
    """Probability [temperatures, writers] of every writer, "unlisted" last.

    Parameters
    ----------
    writers : sequence of Writer
    distances : mapping of form to Distances
        See `unlisted`.
    evidence : float array [writers]
        Sum of log-likelihood ratios, in nats.
    fits, surprises : float array [writers]
        See `fingerprint.identification.goodness_of_fit`.
    temperatures : float array [temperatures]
    """
    tempered = evidence / temperatures[:, None]
    best = max((w for w in writers if w.is_candidate), key=lambda w: float(evidence[w.column]))
    ratio = _unlisted_ratio(distances[best.form], float(fits[best.column]), float(surprises[best.column]))
    prior = np.log(_prior(writers))
    found = np.exp(_normalised(np.column_stack([tempered, tempered[:, best.column] + ratio]) + prior))
    # That is for candidates against none of them. Among these, "unlisted" is weighed against whoever fits best, which
    # for rows of the base is no candidate, and evidence counts in full, as fit does.
    is_none = np.array([*(not w.is_candidate for w in writers), True])
    nearest = max(writers, key=lambda w: float(evidence[w.column]))
    ratio = _unlisted_ratio(distances[nearest.form], float(fits[nearest.column]), float(surprises[nearest.column]))
    within = np.exp(_normalised((np.append(evidence, evidence[nearest.column] + ratio) + prior)[None, is_none]))
    found[:, is_none] = found[:, is_none].sum(axis=1, keepdims=True) * within
    return np.asarray(found)


def _unlisted_ratio(distances: Sequence[Distance], fit: float, surprise: float) -> float:
    """Log of how much likelier this fit to a writer and this surprise are for an unlisted teacher than for it."""
    # Whether an unlisted teacher's tokens are likelier than the writer's own or less likely is anybody's guess.
    places = np.array(
        [
            (scale * d.mean, max(d.sd, 1.0), side * scale * d.surprise, max(d.surprise_sd, 1.0))
            for d in distances
            for scale in _UNLISTED_SCALES
            for side in (1, -1)
        ]
    ).T
    elsewhere = norm.logpdf(fit, places[0], places[1]) + norm.logpdf(surprise, places[2], places[3])
    # A fit better than the writer's own rows give speaks for nobody else.
    here = float(norm.logpdf(min(fit, 0.0)) + norm.logpdf(surprise))
    return float(logsumexp(elsewhere)) - float(np.log(len(elsewhere))) - here


def _normalised(logits: Floats) -> Floats:
    return np.asarray(logits - logsumexp(logits, axis=1, keepdims=True))


def _prior(writers: Sequence[Writer]) -> Floats:
    """Half to the candidates, each as much and each form of one as much; half to none of them.

    Of the latter half "unlisted" has as much as one candidate; base and placebos share the rest.
    """
    names = [w.name for w in writers if w.is_candidate]
    one = 0.5 / (len(set(names)) + 1)
    n_rest = sum(not w.is_candidate for w in writers)
    shares = [0.5 / len(set(names)) / names.count(w.name) if w.is_candidate else (0.5 - one) / n_rest for w in writers]
    return np.array([*shares, one])


def temperature(
    writers: Sequence[Writer],
    distances: Mapping[str, Sequence[Distance]],
    doubts: Floats,
    n_rows: int,
    rng: np.random.Generator,
) -> float:
    """What to divide evidence by: the temperature at which simulated corpora are judged best.

    Corpora are drawn from the rows that stand for each writer, with their weights, and judged; the loss is the log of
    the posterior of what is right, a candidate or none of them, and writers count as much as the prior gives them. The
    suspect has no part in this. Corpora are of its size, or half of what the weighted rows are worth. How often a
    model's answers pass is known from those that were tried, and an error there shifts all rows alike: each simulated
    corpus has one of its own. Assumes that rows of different prompts are independent. Rows that share a prompt, or a
    detector in place of a likelihood, are what a temperature above 1 is for.
    """
    losses = np.zeros(len(_TEMPERATURES))
    prior = _prior(writers)
    is_none = np.array([*(not w.is_candidate for w in writers), True])
    own = [own_shares(w) for w in writers]
    floors, means = np.array([floor for floor, _ in own]), np.array([m.mean for _, m in own])
    tokens = {w.column: own_logprobs(w) for w in writers if w.is_model}
    errors = np.zeros(len(writers))  # of the base's rate, too: all ratios are to it
    errors[1 : len(doubts)] = np.sqrt(doubts[1:] + doubts[:1])
    for truth in writers:
        size = max(int(min(n_rows, truth.worth / 2)), MIN_GROUPS)
        evidence = truth.rows.evidence
        shares = np.maximum(evidence - logsumexp(evidence, axis=1, keepdims=True), floors)
        scales = np.sqrt([m.spread(size) for _, m in own])
        surprising = np.zeros_like(shares)
        for column, (low, high, m) in tokens.items():
            values = np.clip(truth.rows.mean_logprobs(column), low, high)
            surprising[:, column] = (values - m.mean) / np.sqrt(m.spread(size))
        right = np.arange(len(is_none)) == truth.column if truth.is_candidate else is_none
        for _ in range(_SIMULATED):
            drawn = rng.choice(len(truth.weight), size, p=truth.weight)
            fits = (shares[drawn].mean(axis=0) - means) / scales
            shifted = evidence[drawn].sum(axis=0) + size * rng.normal(0.0, errors)
            posteriors = posterior(writers, distances, shifted, fits, surprising[drawn].mean(axis=0), _TEMPERATURES)
            losses -= prior[truth.column] * np.log(np.maximum(posteriors[:, right].sum(axis=1), 1e-12))
    return float(_TEMPERATURES[int(losses.argmin())])
