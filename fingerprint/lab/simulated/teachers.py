"""Simulated teachers: chains over value bands, tilted or not, that draw rows and say how likely each was."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.lab.simulated.vocabulary import LAW_SEED, N_BANDS, Kind, base_law
from fingerprint.statistics.streams import SimulationStream, generator

Tilt = Literal[
    "none", "dense", "sparse", "order", "names", "formatting", "comments", "structure", "connectives", "numbers"
]


@dataclass(frozen=True, eq=False)
class SimulatedTeacher:
    """A chain over bands, per prompt, and a law over the tokens of each band, whatever the prompt.

    `steps` has shape (prompts or 1, states or 1, bands). The states are the previous band, and last the start of a
    row; an axis of length 1 says that the law does not depend on it.
    """

    band: Ints
    within: Floats
    steps: Floats

    def draw(self, prompts: Ints, counts: Ints, width: int, rng: np.random.Generator) -> Ints:
        """Tokens of one row per entry of `prompts` (-1 after the end of a row), shape (n_rows, width)."""
        cumulated = self.steps.cumsum(axis=2)[:, :, :-1]
        n_prompts, n_states, _ = self.steps.shape
        uniform = rng.random((width, len(prompts)))
        bands = np.empty((len(prompts), width), dtype=np.int64)
        previous = np.full(len(prompts), N_BANDS)
        for position in range(width):
            thresholds = cumulated[prompts % n_prompts, previous % n_states]
            previous = (uniform[position][:, None] >= thresholds).sum(axis=1)
            bands[:, position] = previous
        tokens: Ints = np.where(np.arange(width) < counts[:, None], self._tokens_in(bands, rng), -1)
        return tokens

    def _tokens_in(self, bands: Ints, rng: np.random.Generator) -> Ints:
        """One token from each of the given bands."""
        size = np.bincount(self.band)
        first = np.cumsum(size) - size
        cumulated = self.band + _cumulated_within(self.band, self.within)
        found = np.searchsorted(cumulated, bands + rng.random(bands.shape), side="right")
        last: Ints = (first + size - 1)[bands]
        return np.minimum(found, last)  # rounding may step over the last token of a band

    def log_likelihood(self, tokens: Ints, prompts: Ints) -> Floats:
        """log p(tokens | prompt, number of tokens) of each row, in nats."""
        n_prompts, n_states, _ = self.steps.shape
        bands = np.where(tokens < 0, 0, self.band[tokens])
        previous = np.concatenate([np.full((len(tokens), 1), N_BANDS), bands[:, :-1]], axis=1)
        steps = np.log(self.steps)[(prompts % n_prompts)[:, None], previous % n_states, bands]
        total: Floats = np.where(tokens < 0, 0.0, steps + np.log(self.within)[tokens]).sum(axis=1)
        return total


def _cumulated_within(band: Ints, within: Floats) -> Floats:
    """Cumulated probabilities that start again in every band."""
    cumulated = np.cumsum(within)
    before: Floats = (cumulated - within)[np.searchsorted(band, np.arange(N_BANDS))]
    restarted: Floats = cumulated - before[band]
    return restarted


@lru_cache(maxsize=64)
def token_tilt(kind: Kind, tilt: Tilt, trait_seed: int) -> Floats:
    """z of the module docstring: per token, mean 0 and variance 1 under the base law (dense), or -1, 0, 1 (sparse)."""
    vocabulary = base_law(kind)
    p = vocabulary.probability
    rng = generator(LAW_SEED, SimulationStream.TILT, trait_seed)
    if tilt == "dense":
        quantile = np.cumsum(p) - p / 2
        size, phase = rng.standard_normal((2, 4))
        smooth = np.cos(np.pi * (np.outer(quantile, np.arange(1, 5)) + phase)) @ size
        return _standardised(_standardised(smooth, p) + _standardised(rng.standard_normal(len(p)), p), p)
    z = np.zeros(len(p))
    if tilt == "sparse":
        common = np.argsort(-p, kind="stable")[5:105]
        z[rng.permutation(common)[:10]] = np.resize([1.0, 1.0, -1.0], 10)
    return z


def _standardised(values: Floats, weights: Floats) -> Floats:
    centred = values - weights @ values
    scaled: Floats = centred / np.sqrt(weights @ centred**2)
    return scaled


def simulated_teacher(kind: Kind, tilt: Tilt, eta: float, trait_seed: int, effects: Floats) -> SimulatedTeacher:
    """The teacher of a tilt of strength eta; `effects` (prompts or 1, bands) are each prompt's added log odds."""
    vocabulary = base_law(kind)
    weights = vocabulary.probability * np.exp(eta * token_tilt(kind, tilt, trait_seed))
    mass = np.bincount(vocabulary.band, weights).astype(np.float64)
    odds = mass * np.exp(effects)
    bands = odds / odds.sum(axis=1, keepdims=True)
    steps = _order_steps(bands, eta) if tilt == "order" and eta > 0 else bands[:, None, :]
    return SimulatedTeacher(vocabulary.band, weights / mass[vocabulary.band], steps)


def _order_steps(bands: Floats, eta: float) -> Floats:
    """Transitions with the asked odds that leave the law of each position at `bands`; the start of a row comes last.

    The joint law of neighbours is u_i q_i k_ij q_j v_j, with k the circulant of the module docstring and u, v such that
    both margins are q (Sinkhorn scaling); u = v = 1 when q is uniform.
    """
    index = np.arange(N_BANDS)
    kernel = 1 + eta * np.sin(2 * np.pi * (index - index[:, None]) / N_BANDS)
    u = np.ones_like(bands)
    for _ in range(500):  # a step shrinks the error by about eta^2 / 4; strong prompt effects take more
        before = u
        v = 1 / ((u * bands) @ kernel)
        u = 1 / ((v * bands) @ kernel.T)
        if np.allclose(u, before, rtol=1e-14, atol=0):
            break
    steps = u[:, :, None] * kernel * (v * bands)[:, None, :]
    return np.concatenate([steps, bands[:, None, :]], axis=1)
