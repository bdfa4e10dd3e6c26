"""The short form of `benchmarks/kills.py`: every kind of work that is killed, a few times each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
PROGRAM = Path(__file__).parents[2] / "benchmarks" / "kills.py"


@pytest.mark.skipif(sys.platform != "linux", reason="processor time is read from /proc")
def test_no_kill_loses_repeats_or_halves_anything() -> None:
    command = [sys.executable, str(PROGRAM), "--kills", "36", "--seed", "7"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
    assert "wrong: 0" in found.stdout
