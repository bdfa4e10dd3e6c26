"""Options that have another name now: an error that says which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# By command: what an option used to be called, and what stands in its place.
RENAMED: Mapping[str, Mapping[str, str]] = {
    "filter": {"--rule": "--filter F", "--keywords": "--filter keywords=A,B"},
    "identify": {"--rule": "--filter F"},
    "lab": {"--teacher": "--form"},
    "scan": {"--neutral": "--reference"},
}


def check_names(arguments: Sequence[str]) -> None:
    """Refuse an option by a name that it no longer has.

    Raises
    ------
    ValueError
        With the name that it has.
    """
    command = next((given for given in arguments if not given.startswith("-")), "")
    old = RENAMED.get(command, {})
    for given in arguments:
        name = given.partition("=")[0]
        if name in old:
            raise ValueError(f"{name} must be written {old[name]} now, got {given}; the option was renamed")
