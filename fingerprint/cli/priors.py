"""Files of the package on the command line, told apart by how they begin, and the digests that they have to have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fingerprint.detection.prior import Prior
    from fingerprint.fingerprints.fingerprint import Fingerprint

ReferenceDigestOption = Annotated[
    str | None, typer.Option("--reference-sha256", metavar="HEX", help="SHA-256 that the file REFERENCE has to have.")
]
PriorOption = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="A panel or trained detector made from other rows; may be repeated."),
]
PriorDigestOption = Annotated[
    list[str] | None,
    typer.Option("--prior-sha256", metavar="HEX", help="SHA-256 that the file of --prior has to have, one for each."),
]


def priors(paths: Sequence[Path] | None, sha256: Sequence[str] | None = None) -> list[Prior] | None:
    """What the files hold; None without any.

    Raises
    ------
    ValueError
        If one is neither a panel nor a detector, or has another digest than was given for it, in the order of both.
    FileNotFoundError
        If there is no such file.
    """
    found: list[Prior] = []
    pins: list[str | None] = [*sha256] if sha256 else [None] * len(paths or ())
    if len(pins) != len(paths or ()):
        raise ValueError(f"--prior-sha256 must be given once for each --prior, got {len(pins)} for {len(paths or ())}")
    for path, pin in zip(paths or (), pins, strict=True):
        from fingerprint.detector.detector import Detector
        from fingerprint.panels.panel import Panel
        from fingerprint.panels.storage import is_panel

        found.append(Panel.load(path, sha256=pin) if is_panel(path) else Detector.load(path, sha256=pin))
    return found or None


def fingerprint_of(name: str, sha256: str | None) -> Fingerprint | None:
    """The fingerprint in a file; None for rows.

    Raises
    ------
    ValueError
        If a digest is given for rows, or the file has another one.
    """
    from fingerprint.fingerprints.fingerprint import Fingerprint
    from fingerprint.fingerprints.signature import is_fingerprint

    if is_fingerprint(name):
        return Fingerprint.load(name, sha256=sha256)
    if sha256 is not None:
        raise ValueError(f"sha256 must be the digest of a fingerprint, got it for the rows {name!r}; leave it out")
    return None
