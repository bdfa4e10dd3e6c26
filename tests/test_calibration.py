"""The slow statistical suites: what `benchmarks/calibration.py` prints has to stay inside its bands.

    make test-slow

About 50 minutes on two cores. Bands: exact binomial, joint level 1e-3 over the cells of a table (see the benchmark).
"""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "calibration.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [["type-i", "--runs", "400"], ["coverage"], ["efficiency"], ["rows-needed"]], ids=lambda c: c[0]
)
def test_figures_stay_inside_their_bands(command: list[str]) -> None:
    done = subprocess.run([sys.executable, str(BENCHMARK), *command], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
