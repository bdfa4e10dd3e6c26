"""Coverage of the 95 % intervals."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from calibration_cells import Table, band, parallel
from calibration_efficiency import cross_fitted
from scipy.special import ndtr

from fingerprint.data.corpus import Corpus
from fingerprint.detection.analysis import bag_intervals
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.auc import N_FOLDS, roc_auc
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.crossfit import Scores, folds
from fingerprint.statistics.intervals import Estimate, auc_interval, paired_interval

BAG = 16


@dataclass(frozen=True)
class CoverageCell:
    """Simulated sets of one kind; bags need more rows than the small ones have."""

    n_pairs: int
    sets: int
    options: dict[str, Any]

    @property
    def estimates(self) -> range:
        """Which of `ESTIMATES` a report on so many pairs holds."""
        return range(len(ESTIMATES) if self.n_pairs >= 30 * BAG else len(ESTIMATES) - 1)


COVERAGE = (
    CoverageCell(200, 1000, {"tilt": "none"}),
    CoverageCell(200, 1000, {"tilt": "dense", "d_prime": 1.0}),
    CoverageCell(2000, 300, {"tilt": "none"}),
    CoverageCell(2000, 300, {"tilt": "dense", "d_prime": 1.0}),
)
FRESH_PAIRS = 1000  # fresh rows on which the models' expected auc is taken, a fold's models at a time
FRESH_SETS = 120
FIXED_ROWS, FIXED_SETS, FIXED_D_PRIME = 1000, 300, 0.3
ESTIMATES = ("auc", "auc paired", "auc of numbers", "bags of 16")
# The paired interval borrows its factor for the reuse of rows in training from the AUROC. It covers more than it says
# (.980 at 200 pairs without a signal, .963 to .967 elsewhere): conservative, so bounded from below only.
CONSERVATIVE = ("auc paired",)


def intervals_of(job: tuple[CoverageCell, int]) -> list[tuple[float, float]]:
    """Lower and upper end of each of `ESTIMATES`; not a number where the report leaves it out."""
    cell, seed = job
    drawn = simulated_pair(cell.n_pairs, rng=seed, **cell.options)
    scores = cross_fitted(pair(drawn.suspect, drawn.reference))
    bags = {bag.k: bag.auc for bag in bag_intervals(scores, np.random.default_rng([seed, 2]))}
    return ends(auc_interval(scores), paired_interval(scores), auc_interval(scores, "numbers"), bags[BAG])


def ends(*estimates: Estimate) -> list[tuple[float, float]]:
    return [(np.nan, np.nan) if e.value is None else (float(e.low or 0), float(e.high or 0)) for e in estimates]


def fresh_values(job: tuple[CoverageCell, int]) -> list[float]:
    """What `ESTIMATES` estimate: on fresh rows, for models fitted on as many rows (four folds of them).

    Fresh pairs come from one law without prompt effects: a pair's rows are as any two rows.
    """
    cell, seed = job
    n_train = cell.n_pairs * (N_FOLDS - 1) // N_FOLDS
    drawn = simulated_pair(n_train + FRESH_PAIRS, rng=10_000_000 + seed, **cell.options)
    comparison = pair(drawn.suspect, drawn.reference)
    n_groups = int(comparison.group.max()) + 1
    of_group = np.zeros(n_groups, dtype=np.int64)  # fold 0 holds the fresh rows
    train = np.random.default_rng(seed).permutation(n_groups)[:n_train]
    of_group[train] = 1 + np.arange(n_train) % (N_FOLDS - 1)
    scores = cross_fitted(comparison, of_group[comparison.group])
    fresh, suspect = scores.arms.fold == 0, comparison.suspect
    arms = [[v[fresh & arm] for arm in (suspect, ~suspect)] for v in (scores.stacked, scores.families["numbers"])]
    bags = [np.mean(rows[: len(rows) // BAG * BAG].reshape(-1, BAG), axis=1) for rows in arms[0]]
    area = roc_auc(*arms[0])
    return [area, area, roc_auc(*arms[1]), roc_auc(*bags)]


def fixed_intervals(seed: int) -> list[tuple[float, float]]:
    """The same for a score that is not fitted, such as a filter's: normal, of known separation."""
    rng = np.random.default_rng([8_000_000, seed])
    names = [str(i) for i in range(FIXED_ROWS)]
    comparison = pair(Corpus(tuple(f"s{i}" for i in names), name="suspect"), Corpus(tuple(names), name="reference"))
    values = rng.standard_normal(2 * FIXED_ROWS) + FIXED_D_PRIME * comparison.suspect
    scores = Scores.fixed(comparison.arms(folds(comparison)), values)
    bags = {bag.k: bag.auc for bag in bag_intervals(scores, np.random.default_rng([seed, 2]))}
    return ends(auc_interval(scores), bags[BAG])


def coverage(scale: float) -> Table:
    """Share of 95 % intervals that hold what they estimate: for models of this size, its expectation on fresh rows."""
    print("Coverage of 95 % intervals, of what models of this size reach on fresh rows; then for a score not fitted")
    n_cells = sum(len(cell.estimates) for cell in COVERAGE) + 2
    figures = []
    for cell in COVERAGE:
        sets = max(int(cell.sets * scale), 20)
        started = time.perf_counter()
        truth, error = np.full(len(ESTIMATES), 0.5), np.zeros(len(ESTIMATES))
        if cell.options["tilt"] != "none":
            fresh = np.array(parallel(fresh_values, [(cell, seed) for seed in range(max(int(FRESH_SETS * scale), 20))]))
            truth, error = fresh.mean(axis=0), fresh.std(axis=0) / np.sqrt(len(fresh))
        found = np.array(parallel(intervals_of, [(cell, seed) for seed in range(sets)]))
        print(f"  {cell.n_pairs:,} pairs, {cell.options['tilt']}, {sets:,} sets, {time.perf_counter() - started:.0f} s")
        for i in cell.estimates:
            name, is_exact = ESTIMATES[i], ESTIMATES[i] not in CONSERVATIVE
            title = f"{name}, {truth[i]:.4f} (se {error[i]:.4f})"
            figure = covers(title, found[:, i], float(truth[i]), n_cells, is_exact)
            figures.append({"pairs": cell.n_pairs, "tilt": cell.options["tilt"], "interval": name, **figure})
    sets = max(int(FIXED_SETS * scale), 20)
    found = np.array(parallel(fixed_intervals, list(range(sets))))
    print(f"  a fixed score, {FIXED_ROWS:,} rows a side, {sets:,} sets")
    for i, (name, d_prime) in enumerate((("auc", FIXED_D_PRIME), ("bags of 16", FIXED_D_PRIME * BAG**0.5))):
        truth_here = float(ndtr(d_prime / np.sqrt(2)))
        figure = covers(f"{name}, {truth_here:.4f}", found[:, i], truth_here, n_cells)
        figures.append({"rows": FIXED_ROWS, "d_prime": FIXED_D_PRIME, "interval": name, **figure})
    return Table.of(figures)


def covers(name: str, found: np.ndarray, truth: float, n_cells: int, is_exact: bool = True) -> dict[str, Any]:
    """Print how many of the intervals [sets, 2] hold the truth, and whether the share is inside its band.

    The band of an interval that is not exact but conservative has no upper end.
    """
    low, high = band(len(found), 0.95, n_cells)
    high = high if is_exact else 1.0
    rate = float(((found[:, 0] <= truth) & (truth <= found[:, 1])).mean())
    inside = low <= rate <= high
    width = float(np.mean(found[:, 1] - found[:, 0]))
    print(
        f"    {name:36s} covered {rate:.3f} [{low:.3f}, {high:.3f}], mean width {width:.3f}"
        f"{'' if inside else ' OUTSIDE'}",
        flush=True,
    )
    return {
        "sets": len(found), "truth": truth, "covered": rate, "low": low, "high": high, "mean_width": width,
        "inside": inside,
    }  # fmt: skip
