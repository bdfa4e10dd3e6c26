"""Files of prior knowledge on the command line: trained detectors and panels, told apart by how they begin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fingerprint.detection.prior import Prior

PriorOption = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="A panel or trained detector made from other rows; may be repeated."),
]


def priors(paths: Sequence[Path] | None) -> list[Prior] | None:
    """What the files hold; None without any.

    Raises
    ------
    ValueError
        If one is neither a panel nor a detector.
    FileNotFoundError
        If there is no such file.
    """
    found: list[Prior] = []
    for path in paths or ():
        from fingerprint.detector.detector import Detector
        from fingerprint.panels.panel import Panel
        from fingerprint.panels.storage import is_panel

        found.append(Panel.load(path) if is_panel(path) else Detector.load(path))
    return found or None
