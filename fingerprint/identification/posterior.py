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

from fingerprint.data.arrays import Floats
from fingerprint.identification.goodness_of_fit import Distance, Fit, Simulated, Writer

# How much nearer to its nearest candidate, or farther, an unlisted teacher may be than candidates are to each other.
_UNLISTED_SCALES = (0.5, 1.0, 2.0)
# Temperatures tried.
_TEMPERATURES = np.geomspace(1.0, 10.0, 13)


def posterior(
    writers: Sequence[Writer], distances: Mapping[str, Sequence[Distance]], fit: Fit, temperatures: Floats
) -> Floats:
    """Probability [temperatures, writers] of every writer, "unlisted" last.

    Parameters
    ----------
    writers : sequence of Writer
    distances : mapping of form to sequence of Distance
        See `fingerprint.identification.goodness_of_fit.unlisted`.
    fit : Fit
        How the rows that are judged stand to the writers.
    temperatures : float array [temperatures]
    """
    tempered = fit.evidence / temperatures[:, None]
    best = max((w for w in writers if w.is_candidate), key=lambda w: float(fit.evidence[w.column]))
    ratio = _unlisted_ratio(distances[best.form], fit, best.column)
    prior = np.log(_prior(writers))
    found = np.exp(_normalised(np.column_stack([tempered, tempered[:, best.column] + ratio]) + prior))
    # That is for candidates against none of them. Among these, "unlisted" is weighed against whoever fits best, which
    # for rows of the base is no candidate, and evidence counts in full, as fit does.
    is_none = np.array([*(not w.is_candidate for w in writers), True])
    nearest = max(writers, key=lambda w: float(fit.evidence[w.column]))
    ratio = _unlisted_ratio(distances[nearest.form], fit, nearest.column)
    untempered = np.append(fit.evidence, fit.evidence[nearest.column] + ratio) + prior
    within = np.exp(_normalised(untempered[None, is_none]))
    found[:, is_none] = found[:, is_none].sum(axis=1, keepdims=True) * within
    return np.asarray(found)


def _unlisted_ratio(distances: Sequence[Distance], fit: Fit, column: int) -> float:
    """Log of how much likelier this fit to a writer and this surprise are for an unlisted teacher than for it."""
    share, surprise = float(fit.shares[column]), float(fit.surprises[column])
    # Whether an unlisted teacher's tokens are likelier than the writer's own or less likely is anybody's guess.
    places = np.array(
        [
            (scale * d.mean, max(d.sd, 1.0), side * scale * d.surprise, max(d.surprise_sd, 1.0))
            for d in distances
            for scale in _UNLISTED_SCALES
            for side in (1, -1)
        ]
    ).T
    elsewhere = _log_density(share, places[0], places[1]) + _log_density(surprise, places[2], places[3])
    # A fit better than the writer's own rows give speaks for nobody else.
    here = float(_log_density(min(share, 0.0)) + _log_density(surprise))
    return float(logsumexp(elsewhere)) - float(np.log(len(elsewhere))) - here


def _log_density(value: float, mean: float | Floats = 0.0, sd: float | Floats = 1.0) -> Floats:
    """Of normal laws, as `scipy.stats.norm.logpdf`, which takes thirty times as long for one number."""
    z = (value - mean) / sd
    return np.asarray(-(z * z) / 2.0 - np.log(np.sqrt(2 * np.pi)) - np.log(sd))


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
    writers: Sequence[Writer], distances: Mapping[str, Sequence[Distance]], corpora: Sequence[Simulated]
) -> float:
    """What to divide evidence by: the temperature at which simulated corpora are judged best.

    The loss is the log of the posterior of what is right, a candidate or none of them, and writers count as much as the
    prior gives them. Assumes that rows of different prompts are independent. Rows that share a prompt, or a detector in
    place of a likelihood, are what a temperature above 1 is for.
    """
    losses = np.zeros(len(_TEMPERATURES))
    prior = _prior(writers)
    is_none = np.array([*(not w.is_candidate for w in writers), True])
    for corpus in corpora:
        column = corpus.truth.column
        right = np.arange(len(is_none)) == column if corpus.truth.is_candidate else is_none
        posteriors = posterior(writers, distances, corpus.fit, _TEMPERATURES)
        losses -= prior[column] * np.log(np.maximum(posteriors[:, right].sum(axis=1), 1e-12))
    return float(_TEMPERATURES[int(losses.argmin())])
