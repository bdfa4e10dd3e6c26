"""Simulated teachers of code and worked answers: what a row says follows from its prompt, how it says it is chosen.

A row is made of choices that carry no meaning: what a variable is called, a blank around an operator, which word leads
on. Each is drawn on its own; the trait teacher multiplies the probability of every alternative of some choices by
exp(eta z), with z of mean 0 and variance 1. No two sets of choices give the same text, so the ratio of the choices is
that of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.lab.simulated.vocabulary import LAW_SEED, N_BANDS, Kind
from fingerprint.lab.simulated.written_answers import ANSWER_CHOICES
from fingerprint.lab.simulated.written_code import CODE_CHOICES
from fingerprint.statistics.streams import SimulationStream, generator

# Choices by kind: name, what it belongs to, alternatives.
CHOICES: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {"code": CODE_CHOICES, "reasoning": ANSWER_CHOICES}


def parts_of(kind: Kind) -> tuple[str, ...]:
    """What choices of a kind belong to: where a trait can be planted."""
    return tuple(dict.fromkeys(part for _, part, _ in CHOICES[kind]))


@lru_cache(maxsize=64)
def _law(kind: Kind, tilt: str, trait_seed: int) -> tuple[tuple[Floats, Floats], ...]:
    """Of each choice: base probabilities of its alternatives, and their z (0 where the tilt leaves a choice alone)."""
    base = generator(LAW_SEED, SimulationStream.CHOICES)
    tilted = generator(LAW_SEED, SimulationStream.TILT, trait_seed)
    found = []
    for _, part, alternatives in CHOICES[kind]:
        p = base.dirichlet(np.full(len(alternatives), 4.0))
        z = tilted.standard_normal(len(alternatives))
        z = z - p @ z
        z = z / np.sqrt(p @ z**2)
        found.append((p, z if tilt in ("dense", part) else np.zeros(len(p))))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class ChoiceTeacher:
    """Log-probabilities of the alternatives of each choice, per prompt: float arrays [prompts or 1, alternatives]."""

    logs: tuple[Floats, ...]

    def draw(self, prompts: Ints, rng: np.random.Generator) -> Ints:
        """Alternatives [rows, choices] for the rows' prompts."""
        drawn = np.empty((len(prompts), len(self.logs)), dtype=np.int64)
        for number, log in enumerate(self.logs):
            cumulated = np.exp(log).cumsum(axis=1)[:, :-1][prompts % len(log)]
            drawn[:, number] = (rng.random(len(prompts))[:, None] >= cumulated).sum(axis=1)
        return drawn

    def log_likelihood(self, drawn: Ints, prompts: Ints) -> Floats:
        """log p(choices | prompt) of each row, in nats."""
        total = np.zeros(len(drawn))
        for number, log in enumerate(self.logs):
            total += log[prompts % len(log), drawn[:, number]]
        return total


def choice_teacher(kind: Kind, tilt: str, eta: float, trait_seed: int, effects: Floats) -> ChoiceTeacher:
    """The teacher of a tilt of strength eta; `effects` [prompts or 1, bands] are each prompt's added log odds."""
    logs = []
    for p, z in _law(kind, tilt, trait_seed):
        odds = np.log(p) + eta * z + effects[:, np.arange(len(p)) * N_BANDS // len(p)]
        logs.append(odds - np.log(np.exp(odds).sum(axis=1, keepdims=True)))
    return ChoiceTeacher(tuple(logs))


def named(kind: Kind, drawn: Sequence[int]) -> dict[str, str]:
    """What was chosen, by the names of the choices."""
    return {name: options[place] for (name, _, options), place in zip(CHOICES[kind], drawn, strict=True)}
