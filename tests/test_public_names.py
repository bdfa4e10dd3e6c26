"""The public names, and what importing them loads."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest

import fingerprint

HEAVY = ("torch", "transformers", "sentence_transformers", "httpx", "matplotlib", "ray")
NAMES = (
    "Corpus Detector Fingerprint Monitor Panel Report compare detect detect_labels filters identify lab read scan"
).split()
ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def loaded(program: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after `program`."""
    show = "import sys; print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{program}\n{show}"], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_public_names_are_these() -> None:
    assert fingerprint.__all__ == NAMES
    assert len(NAMES) <= 14
    assert sorted(fingerprint.__all__) == fingerprint.__all__


def test_every_public_name_can_be_had() -> None:
    for name in NAMES:
        assert getattr(fingerprint, name) is not None
    assert set(NAMES) <= set(dir(fingerprint))


def test_the_package_of_language_models_is_reached_by_its_name() -> None:
    assert fingerprint.lm.__name__ == "fingerprint.lm"
    assert "lm" not in fingerprint.__all__


def test_what_the_pages_name_is_reached_from_the_public_names() -> None:
    named = {
        name
        for page in PAGES
        for name in re.findall(r"(?<![-\w])fingerprint(?!\.json)((?:\.[A-Za-z_]+)+)", page.read_text(encoding="utf-8"))
    }
    assert ".lab.simulated" in named
    for dotted in sorted(named):
        resolve_name(f"fingerprint{dotted}")


@pytest.mark.parametrize(
    "package", ["identification", "lab", pytest.param("lm", marks=pytest.mark.needs("lm"))]
)
def test_every_module_that_a_package_lists_can_be_had(package: str) -> None:
    for name in getattr(fingerprint, package).__all__:
        assert getattr(getattr(fingerprint, package), name).__name__ == f"fingerprint.{package}.{name}"


@pytest.mark.parametrize("package", ["identification", "lab", "lm"])
def test_a_package_lists_all_its_modules(package: str) -> None:
    folder = Path(getattr(fingerprint, package).__file__).parent
    there = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert getattr(fingerprint, package).__all__ == sorted(there - {"__init__"})


def test_every_filter_that_is_listed_can_be_had() -> None:
    listed = fingerprint.filters.__all__
    assert sorted(listed) == dir(fingerprint.filters)
    assert all(getattr(fingerprint.filters, name) is not None for name in listed)
    with pytest.raises(AttributeError, match=r"'fingerprint\.filters' has no attribute 'nope'"):
        _ = fingerprint.filters.nope


def test_type_checkers_are_told_of_the_same_filters() -> None:
    source = Path(fingerprint.filters.__file__ or "").read_text(encoding="utf-8")
    told = {
        alias.asname: (node.module or "").rpartition(".")[2]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert told == fingerprint.filters._HOMES


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'fingerprint' has no attribute 'nope'"):
        _ = fingerprint.nope


def test_a_star_import_gives_the_public_names() -> None:
    namespace: dict[str, object] = {}
    exec("from fingerprint import *", namespace)
    assert set(NAMES) == set(namespace) - {"__builtins__"}


def test_import_is_light() -> None:
    modules = loaded("import fingerprint")
    assert modules.isdisjoint({*HEAVY, "sklearn", "polars", "pandas", "datasets", "scipy"})


def test_no_public_name_loads_what_is_heavy() -> None:
    assert loaded(f"from fingerprint import {', '.join(NAMES)}").isdisjoint(HEAVY)


def test_detect_and_its_text_do_without_matplotlib() -> None:
    program = """
import fingerprint
numbers = [str(37 * i % 101) for i in range(40)]
report = fingerprint.detect(numbers[:20], numbers[20:], n_permutations=99)
str(report), report.to_json(), report.rows
"""
    assert loaded(program).isdisjoint({*HEAVY, "datasets"})
