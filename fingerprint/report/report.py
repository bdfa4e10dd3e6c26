"""The result of `detect`: its figures, and the ways out of them (text, JSON, HTML)."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

from fingerprint.data.files import write_atomically
from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.encoding import decode, encode

SCHEMA_VERSION = 1


class Report(DetectionResult):
    """What `detect` found: the verdict, the figures behind it, and everything a reader needs to doubt it.

    Fields, tables and derived figures are those of `DetectionResult`; a report adds the ways to show and keep them.
    """

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values: the keys of `json_schema`, floats to 10 significant digits, no row texts."""
        body: dict[str, Any] = encode(Report, self)
        return {"schema_version": SCHEMA_VERSION, **body}

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The report as JSON text, also written to `path` where one is given.

        The text is plain ASCII (anything else is escaped), and the file is never half-written.
        """
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=True, allow_nan=False)
        if path is not None:
            write_atomically(path, text + "\n")
        return text

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Report:
        """Inverse of `to_dict`.

        Raises
        ------
        ValueError
            If `data` is of another schema version, lacks a key, has an unknown one, or holds a wrong type.
        """
        if not isinstance(data, dict):
            raise ValueError(f"a report must be a JSON object, got {type(data).__name__}; write it with Report.to_json")
        if data.get("schema_version") != SCHEMA_VERSION:
            found = data.get("schema_version")
            raise ValueError(
                f"schema_version must be {SCHEMA_VERSION}, got {found!r}; read it with the release that wrote it"
            )
        body = {key: value for key, value in data.items() if key != "schema_version"}
        report: Report = decode(cls, body, "report")
        return report

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Report:
        """Read a report from a JSON file, or from JSON text (a string that starts with a brace).

        Raises
        ------
        ValueError
            If it is not JSON, or not a report.
        FileNotFoundError
            If there is no such file.
        """
        is_text = isinstance(source, str) and source.lstrip().startswith("{")
        text = str(source) if is_text else Path(source).read_text(encoding="utf-8")
        name = "text" if is_text else repr(os.fspath(source))
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"a report must be JSON, got {name}: {error}; write it with Report.to_json") from error
        return cls.from_dict(data)

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) that every `to_dict` satisfies."""
        path = files("fingerprint.report") / "schemas" / "report.schema.json"
        schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return schema

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write one self-contained HTML page to `path`: no scripts, no requests, everything from the data escaped.

        The page quotes the twenty rows at the ends of the ranking; everything else in it is an aggregate.
        """
        from fingerprint.report.html import page

        write_atomically(path, page(self))

    def __str__(self) -> str:
        from fingerprint.report.text import screenful

        return screenful(self)

    def __repr__(self) -> str:
        return f"Report(detected={self.detected}, pvalue={self.pvalue:.4g}, auc={self.auc})"

    def _repr_html_(self) -> str:
        from fingerprint.report.html import fragment

        return fragment(self)
