"""What a permutation test would have found: its power against planted shifts and mixtures.

Everything follows from inner products of blocks, without touching the rows again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fingerprint.data.arrays import Bools, Floats, Ints
from fingerprint.statistics.permutation import TIE, PermutationTest, permutation_test, signed_statistics


@dataclass(frozen=True)
class Shift:
    """Shifts of the suspect rows, as the test sees them, one a run; a single one stands for every run.

    Attributes
    ----------
    along : dict of float arrays [runs, blocks]
        Of each family, inner products of units and shift.
    square : dict of float arrays [runs]
        Squared length of the shift.
    signed : dict of float arrays [runs]
        Of each signed score, the shift of its mean over suspect rows.
    """

    along: dict[str, Floats]
    square: dict[str, Floats]
    signed: dict[str, Floats] = field(default_factory=dict)


def planted_rejections(
    test: PermutationTest, shift: Shift, strengths: Sequence[float], true: Ints, n_null: int, alpha: float
) -> Bools:
    """Would the test reject, had another relabelling been the real one and its suspect rows been shifted?

    The units keep their real noise: a relabelling of real rows is a draw of the null, to which the shift is added.
    Everything follows from inner products of blocks, of all runs at once, without touching the rows again.

    Parameters
    ----------
    shift : Shift
        Of the rows' means, at strength 1.
    strengths : sequence of float
        What the shifts are multiplied by.
    true : int array [runs]
        Number of the relabelling that is taken for the real one in each run, 1 to `n_null` + 1.
    n_null : int
        The others of the first `n_null` + 1 relabellings make up the null.
    alpha : float
        Level of the test.

    Returns
    -------
    bool array [runs, strengths]
    """
    design = test.relabellings.design
    contrasts = test.relabellings.contrasts[1 : n_null + 2].astype(np.float64)
    pattern, squared = design.shift_pattern(contrasts[true - 1]), contrasts * contrasts
    at_pattern, at_squared_pattern = pattern @ contrasts.T, pattern**2 @ squared.T
    own_pattern = design.by_part(pattern)
    totals = np.zeros((len(strengths), *at_pattern.shape))
    for name, family in test.families.items():
        along, square = shift.along[name], shift.square[name]
        with_pattern = own_pattern @ family.off_diagonal
        with_along = design.by_part(along) @ family.off_diagonal
        form = family.statistics[1 : n_null + 2] * family.sd + family.mean
        crossed = 2 * (at_pattern * (along @ contrasts.T) - (pattern * along) @ squared.T)
        alone = square[:, None] * (at_pattern**2 - at_squared_pattern)
        for total, t in zip(totals, strengths, strict=True):
            products = with_pattern, t * with_along
            sums = design.shifted_sums(family.sums, products, pattern, t * along, t**2 * square)
            mean, sd = test.relabellings.moments(sums)
            total += test.weight(name) * (form + t * crossed + t**2 * alone - mean[:, None]) / sd[:, None]
    for name, score in test.signed.items():
        moved = pattern * shift.signed[name][:, None]
        for total, t in zip(totals, strengths, strict=True):
            for of_run, units in zip(total, score.units + t * moved, strict=True):
                statistics = signed_statistics(units, contrasts, design)
                of_run += 0.0 if statistics is None else test.weight(name) * statistics
    # The real one is among them, and stands for the 1 that is added to both counts of a p-value.
    real = np.take_along_axis(totals, np.broadcast_to(true - 1, totals.shape[:2])[..., None], axis=2)
    return np.asarray(np.count_nonzero(totals >= real - TIE, axis=2).T / len(contrasts) <= alpha)


def observed_shift(test: PermutationTest, n_null: int) -> tuple[PermutationTest, Shift]:
    """Split the units into the mean difference between the arms and the rest, for planting mixtures.

    The rest is tested under the relabellings that `planted_rejections` looks at for so many null ones, and no more.

    The shift's length is taken without the noise in it: from products of different blocks only. The rest are the units
    less the mean difference, so that a share f of the shift, planted back, acts like a share f of suspect rows.
    """
    design, observed = test.relabellings.design, test.relabellings.observed
    pattern, average = design.shift_pattern(observed), observed
    kernels: dict[str, Floats] = {}
    along: dict[str, Floats] = {}
    square: dict[str, Floats] = {}
    for name, family in test.families.items():
        toward = family.kernel @ average
        length = float(average @ toward)
        diagonal = float((average**2) @ np.diag(family.kernel))
        ratio = max(length - diagonal, 0.0) / length if length > 0 else 0.0
        cross = np.outer(pattern, toward)
        kernels[name] = family.kernel - cross - cross.T + length * np.outer(pattern, pattern)
        along[name] = ((toward - pattern * length) * np.sqrt(ratio))[None]
        square[name] = np.array([length * ratio])
    moved = {name: np.array([average @ score.units]) for name, score in test.signed.items()}
    rest = {name: score.units - pattern * moved[name] for name, score in test.signed.items()}
    few = replace(test.relabellings, contrasts=test.relabellings.contrasts[: n_null + 2])
    return permutation_test(kernels, few, rest, test.weights), Shift(along, square, moved)
