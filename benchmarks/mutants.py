"""Traps that were measured once, planted in a copy of the package: a named test has to catch each.

    python benchmarks/mutants.py [NAME ...] [--json PATH]

A mutant is the package with a few lines of its source replaced (`traps.py`); text that is no longer there is an error,
so that no mutant dies of old age. It is caught if its test fails by an assertion, whereas an import or a name that is
missing proves nothing. `tests/test_mutants.py` runs the same table; the tests themselves pass on the package as it is.
Exits with 1 when a mutant lives.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

import results
from traps import MUTANTS, Change, Mutant

ROOT = Path(__file__).resolve().parents[1]
# Runs pytest on the package in a folder, and on no other, again and again: every run is a fork of a process that has
# imported what others wrote and most tests need, but nothing of this package. Polars starts threads as it is imported,
# which a fork would lose.
SERVER = """
import json, os, signal, sys
from pathlib import Path
import hypothesis, numpy, pytest, scipy.sparse, scipy.stats, sklearn.linear_model

def run(folder, arguments, environment, limit):
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    signal.alarm(limit)
    sys.path.insert(0, folder)
    import fingerprint
    assert Path(fingerprint.__file__).is_relative_to(folder), fingerprint.__file__
    return int(pytest.main(arguments))

for line in sys.stdin:
    child = os.fork()
    if not child:
        code = 70
        try:
            code = run(**json.loads(line))
        except BaseException as error:
            print(repr(error))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status, used = os.wait4(child, 0)
    print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime]), flush=True)
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
        Processor time of the run, without the start of Python and the packages of others.
    said : str
        The last lines of the run.
    """

    caught: bool
    seconds: float
    said: str


def planted(mutant: Mutant, folder: Path) -> None:
    """Lay the package out in a folder, with the trap in it: links to what is unchanged, and changed files.

    Raises
    ------
    ValueError
        If the text to replace does not stand in its file exactly once.
    """
    package, changed = ROOT / "fingerprint", {}
    for change in mutant.changes:
        path = package / change.file
        source = changed.get(path) or path.read_text(encoding="utf-8")
        changed[path] = replaced(source, change, mutant.name)
    _lay_out(package, folder / "fingerprint", changed)


def _lay_out(source: Path, place: Path, changed: Mapping[Path, str]) -> None:
    """What is compiled already is linked too: Python knows a changed source by its time and size."""
    place.mkdir()
    for entry in source.iterdir():
        there = place / entry.name
        if entry in changed:
            there.write_text(changed[entry], encoding="utf-8")
        elif any(path.is_relative_to(entry) for path in changed):
            _lay_out(entry, there, changed)
        else:
            there.symlink_to(entry)


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
    asked = {
        "folder": str(folder.resolve()),
        "arguments": [*options, "-c", "pytest.ini", str(ROOT / "tests" / test)],
        "environment": os.environ | ENVIRONMENT,
        "limit": LIMIT,
    }
    requests, replies = server()
    requests.write(json.dumps(asked) + "\n")
    requests.flush()
    code, seconds = json.loads(replies.readline())
    said = (folder / "said").read_text(encoding="utf-8", errors="replace")
    # Exit code 1: tests ran and failed. What failed has to be what the test claims.
    return Outcome(code == 1 and is_assertion(said), seconds, "\n".join(said.splitlines()[-6:]))


@cache
def server() -> tuple[IO[str], IO[str]]:
    """A process that runs tests until this one ends: where to write requests, and where its replies are."""
    command = [sys.executable, "-c", SERVER]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | ENVIRONMENT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    atexit.register(process.communicate)  # the end of its input is its end
    return process.stdin, process.stdout


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
