"""One file, or all files that a glob matches."""

from __future__ import annotations

import glob
import os

from fingerprint.data.quoting import _short


def _matching_files(path: str, argument: str) -> list[str]:
    if os.path.isdir(path):
        pattern = os.path.join(path, "*.jsonl")
        raise ValueError(f"{argument} must be a file or a glob, got the folder {_short(path)}; use a glob: {pattern!r}")
    if os.path.exists(path):
        return [path]
    matches = set() if "\n" in path or "\0" in path else set(glob.glob(path, recursive=True))
    files = sorted(match for match in matches if not os.path.isdir(match))
    if not files:
        prose = "\n" in path or " " in path
        hint = "check the name and the current folder" + " (texts go into a list of strings)" * prose
        raise FileNotFoundError(f"{argument} must be a file, or a glob that matches files, got {_short(path)}; {hint}")
    return files
