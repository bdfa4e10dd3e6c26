"""One file, or all files that a glob matches."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

from fingerprint.data import digests
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
    return (file_source(file, asked) for file in matching_files(path, argument))


def shard_paths(data: object, argument: str = "data") -> list[str]:
    """The files that hold the rows, one by one: for work that goes shard by shard.

    Parameters
    ----------
    data : str, path-like, or list or tuple of pathlib.Path
        A file, a glob, or shards (each again a file or a glob), read in this order. A list of str is a list of texts.
    argument : str
        What messages call the data.

    Returns
    -------
    list of str
        Empty for data that are no files.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is a folder, or one file is there twice.
    """
    if isinstance(data, list | tuple) and data and all(isinstance(path, os.PathLike) for path in data):
        found = [file for path in data for file in matching_files(os.fspath(path), argument)]
        twice = next((file for file in found if found.count(file) > 1), None) if len(set(found)) < len(found) else None
        if twice is not None:
            raise ValueError(f"{argument} must name every shard once, got {short(twice)} twice; leave one of them out")
        return found
    if isinstance(data, str | os.PathLike) and isinstance(path := os.fspath(data), str):
        return matching_files(path, argument)
    return []


def duplicate_shards(files: Sequence[str]) -> dict[str, str]:
    """Of each file that holds the same bytes as one before it: the name of that one."""
    sizes = {file: os.path.getsize(file) for file in files if os.path.isfile(file)}
    many = {size for size, files_of_size in Counter(sizes.values()).items() if files_of_size > 1}
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for file in (file for file, size in sizes.items() if size in many and os.access(file, os.R_OK)):
        with open(file, "rb") as content:
            digest = digests.hex_digest_of_parts(iter(partial(content.read, 1 << 20), b""), 16)
        if first.setdefault(digest, file) != file:
            found[file] = first[digest]
    return found


def matching_files(path: str, argument: str) -> list[str]:
    """The file of this name, or the files that it matches as a glob, in sorted order.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is none, or it is a folder.
    """
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
