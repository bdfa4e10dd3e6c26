"""Directions in which choices differ: what they tell of other prompts, and whether they are the reference's own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fingerprint.data.arrays import Floats, Floats32
from fingerprint.preferences.contrasts import Contrasts, differences
from fingerprint.preferences.exact_test import ChoiceTest
from fingerprint.preferences.pairs import JudgedPairs
from fingerprint.statistics.permutation import PermutationTest

FOLDS = 5
LEAST_FORETOLD = 10  # differing choices; a share of fewer says nothing


def foretold(pairs: JudgedPairs, found: Contrasts, test: ChoiceTest) -> float | None:
    """Share of the choices that differ whose direction is told by the mean difference of other prompts' choices.

    A row without a partner (a pair that one side alone judged) takes no part.
    """
    paired = test.sides.design.paired
    differ = np.flatnonzero(pairs.turns)
    if paired is None or len(differ) < LEAST_FORETOLD:
        return None
    block_of_pair = np.full(len(pairs.group), -1)
    block_of_pair[test.sides.pair] = paired.block
    differ = differ[block_of_pair[differ] >= 0]
    fold = block_of_pair % FOLDS
    scores = np.zeros(len(pairs.group))
    scale = _scales(test.beyond)
    for left_out in range(FOLDS):
        rows = fold == left_out
        others = np.arange(test.sides.design.n_blocks) % FOLDS != left_out
        others &= np.arange(len(others)) < paired.n_blocks
        for name, factor in scale.items():
            direction = test.units[name][others].sum(axis=0, dtype=np.float64) * factor
            told = found.told[rows] @ (found.loadings[name] @ direction)
            scores[rows] += found.features[name][rows] @ direction - told
    right = np.sign(scores[differ]) * np.sign(pairs.turns[differ])
    return float((right + 1).mean() / 2) if len(right) >= LEAST_FORETOLD else None


def cosine_with_own(pairs: JudgedPairs, found: Contrasts, test: ChoiceTest) -> float | None:
    """Cosine of the judges' difference and the reference's own preference, free of noise; None where one is nothing.

    Products of different blocks alone count: within a block the reference's choices enter both. A suspect that is the
    reference with more noise differs from it by less of its preference: -1.
    """
    reference = np.where(test.sides.suspect, 0.0, -2 * test.sides.choice)  # a row of the reference counts as -1/2
    told = test.sides.units(found.told, reference)
    sums = np.zeros(3)
    for name, factor in _scales(test.beyond).items():
        own = differences(test.sides.units(found.features[name], reference), told, found.loadings[name])
        difference = test.units[name]
        for place, (first, second) in enumerate(((difference, own), (difference, difference), (own, own))):
            sums[place] += factor * _between_blocks(first, second)
    return float(np.clip(sums[0] / np.sqrt(sums[1] * sums[2]), -1, 1)) if min(sums[1], sums[2]) > 0 else None


def _between_blocks(first: Floats32, second: Floats32) -> float:
    """Inner product of the sums over all blocks, less those of each block with itself."""
    sums = [units.sum(axis=0, dtype=np.float64) for units in (first, second)]
    return float(sums[0] @ sums[1]) - float(np.einsum("bc,bc->", first, second, dtype=np.float64))


def _scales(test: PermutationTest) -> Mapping[str, float]:
    """What each family counts in a direction: as in the omnibus, in units of its statistic's standard deviation."""
    return {name: test.weight(name) / family.sd for name, family in test.families.items()}


def rates(pairs: JudgedPairs, length: Floats) -> tuple[Floats, Floats]:
    """How often each judge chose the longer text, and the one shown first, of the pairs it saw [2]; nan if unknown."""
    longer = np.sign(length)
    found = []
    for side in range(2):
        seen = pairs.seen[side] & (longer != 0)
        known = np.isfinite(pairs.positions[side])
        found.append(
            (
                (1 + (pairs.choices[side, seen] * longer[seen]).mean()) / 2 if seen.any() else np.nan,
                (1 + pairs.positions[side, known].mean()) / 2 if known.any() else np.nan,
            )
        )
    by_length, by_position = np.array(found).T
    return by_length, by_position
