"""How strong a tilt has to be for rows as far apart as asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.lab.simulated.choices import CHOICES, choice_teacher
from fingerprint.lab.simulated.requests import band_effects, draw_counts, draw_limits
from fingerprint.lab.simulated.teachers import Tilt, simulated_teacher
from fingerprint.lab.simulated.vocabulary import LAW_SEED, Kind
from fingerprint.statistics import effect_size
from fingerprint.statistics.streams import SimulationStream, generator

# eta where a tilt stops: order would need negative probabilities soon after 1; dense and sparse pass d_prime 4 earlier.
LARGEST_ETA = {"dense": 3.0, "sparse": 6.0, "order": 1.0}
LARGEST_CHOICE_ETA = 4.0  # of code and worked answers
_CALIBRATION_ROWS = 20_000  # a side and step: relative error of d_prime about .81 / sqrt(2 * 20,000) = .4 %
_CALIBRATION_PROMPTS = 2_000


@lru_cache(maxsize=256)
def tilt_strength(kind: Kind, tilt: Tilt, d_prime: float, prompt_effect: float, trait_seed: int) -> float:
    """The eta at which rows of the trait teacher are d_prime away from rows of the base teacher."""
    if tilt == "none" or d_prime == 0:
        return 0.0

    def reached(eta: float) -> float:
        return _calibrated_d_prime(kind, tilt, eta, prompt_effect, trait_seed)

    limit = LARGEST_CHOICE_ETA if kind in CHOICES else LARGEST_ETA[tilt]
    eta = _solve(reached, d_prime, limit)
    if eta is None:
        largest = reached(limit)
        raise ValueError(
            f"d_prime must be at most {largest:.2f} with kind={kind!r} and tilt={tilt!r}, got {d_prime}; "
            "ask for less, or choose tilt='dense'"
        )
    return float(f"{eta:.6g}")  # the last digits differ between machines, the rows must not


def _solve(reached: Callable[[float], float], target: float, largest: float) -> float | None:
    """The eta up to `largest` with reached(eta) within .1 % of the target; None where it takes more than `largest`.

    Secant steps, kept within the bracket; `reached` grows from 0 at 0.
    """
    low, high = 0.0, np.inf
    last, eta = (0.0, 0.0), min(target / 3, largest)
    for _ in range(40):
        value = reached(eta)
        if abs(value - target) < 1e-3 * target:
            return eta
        if value < target and eta == largest:
            return None
        low, high = (eta, high) if value < target else (low, eta)
        slope = (value - last[1]) / (eta - last[0])
        last = (eta, value)
        guess = min(eta + (target - value) / slope if slope > 0 else largest, largest)
        if not low < guess < high:
            guess = largest if high == np.inf else (low + high) / 2
        eta = guess
    return eta


def _calibrated_d_prime(kind: Kind, tilt: Tilt, eta: float, prompt_effect: float, trait_seed: int) -> float:
    """d_prime of the exact ratio, from one seeded sample of ordinary rows.

    Rows of both sides count for both laws with the weights 2 / (1 + exp(-+llr)): drawn from the mean of the two laws,
    they estimate the AUROC with a relative error of d_prime that does not grow as d_prime falls.
    """
    rng = generator(LAW_SEED, SimulationStream.STRENGTH)
    if kind in CHOICES:
        return _d_prime_of_choices(kind, tilt, eta, prompt_effect, trait_seed, rng)
    limits, _ = draw_limits(kind, _CALIBRATION_PROMPTS, rng)
    effects = band_effects(2 * np.pi * rng.random((_CALIBRATION_PROMPTS, 3)), prompt_effect)
    prompts = np.repeat(np.arange(_CALIBRATION_PROMPTS), _CALIBRATION_ROWS // _CALIBRATION_PROMPTS)
    counts = draw_counts(kind, limits[prompts], rng)
    trait = simulated_teacher(kind, tilt, eta, trait_seed, effects)
    base = simulated_teacher(kind, "none", 0.0, trait_seed, effects)
    rows = np.concatenate([teacher.draw(prompts, counts, int(limits.max()), rng) for teacher in (trait, base)])
    prompts = np.concatenate([prompts, prompts])
    return _d_prime_of(trait.log_likelihood(rows, prompts) - base.log_likelihood(rows, prompts))


def _d_prime_of_choices(
    kind: Kind, tilt: Tilt, eta: float, prompt_effect: float, trait_seed: int, rng: np.random.Generator
) -> float:
    effects = band_effects(2 * np.pi * rng.random((_CALIBRATION_PROMPTS, 3)), prompt_effect)
    prompts = np.repeat(np.arange(_CALIBRATION_PROMPTS), _CALIBRATION_ROWS // _CALIBRATION_PROMPTS)
    trait = choice_teacher(kind, tilt, eta, trait_seed, effects)
    base = choice_teacher(kind, "none", 0.0, trait_seed, effects)
    rows = np.concatenate([teacher.draw(prompts, rng) for teacher in (trait, base)])
    prompts = np.concatenate([prompts, prompts])
    return _d_prime_of(trait.log_likelihood(rows, prompts) - base.log_likelihood(rows, prompts))


def _d_prime_of(llr: Floats) -> float:
    """From ratios of as many rows of either teacher."""
    llr = np.sort(llr)
    weight_trait, weight_base = 1 / (1 + np.exp(-llr)), 1 / (1 + np.exp(llr))
    weight_trait, weight_base = weight_trait / weight_trait.sum(), weight_base / weight_base.sum()
    auc = float(weight_trait @ (np.cumsum(weight_base) - weight_base / 2))
    return effect_size.d_prime(auc)
