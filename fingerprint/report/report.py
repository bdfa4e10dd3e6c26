"""The result of `detect`, and the ways to show it: text and HTML."""

from __future__ import annotations

import os

from fingerprint.data.files import write_atomically
from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.text import screenful


class Report(DetectionResult):
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

    def __str__(self) -> str:
        return screenful(self)

    def __repr__(self) -> str:
        return f"Report(detected={self.detected}, pvalue={self.pvalue:.4g}, auc={self.auc})"

    def _repr_html_(self) -> str:
        from fingerprint.report.html import fragment

        return fragment(self)
