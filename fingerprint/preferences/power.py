"""What the test of choices would have found, had a share of them followed a hidden preference; and pairs needed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats, Floats32, Ints
from fingerprint.preferences.contrasts import Contrasts, differences
from fingerprint.preferences.exact_test import ChoiceTest, Sides
from fingerprint.preferences.result import ChoicePower, PairsNeeded
from fingerprint.statistics.intervals import Estimate, exact_interval
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test
from fingerprint.statistics.planning import Detected, scaling
from fingerprint.statistics.power import Shift, planted_rejections

# Shares of the choices that a planted preference decides.
PLANTED_SHARES = (0.02, 0.05, 0.10, 0.20)
# Random preferences, each planted once: an interval of .07 on either side of a power of .5.
RUNS = 200
# Null relabellings that a planted one is compared with: enough for the level, and few, for there are many runs.
LEAST_NULL = 199
NEEDED_POWERS = (0.5, 0.8, 0.95)
BATCH = 50  # preferences drawn together: what they need fits the caches


def planted_powers(
    found: Contrasts, test: ChoiceTest, weights: Mapping[str, float], alpha: float, rng: np.random.Generator
) -> tuple[ChoicePower, ...]:
    """Power against preferences that decide a share of the suspect's choices; nothing where no pair can show one.

    A preference is a random score over all columns of all families, without what length and order tell, and the
    choices that it decides go to the text with the higher score. They are drawn at random; the suspect's other choices
    stay as they are. Those decided vary as coins do, and that is added to the noise.
    """
    if not test.sides.pairs or not found.features:
        return ()
    shifts = _random_shifts(found, test, rng)
    limit = len(test.beyond.relabellings.contrasts) - 2
    n_null = min(limit, max(LEAST_NULL, 2 * int(np.ceil(1 / alpha)) - 1))
    relabellings = Relabellings(test.sides.design, test.beyond.relabellings.contrasts[: n_null + 2])
    powers = []
    for share in PLANTED_SHARES:
        units = _with_coins(found, test.sides, share, rng)
        noisy = permutation_test({name: gram(u) for name, u in units.items()}, relabellings, None, weights)
        toward = {name: units[name] @ shifts[name].astype(np.float32) for name in noisy.families}
        along = {name: np.asarray(own.T, dtype=np.float64) for name, own in toward.items()}
        square = {name: np.asarray((shifts[name] ** 2).sum(axis=0)) for name in noisy.families}
        true = 1 + np.arange(RUNS) % (n_null + 1)
        rejected = planted_rejections(noisy, Shift(along, square), [share], true, n_null, alpha)
        powers.append(int(rejected.sum()))
    return tuple(
        ChoicePower(share, Estimate(count / RUNS, *exact_interval(count, RUNS)))
        for share, count in zip(PLANTED_SHARES, powers, strict=True)
    )


def _with_coins(found: Contrasts, sides: Sides, share: float, rng: np.random.Generator) -> dict[str, Floats32]:
    """Units [blocks, columns] by family, after a share of the suspect's choices was made by a coin."""
    coin = np.where(rng.random(sides.pairs) < 0.5, 1.0, -1.0)
    is_coin = rng.random(sides.pairs) < share
    # A judge alone is compared with its opposite, which turns with it.
    turned = sides.suspect | sides.is_alone
    signed = np.where(sides.suspect, coin[sides.pair], -coin[sides.pair])
    choice = np.where(is_coin[sides.pair] & turned, signed, sides.choice)
    told = sides.units(found.told, choice)
    return {
        name: differences(sides.units(values, choice), told, found.loadings[name])
        for name, values in found.features.items()
    }


def _random_shifts(found: Contrasts, test: ChoiceTest, rng: np.random.Generator) -> dict[str, Floats]:
    """How far the mean contrast of a pair moves [columns, runs] where every choice goes with a random score."""
    features = {name: found.features[name] for name in test.units}
    halves = np.array_split(rng.permutation(test.sides.pairs), 2)
    shifts: dict[str, list[Floats]] = {name: [] for name in features}
    for _ in range(RUNS // BATCH):
        scores = np.zeros((test.sides.pairs, BATCH))
        for name, values in features.items():
            direction = rng.standard_normal((values.shape[1], BATCH))
            own = values @ direction - found.told @ (found.loadings[name] @ direction)
            scores += own / np.maximum(np.sqrt((own**2).mean(axis=0)), 1e-12)
        signs = np.sign(scores)
        for name, values in features.items():
            sums = [_residual_sums(found, name, values, signs, half) for half in halves]
            # Half the difference of two choices, of which one moves, or both where one is the other's opposite.
            shifts[name].append(_without_noise(sums, halves) / (1 if test.sides.is_alone else 2))
    return {name: np.hstack(parts) for name, parts in shifts.items()}


def _residual_sums(found: Contrasts, name: str, values: sp.csr_matrix, signs: Floats, rows: Ints) -> Floats:
    """Sums over some pairs of their contrasts times signs [columns, runs]."""
    told = found.told[rows].T @ signs[rows]
    return np.asarray(values[rows].T @ signs[rows] - found.loadings[name].T @ told)


def _without_noise(sums: list[Floats], halves: list[Ints]) -> Floats:
    """Means over the pairs, shortened to the length that products of two halves of the pairs give."""
    whole = (sums[0] + sums[1]) / sum(map(len, halves))
    squared = float((whole**2).sum(axis=0).mean())
    product = float((sums[0] * sums[1]).sum(axis=0).mean()) / float(np.prod([len(half) for half in halves]))
    return whole * np.sqrt(min(max(product, 0.0) / squared, 1.0)) if squared > 0 else whole


def pairs_needed(test: ChoiceTest, alpha: float) -> tuple[PairsNeeded, ...]:
    """Pairs of a new comparison like this one, corrected for having been detected."""
    detected = Detected.of(scaling(test.beyond, alpha))
    planners = (detected, detected.quantile(0.975), detected.quantile(0.025))
    needed = []
    for power in NEEDED_POWERS:
        times = [planner.times_needed(power) for planner in planners]
        pairs = [None if t is None else int(np.ceil(t * test.sides.pairs)) for t in times]
        needed.append(PairsNeeded(power, alpha, *pairs))
    return tuple(needed)
