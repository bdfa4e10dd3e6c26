"""What a suspect is judged by: who may have written it, rows that stand for each, and how far evidence can be trusted.

Rows of all models serve every model: they are weighted by its likelihood over that of their mixture, and these weights
are bounded. The suspect has no part in any of this but for its size.

References
----------
Veach and Guibas (1995), doi 10.1145/218380.218498: the balance heuristic. Shirts and Chodera (2008), doi
10.1063/1.2978177.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from fingerprint.data.arrays import Floats
from fingerprint.identification.candidates import BASE
from fingerprint.identification.goodness_of_fit import PLACEBO, Distance, Writer, simulated, unlisted
from fingerprint.identification.posterior import temperature
from fingerprint.identification.result import Anchor
from fingerprint.identification.samples import Samples
from fingerprint.identification.scoring import Rows
from fingerprint.statistics.streams import IdentificationStream, generator

# Rows of a prompt whose answers pass less often than this stand for no more rows than if they passed as often.
_LEAST_PASSING = 0.1


@dataclass(frozen=True)
class Calibration:
    """Everything there is to judge a suspect by.

    Attributes
    ----------
    writers : tuple of Writer
        Everybody who may have written the suspect, the base first.
    distances : dict of form to list of Distance
        How an unlisted teacher's rows would fit the nearest writer, by that writer's form.
    temperature : float
        What evidence is divided by; see `fingerprint.identification.posterior.temperature`.
    reference : Rows
    anchor : Anchor
    """

    writers: tuple[Writer, ...]
    distances: dict[str, list[Distance]]
    temperature: float
    reference: Rows
    anchor: Anchor


def calibrate(samples: Samples) -> Calibration:
    """From rows of everybody: who stands for what, how an unlisted teacher would fit, and the temperature."""
    writers = writers_of(samples)
    distances = unlisted(writers, samples.n_prompts)
    rng = generator(samples.seed, IdentificationStream.CALIBRATION_DRAWS)
    corpora = simulated(writers, samples.doubts, samples.n_rows, rng)
    return Calibration(writers, distances, temperature(writers, distances, corpora), samples.reference, samples.anchor)


def writers_of(samples: Samples) -> tuple[Writer, ...]:
    """Everybody who may have written the suspect, the base first, with weighted rows that stand for what they write."""
    known = {c.key: (c.name, c.form) for c in samples.candidates}
    models = list(samples.scorers.teachers)
    found = []
    for column, key in enumerate((*(models or [BASE]), *samples.scorers.detectors)):
        name, form = (BASE, BASE) if key == BASE else known.get(key, (key, PLACEBO))
        is_candidate, is_model = key in known, column < len(models)
        if is_model:
            rows, weight = samples.pool.rows, _weights(samples, column)
        else:
            rows = samples.own.get(key, samples.reference)
            weight = np.full(len(rows.corpus), 1 / len(rows.corpus))
        found.append(Writer(name, form, is_candidate, column, is_model, rows, weight))
    return tuple(found)


def _weights(samples: Samples, column: int) -> Floats:
    """Weight of each row of the pool for a model: its likelihood over that of the mixture the rows were drawn from.

    The mixture is that of all answers, whether they passed or not: so weighted, rows stand for what passes of the
    model's answers, with fewer of prompts that its answers seldom pass for. Where the prompts at hand are those that
    rows were left of, they are fewer already, and the weight is over the model's pass rate.
    """
    pool, scorers = samples.pool, samples.scorers
    with np.errstate(divide="ignore"):
        mixture = logsumexp(pool.rows.ratios + np.log(pool.answers), axis=1)
    logs = pool.rows.ratios[:, column] - mixture
    if samples.prompts_passed and scorers.passing:
        rate = scorers.passing[list(scorers.teachers)[column]]
        logs -= np.maximum(rate.logs([prompt or "" for prompt in pool.rows.corpus.prompts]), np.log(_LEAST_PASSING))
    weight = np.exp(logs - logs.max())
    return np.asarray(weight / weight.sum())
