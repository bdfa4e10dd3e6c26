"""What CONTRIBUTING shows joins a real run: a family, a filter, a warning and a section, each in under 15 lines."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from test_pages import blocks

from fingerprint import Corpus, detect
from fingerprint.features.choice import FAMILIES

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"
CODE = {block.heading: block.source for block in blocks(PAGE) if block.language == "python"}
QUICK: dict[str, Any] = {"ladder": False, "n_permutations": 199}

# The package has a function `detect`, which hides the module of that name from `import ... as`.
MAIN_PATH = importlib.import_module("fingerprint.detection.detect")


def run(heading: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(CODE[heading], PAGE.name, "exec", dont_inherit=True), names)
    return names


def some_rows(end: str = "") -> list[str]:
    return [f"Row {37 * i % 101}{end}" for i in range(40)]


@pytest.mark.parametrize("heading", CODE)
def test_it_takes_fewer_than_15_lines(heading: str) -> None:
    lines = [line for line in CODE[heading].splitlines() if line.strip()]
    assert len([line for line in lines if not re.match(r"(from|import|#|\s*\"\"\")", line)]) < 15


def test_a_family_joins_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "capitals", run("A feature family")["Capitals"])
    report = detect(some_rows(" ABC"), some_rows(" abc"), features=["capitals"], **QUICK)
    assert report.pvalue == 1 / 200
    assert "capitals" in report.differences[0].feature


def test_a_filter_joins_the_report() -> None:
    long_rows = run("A filter")["LongRows"](10)
    report = detect(some_rows(" and more"), some_rows(), filters=[long_rows], **QUICK)
    assert report.filter_results[0].filter == "long rows"
    assert report.filter_results[0].removed_suspect.value == 1.0


def test_a_warning_joins_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    named = run("A warning")
    monkeypatch.setattr(MAIN_PATH, "warnings_for", lambda findings: tuple(named["_short_rows"](findings)))
    short = ["1"] * 10 + some_rows()
    (found,) = detect(short, some_rows(), **QUICK).warnings
    assert (found.code, found.value, found.threshold) == ("short_rows", 10 / 90, named["SHORT_SHARE"])
    assert detect(some_rows(), some_rows(), **QUICK).warnings == ()


def test_a_section_adds_to_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    section = run("A section of the report")["SECTION"]
    monkeypatch.setattr(MAIN_PATH, "SECTIONS", (*MAIN_PATH.SECTIONS, section))
    told: list[str] = []
    suspect, reference = Corpus(tuple(some_rows())), Corpus(tuple(some_rows()[:10] + some_rows(".")))
    report = detect(suspect, reference, progress=lambda step, done: told.append(step), **QUICK)
    assert "copies across sides" in told
    assert {warning.code: warning.value for warning in report.warnings}["copies_across_sides"] == 10 / 40
