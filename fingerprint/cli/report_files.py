"""The files of a report: all of them appear, or none does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from fingerprint.cli.outputs import check_outputs

if TYPE_CHECKING:
    from fingerprint.report.gate import Judgement
    from fingerprint.report.report import Report

# Where GitHub's runner says that the summary of a step is: a file that all commands of the step add to.
_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True)
class ReportFiles:
    """Where the files of a report go; None for those that nobody asked for.

    Attributes
    ----------
    html, json, junit, summary : path
        As `Report.to_html` and `Report.to_json` write them, test cases, and Markdown for the summary of a job.
    scores : path
        Of all rows, which `detect` writes.
    """

    html: Path | None = None
    json: Path | None = None
    scores: Path | None = None
    junit: Path | None = None
    summary: Path | None = None

    def check(self, inputs: Sequence[str | None]) -> None:
        """Refuse files that cannot be written, that are inputs, or that are one another: before any work."""
        check_outputs({f"--{field.name}": getattr(self, field.name) for field in fields(self)}, inputs=inputs)

    def kept_work(self) -> Path:
        """Where work that may be killed is kept until the files are written: beside the first of them."""
        named = {"--json": self.json, "--html": self.html, "--scores": self.scores, "--junit": self.junit}
        out = next((path for path in named.values() if path is not None and not _is_pipe(path)), None)
        if out is None:
            raise ValueError(f"--resume must come with {', '.join(named)} or several, got none; work is kept beside it")
        return out.with_name(f"{out.name}.part")

    @contextmanager
    def draft_of_scores(self) -> Iterator[Path | None]:
        """Where `detect` is to write the scores until all is ready: a file that is gone afterwards."""
        from fingerprint.data.files import draft_beside

        if self.scores is None or _is_pipe(self.scores):
            yield self.scores  # a pipe takes them as they come
            return
        with draft_beside(self.scores) as draft:
            yield draft

    def write(
        self, report: Report, judgement: Judgement, min_effect: float | None = None, draft: Path | None = None
    ) -> None:
        """Write everything, the scores from their draft."""
        from fingerprint.data.files import write_together
        from fingerprint.report.junit import junit
        from fingerprint.report.summary import summary

        contents = {}
        if self.json is not None:
            contents[self.json] = report.to_json() + "\n"
        if self.html is not None:
            from fingerprint.report.html import page  # jinja2 and matplotlib

            contents[self.html] = page(report)
        if self.junit is not None:
            contents[self.junit] = junit(report, judgement, min_effect)
        if self.summary is not None:
            contents[self.summary] = summary(report, judgement)
        drafts = {} if self.scores is None or draft in (None, self.scores) else {self.scores: draft}
        write_together(contents, drafts=drafts, appended=self.summary if self._is_step_summary() else None)

    def _is_step_summary(self) -> bool:
        step = os.environ.get(_STEP_SUMMARY)
        return bool(step) and self.summary is not None and self.summary.resolve() == Path(str(step)).resolve()


def _is_pipe(path: Path) -> bool:
    """Whether what is written there is no file."""
    return path.exists() and not path.is_file()
