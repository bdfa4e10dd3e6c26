"""The GitHub Action and the pre-commit hook: their commands run in bash, as a runner would run them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from users_folder import ROOT, furnish, put_command

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
ACTION = ROOT / ".github" / "actions" / "detect" / "action.yml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    furnish(tmp_path)
    put_command(tmp_path / "bin")
    return tmp_path


def environment(folder: Path, **more: str) -> dict[str, str]:
    runner = {"GITHUB_STEP_SUMMARY": str(folder / "summary"), "GITHUB_OUTPUT": str(folder / "output")}
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, **runner, **more}


def step() -> dict[str, Any]:
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    steps: list[dict[str, Any]] = action["runs"]["steps"]
    inputs = {f"${{{{ inputs.{name} }}}}" for name in action["inputs"]}
    assert set(steps[1]["env"].values()) == inputs, "every input reaches the script, and by the environment alone"
    assert "${{" not in steps[0]["run"] + steps[1]["run"]
    return steps[1]


@pytest.mark.parametrize(
    ("suspect", "options", "code"),
    [("suspect.jsonl", "", 1), ("$(touch planted).jsonl", "", 2), ("neutral.jsonl", "--no-prompt", 3)],
)
def test_the_action_ends_as_the_command_does_and_says_so(folder: Path, suspect: str, options: str, code: int) -> None:
    (folder / "summary").write_text("earlier\n")
    given = {
        "SUSPECT": suspect, "REFERENCE": "reference.jsonl", "MIN_EFFECT": "0.52", "REQUIRE_POWER": "0.99",
        "JUNIT": "j.xml", "JSON": "r.json", "OPTIONS": f"--no-ladder --permutations 99 --features numbers {options}",
    }  # fmt: skip
    assert set(given) == set(step()["env"])
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step()["run"]]
    done = subprocess.run(command, cwd=folder, env=environment(folder, **given), capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    assert (folder / "output").read_text() == f"exit-code={code}\n"
    assert not (folder / "planted").exists()
    assert (folder / "summary").read_text().startswith("earlier\n")
    assert (folder / "summary").read_text().count("Hidden traits") == (folder / "j.xml").exists() == (code != 2)


def test_the_hook_is_a_command_that_fails_on_a_detection(folder: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert hook["pass_filenames"] is False
    arguments = ["suspect.jsonl", "reference.jsonl", "--no-ladder", "--permutations", "99", "--features", "numbers"]
    command = [*hook["entry"].split(), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
