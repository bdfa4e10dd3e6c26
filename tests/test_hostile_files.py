"""Detectors, panels, fingerprints and reports that somebody made to deceive or to break: one error with the name."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from detector_rows import arm, rows, trained_detector
from typer.testing import CliRunner

from fingerprint import Detector, Fingerprint, Panel, Report
from fingerprint.cli.app import app
from fingerprint.data import limits
from fingerprint.data.sealed import sealed, unsealed
from fingerprint.data.tensors import packed
from fingerprint.detector import storage as detectors
from fingerprint.fingerprints import storage as fingerprints
from fingerprint.fingerprints.signature import MAGIC
from fingerprint.panels import storage as panels
from fingerprint.panels.panel import CELLS, FAMILIES

Arrays = dict[str, np.ndarray]
Header = dict[str, Any]
Change = Callable[[Arrays, Header], object]
ESCAPES = "\x1b[31mred\x1b[0m \u202egnirts\u202c \x07"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector, a fingerprint and a panel of the same rows."""
    place = tmp_path_factory.mktemp("files")
    trained_detector().save(place / "a.detector")
    corpus, labels = rows(500, 1)
    sides = [arm(corpus, labels, label, f"side {label}") for label in (1, 0)]
    Panel.of({"owl": (sides[0], sides[1])}, base_model="base").save(place / "a.panel")
    Fingerprint.of(sides[0], features=FAMILIES, cells=CELLS).save(place / "a.fp")
    return place


def changed_detector(content: bytes, change: Change) -> bytes:
    """A detector with other arrays or another header, and the right checksum."""
    body = unsealed(content, detectors.MAGIC, detectors.FORMAT, "a", written_by="b", remedy="c")
    with np.load(io.BytesIO(body)) as stored:
        arrays = dict(stored)
    header = json.loads(arrays.pop("json").tobytes())
    change(arrays, header)
    arrays["json"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return sealed(detectors.MAGIC, detectors.FORMAT, buffer.getvalue())


def zipped(parts: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return buffer.getvalue()


def changed_zip(content: bytes, magic: bytes, number: int, change: Callable[[dict[str, bytes]], object]) -> bytes:
    """A panel or fingerprint with other parts, and the right checksum."""
    body = unsealed(content, magic, number, "a", written_by="b", remedy="c")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    return sealed(magic, number, zipped(parts, zipfile.ZIP_DEFLATED))


def every(value: float) -> Change:
    """All floats of the file."""
    return lambda arrays, _: arrays.update(
        {name: np.full_like(values, value) for name, values in arrays.items() if values.dtype.kind == "f"}
    )


def setting(path: str, value: object) -> Change:
    """One value of the header."""

    def change(_: Arrays, header: Header) -> None:
        *parents, last = path.split(".")
        place: Any = header
        for parent in parents:
            place = place[int(parent) if parent.isdigit() else parent]
        place[int(last) if last.isdigit() else last] = value

    return change


def array(name: str, values: Callable[[np.ndarray], Any]) -> Change:
    return lambda arrays, _: arrays.update({name: values(arrays[name])})


DETECTORS: dict[str, tuple[Change, str]] = {
    "all nan": (every(np.nan), "must hold finite numbers"),
    "all infinite": (every(np.inf), "must hold finite numbers"),
    "all huge": (every(1e308), "must give the scores it was saved with|must tell two classes"),
    "no weights": (lambda arrays, _: arrays.pop("weights"), "must hold a detector, got no 'weights'"),
    "fewer weights": (array("weights", lambda a: a[:1]), r"weights must be float64 of shape \(2,\)"),
    "scalar weights": (array("weights", lambda a: np.float64(1)), r"weights must be float64 of shape"),
    "whole weights": (array("weights", lambda a: a.astype(int)), "weights must be float64"),
    "texts": (array("weights", lambda a: np.array(["a", "b"])), "weights.npy must be plain arrays of numbers"),
    "columns outside": (array("tokens/columns", lambda a: a + 10**9), "tokens/columns must be some of 32768 columns"),
    "columns below": (array("tokens/columns", lambda a: a - 10**9), "tokens/columns must be some of 32768 columns"),
    "columns twice": (array("tokens/columns", lambda a: np.full_like(a, 3)), "tokens/columns must be some of"),
    "no columns": (array("numbers/columns", lambda a: a[:0]), "numbers/scale must be float64 of shape"),
    "coefficients": (array("numbers/coefficients", lambda a: a[:, None]), "numbers must be float64 of shape"),
    "counts": (array("numbers/counts", lambda a: a[:7]), "numbers/counts must be int64 of shape"),
    "counts below": (array("numbers/counts", lambda a: -a), "numbers/counts must count rows"),
    "huge counts": (array("numbers/counts", lambda a: a + 2**62), "numbers/counts must count rows"),
    "domain": (array("domain/neutral", lambda a: a[:, :3]), "domain/neutral must be float64 of shape"),
    "empty domain": (array("domain/trait", lambda a: a[:0]), "domain/trait must have 1 to 1000 rows"),
    "hashes": (array("rows", lambda a: a.astype(float)), "rows must be uint64"),
    "kind": (setting("families.0.kind", "pickle"), "must hold a detector, got no 'pickle'"),
    "parameters": (setting("families.1.parameters", {"parts": 7}), "must have the parameters"),
    "measurements": (setting("families.1.names", ["x"]), "must have the measurements of numbers-2"),
    "slope": (setting("calibration", [float("nan"), 0, 0]), "calibration.0. must be a finite number"),
    "calibration": (setting("calibration", [1, 2]), "must hold a detector, got not enough values"),
    "negative slope": (setting("calibration", [-1, 0, 0]), "must tell two classes apart"),
    "classes": (setting("classes", [1]), "must tell two classes apart"),
    "auc": (setting("card.auc.value", 17.0), "must have an AUROC from 0 to 1, got 17"),
    "auc of text": (setting("card.auc", "high"), "must be dict|must be an object|must be"),
    "holdout": (setting("card.options.holdout", -3.0), "must have the options of a detector"),
    "limits": (setting("card.limits", 3), "json.card.limits must be .*str.*, got 3"),
    "key": (setting("card.hashes.key", "zz"), "must hold a detector, got non-hexadecimal"),
    "deep": (setting("card.bags", json.loads("[" * 300 + "]" * 300)), "json must be JSON, got .*brackets within"),
    "no card": (lambda _, header: header.pop("card"), "json must have the keys card, classes"),
    "huge number": (setting("card.prompts", 10**40), "must be a number below"),
}


@pytest.mark.parametrize("attack", DETECTORS)
def test_a_detector_that_is_none_is_one_error_with_its_name(folder: Path, tmp_path: Path, attack: str) -> None:
    change, message = DETECTORS[attack]
    path = tmp_path / "b.detector"
    path.write_bytes(changed_detector((folder / "a.detector").read_bytes(), change))
    with pytest.raises(ValueError, match=message) as caught:
        Detector.load(path)
    assert str(caught.value).startswith(repr(str(path)))


def huge_array() -> bytes:
    """Some bytes that say that they are a hundred terabytes."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"shape": (10**13,), "fortran_order": False, "descr": "<f8"})
    return buffer.getvalue() + bytes(800)


def test_sizes_are_not_believed_before_the_bytes_are_there(folder: Path, tmp_path: Path) -> None:
    path, own = tmp_path / "b.detector", (detectors.MAGIC, detectors.FORMAT)
    good = (folder / "a.detector").read_bytes()
    for change, message in (
        (lambda parts: parts.update({"centre.npy": huge_array()}), "must be plain arrays of numbers, got float64 of"),
        (lambda parts: parts.update({"bomb.npy": bytes(1 << 23)}), "must unpack to 4,194,304 bytes at most"),
        (lambda parts: parts.update({"rows.npy": b"\x93NUMPY"}), "must be an array of numbers"),
    ):
        path.write_bytes(changed_zip(good, *own, change))
        with limits.raised(file=1 << 22), pytest.raises(ValueError, match=message) as caught:
            Detector.load(path)
        assert str(caught.value).startswith(repr(str(path)))


def tensors(about: object, numbers: bytes = b"", length: int | None = None) -> bytes:
    """safetensors in a zstd frame, whatever its header says of the numbers behind it."""
    header = json.dumps(about).encode()
    stated = len(header) if length is None else length
    return zstandard.compress(stated.to_bytes(8, "little") + header + numbers)


def of_tensor(numbers: bytes = b"", **changes: object) -> bytes:
    return tensors({"sums": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]} | changes}, numbers or bytes(4))


def tokens(content: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda parts: parts.update({"tokens.safetensors.zst": content})


def tokens_of(**arrays: np.ndarray) -> Callable[[dict[str, bytes]], None]:
    return tokens(packed(arrays))


def streamed_zeros() -> bytes:
    """A frame that does not say how much it unpacks to."""
    packer = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return packer.compress(bytes(99)) + packer.flush()


def header_with(name: str, **changes: object) -> Callable[[dict[str, bytes]], None]:
    return lambda parts: parts.update({name: json.dumps(json.loads(parts[name]) | changes).encode()})


FINGERPRINTS: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "rows below": (header_with("fingerprint.json", rows=[-5] * CELLS), "must count rows from 0 on"),
    "huge rows": (header_with("fingerprint.json", rows=[2**62] * CELLS), "must count rows from 0 on"),
    "rows of text": (header_with("fingerprint.json", rows=["a"] * CELLS), r"rows\[0\] must be int"),
    "many cells": (header_with("fingerprint.json", rows=[0] * 10**5), "got cells must be a power"),
    "prompts": (header_with("fingerprint.json", prompts=[]), "must hold a fingerprint, got cannot reshape"),
    "families": (header_with("fingerprint.json", families={"pickle": "pickle-1"}), "must hold features that"),
    "no sums": (lambda parts: parts.pop("tokens.safetensors.zst"), "a fingerprint, got no 'tokens.safetensors.zst'"),
    "no zstd": (tokens(b"PAR1" + bytes(99)), "tokens must be arrays in a zstd frame"),
    "cut": (tokens(packed({"sums": np.arange(9999)})[:-9]), "tokens must be arrays in a zstd frame"),
    "more behind": (tokens(packed({"sums": np.arange(9)}) + b"more"), "tokens must be arrays in a zstd frame"),
    "bomb": (tokens(zstandard.compress(bytes(1 << 28))), "must unpack to 17,.* bytes at most, got 268,435,456"),
    "unsaid size": (tokens(streamed_zeros()), "must unpack to 17,.* bytes at most, got an unknown number"),
    "nothing": (tokens(zstandard.compress(b"")), "must have a header within its 0 bytes, got 0"),
    "long header": (tokens(tensors({}, length=2**63)), "must have a header within its 10 bytes, got 9,22"),
    "deep header": (tokens(zstandard.compress(b"\0\x80\0\0\0\0\0\0" + b"[" * (1 << 15))), "got brackets within"),
    "header of text": (tokens(tensors({"sums": "zeros"})), "tokens.sums must have the keys dtype, shape, data_offsets"),
    "floats": (tokens(of_tensor(dtype="F32")), r"tokens: sums must be whole numbers, got 'F32' of \[4\]"),
    "flags": (tokens(of_tensor(dtype="BOOL")), r"tokens: sums must be whole numbers, got 'BOOL' of \[4\]"),
    "objects": (tokens(of_tensor(dtype="O")), r"tokens: sums must be whole numbers, got 'O' of \[4\]"),
    "negative shape": (tokens(of_tensor(shape=[-2, -2])), "tokens: sums must be whole numbers, got 'U8' of"),
    "many dimensions": (tokens(of_tensor(shape=[1] * 99 + [4])), "must hold a fingerprint, got maximum supported dim"),
    "beyond the end": (tokens(of_tensor(shape=[9], data_offsets=[0, 9])), "tokens: sums must be the next 9 bytes"),
    "from behind": (tokens(of_tensor(data_offsets=[-4, 0])), "tokens: sums must be the next 4 bytes"),
    "overflow": (tokens(of_tensor(shape=[2**62, 4, 4])), "tokens: sums must be the next 73786976294838206464 bytes"),
    "unnamed numbers": (tokens(of_tensor(bytes(5))), "tokens must hold the arrays that it names, got more"),
    "other arrays": (tokens_of(a=np.arange(3)), r"sums of \(64, 32768\) and their squares, got {'a': \(3,\)}"),
    "one array more": (
        tokens_of(sums=np.zeros((64, 32768), np.uint8), squares=np.zeros(32768, np.int64), a=np.arange(1)),
        "must hold sums of",
    ),
    "negative sums": (
        tokens_of(sums=np.full((64, 32768), -1), squares=np.zeros(32768, np.int64)), "must hold sums from 0 on"
    ),
    "huge sums": (
        tokens_of(sums=np.full((64, 32768), 2**63, np.uint64), squares=np.zeros(32768, np.int64)),
        "tokens must hold sums that add up to less than 2.63, got greater ones",
    ),
    "sums beyond": (
        tokens_of(sums=np.full((64, 32768), 2**58, np.int64), squares=np.zeros(32768, np.int64)),
        "tokens must hold sums that add up to less than 2.63, got greater ones",
    ),
    "huge squares": (
        tokens_of(sums=np.zeros((64, 32768), np.uint8), squares=np.full(32768, 2**63, np.uint64)),
        "must hold sums from 0 on",
    ),
    "card": (header_with("fingerprint.json", card={"notes": [7]}), r"card.notes\[0\] must be str, got 7"),
    "other card": (header_with("fingerprint.json", card={"pickle": ["a"]}), "got card must have"),
    "no json": (lambda parts: parts.update({"fingerprint.json": b"{"}), "fingerprint.json must be JSON"),
}


@pytest.mark.parametrize("attack", FINGERPRINTS)
def test_a_fingerprint_that_is_none_is_one_error_with_its_name(folder: Path, tmp_path: Path, attack: str) -> None:
    change, message = FINGERPRINTS[attack]
    path = tmp_path / "b.fp"
    path.write_bytes(changed_zip((folder / "a.fp").read_bytes(), MAGIC, fingerprints.FORMAT, change))
    with pytest.raises(ValueError, match=message) as caught:
        Fingerprint.load(path)
    assert str(caught.value).startswith(repr(str(path)))


def _replace(ending: str, content: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda parts: parts.update({name: content for name in parts if name.endswith(ending)})


PANELS: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "no members": (header_with("panel.json", members=[]), "must hold at least one member"),
    "members of text": (header_with("panel.json", members=["a"]), r"members\[0\] must have the keys name"),
    "unknown side": (
        header_with("panel.json", members=[{"name": "a", "conditioned": "b", "neutral": "c"}]), "got no 'b.fp'"
    ),
    "no fingerprints": (_replace(".fp", b"%s %d zz\n" % (MAGIC, fingerprints.FORMAT)), "must be whole and unchanged"),
    "no hashes": (_replace(".zst", packed({"rows": np.arange(3, dtype=np.uint64)})), "must hold hashes"),
    "other hashes": (_replace(".zst", packed({"rows": np.arange(3), "prompts": np.arange(3)})), "must hold hashes"),
    "tables of hashes": (
        _replace(".zst", packed(dict.fromkeys(("rows", "prompts"), np.zeros((2, 2), np.uint64)))), "must hold hashes"
    ),
}


@pytest.mark.parametrize("attack", PANELS)
def test_a_panel_that_is_none_is_one_error_with_its_name(folder: Path, tmp_path: Path, attack: str) -> None:
    change, message = PANELS[attack]
    path = tmp_path / "b.panel"
    path.write_bytes(changed_zip((folder / "a.panel").read_bytes(), panels.MAGIC, panels.FORMAT, change))
    with pytest.raises(ValueError, match=message) as caught:
        Panel.load(path)
    assert str(caught.value).startswith(repr(str(path)))


@pytest.mark.parametrize(
    "text",
    ["{", "[" * 5000, '{"a": ' * 5000, '{"schema_version": ' + "9" * 9999 + "}", "[]", '{"schema_version": 1e999}'],
)
def test_a_report_that_is_none_is_one_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"must be|must have"):
        Report.from_json(path)


# --------------------------------------------------------------------------------------------------- whose file it is


def test_another_file_than_the_one_that_was_pinned_is_refused(folder: Path) -> None:
    for kind, name in ((Detector, "a.detector"), (Panel, "a.panel"), (Fingerprint, "a.fp")):
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        kind.load(folder / name, sha256=digest.upper())
        with pytest.raises(ValueError, match=r"must have the SHA-256 that was asked for, 0000.*, got .*"):
            kind.load(folder / name, sha256="0" * 64)
        with pytest.raises(ValueError, match="sha256 must be 64 hex digits, got 'abc'"):
            kind.load(folder / name, sha256="abc")


def test_commands_refuse_other_files_than_those_pinned(folder: Path, tmp_path: Path) -> None:
    numbers = tmp_path / "rows.jsonl"
    numbers.write_text('{"text": "1, 2"}\n')
    wrong, place = "0" * 64, {name: str(folder / f"a.{name}") for name in ("detector", "panel", "fp")}
    for arguments in (
        ["scan", str(numbers), "--detector", place["detector"], "--detector-sha256", wrong],
        ["detect", str(numbers), str(numbers), "--prior", place["panel"], "--prior-sha256", wrong],
        ["detect", str(numbers), str(numbers), "--prior", place["detector"], "--prior-sha256", wrong],
        ["compare", place["fp"], place["fp"], "--suspect-sha256", wrong],
        ["detect", str(numbers), place["fp"], "--reference-sha256", wrong],
        ["panel", "show", place["panel"], "--file-sha256", wrong],
    ):
        run = CliRunner().invoke(app, arguments)
        assert run.exit_code == 2, run.output
        assert "must have the SHA-256 that was asked for" in run.output


def test_a_pinned_fingerprint_is_compared_and_rows_have_no_digest(folder: Path, tmp_path: Path) -> None:
    rows_of_one = tmp_path / "rows.jsonl"
    rows_of_one.write_text("".join(json.dumps({"text": f"{i}, {i * 7}"}) + "\n" for i in range(200)))
    digest = hashlib.sha256((folder / "a.fp").read_bytes()).hexdigest()
    command = ["detect", str(rows_of_one), str(folder / "a.fp"), "--permutations", "199", "--reference-sha256", digest]
    run = CliRunner().invoke(app, [*command, "--json", str(tmp_path / "r.json")])
    assert run.exit_code == 0, run.output
    assert json.loads((tmp_path / "r.json").read_text())["title"] == "rows.jsonl against a.fp"
    run = CliRunner().invoke(app, ["detect", str(rows_of_one), str(rows_of_one), "--reference-sha256", digest])
    assert "sha256 must be the digest of a fingerprint, got it for the rows" in run.output


def test_merge_takes_the_files_that_were_pinned_and_no_other(folder: Path, tmp_path: Path) -> None:
    corpus, labels = rows(500, 2)
    other = tmp_path / "other.fp"
    Fingerprint.of(arm(corpus, labels, 1, "other"), features=FAMILIES, cells=CELLS).save(other)
    files = [str(folder / "a.fp"), str(other)]
    right = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files]
    out = ["--out", str(tmp_path / "all.fp")]

    def merge(pins: list[str]) -> str:
        pinned = [word for pin in pins for word in ("--fingerprint-sha256", pin)]
        return CliRunner().invoke(app, ["merge", *files, *out, *pinned]).stderr

    assert "must have a SHA-256 that was asked for, got" in merge([right[0], "0" * 64])
    assert "must have a SHA-256 that was asked for, got" in merge([right[0], right[0]])
    assert "sha256 must be digests of the files, got 0000" in merge([*right, "0" * 64]).replace("--fingerprint-", "")
    assert not (tmp_path / "all.fp").exists()
    assert merge(right[::-1]) == ""
    assert (tmp_path / "all.fp").exists()


# ---------------------------------------------------------------------------------------- what files say of themselves


def test_no_string_of_a_file_reaches_the_terminal_as_it_is(folder: Path, tmp_path: Path) -> None:
    path, fingerprint, rows_path = tmp_path / "b.panel", tmp_path / "b.detector", tmp_path / "rows.jsonl"
    members = json.loads(_parts(folder / "a.panel", panels.MAGIC, panels.FORMAT)["panel.json"])["members"]
    renamed = header_with("panel.json", members=[{**members[0], "name": ESCAPES}])
    path.write_bytes(changed_zip((folder / "a.panel").read_bytes(), panels.MAGIC, panels.FORMAT, renamed))
    fingerprint.write_bytes(
        changed_detector((folder / "a.detector").read_bytes(), setting("card.limits", [ESCAPES, ESCAPES]))
    )
    corpus, labels = rows(60, 7)
    rows_path.write_text("".join(json.dumps({"text": text}) + "\n" for text in arm(corpus, labels, 1).texts))
    for arguments in (
        ["panel", "show", str(path)],
        ["scan", str(rows_path), "--detector", str(fingerprint), "-v", "--color", "never"],
    ):
        run = CliRunner().invoke(app, arguments)
        assert run.exit_code == 0, run.output
        assert not {"\x1b", "\u202e", "\x07"} & set(run.output)
        assert "\\x1b[31mred" in run.output
    assert "\x1b" not in repr(Panel.load(path)) + str(Panel.load(path).spectrum())


def _parts(path: Path, magic: bytes, number: int) -> dict[str, bytes]:
    body = unsealed(path.read_bytes(), magic, number, "a", written_by="b", remedy="c")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
