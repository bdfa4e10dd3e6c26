"""What a comparison of fingerprints would have found: power against signals of several row AUROCs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fingerprint.data.arrays import Floats, Floats32
from fingerprint.fingerprints.layout import CellFamily, Cells
from fingerprint.report.results import PlantedPower
from fingerprint.statistics.effect_size import d_prime
from fingerprint.statistics.intervals import Estimate, exact_interval
from fingerprint.statistics.permutation import PermutationTest
from fingerprint.statistics.power import Shift, planted_rejections

PLANTED_AUCS = (0.52, 0.55, 0.60)
RUNS = 200
LEAST_NULL = 199


def planted_powers(
    cells: Cells, families: Mapping[str, CellFamily], test: PermutationTest, alpha: float, rng: np.random.Generator
) -> tuple[PlantedPower, ...]:
    """Share of planted shifts that are found, along random directions; nothing where no family varies.

    Tilting rows along a random score moves the mean of column x by d_prime * Cov(x, score) / sd(score), over rows. A
    cell's difference varies as rows do, over how many rows it holds of both sides.
    """
    if not test.families:
        return ()
    units = {name: families[name].units for name in test.families}
    rows = [side[(cells.rows[0] > 0) & (cells.rows[1] > 0)] for side in cells.rows]
    # A unit is the difference of the sides' means times the number of cells: this is a row's variance over a unit's.
    share = float(np.mean(rows[0] * rows[1] / (rows[0] + rows[1]))) if len(rows[0]) else 1.0
    shift = _random_shifts(units, share, rng)
    null = min(len(test.relabellings.contrasts) - 2, max(LEAST_NULL, 2 * int(np.ceil(1 / alpha)) - 1))
    true = 1 + np.arange(RUNS) % (null + 1)
    found = planted_rejections(test, shift, [d_prime(area) for area in PLANTED_AUCS], true, null, alpha)
    counts = found.sum(axis=0)
    return tuple(
        PlantedPower(area, Estimate(int(n) / RUNS, *exact_interval(int(n), RUNS)))
        for area, n in zip(PLANTED_AUCS, counts, strict=True)
    )


def _random_shifts(units: Mapping[str, Floats32], share: float, rng: np.random.Generator) -> Shift:
    """Covariances of the columns with random scores, as long as they are without the noise of so few cells."""
    n = len(next(iter(units.values())))
    scores = np.zeros((n, RUNS))
    for matrix in units.values():
        family = (matrix @ rng.standard_normal((matrix.shape[1], RUNS)).astype(np.float32)).astype(np.float64)
        family -= family.mean(axis=0)
        scores += family / np.maximum(family.std(axis=0), 1e-12)
    scores /= np.maximum(scores.std(axis=0), 1e-12)
    halves = np.array_split(rng.permutation(n), 2)
    along, square = {}, {}
    for name, matrix in units.items():
        moved = _shift(matrix, scores.astype(np.float32), halves) * np.sqrt(share)
        along[name] = (matrix @ moved.astype(np.float32)).T.astype(np.float64)
        square[name] = np.asarray((moved**2).sum(axis=0), dtype=np.float64)
    return Shift(along, square)


def _shift(matrix: Floats32, scores: Floats32, halves: list[np.ndarray]) -> Floats:
    """Covariances [columns, runs], shortened to the length that products of two halves of the cells give."""
    whole = np.asarray(matrix.T @ scores, dtype=np.float64) / len(scores)
    parts = [np.asarray(matrix[half].T @ scores[half], dtype=np.float64) / len(half) for half in halves]
    squared = float((whole**2).sum(axis=0).mean())
    free_of_noise = max(float((parts[0] * parts[1]).sum(axis=0).mean()), 0.0)
    return whole * np.sqrt(min(free_of_noise / squared, 1.0)) if squared > 0 else whole
