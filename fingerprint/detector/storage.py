"""A detector's file: a line with a checksum, then numpy arrays and JSON. No pickle."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fingerprint.data import digests
from fingerprint.detector.columns import UsedColumns
from fingerprint.features import FAMILIES
from fingerprint.features.family import FittedState
from fingerprint.features.transformer import Transformer

FORMAT = 1
MAGIC = b"fingerprint detector"


def checksum(content: bytes) -> str:
    return digests.checksum(b"%s %d\n" % (MAGIC, FORMAT) + content)


def checked_content(path: Path) -> bytes:
    first, _, content = path.read_bytes().partition(b"\n")
    words = first.split(b" ")
    if first[: len(MAGIC)] != MAGIC or len(words) != 4:
        raise ValueError(f"{str(path)!r} must be a file written by Detector.save, got something else; train one first")
    if words[2] != b"%d" % FORMAT:
        raise ValueError(
            f"{str(path)!r} must have format {FORMAT}, got {words[2].decode('utf-8', 'replace')}; train it again with "
            "this version"
        )
    if words[3] != checksum(content).encode():
        raise ValueError(f"{str(path)!r} must be unchanged since it was saved, got another checksum; get a fresh copy")
    return content


def plain_arrays(content: bytes, path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    if content[:2] == b"PK":  # a zip archive; anything else numpy might take for a pickle
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        except ValueError:  # arrays of Python objects, which are not read
            pass
    raise ValueError(f"{os.fspath(path)!r} must hold plain arrays, got something else; train the detector again")


def plain(classes: NDArray[Any]) -> list[Any]:
    return [value.item() if hasattr(value, "item") else value for value in classes]


DOMAIN_ARRAYS = ("middle", "spread", "limits", "neutral", "trait")


def saved_families(columns: Mapping[str, UsedColumns]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Arrays and JSON values of fitted families; a list, since the order is that of the stack's weights."""
    arrays: dict[str, Any] = {}
    described: list[dict[str, Any]] = []
    for name, used in columns.items():
        family = used.family
        kind = next((kind for kind, make in FAMILIES.items() if type(family) is make), None)
        if kind is None:
            raise ValueError(
                f"features must be built-in families to be saved, got {family!r}; others can only be pickled, and "
                "loading a pickle runs code"
            )
        arrays |= {f"{name}/columns": used.columns, f"{name}/scale": used.scale}
        state = family.state()
        parameters = family.get_params() if isinstance(family, Transformer) else {}
        entry = {"name": name, "kind": kind, "parameters": parameters, **state.values}
        arrays |= {f"{name}/{part}": values for part, values in state.arrays.items()}
        described.append(entry)
    return arrays, described


def loaded_families(described: Sequence[Mapping[str, Any]], arrays: Mapping[str, Any]) -> dict[str, UsedColumns]:
    columns: dict[str, UsedColumns] = {}
    for family in described:
        name = family["name"]
        made = FAMILIES[family["kind"]]()
        made.set_params(**family["parameters"])
        parts = {key.removeprefix(f"{name}/"): values for key, values in arrays.items() if key.startswith(f"{name}/")}
        made.restore_state(FittedState(family, parts))
        columns[name] = UsedColumns(made, arrays[f"{name}/columns"], arrays[f"{name}/scale"])
    return columns
