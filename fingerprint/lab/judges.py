"""Simulated judges: neutral pairs of texts, and choices between them whose law is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.data.choices import Choice, Choices
from fingerprint.lab.simulated import simulated_pair
from fingerprint.lab.simulated.teachers import Tilt
from fingerprint.lab.simulated.vocabulary import Kind


@dataclass(frozen=True)
class NeutralPairs:
    """Pairs of texts of a teacher without a trait, and what judges may look at. The first text is shown first.

    Attributes
    ----------
    first, second : tuple of str
    trait : float array [pairs]
        Log-likelihood ratio of a trait's teacher: first text less second, in units of its root mean square.
    length : float array [pairs]
        Characters, first less second, in the same way.
    quality : float array [pairs]
        What all judges see alike: drawn for each pair, and in none of its features.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    trait: Floats
    length: Floats
    quality: Floats


@dataclass(frozen=True)
class SimulatedJudge:
    """A judge that chooses the first text with log odds that are a weighted sum of what it looks at.

    A weight of 1 decides .73 of the pairs that differ by the root mean square. `position` is for the text shown first.
    """

    trait: float = 0.0
    length: float = 0.0
    position: float = 0.0
    quality: float = 1.0

    def label(self, pairs: NeutralPairs, *, rng: int | np.random.Generator, name: str = "judge") -> Choices:
        """What the judge says of the pairs.

        Parameters
        ----------
        pairs : NeutralPairs
        rng : int or numpy.random.Generator
            Seed or generator of its choices.
        name : str
            What to call them.

        Examples
        --------
        >>> pairs = neutral_pairs(200, rng=1)
        >>> choices = SimulatedJudge(length=100.0, quality=0.0).label(pairs, rng=2)
        >>> right = [(row.chosen > 0) == (size > 0) for row, size in zip(choices.rows, pairs.length) if size]
        >>> bool(np.mean(right) > 0.9)
        True
        """
        odds = self.trait * pairs.trait + self.length * pairs.length + self.quality * pairs.quality + self.position
        first = np.random.default_rng(rng).random(len(odds)) < 1 / (1 + np.exp(-odds))
        rows = zip(pairs.first, pairs.second, first.tolist(), strict=True)
        return Choices(tuple(Choice(None, a, b, 1 if is_first else -1, 1) for a, b, is_first in rows), name)


def neutral_pairs(
    n_pairs: int,
    *,
    kind: Kind = "numbers",
    tilt: Tilt = "dense",
    d_prime: float = 1.0,
    trait_seed: int = 0,
    rng: int | np.random.Generator = 0,
) -> NeutralPairs:
    """Pairs of rows that a simulated teacher without a trait wrote.

    Parameters
    ----------
    n_pairs : int
    kind, tilt, d_prime, trait_seed
        Of the trait that a judge may have; see `fingerprint.lab.simulated.simulated_pair`. No row was written with it.
    rng : int or numpy.random.Generator
        Seed or generator.
    """
    draws = np.random.default_rng(rng)
    drawn = simulated_pair(
        n_pairs,
        kind=kind,
        tilt=tilt,
        d_prime=d_prime,
        design="independent",
        share=0.0,
        trait_seed=trait_seed,
        rng=draws,
    )
    first, second = drawn.suspect.texts, drawn.reference.texts
    length = np.array([len(a) - len(b) for a, b in zip(first, second, strict=True)], dtype=np.float64)
    trait = drawn.llr_suspect - drawn.llr_reference
    return NeutralPairs(first, second, _scaled(trait), _scaled(length), draws.standard_normal(n_pairs))


def _scaled(values: Floats) -> Floats:
    return np.asarray(values / max(float(np.sqrt((values**2).mean())), 1e-300))
