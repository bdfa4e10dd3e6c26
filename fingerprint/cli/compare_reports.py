"""`fingerprint compare-reports REPORTS`: many reports side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fingerprint.cli import completion
from fingerprint.cli.errors import fail_if, failures
from fingerprint.cli.options import (
    ColorOption,
    DebugOption,
    FailIfDetectedOption,
    HtmlOption,
    JsonOption,
    QuietOption,
    TitleOption,
    VerboseOption,
)
from fingerprint.cli.outputs import Screen, check_outputs

FdrOption = Annotated[float, typer.Option(help="False discovery rate to keep among the reports.")]
CorrectionOption = Annotated[
    str,
    typer.Option(
        metavar="C",
        autocompletion=completion.corrections,
        help="bh (Benjamini-Hochberg: reports independent or positively dependent) or by (Benjamini-Yekutieli: any).",
    ),
]


def compare_reports(
    reports: Annotated[list[Path], typer.Argument(metavar="REPORTS", help="Two or more JSON files of detect.")],
    html: HtmlOption = None,
    json: JsonOption = None,
    fdr: FdrOption = 0.05,
    correction: CorrectionOption = "bh",
    title: TitleOption = None,
    fail_if_detected: FailIfDetectedOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    color: ColorOption = "auto",
    debug: DebugOption = False,
) -> None:
    """Put REPORTS side by side (versions of a data set, filters, suspects), with false discoveries controlled.

    Give all reports that were made, also those that found nothing: to leave some out breaks the rate.
    """
    with failures(debug, {"reports": "REPORTS", "correction": "--correction", "fdr": "--fdr"}, quiet=quiet):
        screen = Screen(quiet, verbose, color)
        check_outputs({"--html": html, "--json": json}, inputs=[str(report) for report in reports])
        from fingerprint.data.files import write_together
        from fingerprint.report.side_by_side import compare_reports as run

        found = run(reports, fdr=fdr, correction=correction, title=title)  # type: ignore[arg-type]  # it refuses others
        contents: dict[Path, str | bytes] = {}
        if json is not None:
            contents[json] = found.to_json() + "\n"
        if html is not None:
            from fingerprint.report.side_by_side_page import page  # jinja2 and matplotlib

            contents[html] = page(found)
        write_together(contents)
        screen.result(found)
        fail_if(fail_if_detected and found.detected)
