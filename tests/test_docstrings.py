"""Examples in docstrings run and print what they say; what docstrings and pages refer to exists."""

from __future__ import annotations

import doctest
import re
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path

import house
import pytest
from users_folder import furnish, judging, link_embeddings

ROOT = Path(__file__).parents[1]


def examples_of(module: str) -> list[doctest.DocTest]:
    return [test for test in doctest.DocTestFinder().find(import_module(module)) if test.examples]


# Modules with examples, found without importing what no example needs, and without parsing what has none.
WITH_EXAMPLES = [
    name
    for name, module in house.modules_of(ROOT / "fingerprint").items()
    if ">>> " in module.source and any(">>> " in text for text in house.docstrings_of(module))
]
NEEDS = {
    "fingerprint.endpoints.endpoint": "endpoints",
    "fingerprint.filters.embedding": "embeddings",
    "fingerprint.filters.judge": "endpoints",
    "fingerprint.filters.local_judge": "lm",
    "fingerprint.identification.identify": "lm",
}
"""Modules whose examples need an extra."""


@pytest.fixture
def users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "module",
    [pytest.param(name, marks=[pytest.mark.needs(NEEDS[name])] if name in NEEDS else []) for name in WITH_EXAMPLES],
)
def test_examples_print_what_they_say(
    module: str, users_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if module == "fingerprint.filters.embedding":
        link_embeddings(users_folder)
    served: AbstractContextManager[dict[str, str]] = nullcontext({})
    if NEEDS.get(module) == "endpoints":
        served = judging(users_folder)
    with served as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        runner = doctest.DocTestRunner()
        for test in examples_of(module):
            runner.run(test)
    assert runner.failures == 0, capsys.readouterr().out
    assert runner.tries > 0


def test_no_example_is_skipped() -> None:
    skipped = [
        f"{module}, line {example.lineno}"
        for module in WITH_EXAMPLES
        for test in examples_of(module)
        for example in test.examples
        if example.options.get(doctest.SKIP)
    ]
    assert skipped == []


# ------------------------------------------------------------------------------------------ what is referred to exists


REFERENCE = re.compile(r"`(fingerprint(?:\.\w+)+)(?:\(\))?`")
FILE = re.compile(r"`((?:[\w-]+/)*[\w-]+\.py|(?:[\w-]+/)+[\w-]+\.\w+|(?:[\w-]+/)+)`")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md"), *(ROOT / "benchmarks").glob("*.md")]


def exists(dotted: str) -> bool:
    """Whether a dotted name leads to a module, or to an attribute or field of what is in one."""
    parts = dotted.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for name in parts[n:]:
            if not hasattr(found, name) and name not in fields_of(found):
                return False
            found = getattr(found, name, None)
        return True
    return False


def fields_of(found: object) -> set[str]:
    return {name for kind in getattr(found, "__mro__", ()) for name in vars(kind).get("__annotations__", {})}


def unknown(text: str) -> list[str]:
    """Names of the package that a text gives in backquotes and that do not exist."""
    return [dotted for dotted in REFERENCE.findall(text) if not exists(dotted)]


@pytest.mark.needs("lm")
@pytest.mark.parametrize("folder", ["fingerprint", "tests", "benchmarks"])
def test_what_docstrings_and_comments_refer_to_exists(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*.py") if path != Path(__file__)]
    found = {str(path.relative_to(ROOT)): unknown(path.read_text(encoding="utf-8")) for path in files}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_pages_refer_to_exists(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        pytest.skip("a changelog tells of what is gone")
    text = page.read_text(encoding="utf-8")
    places = [page.parent, ROOT, ROOT / "fingerprint"]
    assert unknown(text) == []
    assert [name for name in FILE.findall(text) if not any((place / name).exists() for place in places)] == []


def test_a_reference_to_nothing_is_found() -> None:
    there = "`fingerprint.detect()`, ``fingerprint.data.corpus``, `fingerprint.data.corpus.Corpus.texts`"
    assert unknown(there) == []
    for name in ("fingerprint.nope", "fingerprint.data.nope", "fingerprint.data.corpus.Corpus.nope"):
        assert unknown(f"{there} and `{name}`") == [name]
    assert FILE.findall("`data/`, `scan.py`, `detector/scan.py`, `docs/words.md`, `a/b`, `report.json`") == [
        "data/", "scan.py", "detector/scan.py", "docs/words.md"
    ]  # fmt: skip
