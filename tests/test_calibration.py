"""The statistical suites: what `benchmarks/calibration.py` prints has to stay inside its bands; and they can fail.

    make test-slow

About 50 minutes on two cores. Bands: exact binomial, joint level 1e-3 over the cells of a table (see the benchmark).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import calibration_suite
import numpy as np
import pytest
from calibration_cells import Table

from fingerprint.features.scaling import family_matrix
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.permutation import Relabellings, pvalue
from fingerprint.statistics.ridge import ridge_scores

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["type-i", "--runs", "400"], ["coverage"], ["efficiency"], ["rows-needed"], ["suite", "--runs", "400"]],
    ids=lambda c: c[0],
)
def test_figures_stay_inside_their_bands(command: list[str]) -> None:
    script = str(BENCHMARKS / "calibration.py")
    done = subprocess.run([sys.executable, script, *command], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


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
    return pvalue(relabellings.contrasts @ sums)


def test_the_suite_passes_with_the_right_permutation(suite: Callable[..., Table]) -> None:
    assert suite(30, nulls_only=True).inside


def test_the_suite_fails_with_labels_permuted_after_scoring(
    suite: Callable[..., Table], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calibration_suite, "null_pvalue_of", _labels_permuted_after_scoring)
    assert not suite(30, nulls_only=True).inside
    assert "OUTSIDE" in capsys.readouterr().out
