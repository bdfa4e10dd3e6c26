"""The statistical suites: what `benchmarks/calibration.py` prints has to stay inside its bands; and they can fail.

    make test-slow

About an hour and a half on two cores. Bands: exact binomial, joint level 1e-3 over the cells of a table; the numbers of
nulls follow from the error rates that have to be caught (see `calibration_cells.looks`, and the tests of it below).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import calibration_cells
import calibration_suite
import calibration_type_i
import numpy as np
import pytest
from calibration_cells import CAUGHT, INFLATED, JOINT_LEVEL, Table, band, error_rates, looks
from scipy.stats import binom

from fingerprint.features.scaling import family_matrix
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.permutation import Relabellings, pvalue
from fingerprint.statistics.ridge import ridge_scores

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["type-i"], ["coverage"], ["efficiency"], ["rows-needed"], ["suite"]],
    ids=lambda c: c[0],
)
def test_figures_stay_inside_their_bands(command: list[str]) -> None:
    script = str(BENCHMARKS / "calibration.py")
    done = subprocess.run([sys.executable, script, *command], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


# ------------------------------------------------------------------------------------------------ the bands can fail


@pytest.mark.parametrize("alpha", sorted(INFLATED))
@pytest.mark.parametrize("cells", [2, 26, 46])
def test_two_looks_catch_inflated_rates_and_no_right_ones(cells: int, alpha: float) -> None:
    """From the binomial law alone: .069 at .05 and .02 at .01 are caught with probability .95."""
    assert (INFLATED[0.05], INFLATED[0.01]) == (0.069, 0.02)
    assert CAUGHT == 0.95
    found = [(look.runs, *look.limits[alpha]) for look in looks(cells)]
    caught = [binom.sf(high, runs, INFLATED[alpha]) for runs, _, high in found]
    assert np.prod(caught) >= 0.95
    wrong = [binom.sf(high, runs, alpha) + binom.cdf(low - 1, runs, alpha) for runs, low, high in found]
    assert np.prod(wrong) <= JOINT_LEVEL / cells
    assert wrong[0] < 0.06, "the second look is rare"
    _, high = band(400, alpha, cells)
    assert binom.sf(round(high * 400), 400, INFLATED[alpha]) < 0.3, "as 400 nulls do not"


def _pvalues_at(rate: dict[float, float], rng: np.random.Generator) -> Callable[[range], np.ndarray]:
    """p-values that are at most .05 and at most .01 with these probabilities, otherwise uniform."""

    def draw(seeds: range) -> np.ndarray:
        return np.interp(rng.random(len(seeds)), [0, rate[0.01], rate[0.05], 1], [0, 0.01, 0.05, 1])

    return draw


@pytest.mark.parametrize("alpha", sorted(INFLATED))
def test_error_rates_leave_their_bands_as_often_as_planned(alpha: float) -> None:
    rng = np.random.default_rng(1)
    right = {0.05: 0.05, 0.01: 0.01}
    wrong = right | {alpha: INFLATED[alpha]}
    assert not any(not error_rates(_pvalues_at(right, rng), 26)["inside"] for _ in range(200))
    caught = sum(not error_rates(_pvalues_at(wrong, rng), 26)["inside"] for _ in range(200))
    assert caught >= binom.ppf(1e-3, 200, 0.95)


@pytest.mark.parametrize("bad", [None, 0, 7, 12])
def test_one_bad_setting_fails_the_default_table(
    bad: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(2)
    rates = {id(cell): {0.05: 0.05, 0.01: 0.01} for cell in calibration_type_i.NULLS}
    if bad is not None:
        rates[id(calibration_type_i.NULLS[bad])] = {0.05: 0.069, 0.01: 0.02}
    rates[id(calibration_type_i.WITHHELD)] = {0.05: 0.8, 0.01: 0.6}

    def parallel(_: object, jobs: list[tuple[Any, int]]) -> list[float]:
        return [float(_pvalues_at(rates[id(cell)], rng)(range(1))[0]) for cell, _ in jobs]

    monkeypatch.setattr(calibration_type_i, "parallel", parallel)
    assert calibration_type_i.type_i().inside == (bad is None)
    assert ("OUTSIDE" in capsys.readouterr().out) == (bad is not None)


@pytest.mark.parametrize("bad", [None, 0, 8, -1])
def test_one_bad_setting_fails_the_default_suite(
    bad: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also a setting that is held from above alone, as the ninth is (layout alone)."""
    rng = np.random.default_rng(3)
    rates = {cell.name: {0.05: 0.05, 0.01: 0.01} for cell in calibration_suite.SETTINGS}
    if bad is not None:
        rates[calibration_suite.SETTINGS[bad].name] = {0.05: 0.069, 0.01: 0.02}

    def parallel(_: object, jobs: list[tuple[Any, int]]) -> list[float]:
        return [float(_pvalues_at(rates[cell.name], rng)(range(1))[0]) for cell, _ in jobs]

    monkeypatch.setattr(calibration_suite, "parallel", parallel)
    assert calibration_suite.suite(nulls_only=True).inside == (bad is None)
    assert ("OUTSIDE" in capsys.readouterr().out) == (bad is not None)


def test_workers_can_be_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(calibration_cells.JOBS, "1")
    assert calibration_cells.parallel(lambda job: job + 1, [1, 2]) == [2, 3]  # a lambda cannot be sent to a worker


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Table]:
    """The benchmark's suite in this process, with small nulls."""
    monkeypatch.setattr(calibration_suite, "parallel", lambda function, jobs: list(map(function, jobs)))
    monkeypatch.setattr(calibration_suite, "SETTINGS", calibration_suite.SETTINGS[:1])
    monkeypatch.setattr(calibration_suite, "SUITE_PROMPTS", 30)
    return calibration_suite.suite


def _labels_permuted_after_scoring(
    comparison: Comparison, families: dict[str, Any], setting: object, seed: int
) -> float:
    """The trap: scores are fitted to the labels once, then only the labels are permuted."""
    relabellings = Relabellings.draw(comparison.design, 199, np.random.default_rng([seed, 1]))
    values = family_matrix(families["tokens"], comparison.texts, "tokens").values
    weights = np.full((len(comparison.suspect), 1), 1 / len(comparison.suspect))
    scores = ridge_scores(values, comparison.suspect, weights)[:, 0]
    sums = np.bincount(comparison.design.block, weights=np.where(comparison.suspect, scores, -scores))
    return pvalue((relabellings.contrasts @ sums).astype(np.float64))


def test_the_suite_passes_with_the_right_permutation(suite: Callable[..., Table]) -> None:
    assert suite(30, nulls_only=True).inside


def test_the_suite_fails_with_labels_permuted_after_scoring(
    suite: Callable[..., Table], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calibration_suite, "null_pvalue_of", _labels_permuted_after_scoring)
    assert not suite(30, nulls_only=True).inside
    assert "OUTSIDE" in capsys.readouterr().out
