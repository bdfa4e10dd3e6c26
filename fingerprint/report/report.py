"""The result of `detect`, and the ways to show it: text and HTML."""

from __future__ import annotations

import os

from fingerprint.data.files import write_atomically
from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.formatting import visible
from fingerprint.report.layout import Page
from fingerprint.report.short_text import dozen_lines
from fingerprint.report.shown import Shown
from fingerprint.report.text import everything


class Report(Shown, DetectionResult):
    """What `detect` found: the verdict, the figures behind it, and everything a reader needs to doubt it.

    Fields, tables and derived figures are those of `DetectionResult`; the ways to JSON and back are those of every
    `Result`. Row texts never enter JSON.
    """

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write one self-contained HTML page to `path`: no scripts, no requests, everything from the data escaped.

        The page quotes the twenty rows at the ends of the ranking; everything else in it is an aggregate.
        """
        from fingerprint.report.html import page  # jinja2 and matplotlib

        write_atomically(path, page(self))

    def text(self, page: Page, *, full: bool = False) -> str:
        """About a dozen lines, or everything, the verdict last either way."""
        return everything(self, page) if full else dozen_lines(self, page)

    @property
    def headline(self) -> str:
        """What was compared, and the verdict."""
        return f"{visible(self.title)}: {visible(self.verdict)}"

    def __repr__(self) -> str:
        return f"Report(detected={self.detected}, pvalue={self.pvalue:.4g}, auc={self.auc})"

    def _repr_html_(self) -> str:
        from fingerprint.report.html import fragment

        return fragment(self)
