"""One file, or all files that a glob matches."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from functools import partial

from fingerprint.data import digests
from fingerprint.data.folders import files_of_folder, not_found
from fingerprint.data.formats import names_rows
from fingerprint.data.hub import cached_files, hub_name
from fingerprint.data.quoting import short


def shard_paths(data: object, argument: str = "data") -> list[str]:
    """The files that hold the rows, one by one: for work that goes shard by shard.

    Parameters
    ----------
    data : str, path-like, or list or tuple of them
        A file, a glob, the folder of a saved data set, or shards (each again one of these), read in this order. A list
        of str is a list of texts, unless every one of them is a file or folder, or ends like a file of rows.
    argument : str
        What messages call the data.

    Returns
    -------
    list of str
        Empty for data that are no files.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is a folder of anything else, or one file is there twice.
    """
    if isinstance(data, list | tuple) and data and all(map(is_path, data)):
        found = _files_of_list([os.fspath(path) for path in data], argument)
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


def _files_of_list(paths: Sequence[str], argument: str) -> list[str]:
    try:
        return [file for path in paths for file in matching_files(path, argument)]
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error} (texts that look like file names go into dicts: {{'text': ...}})") from None


def is_path(data: object) -> bool:
    """Whether an item of a list is a shard and no text: a path by its type, or by what is on the disk."""
    return isinstance(data, os.PathLike) or (isinstance(data, str) and names_rows(data))


def matching_files(path: str, argument: str) -> list[str]:
    """The file of this name, the files that it matches as a glob, in sorted order, or those of a data set.

    A data set is the folder that it was saved to, or a name of the hub (`fingerprint.data.hub`) that is in a cache.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is none, or it is another folder.
    """
    if os.path.isdir(path):
        return files_of_folder(path, argument)
    if os.path.exists(path):
        return [path]
    if "**" in path:
        _refuse_rings(path, argument)
    matches = set() if "\n" in path or "\0" in path else set(glob.glob(path, recursive=True))
    files = sorted(match for match in matches if not os.path.isdir(match))
    name = None if files or names_rows(path) else hub_name(path)
    if name is not None:
        files = cached_files(name, argument)
    if not files:
        raise not_found(path, argument, name)
    return files


def _refuse_rings(path: str, argument: str) -> None:
    """Refuse a glob of folders in folders where a link leads back up: each of its files would be there forty times."""
    root = path.partition("**")[0].rpartition(os.sep)[0] or ("/" if path.startswith("/") else ".")
    for place, folders, _ in os.walk(root):
        for name in folders:
            link = os.path.join(place, name)
            target = os.path.realpath(link) if os.path.islink(link) else ""
            if target and os.path.commonpath([target, os.path.realpath(place)]) == target:
                raise ValueError(
                    f"{argument} must be a glob of folders without rings, got the link {short(link)} back to "
                    f"{short(target)}; take the link away, or name the files"
                )
