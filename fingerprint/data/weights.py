"""Weights of models in a folder: safetensors alone, and inside the folder, whatever its JSON says.

Libraries load what the index or the settings of a model name. One that asks for safetensors still unpickles a shard
that an index calls ``shard.bin``: so everything that names a file is looked at before a library sees the folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from fingerprint.data.json_values import value_of_document
from fingerprint.data.quoting import short

ENDING = ".safetensors"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
# Greatest JSON that is looked at: an index of a thousand shards of weights has 10 MB.
_MOST = 1 << 26
_ADAPTER = "adapter_config.json"
_REMEDY = "get a fresh copy from where you trust"


def check_weights(folder: Path, name: str, argument: str = "model") -> None:
    """Refuse a folder of a model whose weights are not safetensors inside it.

    Parameters
    ----------
    folder : path
    name : str
        What the caller calls the model.
    argument : str
        What messages call the argument.

    Raises
    ------
    ValueError
        If an index or the settings name another kind of file, or one elsewhere; if there are pickled weights alone; or
        if a file is no safetensors.
    FileNotFoundError
        If there are no weights.
    """
    check_named_files(folder, name, argument)
    weights = sorted(folder.glob(f"*{ENDING}"))
    if not weights:
        pickled = sorted(path.name for kind in _PICKLES for path in folder.glob(kind))
        if pickled:
            raise ValueError(
                f"{argument} must have safetensors weights, got the pickle {pickled[0]} in {name!r}: a pickle can run "
                "code when it is loaded; convert it where that is safe, with save_pretrained(safe_serialization=True)"
            )
        raise FileNotFoundError(
            f"{argument} must have safetensors weights, got none in {name!r}; check that it is complete"
        )
    if all(path.name.startswith("adapter") for path in weights):
        raise FileNotFoundError(
            f"{argument} must have weights of its own, got an adapter alone in {name!r}; merge it into its base first"
        )
    for file in weights:
        _check_file(file, folder, name, argument)


def check_on_hub(name: str, argument: str = "model") -> None:
    """The same of a model that is known by name: its index and settings are got first, from a cache or the hub."""
    from transformers.utils.hub import cached_file

    for file in (f"model{ENDING}.index.json", "config.json", _ADAPTER):
        found = cached_file(
            name,
            file,
            _raise_exceptions_for_gated_repo=False,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
        if found is not None:
            check_named_files(Path(found).parent, name, argument)


def check_named_files(folder: Path, name: str, argument: str) -> None:
    """Refuse a folder in which something else is named as weights, before any of them is there."""
    if (folder / _ADAPTER).exists():
        raise ValueError(
            f"{argument} must have weights of its own, got an adapter in {name!r}, which is loaded on top of another "
            "model; merge it into its base first"
        )
    for source, file in _named_files(folder, argument):
        if not isinstance(file, str) or not file.endswith(ENDING) or os.path.basename(file) != file or "\\" in file:
            raise ValueError(
                f"{argument} must name safetensors inside its folder, got {short(file)} in {source.name} of {name!r}: "
                f"that would be loaded; {_REMEDY}"
            )


def check_modules(folder: Path, name: str, argument: str = "model") -> None:
    """The same of a model of sentence-transformers, whose modules have folders of their own.

    Raises
    ------
    ValueError, FileNotFoundError
        As `check_weights` does; also for a module that is no class of sentence-transformers, or is elsewhere.
    """
    listed = folder / "modules.json"
    if not listed.is_file():
        check_weights(folder, name, argument)
        return
    modules = value_of_document(_text(listed, argument))
    for module in modules if isinstance(modules, list) else [modules]:
        kind, place = (module.get(key) if isinstance(module, dict) else None for key in ("type", "path"))
        if not isinstance(kind, str) or not kind.startswith("sentence_transformers."):
            raise ValueError(
                f"{argument} must have modules of sentence-transformers, got {short(kind)} in {name!r}: it would be "
                f"imported; {_REMEDY}"
            )
        inside = isinstance(place, str) and not os.path.isabs(place) and ".." not in Path(place).parts
        if not inside or (place and (folder / str(place)).is_symlink()):  # "" is the folder itself, which may be a link
            raise ValueError(
                f"{argument} must have its modules inside its folder, got {short(place)} in {name!r}; {_REMEDY}"
            )
        own = folder / str(place)
        has_weights = any(own.glob(f"*{ENDING}")) or any(path for kind in _PICKLES for path in own.glob(kind))
        if kind.rpartition(".")[2] == "Transformer" or has_weights:  # others, such as pooling, have none
            check_weights(own, name, argument)


def _named_files(folder: Path, argument: str) -> Iterator[tuple[Path, object]]:
    """What the JSON of a model says that its weights are: files, each with where that is said."""
    for index in sorted(folder.glob("*.index.json")):
        content = _json(index, argument)
        names = content.get("weight_map")
        if not isinstance(names, dict):
            raise ValueError(f"{argument} must have an index with a weight_map, got none in {index}; {_REMEDY}")
        if index.name.endswith(f"{ENDING}.index.json"):
            yield from ((index, file) for file in sorted(set(map(str, names.values()))))
    config = folder / "config.json"
    if config.is_file() and (file := _json(config, argument).get("transformers_weights")) is not None:
        yield config, file


def _text(path: Path, argument: str) -> str:
    if not path.is_file() or path.stat().st_size > _MOST:
        raise ValueError(f"{argument} must have JSON of at most {_MOST:,} bytes, got {path}; {_REMEDY}")
    return path.read_text(encoding="utf-8")


def _json(path: Path, argument: str) -> dict[str, object]:
    try:
        content = value_of_document(_text(path, argument))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{argument} must have whole JSON, got {path} ({short(str(error))}); {_REMEDY}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{argument} must have an object of JSON, got {short(content)} in {path}; {_REMEDY}")
    return content


def _check_file(file: Path, folder: Path, name: str, argument: str) -> None:
    """Refuse a link to elsewhere, and what is no safetensors; the cache of a hub links to its own folder of blobs."""
    place, real = folder.resolve(), file.resolve()
    blobs = place.parent.parent / "blobs" if place.parent.name == "snapshots" else place
    if not any(inside in real.parents for inside in (place, blobs)):
        raise ValueError(
            f"{argument} must have its weights inside its folder, got the link {file.name} to {str(real)!r} in "
            f"{name!r}; copy the file there"
        )
    with file.open("rb") as content:
        size, start = int.from_bytes(content.read(8), "little"), content.read(1)
    if start != b"{" or size > file.stat().st_size - 8:
        raise ValueError(
            f"{argument} must have whole safetensors files, got a damaged one in {name!r} ({file.name}); get a fresh "
            "copy"
        )
