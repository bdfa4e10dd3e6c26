"""`fingerprint demo`: detect on the corpora that come with the package."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from fingerprint.cli.errors import failures
from fingerprint.cli.options import ColorOption, DebugOption, JsonOption, QuietOption, VerboseOption
from fingerprint.cli.outputs import Screen
from fingerprint.cli.report_files import ReportFiles

PageOption = Annotated[Path, typer.Option("--html", metavar="FILE", help="Where the HTML page goes.")]


def demo(
    html: PageOption = Path("demo-report.html"),
    json: JsonOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    color: ColorOption = "auto",
    debug: DebugOption = False,
) -> None:
    """Run detect on two small corpora that come with the package."""
    with failures(debug, quiet=quiet), ExitStack() as stack:
        screen, outputs = Screen(quiet, verbose, color), ReportFiles(html, json)
        outputs.check(inputs=())
        examples = files("fingerprint.data") / "examples"
        suspect, reference = (
            str(stack.enter_context(as_file(examples / name))) for name in ("suspect.jsonl", "reference.jsonl")
        )
        from fingerprint.detection.detect import detect as run  # numerical libraries load only when there is work

        with screen.bar() as progress:
            report = run(suspect, reference, progress=progress or False)
        outputs.write(report, report.gate())
        screen.say(f"A page with pictures: {html.resolve()}\n")
        screen.result(report)
