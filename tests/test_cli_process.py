"""The command line in a process of its own, on real files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import Run

from fingerprint.report.report import Report


def _process(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fingerprint", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def test_help_loads_neither_pictures_nor_models() -> None:
    code = "import sys, fingerprint.cli.app; print(sorted({'matplotlib', 'jinja2', 'torch'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


FAKE = """
import sys, types
sys.path.insert(0, {tests!r})
from conftest import build_report
module = types.ModuleType("fingerprint.detection.detect")
module.detect = lambda *_, **__: build_report({strange!r})
sys.modules["fingerprint.detection.detect"] = module
from fingerprint.cli.app import main
main(["detect", "a", "b"])
"""


def _fake(strange: str = "") -> list[str]:
    return [sys.executable, "-c", FAKE.format(tests=str(Path(__file__).parent), strange=strange)]


def test_a_reader_that_leaves_early_is_no_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        found = subprocess.run(_fake(), stdout=closed, stderr=subprocess.PIPE, text=True)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_an_error_without_a_traceback() -> None:
    with open("/dev/full", "w") as full:
        found = subprocess.run(_fake(), stdout=full, stderr=subprocess.PIPE, text=True)
    assert (found.returncode, found.stderr) == (2, "fingerprint: error: No space left on device\n")


def test_a_terminal_without_unicode_gets_escapes() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    found = subprocess.run(_fake("猫"), capture_output=True, text=True, env=environment)
    assert found.returncode == 0
    assert "\\u732b" in found.stdout


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Number sequences that answer 120 prompts: a reference, another like it, and one with larger numbers."""
    folder = tmp_path_factory.mktemp("corpora")

    def write(name: str, start: int, least: int) -> Path:
        state, lines = start, []
        for row in range(120):
            numbers = []
            for _ in range(8):
                state = (1103515245 * state + 12345) % 2**31  # the C standard's example generator
                numbers.append(least + (state >> 8) % (1000 - least))
            lines.append(json.dumps({"prompt": f"Continue {row}", "completion": ", ".join(map(str, numbers))}))
        (folder / name).write_text("\n".join(lines) + "\n")
        return folder / name

    return {
        "reference": write("reference.jsonl", 1, 100),
        "alike": write("alike.jsonl", 2, 100),
        "shifted": write("shifted.jsonl", 3, 400),
    }


def test_a_shifted_corpus_is_detected_in_text_json_and_exit_code(corpora: dict[str, Path], tmp_path: Path) -> None:
    options = ("--no-ladder", "--permutations", "999", "--fail-if-detected", "--json", tmp_path / "r.json")
    found = _process("detect", corpora["shifted"], corpora["reference"], *options, "--html", tmp_path / "r.html")
    assert (found.returncode, found.stderr) == (1, "")
    report = Report.from_json(tmp_path / "r.json")
    jsonschema.Draft202012Validator(Report.json_schema()).validate(report.to_dict())
    assert report.detected
    assert report.design.kind == "shared"
    assert found.stdout == f"{report}\n"
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.slow
def test_a_corpus_like_the_reference_exits_with_zero(corpora: dict[str, Path]) -> None:
    options = ("--no-ladder", "--permutations", "999", "--alpha", "0.001", "--fail-if-detected")
    found = _process("detect", corpora["alike"], corpora["reference"], *options)
    assert (found.returncode, found.stderr) == (0, "")
    assert "not detected" in found.stdout.lower()


def test_a_malformed_line_is_named_with_its_file(run: Run, corpora: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    lines = corpora["shifted"].read_text().splitlines()
    broken.write_text("\n".join([*lines[:6], '{"prompt": ', *lines[6:]]))
    code, out, err = run("detect", broken, corpora["reference"])
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "broken.jsonl" in err
    assert "line 7" in err


def test_a_missing_file_is_an_error(run: Run, corpora: dict[str, Path]) -> None:
    code, out, err = run("detect", "nowhere.jsonl", corpora["reference"])
    assert (code, out) == (2, "")
    assert "nowhere.jsonl" in err
    assert len(err.splitlines()) == 1


def test_the_demo_detects_its_teacher(tmp_path: Path) -> None:
    found = _process("demo", "--json", "r.json", cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert Report.from_json(tmp_path / "r.json").detected
    assert f"A page with pictures: {tmp_path / 'demo-report.html'}\n" in found.stdout
    assert (tmp_path / "demo-report.html").stat().st_size > 10_000
