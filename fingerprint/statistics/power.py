"""What a permutation test would have found: its power against planted shifts and mixtures.

Everything follows from inner products of blocks, without touching the rows again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.statistics.permutation import PermutationTest, permutation_test, pvalue, signed_statistics


@dataclass(frozen=True)
class Shift:
    """A shift of the suspect rows, as the test sees it: per family, its products with the units and its square."""

    along: dict[str, Floats]  # family -> [blocks], inner products of units and shift
    square: dict[str, float]  # family -> squared length of the shift
    signed: dict[str, float] = field(default_factory=dict)  # signed score -> shift of its mean over suspect rows


def planted_rejections(
    test: PermutationTest, shift: Shift, strengths: Sequence[float], true: int, n_null: int, alpha: float
) -> list[bool]:
    """Would the test reject, had relabelling number `true` been the real one and its suspect rows been shifted?

    The units keep their real noise: relabelling `true` of real rows is a draw of the null, to which the shift is added.
    Everything follows from inner products in O(blocks^2), without touching the rows again.

    Parameters
    ----------
    shift : Shift
        Of the rows' means, at strength 1.
    strengths : sequence of float
        What the shift is multiplied by: one answer for each.
    true : int
        Number of the relabelling that is taken for the real one, at least 1.
    n_null : int
        How many relabellings (other than the observed and the true one) make up the null.
    alpha : float
        Level of the test.
    """
    design = test.relabellings.design
    chosen = np.array([true, *[i for i in range(1, n_null + 2) if i != true][:n_null]])
    f = test.relabellings.contrasts[chosen].astype(np.float64)
    pattern = design.shift_pattern(f[0])
    own_pattern, at_pattern, squared = design.by_part(pattern), f @ pattern, f * f
    at_squared_pattern = squared @ pattern**2
    totals = np.zeros((len(strengths), len(f)))
    for name, family in test.families.items():
        along, square = shift.along[name], shift.square[name]
        with_pattern, with_along = family.off_diagonal @ own_pattern, family.off_diagonal @ design.by_part(along)
        form = family.statistics[chosen] * family.sd + family.mean
        crossed = 2 * (at_pattern * (f @ along) - squared @ (pattern * along))
        alone = square * (at_pattern**2 - at_squared_pattern)
        for total, t in zip(totals, strengths, strict=True):
            products = with_pattern, t * with_along
            sums = design.shifted_sums(family.sums, products, pattern, t * along, t**2 * square)
            mean, sd = test.relabellings.moments(sums)
            total += test.weight(name) * (form + t * crossed + t**2 * alone - mean) / sd
    for name, score in test.signed.items():
        for total, t in zip(totals, strengths, strict=True):
            statistics = signed_statistics(score.units + t * pattern * shift.signed[name], f, design)
            total += 0.0 if statistics is None else test.weight(name) * statistics
    return [pvalue(total) <= alpha for total in totals]


def observed_shift(test: PermutationTest) -> tuple[PermutationTest, Shift]:
    """Split the units into the mean difference between the arms and the rest, for planting mixtures.

    The shift's length is taken without the noise in it: from products of different blocks only. The rest are the units
    less the mean difference, so that a share f of the shift, planted back, acts like a share f of suspect rows.
    """
    design, observed = test.relabellings.design, test.relabellings.observed
    pattern, average = design.shift_pattern(observed), observed
    kernels: dict[str, Floats] = {}
    along: dict[str, Floats] = {}
    square: dict[str, float] = {}
    for name, family in test.families.items():
        toward = family.kernel @ average
        length = float(average @ toward)
        diagonal = float((average**2) @ np.diag(family.kernel))
        ratio = max(length - diagonal, 0.0) / length if length > 0 else 0.0
        cross = np.outer(pattern, toward)
        kernels[name] = family.kernel - cross - cross.T + length * np.outer(pattern, pattern)
        along[name] = (toward - pattern * length) * np.sqrt(ratio)
        square[name] = length * ratio
    moved = {name: float(average @ score.units) for name, score in test.signed.items()}
    rest = {name: score.units - pattern * moved[name] for name, score in test.signed.items()}
    return permutation_test(kernels, test.relabellings, rest, test.weights), Shift(along, square, moved)
