"""Traps that were measured once, planted in a copy of the package: a named test has to catch each.

    python benchmarks/mutants.py [NAME ...] [--json PATH]

A mutant is the package with a few lines of its source replaced (`traps.py`); text that is no longer there is an error,
so that no mutant dies of old age. It is caught if its test fails by an assertion, whereas an import or a name that is
missing proves nothing. `tests/test_mutants.py` runs the same table; the tests themselves pass on the package as it is.
Exits with 1 when a mutant lives.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import results
from traps import MUTANTS, Change, Mutant

ROOT = Path(__file__).resolve().parents[1]
# Runs pytest on the package in the working directory, and on no other.
RUN = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path.cwd()))
import fingerprint
assert Path(fingerprint.__file__).is_relative_to(Path.cwd()), fingerprint.__file__
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""
LIMIT = 600  # seconds a test may take
# Settings of its own: no plugins, fixtures or options that only the whole suite needs, and lines that are not cut.
FOLDERS = shlex.join(str(ROOT / folder) for folder in ("tests", "benchmarks"))
SETTINGS = f"[pytest]\npythonpath = {FOLDERS}\nmarkers =\n    slow\n    needs\n"
ENVIRONMENT = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "COLUMNS": "1000",
}


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Attributes
    ----------
    caught : bool
        Whether its test failed by an assertion.
    seconds : float
        Processor time of the run, the start of Python included.
    said : str
        The last lines of the run.
    """

    caught: bool
    seconds: float
    said: str


def planted(mutant: Mutant, folder: Path) -> None:
    """Copy the package into a folder, with the trap in it.

    Raises
    ------
    ValueError
        If the text to replace does not stand in its file exactly once.
    """
    shutil.copytree(ROOT / "fingerprint", folder / "fingerprint", ignore=shutil.ignore_patterns("__pycache__"))
    for change in mutant.changes:
        path = folder / "fingerprint" / change.file
        path.write_text(replaced(path.read_text(encoding="utf-8"), change, mutant.name), encoding="utf-8")


def replaced(source: str, change: Change, name: str) -> str:
    """The source with the change made."""
    found = source.count(change.before)
    if found != 1:
        raise ValueError(f"{name} must find {change.before!r} once in {change.file}, got {found}; bring it up to date")
    return source.replace(change.before, change.after)


def outcome(mutant: Mutant) -> Outcome:
    """Run a mutant's test on it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        planted(mutant, folder)
        return tried(mutant.test, folder)


def tried(test: str, folder: Path) -> Outcome:
    """Run a test on the package in a folder."""
    (folder / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
    options = ["-q", "-x", "--tb=line", "-rf", "--noconftest", "-p", "no:cacheprovider"]
    command = [sys.executable, "-c", RUN, *options, "-c", "pytest.ini", str(ROOT / "tests" / test)]
    environment, before = os.environ | ENVIRONMENT, os.times()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    said = done.stdout + done.stderr
    # Exit code 1: tests ran and failed. What failed has to be what the test claims.
    return Outcome(done.returncode == 1 and is_assertion(said), seconds, "\n".join(said.splitlines()[-6:]))


def is_assertion(said: str) -> bool:
    """Whether the output of a run of pytest says that an assertion failed; with CI set, its summary has more lines."""
    return re.search(r"^FAILED .* - (assert|AssertionError|Failed: DID NOT RAISE)", said, re.MULTILINE) is not None


def table(mutants: Sequence[Mutant]) -> list[dict[str, object]]:
    """Run mutants, and print a line for each."""
    figures: list[dict[str, object]] = []
    print("| trap | test that catches it | s |\n|---|---|---|", flush=True)
    for mutant in mutants:
        found = outcome(mutant)
        test = f"`{mutant.test}`" if found.caught else f"NOT CAUGHT by `{mutant.test}`: {found.said}"
        print(f"| {mutant.trap} | {test} | {found.seconds:.1f} |", flush=True)
        figures.append({"mutant": mutant.name, "trap": mutant.trap, "test": mutant.test})
        figures[-1] |= {"caught": found.caught, "seconds": round(found.seconds, 1)}
    return figures


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [mutant.name for mutant in MUTANTS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(names)}")
    results.add_json_option(parser)
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(names))
    if unknown:
        parser.error(f"names must be among {', '.join(names)}, got {unknown[0]}; leave it out")
    started = time.perf_counter()
    figures = table([mutant for mutant in MUTANTS if mutant.name in (options.names or names)])
    caught = sum(bool(figure["caught"]) for figure in figures)
    print(f"{caught} of {len(figures)} caught, {time.perf_counter() - started:.0f} s")
    results.write(options.json, figures, started)
    return 0 if caught == len(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
