"""Pages in a real browser: nothing runs, nothing is asked for, everybody can read them, and large ones stay small."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from browser import CHROMIUM, Browser, browser
from conftest import HOSTILE, build_report

from fingerprint.report.html import page
from fingerprint.report.report import Report
from fingerprint.report.side_by_side import compare_reports
from fingerprint.report.side_by_side_page import page as side_by_side_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium to look at pages with")

CHECKS = (Path(__file__).parent / "accessible.js").read_text(encoding="utf-8")
ATTACK = f"<img src=x onerror=alert(1)> javascript:alert(2) \" onmouseover='alert(3)' --> ]]> {HOSTILE} </pre></main>"
MOST_BYTES = 3_000_000


def everywhere(value: Any, strange: str = ATTACK) -> Any:
    """A record with `strange` in every field that is a string, keys of dicts too."""
    if isinstance(value, str):
        return strange
    if isinstance(value, tuple | list):
        return type(value)(everywhere(item, strange) for item in value)
    if isinstance(value, dict):
        return {f"{key} {strange}": everywhere(item, strange) for key, item in value.items()}
    if isinstance(value, pl.DataFrame):
        return value.with_columns(text=pl.lit(strange), prompt=pl.lit(strange))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: everywhere(getattr(value, field.name), strange) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    return value


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A harmless page, one that is hostile where data are, one that is hostile in every string, and a large one."""
    folder = tmp_path_factory.mktemp("pages")
    report, hostile = build_report(""), build_report(ATTACK)
    pair = compare_reports({ATTACK: hostile, "other": report})
    large = dataclasses.replace(report, rows=_rows(27_000, 5_000))
    shown = {"plain": report, "hostile": hostile, "all_hostile": everywhere(hostile), "large": large}
    made = {name: page(each) for name, each in shown.items()}
    made["side_by_side"] = side_by_side_page(compare_reports({"owl": report, "lion": report, "cat": report}))
    made["hostile_side_by_side"] = side_by_side_page(everywhere(pair))
    for name, html in made.items():
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


def _rows(suspect: int, reference: int) -> pl.DataFrame:
    n = suspect + reference
    return pl.DataFrame(
        {
            "corpus": ["suspect"] * suspect + ["reference"] * reference,
            "row": range(n),
            "text": [f"{i}, {7 * i % 1000}, {3 * i % 1000}, " * 4 for i in range(n)],
            "prompt": ["Continue the list."] * n,
            "score": [1 - i / n for i in range(n)],
        }
    )


@pytest.mark.parametrize("name", ["hostile", "all_hostile", "hostile_side_by_side"])
def test_hostile_text_in_every_field_runs_nothing_asks_for_nothing_and_is_shown(
    name: str, pages: dict[str, Path], window: Browser
) -> None:
    for width in (1400, 390):
        looked = window.open(pages[name], width=width)
        assert (looked.requests, looked.said) == ([], [])
        assert window.run("document.documentElement.scrollWidth") <= width
    assert window.run("document.querySelectorAll('script, img, form, iframe, object, link').length") == 0
    attributes = window.run("[...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).map(a => a.name)")
    assert not [attribute for attribute in attributes if attribute.startswith("on")]
    assert window.run("document.title").count("<img src=x onerror=alert(1)>") == 1
    window.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert window.run("document.body.innerText").count("<script>alert(1)</script>") > 10


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("name", ["plain", "side_by_side"])
def test_a_page_is_accessible_and_no_wider_than_its_window(
    name: str, width: int, dark: bool, pages: dict[str, Path], window: Browser
) -> None:
    looked = window.open(pages[name], width=width, dark=dark)
    assert (looked.requests, looked.said) == ([], [])
    assert window.run("document.documentElement.scrollWidth") == width
    window.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert window.run(CHECKS) == []
    paper = window.run("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(20, 23, 27)") == dark


FAULTS = {
    "html-has-lang": "document.documentElement.lang = ''",
    "heading-order": "document.querySelector('h2').outerHTML = '<h4>x</h4>'",
    "duplicate-id": "document.querySelectorAll('h2').forEach(h => h.id = 'x')",
    "skip-link": "document.querySelector('nav a').hash = '#nowhere'",
    "image-alt": "document.querySelector('svg').removeAttribute('aria-label')",
    "table headers": "document.querySelectorAll('thead').forEach(e => e.remove())",
    "color-contrast": "document.querySelector('h1').style.color = '#8a8'",
    "scrollable-region-focusable": "document.querySelectorAll('[tabindex]').forEach(e => (e.tabIndex = -1))",
}


def test_the_checks_can_fail(pages: dict[str, Path], window: Browser) -> None:
    window.open(pages["plain"], width=390)
    assert window.run(CHECKS) == []
    for fault, program in FAULTS.items():
        window.run(program)
        assert [found for found in window.run(CHECKS) if found.startswith(fault)], fault


def test_a_page_of_27_000_and_5_000_rows_is_small_and_opens(pages: dict[str, Path], window: Browser) -> None:
    assert pages["large"].stat().st_size < MOST_BYTES
    assert window.open(pages["large"]).said == []


def test_in_print_what_is_folded_is_open_and_the_contents_are_left_out(
    pages: dict[str, Path], window: Browser, tmp_path: Path
) -> None:
    window.open(pages["plain"])
    shown = "document.querySelector('dl.fp-glossary dd').checkVisibility()"
    assert not window.run(shown)
    window.media(printed=True)
    assert window.run(shown)
    assert window.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    window.pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF-")


def test_a_word_leads_to_its_meaning_in_the_folded_glossary(pages: dict[str, Path], window: Browser) -> None:
    window.open(pages["plain"], width=390)
    window.run("document.querySelector('dl.fp-key a.fp-term').click()")
    window.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert window.run("document.querySelector(':target').closest('details').open")
    assert "How seldom relabelled rows differ" in window.run("document.querySelector(':target').innerText")


def test_a_report_that_is_read_has_a_page_too(window: Browser, tmp_path: Path) -> None:
    made = Report.from_json(build_report("").to_json())
    made.to_html(tmp_path / "read.html")
    assert window.open(tmp_path / "read.html").said == []
