"""`from fingerprint import detect` loads what every comparison needs, and nothing heavy that only some need."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

from fingerprint import Fingerprint
from fingerprint.lab.simulated import simulated_pair

DETECT = "from fingerprint import detect"
NEEDED = "import numpy, polars, scipy.sparse"  # what the rows and sums of every comparison are made of
TIMES = 1.5
ROUNDS = 20
LEAST_ROUNDS = 3  # of which the best says enough where the bound is kept; what is above it is timed ROUNDS times

HEAVY = {
    "IPython", "datasets", "jinja2", "matplotlib", "numba", "httpx", "pandas", "pyarrow", "rich", "scipy.optimize",
    "scipy.special", "scipy.stats", "sentence_transformers", "sklearn", "torch", "transformers", "typer",
}  # fmt: skip


def _printed(program: str) -> str:
    command = [sys.executable, "-W", "error", "-c", program]
    # An installed package is compiled once; where that is forbidden, every import would count the compiler too.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def _seconds(statement: str) -> float:
    """Processor time of a statement in a fresh interpreter: what else the machine does hardly counts."""
    clock = "time.process_time()"
    return float(_printed(f"import time; start = {clock}; {statement}; print({clock} - start)"))


def test_importing_detect_loads_nothing_heavy() -> None:
    loaded = set(_printed(f"{DETECT}; import sys; print(*sys.modules)").split())
    assert {"fingerprint.detection.detect", "numpy", "polars", "scipy.sparse"} <= loaded
    assert not HEAVY & loaded


def test_comparing_stored_fingerprints_loads_nothing_for_tables_and_starts_no_process(tmp_path: Path) -> None:
    for seed in range(2):
        rows = simulated_pair(100, design="shared", rng=seed).suspect
        Fingerprint.of(rows, features="numbers", cells=64, prompt=False).save(tmp_path / f"{seed}.fp")
    program = f"""
import sys, fingerprint.cli.app as app
try:
    app.main(["compare", {str(tmp_path / "0.fp")!r}, {str(tmp_path / "1.fp")!r}, "--quiet"])
except SystemExit as end:
    assert end.code == 0, end
print("loaded", *sys.modules)
"""
    loaded = set(_printed(program).partition("loaded")[2].split())
    assert "fingerprint.fingerprints.compare" in loaded
    assert not ({"polars", "multiprocessing"} | HEAVY - {"scipy.special", "typer"}) & loaded


def test_importing_detect_takes_at_most_half_as_long_again_as_what_it_needs() -> None:
    _seconds(DETECT)  # writes compiled modules where there are none yet
    pairs: list[tuple[float, float]] = []
    ours, needed = math.inf, 0.0
    while len(pairs) < LEAST_ROUNDS or (ours > TIMES * needed and len(pairs) < ROUNDS):
        pairs.append((_seconds(DETECT), _seconds(NEEDED)))
        ours, needed = (min(times) for times in zip(*pairs, strict=True))
    assert ours <= TIMES * needed, f"{ours:.3f} s against {needed:.3f} s"
