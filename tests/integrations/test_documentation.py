"""The pages are built from what is there, without a warning and without a network; the notebooks run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import jupytext
import pytest
import sphinx  # noqa: F401  (skipped where the pages cannot be built)

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore")]  # what other packages warn of


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages; a warning is an error, and so is a proxy that would be asked."""
    folder = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(folder)]
    nobody = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    done = subprocess.run(
        [*command, "-d", str(tmp_path_factory.mktemp("doctrees"))],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **nobody}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


class Loaded(HTMLParser):
    """What a page makes a browser fetch by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        url = given.get("src") or (given.get("href") if tag == "link" else None)
        if url and given.get("rel") not in ("index", "search", "next", "prev"):
            self.urls.append(url)


def test_every_page_is_built_and_loads_nothing_from_elsewhere(built: Path) -> None:
    sources = [path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts]
    pages = [built / path.relative_to(ROOT / "docs").with_suffix(".html") for path in sources]
    assert len(pages) > 30
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert [url for url in loaded.urls if re.match(r"(https?:)?//", url)] == [], page.name


def test_every_report_of_the_gallery_is_there_with_its_page_and_its_pictures(built: Path) -> None:
    script = (ROOT / "docs" / "gallery.py").read_text(encoding="utf-8")
    names = re.findall(r'^    "([a-z-]+)": \w+,$', script, re.MULTILINE)
    assert len(names) >= 6
    page = (built / "gallery.html").read_text(encoding="utf-8")
    assert page.count("<h2>") == len(names)
    linked = re.findall(r'href="gallery/([a-z-]+)\.html"', page)
    assert sorted(linked) == sorted(set(names) - {"identify"})  # which has no page
    for name in linked:
        report = (built / "gallery" / f"{name}.html").read_text(encoding="utf-8")
        assert "not harmful, and not detected is not clean" in report
        assert len(report) < 300_000
    shown = re.findall(r'<img alt="([^"]+)" class="only-(light|dark)" src="_images/([a-z-]+)\.png"', page)
    assert [scheme for _, scheme, _ in shown].count("light") == [scheme for _, scheme, _ in shown].count("dark") >= 5
    assert all(len(alt) > 200 and (built / "_images" / f"{name}.png").exists() for alt, _, name in shown)


NOT_FOR_ALL = {
    r'role="heading"(?! aria-level)': "a heading without its level",
    r"<pre>": "a block that scrolls, and not by the keyboard",
    r'<div class="(?:table-wrapper |output text_html|math")': "the same of tables and formulas",
    r"<th[^>]*>(?:<p>)?(?:</p>)?</th>": "an empty header",
    r'<aside class="[^"]*">': "a landmark without a name",
    r"<img (?![^>]*alt=\"[^\"]+\")|<img alt=\"[^\"]*_images/": "a picture without words",
}


def test_pages_can_be_read_with_a_keyboard_and_a_screen_reader(built: Path) -> None:
    pages = [page for page in built.rglob("*.html") if page.parent.name not in ("gallery", "_static")]
    assert len(pages) > 40
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert [words for pattern, words in NOT_FOR_ALL.items() if re.search(pattern, text)] == [], page.name
        assert len(re.findall(r"<h1\b", text)) == 1, page.name


def test_every_warning_and_every_key_is_there(built: Path) -> None:
    codes = {
        found
        for path in (ROOT / "fingerprint").rglob("*.py")
        for found in re.findall(r'\bWarning\(\s*"(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert len(codes) > 30
    page = (built / "reference" / "warnings.html").read_text(encoding="utf-8")
    assert [code for code in codes if f">{code}<" not in page] == []
    keys = {
        key
        for path in (ROOT / "fingerprint" / "report" / "schemas").glob("*.json")
        for key in keys_of(json.loads(path.read_text(encoding="utf-8")))
    }
    assert len(keys) > 100
    page = (built / "reference" / "json.html").read_text(encoding="utf-8")
    assert [key for key in keys if not re.search(rf"[>.]{key}<", page)] == []


def keys_of(schema: object) -> set[str]:
    if isinstance(schema, list):
        return {key for one in schema for key in keys_of(one)}
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties", {})) | {key for value in schema.values() for key in keys_of(value)}


def test_every_public_name_has_its_docstring_there(built: Path) -> None:
    import fingerprint

    page = (built / "reference" / "api.html").read_text(encoding="utf-8")
    names = [name for name in fingerprint.__all__ if name not in ("filters", "lab")]
    assert [name for name in names if f'id="fingerprint.{name}"' not in page] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_its_script_and_has_its_outputs(notebook: Path) -> None:
    cells, script = jupytext.read(notebook).cells, jupytext.read(notebook.with_suffix(".py")).cells
    assert [(one.cell_type, one.source) for one in cells] == [(one.cell_type, one.source) for one in script]
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code), "run make notebooks"
    drawn = [cell for cell in code if ".plot" in cell.source]
    assert [cell.source for cell in drawn if not any("image/png" in out.get("data", {}) for out in cell.outputs)] == []


def test_notebooks_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--nbmake", "--nbmake-timeout=600", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *map(str, NOTEBOOKS)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]
    assert f"{len(NOTEBOOKS)} passed" in done.stdout
