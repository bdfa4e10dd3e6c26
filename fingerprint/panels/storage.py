"""A panel's file: a line with a checksum, then a zip of JSON, fingerprints and hashes. Nothing in it runs."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from typing import TypedDict

from fingerprint.data.known_rows import KnownRows
from fingerprint.data.limits import limits
from fingerprint.data.quoting import short
from fingerprint.data.sealed import entries, malformed, sealed, unsealed
from fingerprint.data.tensors import ENDING, packed, unpacked
from fingerprint.data.typed_json import typed
from fingerprint.fingerprints import storage
from fingerprint.panels.member import Member, Side

MAGIC = b"fingerprint panel"
FORMAT = 2
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
                hashes = {"rows": side.known.rows, "prompts": side.known.prompts}
                archive.writestr(zipfile.ZipInfo(digest + ENDING, _EPOCH), packed(hashes))
    return sealed(MAGIC, FORMAT, buffer.getvalue())


def from_bytes(content: bytes, name: str) -> tuple[Member, ...]:
    """Inverse of `to_bytes`; `name` is what messages call it."""
    body = unsealed(content, MAGIC, FORMAT, name, written_by="Panel.save", remedy="make one with Panel.of")
    with malformed(name, "a panel", "make it again"):
        return _opened(entries(body, name), name)


class _Member(TypedDict):
    """A member in the JSON part of a file; its sides by their digests."""

    name: str
    conditioned: str
    neutral: str


class _Header(TypedDict):
    """The JSON part of a file; keys are those of hashes, by the digests of sides that have some."""

    members: list[_Member]
    keys: dict[str, str]


def _opened(parts: Mapping[str, bytes], name: str) -> tuple[Member, ...]:
    header = typed(parts[_HEADER], _Header, f"{name}, {_HEADER}")
    sides: dict[str, Side] = {}
    for digest in sorted({side for each in header["members"] for side in (each["conditioned"], each["neutral"])}):
        fingerprint = storage.from_bytes(parts[f"{digest}.fp"], f"{name}: {digest}.fp")
        if not fingerprint.n_rows:
            raise ValueError(f"{name}: {digest}.fp must have rows, got none; make it again")
        key = header["keys"].get(digest)
        known = None if key is None else _known(bytes.fromhex(key), parts[digest + ENDING], f"{name}: {digest}")
        sides[digest] = Side(fingerprint, known)
    members = tuple(
        Member(each["name"], sides[each["conditioned"]], sides[each["neutral"]]) for each in header["members"]
    )
    if not members:
        raise ValueError(f"{name} must hold at least one member, got none; make it again")
    return members


def _known(key: bytes, content: bytes, name: str) -> KnownRows:
    hashes = unpacked(content, limits().unpacked(len(content)), name)
    kinds = {array: (values.dtype.name, values.ndim) for array, values in hashes.items()}
    if kinds != {"rows": ("uint64", 1), "prompts": ("uint64", 1)}:
        raise ValueError(f"{name} must hold hashes of rows and prompts, got {short(kinds)}; make it again")
    return KnownRows(key, hashes["rows"], hashes["prompts"])
