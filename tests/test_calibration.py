"""The statistical suites: what `benchmarks/calibration.py` prints has to stay inside its bands; and they can fail.

    make test-slow

About 50 minutes on two cores. Bands: exact binomial, joint level 1e-3 over the cells of a table (see the benchmark).
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fingerprint.features.scaling import family_matrix
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.permutation import Relabellings, pvalue
from fingerprint.statistics.ridge import ridge_scores

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "calibration.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["type-i", "--runs", "400"], ["coverage"], ["efficiency"], ["rows-needed"], ["suite", "--runs", "400"]],
    ids=lambda c: c[0],
)
def test_figures_stay_inside_their_bands(command: list[str]) -> None:
    done = subprocess.run([sys.executable, str(BENCHMARK), *command], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def calibration(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark as a module, in this process and with small nulls."""
    spec = importlib.util.spec_from_file_location("calibration", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "calibration", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "parallel", lambda function, jobs: list(map(function, jobs)))
    monkeypatch.setattr(module, "SETTINGS", module.SETTINGS[:1])
    monkeypatch.setattr(module, "SUITE_PROMPTS", 30)
    return module


def _labels_permuted_after_scoring(
    comparison: Comparison, families: dict[str, Any], setting: object, seed: int
) -> float:
    """The trap: scores are fitted to the labels once, then only the labels are permuted."""
    relabellings = Relabellings.draw(comparison.design, 199, np.random.default_rng([seed, 1]))
    values = family_matrix(families["tokens"], comparison.texts, "tokens").values
    weights = np.full((len(comparison.suspect), 1), 1 / len(comparison.suspect))
    scores = ridge_scores(values, comparison.suspect, weights)[:, 0]
    sums = np.bincount(comparison.block, weights=np.where(comparison.suspect, scores, -scores))
    return pvalue(relabellings.contrasts @ sums)


def test_the_suite_passes_with_the_right_permutation(calibration: ModuleType) -> None:
    assert calibration.suite(30, nulls_only=True)


def test_the_suite_fails_with_labels_permuted_after_scoring(
    calibration: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calibration, "null_pvalue_of", _labels_permuted_after_scoring)
    assert not calibration.suite(30, nulls_only=True)
    assert "OUTSIDE" in capsys.readouterr().out
