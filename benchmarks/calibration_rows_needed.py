"""The stated numbers of pairs and rows, against the tests that they are stated for."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from calibration_cells import Table, parallel
from calibration_efficiency import cross_fitted
from calibration_type_i import omnibus_of, pvalue_of
from scipy.special import ndtri

from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.auc import N_FOLDS, roc_auc
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.effect_size import rows_for_trained_detector
from fingerprint.statistics.planning import Detected, scaling

Tilt = Literal["dense", "sparse"]
DesignKind = Literal["shared", "disjoint"]

# Tilt, exact d_prime, pairs (rows a side) and design of comparisons that are detected about half of the time. The prior
# of `fingerprint.statistics.planning.Detected` was chosen among four on other settings.
DETECTED: tuple[tuple[Tilt, float, int, DesignKind], ...] = (
    ("dense", 0.9, 100, "shared"),
    ("sparse", 0.5, 200, "shared"),
    ("sparse", 0.65, 100, "disjoint"),
    ("dense", 0.7, 200, "disjoint"),
)
TRAINED: tuple[tuple[Tilt, float], ...] = (("dense", 1.5), ("sparse", 0.8))


def stated(job: tuple[Tilt, float, int, DesignKind, int]) -> tuple[int | None, int | None] | None:
    """Pairs (rows a side) for power .8 as the report of a detected comparison states them, now and uncorrected."""
    tilt, d_prime, n, design, seed = job
    drawn = simulated_pair(n, tilt=tilt, d_prime=d_prime, design=design, rng=seed)
    test = omnibus_of(drawn.suspect, drawn.reference, seed, n_permutations=999)
    if test.pvalue > 0.05:
        return None
    growth = scaling(test, 0.05)
    times = [shift.times_needed(0.8) for shift in (Detected.of(growth), growth)]
    planned, uncorrected = (None if t is None else int(np.ceil(t * n)) for t in times)
    return planned, uncorrected


def rejects(job: tuple[Tilt, float, int, DesignKind, int]) -> bool:
    tilt, d_prime, n, design, seed = job
    drawn = simulated_pair(n, tilt=tilt, d_prime=d_prime, design=design, rng=1_000_000 + seed)
    return pvalue_of(drawn.suspect, drawn.reference, seed) <= 0.05


def trained_detector_detects(job: tuple[Tilt, float, int]) -> bool:
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
    """Power at the stated number of rows; asked: .8, real .75 to .9 (this design), .7 to .9 (trained detector)."""
    print("rows_needed for power .8, stated by detected comparisons, checked against the tests themselves")
    figures = [_after_detection(setting, runs) for setting in DETECTED]
    for tilt, d_prime in TRAINED:
        power = float(np.mean(parallel(trained_detector_detects, [(tilt, d_prime, s) for s in range(runs // 2)])))
        inside = abs(power - 0.8) <= 0.1
        figures.append({"trained detector": tilt, "d_prime": d_prime, "power": power, "inside": inside})
        outside = "" if inside else "  OUTSIDE .7 to .9"
        print(f"  trained detector, {tilt:6s} exact d' {d_prime}: power {power:.3f}{outside}", flush=True)
    return Table.of(figures)


def _after_detection(setting: tuple[Tilt, float, int, DesignKind], runs: int) -> dict[str, Any]:
    """Real power at the numbers that detected comparisons state: on average over them, and at their median."""
    tilt, d_prime, n, design = setting
    reports = parallel(stated, [(tilt, d_prime, n, design, 8_000_000 + seed) for seed in range(runs)])
    detected = [found for found in reports if found is not None]
    known = [planned for planned, _ in detected if planned is not None]
    uncorrected = int(np.median([number for _, number in detected if number is not None]))
    # Beyond eight times the sample a test nearly always rejects, and is slow: such numbers are checked there.
    jobs = [(tilt, d_prime, min(number, 8 * n), design, seed) for seed, number in enumerate(known)]
    mean = float(np.mean(parallel(rejects, [(*job[:4], 10 * job[4] + again) for job in jobs for again in range(4)])))
    # What is asked of the mean is what a user meets; a power at the median is that of no single report.
    at_median, before = (
        float(np.mean(parallel(rejects, [(tilt, d_prime, number, design, seed) for seed in range(runs)])))
        for number in (int(np.median(known)), uncorrected)
    )
    inside = 0.75 <= mean <= 0.9
    print(
        f"  {tilt:6s} {design:8s} exact d' {d_prime}, {n} rows a side: detected {len(detected)} of {runs}; stated "
        f"{np.quantile(known, 0.1):.0f} to {np.quantile(known, 0.9):.0f}, median {np.median(known):.0f}; power "
        f"{mean:.3f} on average, {at_median:.3f} at the median; uncorrected median {uncorrected}: power {before:.3f}"
        f"{'' if inside else '  OUTSIDE .75 to .9'}",
        flush=True,
    )
    return {
        "tilt": tilt, "design": design, "d_prime": d_prime, "n": n, "detected": len(detected), "runs": runs,
        "stated": known, "power_mean": mean, "power_at_median": at_median, "uncorrected_median": uncorrected,
        "power_uncorrected": before, "inside": inside,
    }  # fmt: skip
