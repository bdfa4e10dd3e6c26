"""A panel's file: a line with a checksum, then a zip of JSON, fingerprints and hashes. Nothing in it runs."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from fingerprint.data.known_rows import KnownRows
from fingerprint.data.sealed import sealed, unsealed
from fingerprint.fingerprints import storage
from fingerprint.panels.member import Member, Side

MAGIC = b"fingerprint panel"
FORMAT = 1
_HEADER = "panel.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same panel is the same file, whenever it is written


def is_panel(path: str | os.PathLike[str]) -> bool:
    """Whether this file begins as panels do."""
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def to_bytes(members: Sequence[Member]) -> bytes:
    """The content of a file: the same for equal panels. Each corpus is in it once, whoever shares it."""
    sides = {side.digest: side for member in members for side in member.sides}
    header = {
        "members": [
            {"name": each.name, "conditioned": each.conditioned.digest, "neutral": each.neutral.digest}
            for each in members
        ],
        "keys": {digest: side.known.key.hex() for digest, side in sorted(sides.items()) if side.known is not None},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_HEADER, _EPOCH), json.dumps(header, sort_keys=True))
        for digest, side in sorted(sides.items()):
            archive.writestr(zipfile.ZipInfo(f"{digest}.fp", _EPOCH), storage.to_bytes(side.fingerprint))
            if side.known is not None:
                archive.writestr(zipfile.ZipInfo(f"{digest}.arrow", _EPOCH), _hashes(side.known))
    return sealed(MAGIC, FORMAT, buffer.getvalue())


def _hashes(known: KnownRows) -> bytes:
    """Hashes of rows, then those of prompts."""
    table = pl.DataFrame(
        {
            "hash": np.concatenate([known.rows, known.prompts]),
            "is_prompt": np.arange(len(known.rows) + len(known.prompts)) >= len(known.rows),
        }
    )
    buffer = io.BytesIO()
    table.write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def from_bytes(content: bytes, name: str) -> tuple[Member, ...]:
    """Inverse of `to_bytes`; `name` is what messages call it."""
    body = unsealed(content, MAGIC, FORMAT, name, written_by="Panel.save", remedy="make one with Panel.of")
    try:
        return _opened(body, name)
    except (KeyError, TypeError, zipfile.BadZipFile, pl.exceptions.PolarsError, json.JSONDecodeError) as error:
        raise ValueError(f"{name} must hold a panel, got {error!r:.80}; make it again") from error


def _opened(body: bytes, name: str) -> tuple[Member, ...]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        header: dict[str, Any] = json.loads(archive.read(_HEADER))  # values are checked as they are used
        sides: dict[str, Side] = {}
        for digest in sorted({each[role] for each in header["members"] for role in ("conditioned", "neutral")}):
            fingerprint = storage.from_bytes(archive.read(f"{digest}.fp"), f"{name}: {digest}.fp")
            key = header["keys"].get(digest)
            known = None if key is None else _known(bytes.fromhex(key), archive.read(f"{digest}.arrow"))
            sides[digest] = Side(fingerprint, known)
    members = tuple(
        Member(str(each["name"]), sides[each["conditioned"]], sides[each["neutral"]]) for each in header["members"]
    )
    if not members:
        raise ValueError(f"{name} must hold at least one member, got none; make it again")
    return members


def _known(key: bytes, content: bytes) -> KnownRows:
    table = pl.read_ipc(io.BytesIO(content))
    hashes = table["hash"].to_numpy().astype(np.uint64)
    is_prompt = table["is_prompt"].to_numpy().astype(bool)
    return KnownRows(key, hashes[~is_prompt], hashes[is_prompt])
