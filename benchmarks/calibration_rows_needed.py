"""The stated numbers of pairs and rows, against the tests that they are stated for."""

from __future__ import annotations

import numpy as np
from calibration_cells import Table, parallel
from calibration_efficiency import cross_fitted
from calibration_type_i import pvalue_of
from scipy.special import ndtri

import fingerprint
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.auc import N_FOLDS, roc_auc
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.effect_size import rows_for_trained_detector

PLANS = (("dense", 1.5), ("sparse", 0.8))


def predicted(job: tuple[str, float, int]) -> tuple[int | None, float]:
    """Pairs for power .8 as a report on 600 pairs states them, and its d_prime."""
    tilt, d_prime, seed = job
    drawn = simulated_pair(600, tilt=tilt, d_prime=d_prime, rng=seed)
    report = fingerprint.detect(drawn.suspect, drawn.reference, ladder=False, n_permutations=999)
    return report.rows_needed(0.8, "this design"), float(report.d_prime.value or 0)


def rejects(job: tuple[str, float, int, int]) -> bool:
    tilt, d_prime, n_pairs, seed = job
    drawn = simulated_pair(n_pairs, tilt=tilt, d_prime=d_prime, rng=1_000_000 + seed)
    return pvalue_of(drawn.suspect, drawn.reference, seed) <= 0.05


def trained_detector_detects(job: tuple[str, float, int]) -> bool:
    """A model fitted on 600 pairs judges as many fresh rows as its d_prime asks for."""
    tilt, d_prime, seed = job
    n_train, n_fresh = 600, 1500
    drawn = simulated_pair(n_train + n_fresh, tilt=tilt, d_prime=d_prime, rng=2_000_000 + seed)
    comparison = pair(drawn.suspect, drawn.reference)
    n_groups = int(comparison.group.max()) + 1
    of_group = np.zeros(n_groups, dtype=np.int64)
    train = np.random.default_rng(seed).permutation(n_groups)[:n_train]
    of_group[train] = 1 + np.arange(n_train) % (N_FOLDS - 1)
    scores = cross_fitted(comparison, of_group[comparison.group])
    fresh = scores.arms.fold == 0
    suspect = scores.stacked[fresh & comparison.suspect]
    reference = scores.stacked[fresh & ~comparison.suspect]
    d = float(np.sqrt(2) * ndtri(roc_auc(suspect, reference)))
    rows = rows_for_trained_detector(d, 0.8, 0.05)
    if rows is None:
        return False
    rng = np.random.default_rng(seed)
    calibration, judged = reference, rng.choice(suspect, size=rows, replace=False)
    z = (judged.mean() - calibration.mean()) / (calibration.std() / np.sqrt(rows))
    return bool(z >= ndtri(0.95))


def rows_needed(runs: int) -> Table:
    """Power at the stated number of pairs and rows; asked: .8, within .1 of it on average over reports."""
    print("rows_needed for power .8, checked against the tests themselves")
    figures = []
    for tilt, d_prime in PLANS:
        plans = [p for p, _ in parallel(predicted, [(tilt, d_prime, seed) for seed in range(20)]) if p]
        pairs = int(np.median(plans))
        power = float(np.mean(parallel(rejects, [(tilt, d_prime, pairs, seed) for seed in range(runs)])))
        trained = float(np.mean(parallel(trained_detector_detects, [(tilt, d_prime, s) for s in range(runs // 2)])))
        inside = abs(power - 0.8) <= 0.1 and abs(trained - 0.8) <= 0.1
        figures.append({
            "tilt": tilt, "d_prime": d_prime, "stated_pairs": plans, "power_at_median": power, "power_trained": trained,
            "inside": inside,
        })  # fmt: skip
        print(
            f"  {tilt:6s} exact d' {d_prime}: this design, median of {len(plans)} reports {pairs} pairs (range "
            f"{min(plans)} to {max(plans)}): power {power:.3f}; trained detector: power {trained:.3f}"
            f"{'' if inside else '  OUTSIDE .7 to .9'}",
            flush=True,
        )
    return Table.of(figures)
