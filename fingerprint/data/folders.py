"""Folders: data sets that were saved there, and what to say of any other folder."""

from __future__ import annotations

import json
import os
from collections import Counter
from difflib import get_close_matches

from fingerprint.data.formats import ending_of
from fingerprint.data.hub import HubName, how_to_get
from fingerprint.data.quoting import listed, short

#: What `Dataset.save_to_disk` and `DatasetDict.save_to_disk` leave beside the rows.
_STATE, _SPLITS = "state.json", "dataset_dict.json"
# Signs of a long path that are shown: the end of it says more than the beginning.
_SHOWN = 57
# Files of a folder that are looked at to say which glob matches its rows.
_LOOKED_AT = 10_000


def files_of_folder(folder: str, argument: str) -> list[str]:
    """The Arrow files of a data set that was saved to a folder, in its order.

    Raises
    ------
    ValueError
        If the folder holds several data sets, or is no such folder; the message says what to pass instead.
    """
    if os.path.isfile(os.path.join(folder, _STATE)):
        return _saved_files(folder)
    if os.path.isfile(os.path.join(folder, _SPLITS)):
        splits = _splits_of(os.path.join(folder, _SPLITS))
        if len(splits) == 1:
            return files_of_folder(os.path.join(folder, splits[0]), argument)
        named = [os.path.join(folder, split) for split in splits]
        raise ValueError(
            f"{argument} must be one data set, got the folder {short(folder)} with the splits {listed(splits)}; "
            f"choose one, as in {named[0]!r}"
        )
    raise ValueError(
        f"{argument} must be a file or a glob, got the folder {short(folder)}; use a glob: {_glob_of(folder)!r}"
    )


def not_found(path: str, argument: str, name: HubName | None) -> FileNotFoundError:
    """What to say of a path that matches nothing: the nearest name in its folder, or how to get a data set of the hub.

    A text that was passed as a path is told where texts go.
    """
    folder, own = os.path.split(path)
    near = get_close_matches(own, _names_in(folder or "."), n=1)
    if "\n" in path or " " in path:
        hint = "check the name and the current folder (texts go into a list of strings)"
    elif path.startswith("~"):
        hint = f"write the home folder out: {os.path.expanduser(path)!r}"
    elif near:
        hint = f"did you mean {os.path.join(folder, near[0])!r}?"
    elif "://" in path and name is None:
        hint = "download it first"
    elif name is not None and "/" in name.repository and not os.path.isdir(folder):
        hint = f"check the name and the current folder; {how_to_get(name)}"
    else:
        hint = "check the name and the current folder"
    shown = short(path) if "\n" in path or len(path) <= _SHOWN else f"'...{path[-_SHOWN:]}'"
    return FileNotFoundError(f"{argument} must be a file, or a glob that matches files, got {shown}; {hint}")


def _saved_files(folder: str) -> list[str]:
    state = os.path.join(folder, _STATE)
    try:
        with open(state, encoding="utf-8") as file:
            names = [os.path.basename(str(entry["filename"])) for entry in json.load(file)["_data_files"]]
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{state} must be written by Dataset.save_to_disk, got something else; save the data set again"
        ) from None
    if not names:
        raise ValueError(f"{folder} must hold a data set with rows, got one without files; check how it was written")
    return [os.path.join(folder, name) for name in names]


def _splits_of(file: str) -> list[str]:
    try:
        with open(file, encoding="utf-8") as content:
            return [os.path.basename(str(split)) for split in json.load(content)["splits"]]
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{file} must be written by DatasetDict.save_to_disk, got something else; save the data sets again"
        ) from None


def _glob_of(folder: str) -> str:
    """A glob of the files of a folder that are most alike: those of its rows, by all appearances."""
    endings: Counter[tuple[bool, str]] = Counter()
    looked_at = 0
    for place, _, names in os.walk(folder):
        for name in names:
            if ending_of(name):
                endings[place != folder, ending_of(name)] += 1
        looked_at += len(names)
        if looked_at > _LOOKED_AT:
            break
    (is_deep, ending), _ = endings.most_common(1)[0] if endings else ((False, ".jsonl"), 0)
    return os.path.join(folder, *(["**"] if is_deep else []), f"*{ending}")


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
