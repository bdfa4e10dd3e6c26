"""The pages in docs/ speak of what is there."""

from __future__ import annotations

import ast
import builtins
import re
import tomllib
from pathlib import Path

import pytest
from test_layers import ORDER

from fingerprint.cli import errors

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
ARCHITECTURE = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def test_every_file_that_the_architecture_names_is_there() -> None:
    named = re.findall(r"`([a-z_]+/(?:[a-z_]+/)*[a-z_]+\.py)`", ARCHITECTURE)
    assert len(named) > 20
    assert [name for name in named if not ((ROOT / "fingerprint" / name).exists() or (ROOT / name).exists())] == []


def test_the_folders_stand_in_the_order_of_imports() -> None:
    assert tuple(re.findall(r"^\| `([a-z_]+)/` \|", ARCHITECTURE, re.MULTILINE)) == ORDER


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_no_word_of_the_glossary_is_explained_twice() -> None:
    glossary = (DOCS / "reference" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", glossary, re.MULTILINE)
    words = [word for row in rows if row != "word" for word in row.split(", ")]
    assert len(words) > 60
    assert len(words) == len(set(words))


def test_what_to_cite_is_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    given = dict(line.split(": ", 1) for line in lines if re.match(r"[a-z-]+: ", line))
    assert {"cff-version", "message", "title", "type"} <= set(given)
    assert (given["version"], given["license"]) == (project["version"], project["license"])
    assert lines[lines.index("authors:") + 1] == "  - name: The fingerprint developers"


def test_the_page_on_exit_codes_has_them_all() -> None:
    page = (DOCS / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    shown = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    named = {int(code) for code in re.findall(r"[:;,] (\d+) ", " ".join((errors.__doc__ or "").split()))}
    assert shown == named
    assert {0, 1, 2, 3, 70, 130} <= named


def test_the_readme_is_short_and_says_both_sentences() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert "Detectable is not harmful. Not detected is not clean." in text


BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_a_page_import_and_read_what_they_use(page: Path) -> None:
    known = set(dir(builtins))
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        nodes = list(ast.walk(ast.parse(block)))
        known |= {(name.asname or name.name).partition(".")[0] for name in nodes if isinstance(name, ast.alias)}
        known |= {name.arg for name in nodes if isinstance(name, ast.arg)}
        known |= {name.name for name in nodes if isinstance(name, ast.FunctionDef)}
        names = [name for name in nodes if isinstance(name, ast.Name)]
        known |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
        assert sorted({name.id for name in names} - known) == []
