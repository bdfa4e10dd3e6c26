"""What a command gives back: results on standard output and nothing else, files, a progress bar on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fingerprint.report.report import Report


def check_outputs(outputs: Mapping[str, Path | None], *, inputs: Sequence[str | None]) -> None:
    """Refuse files that cannot be written, that are inputs, or that are one another: before any work."""
    from fingerprint.data.files import check_output

    wanted = {flag: path for flag, path in outputs.items() if path is not None}
    for flag, path in wanted.items():
        check_output(path, flag)
        if any(name is not None and _is_same_file(path, Path(name)) for name in inputs):
            raise ValueError(f"{flag} must not be an input, got {str(path)!r}; writing there would destroy the data")
    for (flag, path), (other_flag, other) in combinations(wanted.items(), 2):
        if path.resolve() == other.resolve():
            raise ValueError(f"{flag} and {other_flag} must be different files, got {str(path)!r} twice; rename one")


def _is_same_file(first: Path, second: Path) -> bool:
    return first.is_file() and second.is_file() and first.samefile(second)


def write_report(report: Report, html: Path | None, json: Path | None, *, quiet: bool) -> None:
    """Print a report, and write the files that were asked for."""
    if not quiet:
        show(str(report))
    if json is not None:
        report.to_json(json)
    if html is not None:
        report.to_html(html)


def show(text: str) -> None:
    """Print to standard output; a reader that left (``| head``) is no failure."""
    try:
        print(text, flush=True)
    except OSError as error:
        # What is still buffered would fail again, with a traceback, when the interpreter shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Callable[[str, float], None] | None]:
    """A bar on standard error that disappears when the work is done; None where nobody is watching."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda step, fraction: bar.update(task, description=step, completed=fraction)
