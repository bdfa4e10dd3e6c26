"""`fingerprint merge F...`: fingerprints added up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fingerprint.cli.errors import failures
from fingerprint.cli.options import DebugOption, FingerprintOption, QuietOption
from fingerprint.cli.outputs import check_outputs, show
from fingerprint.cli.sketch import summary


def merge(
    fingerprints: Annotated[list[str], typer.Argument(metavar="F", help="Fingerprints: files or quoted globs.")],
    out: FingerprintOption,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Add fingerprints F of different rows up: the same bytes as a fingerprint of all their rows, in any order."""
    with failures(debug):
        from fingerprint.data.shards import shard_paths

        files = shard_paths([Path(name) for name in fingerprints], "F")
        check_outputs({"--out": out}, inputs=files)
        from fingerprint.fingerprints.fingerprint import Fingerprint

        found = Fingerprint.merged(files)
        found.save(out)
        if not quiet:
            show(summary(found, out))
