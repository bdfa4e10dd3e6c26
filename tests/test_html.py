"""The HTML page: nothing from the data is markup, nothing is loaded; in a browser: `test_browser.py`."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib
import polars as pl
import pytest
from conftest import HOSTILE, MATHTEXT, OVERRIDE, SCRIPT, build_report
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fingerprint.report import plots
from fingerprint.report.formatting import visible
from fingerprint.report.html import fragment, page
from fingerprint.report.report import Report
from fingerprint.report.results import Bag, Null, PromptControl, Warning
from fingerprint.report.warning_words import WEIGHTS
from fingerprint.statistics.intervals import Estimate

VOID = {"meta", "use", "path", "rect", "br", "hr", "img", "link", "input"}
LOADING = {"src", "srcset", "action", "formaction", "background", "poster", "data", "ping", "manifest"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; elements that are not closed, or closed twice, fail."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]


DRAWN_FROM = {
    "bags": ("bag_results", "d_prime"),
    "ladder": ("rungs", "alpha"),
    "null": ("null", "pvalue"),
    "families": ("family_results", "alpha"),
    "filters": ("filter_results",),
    "features": ("differences", "alpha"),
}
"""Pictures, and the fields of a report that they show."""
_drawn: dict[tuple[str, str], object] = {}


@contextmanager
def drawn_once() -> Iterator[None]:
    """Pictures of the same figures are drawn once, for tests that look at something else: each takes .2 s."""

    draw = plots.svg

    def once(name: str, report: Report, prefix: str = "") -> object:
        key = name, repr([getattr(report, field) for field in DRAWN_FROM[name]])
        if key not in _drawn:
            _drawn[key] = draw(name, report, prefix)
        return _drawn[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plots, "svg", once)
        yield


@pytest.fixture
def kept_pictures() -> Iterator[None]:
    with drawn_once():
        yield


@pytest.fixture(scope="module")
def html(example_report: Report) -> str:
    return page(example_report)


def _structure(html: str) -> list[str]:
    """Tags outside pictures; inside, the number of ticks depends on how long the labels are."""
    return Page(re.sub(r"</?mark[^>]*>", "", re.sub(r"<svg.*?</svg>", "<svg></svg>", html, flags=re.S))).tags()


@pytest.fixture(scope="module")
def structure() -> list[str]:
    return _structure(page(build_report("harmless")))


def _assert_same_structure(html: str, structure: list[str]) -> None:
    assert _structure(html) == structure
    assert set(Page(html).tags()) - set(structure) == {"g", "path", "defs", "clippath", "use", "text", "rect"}


def test_hostile_strings_are_text_in_every_place(html: str, structure: list[str]) -> None:
    _assert_same_structure(html, structure)


@pytest.mark.parametrize(
    "place", ["verdict", "note", "warning", "family", "rung", "filter", "feature", "text", "settings"]
)
def test_each_place_shows_the_string_and_not_its_markup(place: str, kept_pictures: None) -> None:
    report = build_report(HOSTILE)
    quiet = build_report("")
    parts: dict[str, dict[str, Any]] = {
        "verdict": {"verdict": HOSTILE},
        "note": {"prompt_control": report.prompt_control},
        "warning": {"warnings": report.warnings},
        "family": {"family_results": report.family_results},
        "rung": {"rungs": report.rungs},
        "filter": {"filter_results": report.filter_results},
        "feature": {"differences": report.differences},
        "text": {"rows": report.rows},
        "settings": {"settings": report.settings},
    }
    found = page(dataclasses.replace(quiet, **parts[place]))
    assert "<script" not in found
    assert SCRIPT in "".join(Page(found).text)


def test_there_are_no_scripts_and_no_event_handlers(html: str) -> None:
    for tag, attributes in Page(html).elements:
        assert tag not in {"script", "iframe", "object", "embed", "link", "base", "form"}
        assert not [attribute for attribute in attributes if attribute.startswith("on")]


def test_nothing_is_loaded_from_anywhere(html: str) -> None:
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    for _, attributes in Page(html).elements:
        assert not LOADING & set(attributes)
        assert all((attributes.get(key) or "#").startswith("#") for key in ("href", "xlink:href"))
    assert set(re.findall(r"url\((.)", html)) <= {"#"}


def test_the_page_forbids_what_it_does_not_need(html: str) -> None:
    policies = [a["content"] for tag, a in Page(html).elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert (policies[0] or "").startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")


def test_control_and_direction_characters_are_shown_as_escapes(html: str) -> None:
    for character in "\0\x1b\u202e\u2028":
        assert character not in html
    text = "".join(Page(html).text)
    assert visible(OVERRIDE) in text
    assert "a\\0b" in text
    assert MATHTEXT in text
    assert "{{ 7*7 }}" in text
    assert "&amp; " in text  # an entity in the data is shown as it was written


def test_dollar_signs_in_pictures_stay_dollar_signs() -> None:
    rungs = tuple(dataclasses.replace(rung, rung="$x^$ $\\frac$") for rung in build_report("").rungs)
    drawing = plots.svg("ladder", dataclasses.replace(build_report(""), rungs=rungs))
    assert drawing is not None
    assert "".join(Page(str(drawing)).text).count("$x^$ $\\frac$") == len(rungs)


def test_quotes_cannot_leave_an_attribute() -> None:
    rungs = tuple(dataclasses.replace(rung, rung="\" onload='x' ") for rung in build_report("").rungs)
    drawing = plots.svg("ladder", dataclasses.replace(build_report(""), rungs=rungs))
    assert all("onload" not in attributes for _, attributes in Page(str(drawing)).elements)


@settings(max_examples=8, deadline=None, phases=[Phase.generate])  # half a second each: too slow to shrink
@given(strange=st.text(min_size=1, max_size=40))
def test_any_string_leaves_the_structure_alone(strange: str, structure: list[str]) -> None:
    with drawn_once():
        _assert_same_structure(page(build_report(strange)), structure)


def test_two_renders_are_the_same_bytes(example_report: Report, tmp_path: Path) -> None:
    for name in ("first.html", "second.html"):
        example_report.to_html(tmp_path / name)
    assert (tmp_path / "first.html").read_bytes() == (tmp_path / "second.html").read_bytes()


def test_another_process_renders_the_same_bytes(tmp_path: Path) -> None:
    build_report("").to_json(tmp_path / "r.json")
    here = Report.from_json(tmp_path / "r.json")
    code = "from fingerprint.report.report import Report; Report.from_json('r.json').to_html('r.html')"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == page(here)


def test_the_callers_matplotlib_is_neither_used_nor_changed(example_report: Report) -> None:
    plain = page(example_report)
    with matplotlib.rc_context({"font.size": 30, "axes.grid": True, "lines.linewidth": 9, "text.usetex": False}):
        before = dict(matplotlib.rcParams)
        assert page(example_report) == plain
        assert dict(matplotlib.rcParams) == before


def test_pyplot_is_not_imported() -> None:
    code = "import sys, fingerprint.report.html; print('matplotlib.pyplot' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_pictures_say_what_they_show(example_report: Report) -> None:
    drawings = [a for tag, a in Page(page(example_report)).elements if tag == "svg"]
    assert [drawing["role"] for drawing in drawings] == ["img"] * 6
    labels = " ".join(drawing["aria-label"] or "" for drawing in drawings)
    for part in ("k = 16: 0.838 [", "floor: 0.498", "p = 0.6411", "observed: 24.7"):
        assert part in labels


def test_ids_are_not_shared_by_different_pictures(example_report: Report) -> None:
    """Ids are hashes of content: the same id twice is the same thing twice."""
    html = page(example_report)
    found: dict[str, set[str]] = {}
    for identifier, content in re.findall(r'<(?:path|clipPath) id="([^"]+)"([^>]*>(?:\s*<rect[^>]*>)?)', html):
        found.setdefault(identifier, set()).add(content)
    assert found
    assert all(len(contents) == 1 for contents in found.values())


def test_missing_bag_sizes_are_left_out_of_the_curve_and_named_in_the_table(example_report: Report) -> None:
    drawing = plots.svg("bags", example_report)
    assert drawing is not None
    assert ">64<" in drawing
    assert ">128<" not in drawing
    assert "too few rows" in page(example_report)


def test_pictures_that_have_nothing_to_show_are_left_out(quiet_report: Report) -> None:
    report = dataclasses.replace(
        quiet_report,
        bag_results=(Bag(1, Estimate(0.5)), Bag(2, Estimate(None))),
        null=Null(None, (), ()),
        d_prime=Estimate(None),
        family_results=(),
    )
    found = Page(page(report))
    assert "svg" not in found.tags()


@pytest.mark.parametrize("observed", [None, -50.0, 0.0, 1e6])
def test_the_null_is_drawn_wherever_the_observed_value_lies(observed: float | None) -> None:
    report = build_report("")
    drawing = plots.svg("null", dataclasses.replace(report, null=dataclasses.replace(report.null, observed=observed)))
    assert drawing is not None
    assert ("observed " in "".join(Page(str(drawing)).text)) == (observed is not None)


def test_rows_are_called_a_ranking(html: str) -> None:
    text = "".join(Page(html).text)
    assert "A ranking, never a verdict on single rows." in text
    assert "Suspect rows with the highest scores" in text
    assert "Reference rows with the lowest scores" in text


def test_quoted_rows_are_shortened(kept_pictures: None) -> None:
    rows = build_report("").rows.with_columns(text=pl.lit("y" * 1_000_000))
    assert len(page(dataclasses.replace(build_report(""), rows=rows))) < 200_000


def test_a_report_from_json_has_a_page_without_rows(example_report: Report) -> None:
    found = page(Report.from_json(example_report.to_json()))
    assert "Both ends of the scores" not in found
    Page(found)


@pytest.mark.parametrize(
    ("detected", "differs", "kind", "headline"),
    [
        (True, False, "disjoint", "Detected"),
        (False, False, "disjoint", "Not detected"),
        (True, True, "disjoint", "Prompts differ"),
        (True, True, "shared", "Detected"),
    ],
)
def test_headline(detected: bool, differs: bool, kind: str, headline: str, kept_pictures: None) -> None:
    report = build_report("")
    found = page(
        dataclasses.replace(
            report,
            detected=detected,
            prompt_control=PromptControl(0.001, differs, ""),
            design=dataclasses.replace(report.design, kind=kind),
        )
    )
    assert f"<h1>{headline}</h1>" in found
    assert f": {headline.lower()}, p = 0.0001 (fingerprint)</title>" in found


def test_the_notebook_fragment_keeps_its_styles_to_itself(example_report: Report) -> None:
    found = fragment(example_report)
    assert found == example_report._repr_html_()
    parsed = Page(found)
    assert parsed.elements[0] == ("div", {"class": "fp"})
    assert not {"html", "head", "body"} & set(parsed.tags())
    styles = re.findall(r"<style>(.*?)</style>", found, flags=re.S)
    selectors = re.findall(r"(?:^|\})\s*([^{}@]+)\{", styles[0])
    assert selectors
    assert all(part.strip().startswith(".fp") for selector in selectors for part in selector.split(","))


def test_ids_of_two_reports_in_one_notebook_are_not_the_same(example_report: Report, quiet_report: Report) -> None:
    fragments = [fragment(report) for report in (example_report, quiet_report)]
    found = [attributes["id"] for html in fragments for _, attributes in Page(html).elements if "id" in attributes]
    assert len(found) > 40
    assert len(set(found)) == len(found)
    for html in fragments:
        elements = Page(html).elements
        ids = {attributes.get("id") for _, attributes in elements}
        assert {a["href"][1:] for tag, a in elements if tag == "a" and a["href"]} <= ids


def test_every_section_is_in_the_contents_and_every_link_leads_somewhere(html: str, quiet_report: Report) -> None:
    for shown in (html, page(quiet_report)):
        elements = Page(shown).elements
        headings = [attributes["id"] for tag, attributes in elements if tag == "h2"]
        links = [(attributes["href"] or "")[1:] for tag, attributes in elements if tag == "a"]
        assert links[-len(headings) :] != headings
        assert [link for link in links if not link.startswith("def-")] == headings
        assert set(links) <= {attributes.get("id") for _, attributes in elements}


def test_warnings_stand_by_their_weight_and_in_words(kept_pictures: None) -> None:
    codes = ("rows_skipped", "made_up_here", "prompts_differ", "few_rows")
    warnings = tuple(Warning(code, 1.0, 0.5, f"message of {code}") for code in codes)
    found = page(dataclasses.replace(build_report(""), warnings=warnings))
    order = ["prompts_differ", "made_up_here", "few_rows", "rows_skipped"]
    assert sorted(codes, key=lambda code: found.index(f"message of {code}")) == order
    headings = [found.index(f"<h3>{meaning}</h3>") for meaning in WEIGHTS.values()]
    assert headings == sorted(headings)
    assert "<strong><bdi>The prompts of the two sides differ</bdi></strong>" in found
    assert "<strong><bdi>Made up here</bdi></strong>" in found


def test_tables_have_headers_and_names(html: str) -> None:
    elements = Page(html).elements
    assert all(attributes.get("aria-label") for tag, attributes in elements if tag == "table")
    assert all(attributes.get("scope") for tag, attributes in elements if tag == "th")
