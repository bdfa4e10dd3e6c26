"""What the test would have found: power against planted signals and mixtures, and rows needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats, Floats32, Ints
from fingerprint.data.progress import Step
from fingerprint.detection.analysis import Analysis
from fingerprint.detection.case import Case
from fingerprint.detection.section import Addition, Prepared, Section
from fingerprint.report.report import Report
from fingerprint.report.results import MixturePower, PlantedPower, RowsNeeded
from fingerprint.statistics.effect_size import d_prime, rows_for_trained_detector
from fingerprint.statistics.intervals import Estimate, exact_interval
from fingerprint.statistics.permutation import PermutationTest
from fingerprint.statistics.planning import Detected, scaling
from fingerprint.statistics.power import Shift, observed_shift, planted_rejections
from fingerprint.statistics.streams import Stream

PLANTED_AUCS = (0.52, 0.55, 0.60)
MIXTURE_SHARES = (0.05, 0.10, 0.25)
PLANTED_RUNS = 200
BATCH = 50  # runs whose directions are drawn together: what they need fits the caches
PLANTED_ROWS = 4000  # rows from which the covariances of random directions are taken
NEEDED_POWERS = (0.5, 0.8, 0.95)


def _find(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Addition:
    tell("power")
    case = prepared.case
    planted = planted_power(case, main)
    mixtures = _mixture_power(case, main) if report.detected else ()
    needed = _rows_needed(case, main, report)
    return lambda others: replace(others, planted=planted, mixtures=mixtures, needed=needed)


SECTION = Section(lambda prepared: [Step("power", 0.6)], _find, is_beside=True)


def planted_power(case: Case, main: Analysis) -> tuple[PlantedPower, ...]:
    """Power against signals of several row AUROCs along random directions; nothing where no family varies.

    The effect that was asked for joins the usual ones, along the same directions: no other figure changes.
    """
    if not main.test.families:
        return ()
    shifts = _random_shifts(main, case.rng(Stream.PLANTED_SHIFTS))
    asked = case.options.min_effect
    areas = sorted({*PLANTED_AUCS, *(() if asked is None else (asked,))})
    powers = _powers(case, main.test, shifts, [d_prime(area) for area in areas])
    return tuple(PlantedPower(area, power) for area, power in zip(areas, powers, strict=True))


def _mixture_power(case: Case, main: Analysis) -> tuple[MixturePower, ...]:
    """Power when only a share of the suspect rows differs as all of them do now."""
    if not main.test.families:
        return ()
    rest, shift = observed_shift(main.test, _n_null(case))
    powers = _powers(case, rest, shift, MIXTURE_SHARES)
    return tuple(MixturePower(share, power) for share, power in zip(MIXTURE_SHARES, powers, strict=True))


def _powers(case: Case, test: PermutationTest, shift: Shift, strengths: Sequence[float]) -> list[Estimate]:
    """Share of `PLANTED_RUNS` replicates rejected at each strength, with its exact interval."""
    true = 1 + np.arange(PLANTED_RUNS) % (case.options.n_permutations - 1)
    counts = planted_rejections(test, shift, strengths, true, _n_null(case), case.alpha).sum(axis=0)
    return [Estimate(int(n) / PLANTED_RUNS, *exact_interval(int(n), PLANTED_RUNS)) for n in counts]


def _n_null(case: Case) -> int:
    """Null relabellings that a planted one is compared with: enough for the level, and few, for there are many runs."""
    return min(case.options.n_permutations - 1, max(PLANTED_RUNS - 1, 2 * int(np.ceil(1 / case.alpha)) - 1))


def _random_shifts(main: Analysis, rng: np.random.Generator) -> Shift:
    """Shifts of the row means under an exponential tilt along random directions of the feature space, one a run.

    A direction is a random score over all columns of all families, each family with the same variance (what a prior
    adds mixes columns of the others, and only moves with them). Tilting rows by
    exp(t * score), the score having unit variance, moves the mean of column x by t * Cov(x, score) and separates the
    tilted from the untilted rows with d_prime t. In a shared design, variance and covariance are those within a prompt.
    """
    names = [name for name in main.matrices if name in main.test.families]
    rows, share = _row_differences(main, names)
    drawn = {name: matrix for name, matrix in rows.items() if not main.matrices[name].family.is_prior}
    directed, _ = _row_differences(main, list(main.test.signed))
    n = next(iter(rows.values())).shape[0]
    halves = np.array_split(rng.permutation(n), 2)
    by_half = {name: [matrix[half].T for half in halves] for name, matrix in rows.items()}
    along: dict[str, list[Floats]] = {name: [] for name in names}
    square: dict[str, list[Floats]] = {name: [] for name in names}
    moved: dict[str, list[Floats]] = {name: [] for name in directed}
    for _ in range(PLANTED_RUNS // BATCH):
        scores = np.zeros((n, BATCH))
        for matrix in drawn.values():
            family = matrix @ rng.standard_normal((matrix.shape[1], BATCH)).astype(np.float32)
            family -= family.mean(axis=0)
            scores += family / np.maximum(family.std(axis=0), 1e-12)
        scores /= np.maximum(scores.std(axis=0), 1e-12) * np.sqrt(share)
        single = scores.astype(np.float32)
        for name, parts in by_half.items():
            shift = _shift([part @ single[half] * share for part, half in zip(parts, halves, strict=True)], halves)
            along[name].append((main.units[name] @ shift.astype(np.float32)).T.astype(np.float64))
            square[name].append((shift**2).sum(axis=0))
        for name, column in directed.items():
            moved[name].append(np.asarray(column.T @ scores)[0] * share / n)
    return Shift(*({name: np.concatenate(found) for name, found in of.items()} for of in (along, square, moved)))


def _shift(sums: list[Floats32], halves: list[Ints]) -> Floats:
    """Covariances of the columns with each score, shortened to the length they have without sampling noise.

    At a few hundred rows, noise makes the covariance vector of thousands of columns several times too long, and the
    power it plants too high (.47 claimed where .15 was real); products of two halves of the rows are free of it.

    Parameters
    ----------
    sums : pair of float arrays [columns, scores]
        Over the rows of each half, of their products.
    """
    whole = np.asarray(sums[0] + sums[1], dtype=np.float64) / sum(map(len, halves))
    squared = float((whole**2).sum(axis=0).mean())
    product = float((sums[0] * sums[1]).sum(axis=0, dtype=np.float64).mean())
    free_of_noise = max(product / float(np.prod([len(half) for half in halves])), 0.0)
    return whole * np.sqrt(min(free_of_noise / squared, 1.0)) if squared > 0 else whole


def _row_differences(main: Analysis, names: list[str]) -> tuple[dict[str, sp.csr_matrix], float]:
    """Rows (or, in a shared design, differences within a prompt) that covariances are taken from, and 1 (or 1/2).

    The difference of two rows has twice the variance of one.
    """
    comparison = main.comparison
    first, second = comparison.design.differences(comparison.suspect)
    step = -(-len(first) // PLANTED_ROWS)
    values = {f: main.matrices[f].values for f in names}
    if second is None:
        return {f: v[first[::step]] for f, v in values.items()}, 1.0
    return {f: v[first[::step]] - v[second[::step]] for f, v in values.items()}, 0.5


def _rows_needed(case: Case, main: Analysis, report: Report) -> tuple[RowsNeeded, ...]:
    """Rows that reach several powers: of a trained detector, and of two new corpora compared as these were."""
    is_known = report.detected or (report.auc.low or 0) > 0.5
    planners = (
        ("trained detector", _trained_detector(report.d_prime if is_known else Estimate(None), case.alpha)),
        ("this design", _this_design(case, main) if report.detected else _nothing_known),
    )
    return tuple(
        RowsNeeded(target, power, case.alpha, *planned(power))
        for target, planned in planners
        for power in NEEDED_POWERS
    )


_Planned = tuple[int | None, int | None, int | None]  # rows, and the ends of their interval


def _nothing_known(power: float) -> _Planned:
    return None, None, None


def _trained_detector(d_prime: Estimate, alpha: float) -> Callable[[float], _Planned]:
    """Rows by a power, where the detector separates rows with this d_prime."""

    def rows(apart: float | None, power: float) -> int | None:
        return None if apart is None else rows_for_trained_detector(apart, power, alpha)

    return lambda power: (rows(d_prime.value, power), rows(d_prime.high, power), rows(d_prime.low, power))


def _this_design(case: Case, main: Analysis) -> Callable[[float], _Planned]:
    """Rows or pairs by a power, from the observed shift corrected for having been detected."""
    detected = Detected.of(scaling(main.test, case.alpha))

    def planned(power: float) -> _Planned:
        ends = (detected.quantile(0.975), detected.quantile(0.025))
        times = [planner.times_needed(power) for planner in (detected, *ends)]
        rows, low, high = (None if t is None else int(np.ceil(t * main.used_suspect)) for t in times)
        return rows, low, high

    return planned
