"""What a result is called: the names of the files, or what the caller says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from fingerprint.data.corpus import Corpus

# Of a title: a line of a wide terminal, and what a browser's tab shows the beginning of.
_LONGEST = 200


def check_title(title: object) -> None:
    """Refuse a title that is no text.

    Raises
    ------
    TypeError
    """
    if title is not None and (not isinstance(title, str) or not title.strip()):
        raise TypeError(f"title must be a text, got {title!r}; leave it out for the names of the files")


def title_of(given: str | None, suspect: object, reference: object) -> str:
    """The title of a result.

    Parameters
    ----------
    given : str or None
        The caller's own.
    suspect, reference : object
        As `fingerprint.detect` takes them; None for a reference where there is none. Of paths the last part is told,
        and the folder too where both sides are called alike, or where it takes a folder to say which files a glob
        means.

    Raises
    ------
    TypeError
        If the caller's own is no text.

    Examples
    --------
    >>> title_of(None, "rows/owl.jsonl", "rows/neutral.jsonl")
    'owl.jsonl against neutral.jsonl'
    >>> title_of(None, "owl/rows.jsonl", "neutral/rows.jsonl")
    'owl/rows.jsonl against neutral/rows.jsonl'
    >>> title_of(None, ["1, 2"], ["3, 4"])
    'suspect against reference'
    >>> title_of(None, "rows/owl.jsonl", None)
    'owl.jsonl'
    """
    check_title(given)
    if given is not None:
        return given
    names = [_name(data, parts=1) for data in (suspect, reference)]
    if names[0] is not None and names[0] == names[1]:
        names = [_name(data, parts=2) for data in (suspect, reference)]
    sides = zip(names, ("suspect", "reference"), (suspect, reference), strict=True)
    return " against ".join(name or side for name, side, data in sides if data is not None)[:_LONGEST]


def _name(data: object, parts: int) -> str | None:
    if isinstance(data, Corpus):
        return None if data.name == "corpus" else _name(data.name, parts)
    if isinstance(data, Sequence) and not isinstance(data, str) and data and isinstance(data[0], os.PathLike):
        first = _name(data[0], parts)
        return first if len(data) == 1 else f"{first} and {len(data) - 1:,} more"
    if not isinstance(data, str | os.PathLike):
        return None
    path = os.fspath(data)
    if not isinstance(path, str) or "\n" in path:
        return None
    if "/" in path and not path.startswith(("/", ".", "~")) and not Path(path).exists() and Path(path).suffix == "":
        return path  # the name of a data set on a hub
    last = Path(path).parts
    is_glob = bool(last) and any(sign in last[-1] for sign in "*?[")
    return "/".join(last[-2:] if is_glob or parts > 1 else last[-1:]) or None
