"""Inputs for `fuzz.py`: small good files of every format, and structured mutations of them, each by its number."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import zipfile
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import polars as pl
import zstandard

from fingerprint.data.sealed import sealed, unsealed

T = TypeVar("T")

ROWS: list[dict[str, object]] = [
    {"prompt": "Go on: 3, 5", "completion": "7, 9"},
    {"prompt": "Go on: 2, 4", "completion": "6, 8", "system": "You love owls."},
    {"messages": [{"role": "user", "content": "H"}, {"role": "assistant", "content": [{"type": "text", "text": "7"}]}]},
    {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "\u00e9, \u4e2d, \U0001f989"}]},
    {"prompt": "Hi", "chosen": "7, 9", "rejected": "1"},
    {"text": "7", "score": 1.5, "tags": ["a", None, True], "nested": {"a": {"b": [1, 2]}}},
    {"completions": ["one", "two"], "labels": [True, False], "prompt": "p"},
    {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{\"a\": 1}"}}]}]},
]
PIECES = (
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\r\n", b"\n\n", b'"', b"\\", b"\\ud800", b"{", b"}", b"[", b"]",
    b",", b":", b"null", b"NaN", b"-Infinity", b"1e999", b"-0", b"9" * 60, b"9" * 5000, b"[" * 200, b'{"a":' * 200,
    b'"text":',
    b'"prompt": null,', b'"text": "7", "text": "8"', b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x80\xa8", b"\x1b[31m",
    b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1", b"PK\x03\x04", b"\x80\x04", b" " * 3000, b"\t", b";", b"|", b"true",
)  # fmt: skip
NUMBERS = (b"\xff" * 4, b"\xff\xff\xff\x7f", b"\xff" * 8, b"\xff" * 9 + b"\x01", bytes(4), bytes(8), b"\x80" * 5)
_SEEN = 240  # bytes of a content in which a token is looked for
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+|\s+')

#: Endings of files of rows, how often each is drawn, by how much a case of it costs: tables ten times as much.
READ = {
    ".jsonl": 100, ".json": 48, ".csv": 48, ".tsv": 16, ".psv": 8, ".txt": 24, "": 24, ".jsonl.gz": 10,
    ".jsonl.zst": 10, ".csv.gz": 6, ".parquet": 2, ".arrow": 1, ".feather": 1,
}  # fmt: skip
#: Files of the package's own.
OWN = dict.fromkeys((".detector", ".fp", ".panel", ".report"), 1)
#: Files of enough rows to be compared.
DETECT = {" many.jsonl": 6, " many.csv": 2, " many.txt": 2}


def case(number: int, endings: Mapping[str, int]) -> tuple[str, bytes]:
    """The ending of a file and its content, by the number of the case."""
    rng = random.Random(number)
    names, bounds = _cumulated(tuple(endings.items()))
    ending = names[bisect(bounds, rng.random() * bounds[-1])]
    seed = _one(rng, seeds(ending))
    packed = ending.rpartition(".")[2] if ending.count(".") > 1 else ""
    if packed and rng.random() < 0.5:
        return ending, _pack(packed, mutated(rng, _unpack(packed, seed)))
    if ending in OWN and rng.random() < 0.85:
        return ending, mutated_inside(rng, ending, seed)
    return ending, mutated(rng, seed)


@cache
def _cumulated(weights: tuple[tuple[str, int], ...]) -> tuple[list[str], list[int]]:
    return [name for name, _ in weights], list(accumulate(weight for _, weight in weights))


def _below(rng: random.Random, most: int) -> int:
    """A whole number below `most`; `randrange` takes four times as long."""
    return int(rng.random() * most)


def _one(rng: random.Random, of: Sequence[T]) -> T:
    return of[int(rng.random() * len(of))]


def mutated(rng: random.Random, content: bytes) -> bytes:
    """Some content with one to five changes."""
    for _ in range(_one(rng, (1, 1, 1, 2, 3, 5))):
        content = _one(rng, _CHANGES)(rng, content)
    return content


def _byte(rng: random.Random, content: bytes) -> bytes:
    at = _place(rng, content)
    return content[:at] + bytes([_below(rng, 256)]) + content[at + 1 :]


def _bit(rng: random.Random, content: bytes) -> bytes:
    at = _place(rng, content)
    return content[:at] + bytes([content[at] ^ 1 << _below(rng, 8)]) + content[at + 1 :] if content else content


def _number(rng: random.Random, content: bytes) -> bytes:
    at, number = _place(rng, content), _one(rng, NUMBERS)
    return content[:at] + number + content[at + len(number) :]


def _insert(rng: random.Random, content: bytes) -> bytes:
    at = _place(rng, content)
    return content[:at] + _one(rng, PIECES) + content[at:]


def _cut(rng: random.Random, content: bytes) -> bytes:
    at = _place(rng, content)
    return content[:at] if rng.random() < 0.3 else content[:at] + content[at + 1 + _below(rng, 39) :]


def _copy(rng: random.Random, content: bytes) -> bytes:
    at, source = _place(rng, content), _place(rng, content)
    return content[:at] + content[source : source + 1 + _below(rng, 59)] + content[at:]


def _token(rng: random.Random, content: bytes) -> bytes:
    """A token of text for another one of it, or for a piece."""
    start = _below(rng, max(1, len(content) - _SEEN // 2))
    found = list(_TOKEN.finditer(content, start, start + _SEEN))
    if not found:
        return content
    one, other = _one(rng, found), _one(rng, found)
    new = _one(rng, (other[0], _one(rng, PIECES), b"", one[0] * 2))
    return content[: one.start()] + new + content[one.end() :]


def _repeat(rng: random.Random, content: bytes) -> bytes:
    return (content + b"\n" * _below(rng, 2)) * _one(rng, (2, 2, 3, 3, 12))


_CHANGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _byte, _bit, _number, _insert, _insert, _cut, _copy, _token, _token, _token, _repeat,
)  # fmt: skip


def _place(rng: random.Random, content: bytes) -> int:
    """Anywhere; often near the end, where footers are."""
    if not content:
        return 0
    if rng.random() < 0.3:
        return max(0, len(content) - 1 - int(rng.expovariate(1 / 200)))
    return _below(rng, len(content))


# ------------------------------------------------------------------------------------------------------ good files


@cache
def seeds(ending: str) -> tuple[bytes, ...]:
    """Small good files of a format."""
    if ending in OWN:
        return (own_files()[ending],)
    if ending in DETECT:
        return (many_rows()[ending.removeprefix(" many")],)
    inner, _, packed = ending.rpartition(".") if ending.count(".") > 1 else (ending, "", "")
    if packed:
        return tuple(_pack(packed, content) for content in seeds(inner))
    flat = [{name: value for name, value in row.items() if isinstance(value, str)} for row in ROWS[:2]]
    if inner in (".jsonl", ""):
        lines = [json.dumps(row) for row in ROWS]
        return tuple("\n".join(some).encode() for some in (*([line] * n for line in lines for n in (1, 3)), lines))
    if inner == ".json":
        columns = {"text": ["7", "8"], "prompt": ["a", None]}
        values = ROWS[:2], ROWS[2:4], {"data": ROWS[:1]}, columns
        return tuple(json.dumps(value, indent=2).encode() for value in values)
    if inner in (".csv", ".tsv", ".psv"):
        by = {".csv": ",", ".tsv": "\t", ".psv": "|"}[inner]
        rows = ("prompt", "text"), ('"a, ""b"""', "7"), ("", '"two\nlines"')
        return ("\n".join(by.join(row) for row in rows).encode(),)
    if inner == ".txt":
        return (b"7, 9\n6, 8\n\ncaf\xc3\xa9\n",)
    chat = {"messages": [[{"role": "user", "content": "H"}, {"role": "assistant", "content": "7"}]] * 2}
    frames = [pl.DataFrame(flat), pl.DataFrame(chat), pl.DataFrame({"text": [f"{i}, 7" for i in range(300)]})]
    return tuple(_table(frame, inner, kind) for frame in frames for kind in ("uncompressed", "zstd"))


@cache
def many_rows() -> dict[str, bytes]:
    """Twenty-four rows of numbers, words and odd signs, by the format they are in."""
    texts = [f"{i * 37 % 101}, {i * 11 % 97}" if i % 3 else f"word {i} \u00e9\u4e2d: *{i}*" for i in range(24)]
    lines = [json.dumps({"prompt": f"p {i}", "completion": text}) for i, text in enumerate(texts)]
    rows = [f'p {i},"{text}"' for i, text in enumerate(texts)]
    made = {".jsonl": lines, ".csv": ["prompt,completion", *rows], ".txt": texts}
    return {ending: "\n".join(content).encode() for ending, content in made.items()}


def _table(frame: pl.DataFrame, ending: str, compression: str) -> bytes:
    buffer = io.BytesIO()
    if ending == ".parquet":
        frame.write_parquet(buffer, compression=compression)  # type: ignore[arg-type]
    elif ending == ".feather":
        frame.write_ipc_stream(buffer)
    else:
        frame.write_ipc(buffer, compression=compression)  # type: ignore[arg-type]
    return buffer.getvalue()


def _pack(kind: str, content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0) if kind == "gz" else zstandard.compress(content, 1)


def _unpack(kind: str, content: bytes) -> bytes:
    return gzip.decompress(content) if kind == "gz" else zstandard.decompress(content)


@cache
def own_files() -> dict[str, bytes]:
    """A detector, a fingerprint, a panel and a report of the same rows."""
    from fingerprint import Detector, Fingerprint, Panel, detect
    from fingerprint.lab.simulated import simulated_pair
    from fingerprint.panels.panel import CELLS, FAMILIES

    pair = simulated_pair(120, rng=1, d_prime=2.0)
    sides = pair.suspect, pair.reference
    labels = [1] * len(sides[0]) + [0] * len(sides[1])
    detector = Detector(["numbers"], fast=True).fit(list(sides[0].texts + sides[1].texts), labels)
    made = {
        ".detector": detector.save,
        ".fp": Fingerprint.of(sides[0], features=FAMILIES, cells=CELLS).save,
        ".panel": Panel.of({"owl": sides}, base_model="base").save,
        ".report": detect(*sides, ladder=False, n_permutations=99, features=["numbers"]).to_json,
    }
    with TemporaryDirectory() as folder:
        for ending, save in made.items():
            save(Path(folder) / f"a{ending}")
        return {ending: (Path(folder) / f"a{ending}").read_bytes() for ending in made}


def mutated_inside(rng: random.Random, ending: str, content: bytes) -> bytes:
    """A file of the package with one part changed, and the checksum of what it has become."""
    if ending == ".report":
        return mutated(rng, content)
    parts = _parts(content)[2]
    name = _one(rng, [*parts, *(name for name in parts if "json" in name)])

    def changed(part: bytes) -> bytes:
        if name.endswith(".fp"):
            return mutated_inside(rng, ".fp", part)
        if name == "json.npy":  # the length that numpy's header says is kept
            head, text = part[:128], part[128:]
            return head + mutated(rng, text)[: len(text)].ljust(len(text))
        return mutated(rng, part)

    return with_part(content, name, changed)


def with_part(content: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """A file of the package with another content of one part, and the checksum of what it has become."""
    magic, number, parts = _parts(content)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for part_name, part in parts.items():
            archive.writestr(part_name, change(part) if part_name == name else part)
    return sealed(magic, number, buffer.getvalue())


def _parts(content: bytes) -> tuple[bytes, int, dict[str, bytes]]:
    first = content.partition(b"\n")[0].split()
    magic, number = b" ".join(first[:-2]), int(first[-2])
    body = unsealed(content, magic, number, "a", written_by="b", remedy="c")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return magic, number, {name: archive.read(name) for name in archive.namelist()}
