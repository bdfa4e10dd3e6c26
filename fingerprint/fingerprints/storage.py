"""A fingerprint's file: a line with a checksum, then JSON and arrays of each family in a zip. Nothing in it runs."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from typing import TypedDict

import numpy as np

from fingerprint.data.arrays import Ints
from fingerprint.data.files import write_atomically
from fingerprint.data.limits import limits
from fingerprint.data.quoting import short
from fingerprint.data.sealed import entries, malformed, sealed, unsealed, whole_file
from fingerprint.data.tensors import ENDING, MOST_HEADER, packed, unpacked
from fingerprint.data.typed_json import typed
from fingerprint.features import FAMILIES
from fingerprint.features.compiled import side_by_side
from fingerprint.fingerprints.card import Card
from fingerprint.fingerprints.cells import check_cells
from fingerprint.fingerprints.signature import MAGIC
from fingerprint.fingerprints.summed_rows import NUMBERS, SummedRows
from fingerprint.fingerprints.sums import FamilySums, narrow

FORMAT = 2
_HEADER = "fingerprint.json"
# Sums of cells stay whole numbers of 64 bits below this.
_MOST_ROWS = 2**48
_MOST_SUM = 2**63 - 1  # of all cells: they are put together, and added up, in whole numbers of 64 bits
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same fingerprint is the same file, whenever it is written


def write(path: str | os.PathLike[str], fingerprint: SummedRows) -> None:
    """Write a fingerprint, whole or not at all."""
    write_atomically(path, to_bytes(fingerprint))


def read(path: str | os.PathLike[str], sha256: str | None = None) -> SummedRows:
    """Read a file of `write`; see `Fingerprint.load`."""
    return from_bytes(whole_file(path, sha256), repr(os.fspath(path)))


def to_bytes(fingerprint: SummedRows) -> bytes:
    """The content of a file: the same for equal fingerprints."""
    header = {
        "rows": fingerprint.rows.tolist(),
        "prompts": [[f"{half:016x}" for half in cell] for cell in fingerprint.prompts.tolist()],
        "families": fingerprint.definitions,
        "card": asdict(fingerprint.card),
        **{name: int(vars(fingerprint)[name]) for name in NUMBERS},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_HEADER, _EPOCH), json.dumps(header, sort_keys=True))
        for name in sorted(fingerprint.families):
            family = fingerprint.families[name]
            arrays = {"squares": family.squares, "sums": family.sums}
            archive.writestr(zipfile.ZipInfo(name + ENDING, _EPOCH), packed(arrays))
    return sealed(MAGIC, FORMAT, buffer.getvalue())


def from_bytes(content: bytes, name: str) -> SummedRows:
    """Inverse of `to_bytes`; `name` is what messages call it."""
    body = unsealed(content, MAGIC, FORMAT, name, written_by="Fingerprint.save", remedy="make one from rows")
    with malformed(name, "a fingerprint", "make it again"):
        return _opened(entries(body, name), name)


class _Header(TypedDict):
    """The JSON part of a file; prompts are pairs of numbers in hex digits."""

    rows: list[int]
    prompts: list[list[str]]
    families: dict[str, str]
    card: dict[str, list[str]]
    characters: int
    number_rows: int
    empty_rows: int
    unprompted: int
    skipped: int
    skipped_shards: int
    min_rows: int


def _opened(parts: Mapping[str, bytes], name: str) -> SummedRows:
    header = typed(parts[_HEADER], _Header, f"{name}, {_HEADER}")
    rows = np.asarray(header["rows"], dtype=np.int64)
    cells = check_cells(len(rows))
    numbers = {number: int(str(value)) for number, value in header.items() if number in NUMBERS}
    if int(rows.min()) < 0 or int(rows.max()) >= _MOST_ROWS or min(numbers.values()) < 0:
        raise ValueError(f"{name} must count rows from 0 on, got other numbers; make it again")
    shapes = {}
    for family, definition in header["families"].items():
        known = FAMILIES[family]() if family in FAMILIES else None
        if known is None or known.definition != definition:
            here = "none" if known is None else known.definition
            raise ValueError(
                f"{name} must hold features that this version makes, got {definition:.60}, here {here}; make it "
                "again"
            )
        shapes[family] = (cells, known.n_counts)
    packed_sums = {family: parts[family + ENDING] for family in shapes}
    arrays = side_by_side(
        lambda family: _arrays(packed_sums[family], shapes[family], f"{name}, {family}"), list(shapes)
    )
    families = {
        family: FamilySums(header["families"][family], *done()) for family, done in zip(shapes, arrays, strict=True)
    }
    halves = [[int(half, 16) for half in cell] for cell in header["prompts"]]
    return SummedRows(
        rows=rows,
        prompts=np.array(halves, dtype=np.uint64).reshape(cells, 2),
        families={family: families[family] for family in FAMILIES if family in families},
        card=Card.of({field: tuple(values) for field, values in header["card"].items()}),
        **numbers,
    )


def _arrays(content: bytes, shape: tuple[int, int], name: str) -> tuple[Ints, Ints]:
    """Sums [cells, counts] and squares [counts] of a family."""
    most = min(8 * (shape[0] + 1) * shape[1] + MOST_HEADER, limits().file)
    arrays = unpacked(content, most, name)
    sums, squares = arrays.get("sums"), arrays.get("squares")
    if sums is None or squares is None or len(arrays) > 2 or (sums.shape, squares.shape) != (shape, shape[1:]):
        got = {array: values.shape for array, values in arrays.items()}
        raise ValueError(f"{name} must hold sums of {shape} and their squares, got {short(got)}; make it again")
    squares = squares.astype(np.int64)  # negative, from 2^63 on
    if int(sums.min(initial=0)) < 0 or int(squares.min(initial=0)) < 0:
        raise ValueError(f"{name} must hold sums from 0 on, got negative ones; make it again")
    if int(sums.max(initial=0)) > _MOST_SUM // shape[0]:
        raise ValueError(f"{name} must hold sums that add up to less than 2^63, got greater ones; make it again")
    return narrow(sums), squares
