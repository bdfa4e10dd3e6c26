"""Ctrl-C and SIGTERM at many moments: one line, the exit code of shells, and nothing half-written."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")

# Runs the command line with a signal at the moment that so many functions have been entered since it was started.
COUNTED = """
import os, sys
left, number = int(sys.argv[1]), int(sys.argv[2])
def count(*_):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), number)
sys.argv = ["fingerprint", *sys.argv[3:]]
from fingerprint.__main__ import main
sys.setprofile(count)
main()
"""


def stopped(calls: int, number: int, *arguments: str, folder: Path) -> tuple[int, str, str]:
    command = [sys.executable, "-c", COUNTED, str(calls), str(int(number)), *arguments]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder)
    return found.returncode, found.stdout, found.stderr


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, draw = tmp_path_factory.mktemp("rows"), random.Random(1)
    for name in ("a", "b"):
        lines = [
            json.dumps({"prompt": f"p{i}", "completion": ", ".join(str(draw.randint(0, 999)) for _ in range(8))})
            for i in range(60)
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_what_runs_in_the_background_of_a_shell_goes_on_at_ctrl_c(rows: Path) -> None:
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + COUNTED
    arguments = [sys.executable, "-c", ignoring, "3000", str(int(signal.SIGINT)), "--version"]
    found = subprocess.run(arguments, capture_output=True, text=True, timeout=120, cwd=rows)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize(
    ("calls", "number"),
    [(5, signal.SIGINT), (300, signal.SIGTERM), (3_000, signal.SIGINT), (30_000, signal.SIGTERM),
     (120_000, signal.SIGINT)],
)  # fmt: skip
def test_a_command_ends_by_one_line_from_the_first_import_on(rows: Path, calls: int, number: signal.Signals) -> None:
    """In the middle of imports of this package, of the command line's and of numerical libraries, and of the work."""
    out = rows / f"out-{calls}"
    out.mkdir()
    files = [part for name in ("json", "html", "scores") for part in (f"--{name}", str(out / name))]
    code, printed, told = stopped(calls, number, "detect", "a.jsonl", "b.jsonl", "--no-ladder", *files, folder=rows)
    word = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}[number]
    assert (code, printed, told) == (128 + number, "", f"fingerprint: {word}\n")
    assert os.listdir(out) == []


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("filter", "a.jsonl", "--filter", "numbers", "--out", "out.jsonl"),
     ("sketch", "a.jsonl", "--out", "a.fp"),
     ("lab", "--trait", "owl", "--out", "lab"), ("panel", "show", "x"), ("no-such-command",)],
)  # fmt: skip
def test_every_command_does(rows: Path, arguments: tuple[str, ...]) -> None:
    for calls in (1_500, 15_000):
        assert stopped(calls, signal.SIGINT, *arguments, folder=rows) == (130, "", "fingerprint: interrupted\n")
    assert sorted(path.name for path in rows.iterdir() if not path.name.startswith("out-")) == ["a.jsonl", "b.jsonl"]


DEAF = """
import signal, sys, time
from fingerprint.cli import stopping
stopping.GRACE = 0.3
def deaf():
    while True:
        try:
            print("deaf", flush=True)
            time.sleep(30)
        except BaseException:
            pass
stopping.stoppable(deaf)
"""


@pytest.mark.parametrize("asked", [1, 2])
def test_what_does_not_listen_ends_all_the_same(asked: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(asked):
        assert process.stdout.readline() == "deaf\n"
        process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (130, "fingerprint: interrupted\n")
    assert time.monotonic() - began < 20
