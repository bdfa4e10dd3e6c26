"""`fingerprint merge F...`: fingerprints added up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fingerprint.cli.errors import failures
from fingerprint.cli.options import ColorOption, DebugOption, FingerprintOption, SilentOption
from fingerprint.cli.outputs import Screen, check_outputs
from fingerprint.cli.sketch import summary


def merge(
    fingerprints: Annotated[
        list[str], typer.Argument(metavar="FINGERPRINTS", help="Fingerprints: files or quoted globs.")
    ],
    out: FingerprintOption,
    fingerprint_sha256: Annotated[
        list[str] | None,
        typer.Option(metavar="HEX", help="SHA-256 that a fingerprint has to have, one for each, in any order."),
    ] = None,
    quiet: SilentOption = False,
    color: ColorOption = "auto",
    debug: DebugOption = False,
) -> None:
    """Add FINGERPRINTS of different rows up: the same bytes as a fingerprint of all their rows, in any order."""
    with failures(debug, quiet=quiet):
        screen = Screen(quiet, color=color)
        from fingerprint.data.shards import shard_paths

        files = shard_paths([Path(name) for name in fingerprints], "FINGERPRINTS")
        check_outputs({"--out": out}, inputs=files)
        from fingerprint.fingerprints.fingerprint import Fingerprint

        with screen.bar() as progress:
            found = Fingerprint.merged(files, progress or False, sha256=fingerprint_sha256)
        found.save(out)
        screen.say(summary(found, out))
