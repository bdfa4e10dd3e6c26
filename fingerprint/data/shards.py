"""One file, or all files that a glob matches."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable

from fingerprint.data.columns import Columns
from fingerprint.data.formats import file_source
from fingerprint.data.quoting import short
from fingerprint.data.sources import Source


def file_sources(path: str, asked: Columns, argument: str) -> Iterable[Source]:
    """One source a file, in sorted order; a file is opened when its rows are asked for.

    Raises
    ------
    FileNotFoundError, ValueError
        At once, if there is no such file, or it is a folder.
    """
    return (file_source(file, asked) for file in _matching_files(path, argument))


def _matching_files(path: str, argument: str) -> list[str]:
    if os.path.isdir(path):
        pattern = os.path.join(path, "*.jsonl")
        raise ValueError(f"{argument} must be a file or a glob, got the folder {short(path)}; use a glob: {pattern!r}")
    if os.path.exists(path):
        return [path]
    matches = set() if "\n" in path or "\0" in path else set(glob.glob(path, recursive=True))
    files = sorted(match for match in matches if not os.path.isdir(match))
    if not files:
        prose = "\n" in path or " " in path
        hint = "check the name and the current folder" + " (texts go into a list of strings)" * prose
        raise FileNotFoundError(f"{argument} must be a file, or a glob that matches files, got {short(path)}; {hint}")
    return files
