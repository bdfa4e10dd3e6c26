"""Data sets by their names on the hub of Hugging Face, from the caches on this disk.

Nothing is downloaded and no code of a data set is run, unless the caller says so with ``HF_HUB_OFFLINE=0``. What
`datasets.load_dataset` has prepared is read as the Arrow files that it left; a snapshot that ``hf download`` left is
prepared by `datasets` first (extra ``hf``).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from glob import escape, glob
from pathlib import Path

from fingerprint.data.notes import note
from fingerprint.data.quoting import listed

_NAME = re.compile(
    r"(?P<repository>(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*)"
    r"(?:@(?P<revision>[\w./-]+))?(?::(?P<first>[^:\s]+))?(?::(?P<second>[^:\s]+))?"
)
_PREFIXES = ("hf://datasets/", "https://huggingface.co/datasets/")


@dataclass(frozen=True)
class HubName:
    """``owner/name[@revision][:config][:split]``, cut into its parts.

    `parts` are what comes after the colons: one may be a configuration or a split.
    """

    repository: str
    revision: str | None
    parts: tuple[str, ...]

    def of(self, *parts: str) -> str:
        """The name with other parts."""
        return ":".join((self.repository + (f"@{self.revision}" if self.revision else ""), *parts))


def hub_name(text: str) -> HubName | None:
    """The name that a text is by its form; None for any other text."""
    bare = next((text.removeprefix(prefix) for prefix in _PREFIXES if text.startswith(prefix)), text)
    found = _NAME.fullmatch(bare)
    if found is None:
        return None
    parts = tuple(part for part in (found["first"], found["second"]) if part is not None)
    return HubName(found["repository"], found["revision"], parts)


def cached_files(name: HubName, argument: str) -> list[str]:
    """The Arrow files of a split of a data set; empty where no cache has the data set.

    Raises
    ------
    ValueError
        If it has several configurations or splits, or not the one that was named: with those that there are.
    ModuleNotFoundError
        If there is a snapshot alone, and `datasets` is not installed to prepare it.
    """
    prepared = _prepared(name)
    if not prepared and os.environ.get("HF_HUB_OFFLINE", "").lower() in ("0", "false", "no", "off"):
        _download(name, argument)
        prepared = _prepared(name)
    if prepared:
        config, split = _chosen(name, {config: _splits(place) for config, place in prepared.items()}, argument)
        return _arrow_files(prepared[config], split)
    snapshot = _snapshot(name)
    return [] if snapshot is None else _files_of_snapshot(name, snapshot, argument)


def how_to_get(name: HubName) -> str:
    """What to do about a data set that no cache has."""
    near = get_close_matches(name.repository, _cached_names() - {name.repository}, n=1)
    if near:
        return f"of the data sets of the hub that are here, did you mean {near[0]!r}?"
    revision = f" --revision {name.revision}" if name.revision else ""
    return (
        f"if it is a data set of the hub, it is in no cache here and nothing is downloaded unasked: get it with "
        f"`hf download --repo-type dataset {name.repository}{revision}`, or run this again with HF_HUB_OFFLINE=0"
    )


def _cached_names() -> set[str]:
    """Data sets of the caches, by their names as far as the folders tell them."""
    prepared = (place.name.replace("___", "/") for place in _datasets_cache().glob("*___*"))
    fetched = (place.name.split("--", 1)[1].replace("--", "/") for place in _hub_cache().glob("datasets--*--*"))
    return {*prepared, *fetched}


# --- What load_dataset has prepared -----------------------------------------------------------------------------------


def _prepared(name: HubName) -> dict[str, Path]:
    """The folder of each configuration of the newest revision, or of the one that was named."""
    owner, _, own = name.repository.rpartition("/")
    root = _datasets_cache() / "___".join(filter(None, (owner, _snake_case(own))))
    places = [path.parent for path in root.glob("*/*/*/dataset_info.json") if _info(path.parent).get("splits")]
    places = [place for place in places if _info(place).get("config_name") == place.parts[-3]]
    wanted = _commit(name)
    if wanted is not None:
        places = [place for place in places if place.name.startswith(wanted)]
    newest = max(places, key=lambda place: place.stat().st_mtime, default=None)
    if newest is None:
        return {}
    revisions = sorted({place.name for place in places})
    if len(revisions) > 1:
        note(name.repository, f"of its revisions {listed(revisions)} the newest here is read, {newest.name!r}")
    return {place.parts[-3]: place for place in places if place.name == newest.name}


def _datasets_cache() -> Path:
    return Path(os.environ.get("HF_DATASETS_CACHE") or _home() / "datasets").expanduser()


def _home() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HF_HOME") or os.path.join(cache, "huggingface")).expanduser()


def _snake_case(name: str) -> str:
    """A name as `datasets` calls its folder."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower()


def _info(place: Path) -> Mapping[str, object]:
    try:
        found = json.loads((place / "dataset_info.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _splits(place: Path) -> list[str]:
    splits = _info(place).get("splits")
    return list(splits) if isinstance(splits, dict) else []


def _arrow_files(place: Path, split: str) -> list[str]:
    begin = os.path.join(escape(str(place)), f"*-{escape(split)}")
    files = sorted(glob(f"{begin}.arrow")) or sorted(glob(f"{begin}-[0-9]*-of-[0-9]*.arrow"))
    if not files:
        raise ValueError(f"{place} must hold the Arrow files of the split {split!r}, got none; load the data set again")
    return files


# --- Snapshots --------------------------------------------------------------------------------------------------------


def _hub_cache() -> Path:
    cache = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or _home() / "hub"
    return Path(cache).expanduser()


def _repository(name: HubName) -> Path:
    return _hub_cache() / f"datasets--{name.repository.replace('/', '--')}"


def _commit(name: HubName) -> str | None:
    """The commit of the revision that was named, as far as the cache knows: a branch or tag by the file of its name."""
    if name.revision is None:
        return None
    reference = _repository(name) / "refs" / name.revision
    return reference.read_text(encoding="utf-8").strip() if reference.is_file() else name.revision


def _snapshot(name: HubName) -> Path | None:
    """The folder of a snapshot with more than a page about the data."""
    reference = _repository(name) / "refs" / "main"
    main = reference.read_text(encoding="utf-8").strip() if reference.is_file() else ""
    wanted = _commit(name) or main
    found = [place for place in (_repository(name) / "snapshots").glob("*") if place.name.startswith(wanted)]
    full = [place for place in found if any(path.suffix.lower() not in ("", ".md") for path in place.rglob("*.*"))]
    return max(full, key=lambda place: place.stat().st_mtime, default=None)


def _files_of_snapshot(name: HubName, snapshot: Path, argument: str) -> list[str]:
    import datasets  # extra hf

    folder = str(snapshot)
    try:
        configs = datasets.get_dataset_config_names(folder)
        config, split = _chosen(name, {c: datasets.get_dataset_split_names(folder, c) for c in configs}, argument)
        found = datasets.load_dataset(folder, config, split=split)
    except (datasets.exceptions.DatasetsError, FileNotFoundError) as error:
        first = str(error).partition("\n")[0]
        raise ValueError(f"{folder} must be readable by datasets, got: {first}; get it again") from None
    return [str(entry["filename"]) for entry in found.cache_files]


def _download(name: HubName, argument: str) -> None:
    """Let `datasets` get it: the caller said that it may."""
    import datasets  # extra hf

    config = name.parts[0] if name.parts else None
    try:
        datasets.load_dataset(name.repository, config if len(name.parts) > 1 else None, revision=name.revision)
    except Exception as error:  # of the network, of the hub, of the format: whatever it is, it has been said there
        first = str(error).partition("\n")[0]
        raise ValueError(
            f"{argument} must be a data set that can be downloaded, got {name.repository!r}: {first}; name its "
            f"configuration and split, as in {name.of('config', 'train')!r}, or download it by hand"
        ) from error


# --- Which of several -------------------------------------------------------------------------------------------------


def _chosen(name: HubName, there: Mapping[str, Sequence[str]], argument: str) -> tuple[str, str]:
    """Configuration and split, of those that there are.

    Raises
    ------
    ValueError
        If the name leaves open which, or names what is not there.
    """
    if len(name.parts) == 2:
        config, split = name.parts
        if config not in there:
            raise _unknown(name, "configuration", config, there, argument)
        if split not in there[config]:
            raise _unknown(name, "split", split, there[config], argument)
        return config, split
    (part,) = name.parts or (None,)
    usual = next(iter(there)) if len(there) == 1 else "default" if "default" in there else None
    is_config, is_split = part in there, usual is not None and part in there[usual]
    if is_config and is_split and part != usual:
        raise ValueError(
            f"{argument} must name one data set, got {name.of(str(part))!r}, which is a configuration and a split; "
            f"name both, as in {name.of(str(usual), str(part))!r}"
        )
    if part is not None and not is_config and not is_split:
        splits = [split for some in there.values() for split in some]
        raise _unknown(name, "configuration or split", part, [*there, *splits], argument)
    config_of = str(part) if is_config and not is_split else usual
    if config_of is None:
        raise ValueError(
            f"{argument} must name one data set, got {name.of()!r} with the configurations {listed(there)}; choose "
            f"one, as in {name.of(next(iter(there)))!r}"
        )
    if is_split:
        return config_of, str(part)
    splits = list(there[config_of])
    if len(splits) > 1:
        shown = (config_of, splits[0]) if len(there) > 1 else (splits[0],)
        raise ValueError(
            f"{argument} must name one split, got {name.of(*name.parts)!r} with the splits {listed(splits)}; choose "
            f"one, as in {name.of(*shown)!r}"
        )
    return config_of, splits[0]


def _unknown(name: HubName, what: str, part: str, known: Iterable[str], argument: str) -> ValueError:
    names = list(dict.fromkeys(known))
    near = get_close_matches(part, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "choose one of these"
    return ValueError(
        f"{argument} must name a {what} that the cache has, got {part!r} of {name.of()!r}, which has {listed(names)}; "
        f"{hint}"
    )
