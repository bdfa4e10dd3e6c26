"""The pages in docs/ speak of what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_layers import ORDER

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
