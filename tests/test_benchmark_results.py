"""Every benchmark can write its figures as JSON, with what they hold for."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pytest
import results

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
# `unchanged.py` compares recorded runs, `character_table.py` makes a part of the package, `lowest.py` versions to test
# with: they have no figures.
WITHOUT_FIGURES = ("unchanged.py", "character_table.py", "lowest.py")
SCRIPTS = [
    path.name
    for path in sorted(BENCHMARKS.glob("*.py"))
    if 'if __name__ == "__main__"' in path.read_text(encoding="utf-8") and path.name not in WITHOUT_FIGURES
]
STORED = sorted((BENCHMARKS / "results").glob("*.json"))
KEYS = ["command", "versions", "hardware", "seconds", "figures"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_benchmark_takes_the_option_and_writes(script: str) -> None:
    text = (BENCHMARKS / script).read_text(encoding="utf-8")
    assert "results.add_json_option(parser)" in text
    assert "results.write(options.json, " in text


def test_a_record_holds_figures_command_versions_hardware_and_seconds(tmp_path: Path) -> None:
    path = tmp_path / "new" / "figures.json"
    results.write(path, {"rate": np.float64(0.25), "count": np.int64(3), "inside": np.bool_(True)}, time.perf_counter())
    record = json.loads(path.read_text(encoding="utf-8"))
    assert list(record) == KEYS
    assert record["figures"] == {"rate": 0.25, "count": 3, "inside": True}
    assert record["versions"]["numpy"] == np.__version__
    assert record["hardware"]["cores"] >= 1


def test_a_figure_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        results.write(tmp_path / "figures.json", {"rate": float("nan")}, time.perf_counter())
    with pytest.raises(TypeError, match="figures must be JSON, got set"):
        results.write(tmp_path / "figures.json", {"rates": {1, 2}}, time.perf_counter())
    assert not (tmp_path / "figures.json").exists()


def test_without_the_option_nothing_is_written(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    results.add_json_option(parser)
    results.write(parser.parse_args([]).json, {}, time.perf_counter())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_stored_results_name_a_benchmark_and_are_quoted(path: Path) -> None:
    record = json.loads(path.read_text(encoding="utf-8"))
    assert list(record) == KEYS
    assert Path(record["command"][1]).name in SCRIPTS
    assert f"results/{path.name}" in (BENCHMARKS / "README.md").read_text(encoding="utf-8")
