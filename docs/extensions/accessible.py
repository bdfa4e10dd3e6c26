"""What the theme leaves out for those who read with a keyboard or a screen reader, put into the pages at the end.

Each line is a rule of axe-core that pages as they come from Sphinx and Furo break, and what is written instead. Reports
of the gallery are not touched: they keep to the rules by themselves.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

from fingerprint.report.plots import PICTURES

INSTEAD = {
    # aria-required-attr: captions in the list of pages
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    # landmark-unique: two asides, which need names
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="On this page">',
    '<aside class="toc-drawer no-toc">': '<aside class="toc-drawer no-toc" aria-label="On this page">',
    # scrollable-region-focusable: what scrolls sideways has to be reached without a mouse
    "<pre>": '<pre tabindex="0">',
    '<div class="output text_html">': '<div tabindex="0" class="output text_html">',
    '<div class="table-wrapper ': '<div tabindex="0" class="table-wrapper ',
    # empty-table-header
    '<th class="head"><p></p></th>': '<td class="head"></td>',
    # page-has-heading-one: the page of the search
    '<div id="search-results"></div>': '<h1>Search</h1>\n<div id="search-results"></div>',
}

DRAWN = re.compile(r'(plot_(\w+)</span>(?:(?!plot_).)*?<img alt=")[^"]*_images/[^"]*(?=")', re.DOTALL)
"""A picture of a notebook, called by its file, and the method that drew it."""


def _mend(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.name != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        if page.parent.name == "gallery":
            continue
        text = mended = page.read_text(encoding="utf-8")
        for found, written in INSTEAD.items():
            if found not in written or written not in mended:  # not again what holds itself
                mended = mended.replace(found, written)
        mended = DRAWN.sub(lambda drawn: f"{drawn[1]}Picture: {PICTURES[drawn[2]].title.lower()}", mended)
        if mended != text:
            page.write_text(mended, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", _mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
