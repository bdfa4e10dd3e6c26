"""Every measured trap, planted in a copy of the package, is caught by the test that is named for it."""

from __future__ import annotations

from pathlib import Path

import mutants
import pytest
from mutants import Outcome
from traps import MUTANTS, Change, Mutant

KILLER = "test_inference.py::test_pvalue_is_never_zero_and_counts_near_ties"


@pytest.mark.parametrize(
    "mutant", [pytest.param(m, id=m.name, marks=[pytest.mark.slow] if m.slow else []) for m in MUTANTS]
)
def test_a_trap_is_caught(mutant: Mutant) -> None:
    found = mutants.outcome(mutant)
    assert found.caught, found.said


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_to_replace_and_the_test_are_there(mutant: Mutant) -> None:
    """Also of the slow ones."""
    for change in mutant.changes:
        source = (mutants.ROOT / "fingerprint" / change.file).read_text(encoding="utf-8")
        assert mutants.replaced(source, change, mutant.name) != source
    file, _, test = mutant.test.partition("::")
    assert f"def {test.partition('[')[0]}(" in (mutants.ROOT / "tests" / file).read_text(encoding="utf-8")


# ----------------------------------------------------------------------------------------------- a mutant could live


def test_the_package_as_it_is_lives_and_so_does_one_that_fails_without_an_assertion() -> None:
    harmless = Change("statistics/permutation.py", '"""Exact permutation tests', '"""Exact tests')
    broken = Change("statistics/permutation.py", "null = statistics[1:]", "null = statistics_[1:]")
    for change, outcome in ((harmless, "1 passed"), (broken, "NameError")):
        found = mutants.outcome(Mutant("a name", "no trap", KILLER, (change,)))
        assert not found.caught
        assert outcome in found.said


def test_a_trap_is_caught_where_pytest_cuts_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert mutants.outcome(next(mutant for mutant in MUTANTS if mutant.name == "scores-frozen")).caught


def test_a_test_that_is_gone_catches_nothing(tmp_path: Path) -> None:
    mutants.planted(Mutant("a name", "no trap", KILLER, ()), tmp_path)
    assert not mutants.tried("test_inference.py::test_that_never_was", tmp_path).caught


@pytest.mark.parametrize(("source", "found"), [("a = 1\n", 0), ("a = 2\na = 2\n", 2)])
def test_text_that_is_not_there_once_is_an_error(source: str, found: int) -> None:
    with pytest.raises(ValueError, match=f"trap must find 'a = 2' once in m.py, got {found}; bring it up to date"):
        mutants.replaced(source, Change("m.py", "a = 2", "a = 3"), "trap")


def test_names_are_distinct_and_a_living_mutant_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(set(names)) == len(names)
    monkeypatch.setattr(mutants, "outcome", lambda mutant: Outcome(mutant.name != names[1], 1.0, "1 passed"))
    assert mutants.main(names[:1]) == 0
    assert mutants.main(names[:2]) == 1
    assert "NOT CAUGHT" in capsys.readouterr().out
