"""Extras: what is missing is named with a command that installs it, from a clone and from an index alike."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from conftest import EXTRA_OF, Run
from lowest import lowest

from fingerprint.data.extras import EXTRAS, install_command

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMMAND = re.compile(r"subliminal-fingerprint\[(\w+)\]")


def test_every_extra_that_is_named_exists() -> None:
    places = [*(ROOT / "fingerprint").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    named = {extra for place in places for extra in COMMAND.findall(place.read_text(encoding="utf-8"))}
    assert {"lm", "ray"} <= named
    assert named | set(EXTRAS.values()) <= set(PROJECT["optional-dependencies"])
    assert {extra for extra in EXTRA_OF.values() if extra in EXTRAS.values()} <= set(EXTRAS.values())


def test_every_dependency_has_a_lowest_version() -> None:
    found = list(lowest([]))
    assert len(found) == len(PROJECT["dependencies"])
    assert "typer==0.15.4" in found
    assert "torch" in "".join(lowest(["test"])), "extras of extras are followed"


def test_a_dependency_without_a_lowest_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["numpy<3"]\n')
    with pytest.raises(ValueError, match="'numpy<3' must be a name and a lower bound"):
        list(lowest([], tmp_path / "pyproject.toml"))


def test_no_message_has_a_command_that_needs_a_clone() -> None:
    """A package from an index has no constraints.txt, and no folder to install from."""
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "fingerprint").rglob("*.py")}
    assert [str(path) for path, text in texts.items() if "constraints.txt" in text or "pip install '." in text] == []


def test_the_command_adds_to_what_is_installed() -> None:
    """No index is asked: pip takes the package as it is installed, from wherever, and adds what the extra asks for."""
    try:
        distribution("subliminal-fingerprint")
    except PackageNotFoundError:
        pytest.skip("the package runs from its folder here")
    command = install_command("test-minimal").replace("pip install", "-m pip install --no-index --dry-run --quiet")
    wanted = [sys.executable, *command.replace("'", "").split()]
    assert subprocess.run(wanted, capture_output=True, text=True, check=False).returncode == 0


def test_a_log_of_an_evaluation_names_the_extra_that_reads_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "inspect_ai.log", None)
    for name in ("a.eval", "b.eval"):
        with zipfile.ZipFile(tmp_path / name, "w") as log:
            log.writestr("header.json", "{}")
    code, out, err = run("detect", tmp_path / "a.eval", tmp_path / "b.eval")
    assert (code, out) == (2, "")
    assert err.endswith("install it: pip install 'subliminal-fingerprint[inspect]'\n")
