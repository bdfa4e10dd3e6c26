"""What a command gives back: results on standard output and nothing else, files, a progress bar on a terminal."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import cast

from fingerprint.cli.errors import complain
from fingerprint.report.layout import Page
from fingerprint.report.shown import Shown
from fingerprint.report.terminal import COLORS, Color, columns, takes_colors


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


def check_inputs(inputs: Mapping[str, str | None]) -> None:
    """Refuse files that are missing or cannot be read, each by its argument: before the first of them is read.

    Only what looks like a file of rows, by its ending: other names may be those of data sets. What decodes tables, if
    there are some, starts now: that takes as long as a command's own libraries do.
    """
    from glob import iglob

    from fingerprint.data.folders import not_found
    from fingerprint.data.formats import begin_decoding, ending_of

    for argument, name in inputs.items():
        if name is None or not ending_of(name):
            continue
        if not os.path.exists(name) and next(iglob(name, recursive=True), None) is None:
            raise not_found(name, argument, None)
        if os.path.isfile(name) and not os.access(name, os.R_OK):
            raise PermissionError(f"{argument} must be readable, got {name!r}; change its permissions")
    begin_decoding(filter(None, inputs.values()))


def check_folder(folder: Path, flag: str) -> None:
    """Refuse a folder that cannot be made or written to: before hours of work.

    Raises
    ------
    ValueError, PermissionError
    """
    there = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
    if not there.is_dir():
        raise ValueError(f"{flag} must be a folder, got {str(folder)!r}: {there} is a file; name another")
    if not os.access(there, os.W_OK):
        raise PermissionError(f"{flag} must be writable, got {str(folder)!r}; choose another place")


def _is_same_file(first: Path, second: Path) -> bool:
    return first.is_file() and second.is_file() and first.samefile(second)


@dataclass(frozen=True)
class Screen:
    """What is printed, and how: ``--quiet``, ``--verbose`` and ``--color``.

    Attributes
    ----------
    quiet : bool
        Only the verdict, in one line; nothing where there is none.
    verbose : bool
        Everything, not only what fits a screen.
    color : str
        "auto", "always" or "never".

    Raises
    ------
    ValueError
        For both of the first two, or another word for the third.
    """

    quiet: bool = False
    verbose: bool = False
    color: str = "auto"

    def __post_init__(self) -> None:
        if self.color not in COLORS:
            raise ValueError(f"--color must be {', '.join(COLORS)}, got {self.color!r}; choose one of them")
        if self.quiet and self.verbose:
            raise ValueError("--quiet must not be given with --verbose, got both; leave one out")

    def result(self, found: Shown) -> None:
        """Print what was found: the verdict alone, a dozen lines or everything."""
        if self.quiet:
            show(found.headline)
        else:
            page = Page(columns(), takes_colors(sys.stdout, cast("Color", self.color)))
            show(found.text(page, full=self.verbose))

    def say(self, text: str, *, wraps: bool = False) -> None:
        """Print something that is no verdict; its lines broken at the width of the terminal where that is asked for."""
        if self.quiet:
            return
        lines = [part for line in text.split("\n") for part in (Page(columns()).wrap(line, "  ") or [""])]
        show("\n".join(lines) if wraps else text)

    @contextmanager
    def bar(self) -> Iterator[Callable[[str, float], None] | None]:
        """A bar on standard error that disappears when the work is done; None where nobody is watching."""
        if self.quiet or sys.stderr is None or not sys.stderr.isatty():
            yield None
            return
        from fingerprint.cli.bar import drawn_bar

        with drawn_bar(is_plain=not takes_colors(sys.stderr, cast("Color", self.color))) as tell:
            yield tell


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
def shards_bar(shards: int, screen: Screen) -> Iterator[Callable[[int, int, float], None] | None]:
    """`Screen.bar` for work that goes shard by shard: rows, their speed, and once a shard is done the time left."""
    with screen.bar() as show_step:
        if show_step is None:
            yield None
            return
        from fingerprint.data.progress import duration

        first: list[tuple[int, float]] = []  # shards when the work began, an earlier call's among them, and the time

        def tell(done: int, rows: int, speed: float) -> None:
            if not first:
                first.append((done, time.monotonic()))
            before, started = first[0]
            a_shard = (time.monotonic() - started) / max(done - before, 1)
            left = f", {duration(a_shard * (shards - done))} left" if done > before else ""
            show_step(f"{rows:,} rows, {speed:,.0f} a second, {done:,} of {shards:,} shards{left}", done / shards)

        yield tell


@contextmanager
def warnings_in_lines() -> Iterator[None]:
    """Warnings as lines on standard error in the manner of errors, without a place in the code."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: complain(f"warning: {message}")
        yield
