"""The command line: a table of commands, each in a file of its own."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

import typer

from fingerprint.cli.compare import compare
from fingerprint.cli.compare_reports import compare_reports
from fingerprint.cli.demo import demo
from fingerprint.cli.detect import detect
from fingerprint.cli.errors import BAD_INPUT, complain
from fingerprint.cli.filter import filter_rows
from fingerprint.cli.identify import identify
from fingerprint.cli.lab import lab
from fingerprint.cli.labels import labels
from fingerprint.cli.merge import merge
from fingerprint.cli.panel import panel
from fingerprint.cli.renamed import check_names
from fingerprint.cli.scan import scan
from fingerprint.cli.sketch import sketch
from fingerprint.cli.train import train

# Objects after which Python looks for garbage that refers to itself, and how many such rounds make a longer one. Most
# of what a command makes lives until it ends: with Python's own (700, 10, 10), looking through it took a twentieth of
# the time of a short command.
COLLECTED = (50_000, 20, 50)

# In the order of `fingerprint --help`.
COMMANDS: dict[str, Callable[..., None]] = {
    "detect": detect,
    "filter": filter_rows,
    "demo": demo,
    "lab": lab,
    "train": train,
    "scan": scan,
    "identify": identify,
    "sketch": sketch,
    "merge": merge,
    "compare": compare,
    "compare-reports": compare_reports,
    "labels": labels,
}

# What each does, in the list of all commands: a line of 80 columns.
SHORT_HELP = {
    "detect": "Compare SUSPECT with REFERENCE: the report.",
    "filter": "Judge rows by semantic filters, with the reasons.",
    "demo": "Run detect on two small corpora of the package.",
    "lab": "Make subliminal learning happen, and measure it.",
    "train": "Train a detector on rows of a known trait.",
    "scan": "Judge SUSPECT by a trained detector.",
    "identify": "Say which of several candidates wrote SUSPECT.",
    "sketch": "Sum rows, however many, into a fingerprint.",
    "merge": "Add fingerprints of different rows up.",
    "compare": "Compare two fingerprints, without any row.",
    "compare-reports": "Put reports side by side, false discoveries controlled.",
    "labels": "Test the choices of preference labels.",
}


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"fingerprint {version('subliminal-fingerprint')}")
        raise typer.Exit


def _fingerprint(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def app_of(commands: Iterable[str]) -> typer.Typer:
    """The command line with some of its commands: to read the options of all of them takes a fifth of a second."""
    found = typer.Typer(
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Is a data set written by a model with a hidden trait? Compares two corpora of model-written rows.",
    )
    found.callback()(_fingerprint)
    for name in commands:
        found.command(name, short_help=SHORT_HELP[name])(COMMANDS[name])
    return found


app = app_of(COMMANDS)
app.add_typer(panel, name="panel")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; always ends in `SystemExit`.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments without the program's name; by default those of the process.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without UTF-8 gets escapes instead of a failure
            stream.reconfigure(errors="backslashreplace")
    chosen = list(sys.argv[1:] if arguments is None else arguments)
    try:
        check_names(chosen)
    except ValueError as error:
        complain(f"error: {error}")
        raise SystemExit(BAD_INPUT) from None
    asked = app_of(chosen[:1]) if chosen[:1] and chosen[0] in COMMANDS else app
    before = gc.get_threshold()
    gc.set_threshold(*COLLECTED)
    try:
        typer.main.get_command(asked).main(args=chosen, prog_name="fingerprint")
    finally:
        gc.set_threshold(*before)
