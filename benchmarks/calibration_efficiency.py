"""Share of the best possible d_prime that is reached."""

from __future__ import annotations

import numpy as np
from calibration_cells import Table, parallel
from scipy.special import ndtri

from fingerprint.features import choose
from fingerprint.features.scaling import family_matrix
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.auc import fold_auc
from fingerprint.statistics.comparison import Comparison, pair
from fingerprint.statistics.crossfit import Scores, cross_fit

SIZES = (500, 2000, 8000)
ASKED = {"dense": 0.85, "sparse": 0.7, "order": 0.5}


def cross_fitted(comparison: Comparison, fold: np.ndarray | None = None) -> Scores:
    matrices = {
        name: family_matrix(family, comparison.texts, name).values
        for name, family in choose("auto", comparison.texts).items()
    }
    return cross_fit(comparison, {name: m for name, m in matrices.items() if m.shape[1]}, fold=fold)


def reached(job: tuple[str, int, int]) -> dict[str, float]:
    """d_prime of every family and of the stack, over the exact d_prime of the same rows."""
    tilt, n_rows, seed = job
    drawn = simulated_pair(n_rows, tilt=tilt, d_prime=1.0, rng=seed)
    scores = cross_fitted(pair(drawn.suspect, drawn.reference))
    values = {**scores.families, "stack": scores.stacked}
    return {
        name: float(np.sqrt(2) * ndtri(fold_auc(scores.arms, v).value)) / drawn.d_prime for name, v in values.items()
    }


def efficiency() -> Table:
    """Share of the best possible d_prime that is reached; the stack has to reach `ASKED` at the largest size."""
    print("d_prime reached over exact d_prime (exact 1.0 a row; rows a side; mean of 3 simulations)")
    figures = []
    for tilt, asked in ASKED.items():
        for n_rows in SIZES:
            found = parallel(reached, [(tilt, n_rows, seed) for seed in range(3)])
            mean = {name: float(np.mean([f[name] for f in found])) for name in found[0]}
            best = max(mean.values()) if tilt == "order" else mean["stack"]
            inside = n_rows < max(SIZES) or best >= asked
            figures.append({"tilt": tilt, "rows_a_side": n_rows, "d_prime_over_exact": mean, "inside": inside})
            told = "  ".join(f"{name} {value:.2f}" for name, value in mean.items())
            note = f"asked {asked} {'reached' if inside else 'MISSED'}" if n_rows == max(SIZES) else ""
            print(f"  {tilt:6s} {n_rows:5d}  {told}  {note}", flush=True)
    return Table.of(figures)
