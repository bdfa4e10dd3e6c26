"""What a file may ask for: bombs, deep nesting, wide headers and damage are one error with the name of the file."""

from __future__ import annotations

import gzip
import io
import os
import struct
import sys
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from data_on_disk import OWL, at, json_lines, write

from fingerprint.data import limits
from fingerprint.data.batches import batches
from fingerprint.data.choices import read_choices
from fingerprint.data.eval_logs import rows_of_eval_file
from fingerprint.data.reading import read
from fingerprint.data.zipped import check_zip
from fingerprint.features.compiled import begun, side_by_side
from fingerprint.filters import Precomputed

MIB = 1 << 20


def zstd_bomb(byte: bytes) -> bytes:
    """Ten GiB of one byte, in 328 kB: a frame with a window of 128 KiB, whose blocks each repeat it as often."""
    blocks = [((1 << 17) << 3 | 1 << 1 | last).to_bytes(3, "little") + byte for last in (0, 1)]
    return bytes.fromhex("28b52ffd0038") + blocks[0] * (10 * 8192 - 1) + blocks[1]


def copies(piece: bytes, times: int) -> bytes:
    """A piece over and over, as gzip members."""
    return gzip.compress(piece) * times


def parquet(frame: pl.DataFrame, **options: object) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def arrow(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def shared_text() -> pl.DataFrame:
    """A text of a megabyte that 100 rows share: in the file once."""
    return pl.DataFrame({"text": ["7" * MIB]}).select(pl.col("text").repeat_by(100).explode())


def huge_counts() -> bytes:
    """Parquet whose footer asks for more rows than any machine has memory for."""
    content = bytearray(parquet(pl.DataFrame({"text": ["1, 2, 3", "4"]}), compression="uncompressed", statistics=False))
    end = len(content) - 8
    start = end - int.from_bytes(content[end : end + 4], "little")
    many = b"\xfe\xff\xff\xff\xff\xff\xff\xff\x3f"  # 2 ** 61 - 1 as a zigzag number
    footer = bytes(content[start:end]).replace(b"\x16\x04", b"\x16" + many)
    return bytes(content[:start]) + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def evaluation(
    parts: Mapping[str, bytes], method: int = 8, *, unpacked: int = 10, before: bytes = b"", same: int = 0
) -> bytes:
    """A zip file that says of its members what it likes; `same` more names for the first of them."""
    body, listed, start = bytearray(before), bytearray(), 0
    for name, packed in parts.items():
        start = len(body)
        said = struct.pack("<HHHHHLLLHH", 20, 0, method, 0, 33, 0, len(packed), unpacked, len(name), 0)
        body += b"PK\3\4" + said + name.encode() + packed
        for again in range(same + 1):
            other = f"{again}".encode() if again else name.encode()
            more = said[:-4] + struct.pack("<HHHHHLL", len(other), 0, 0, 0, 0, 0, start)
            listed += b"PK\1\2\x14\0" + more + other
    n = min(len(parts) + same, 0xFFFF)
    return bytes(body + listed) + struct.pack("<4s4HLLH", b"PK\5\6", 0, 0, n, n, len(listed), len(body), 0)


_ENTRY = struct.Struct("<4s6H3L5H2L")  # of a member in the list of members


def hidden(*, is_bomb: bool) -> bytes:
    """A list of members whose last one has a comment: another list of members, with its end of 64 bits.

    Some programs take the list in the comment wherever the locator of its end stands, others only where a field of the
    end record is full (with `is_bomb` one that few look at), and then wherever the locator points. One list is that of
    a good log, and the other, in the comment with `is_bomb`, of 99 members of a megabyte each, the same bytes.
    """
    packed = deflated(b"{}"), deflated(b"7" * MIB)
    body, starts = b"", []
    for part in packed:
        starts.append(len(body))
        body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, 0, len(part), 10, 1, 0) + b"a" + part

    def entries(which: int, comment: int = 0) -> bytes:
        names = ["header.json", *map(str, range(98))][: 99 if which else 1]
        found = b""
        for name in names:
            left = comment if name == names[-1] else 0
            sizes = (0, len(packed[which]), 10, len(name), 0, left, 0, 0, 0, starts[which])
            found += _ENTRY.pack(b"PK\1\2", 20, 20, 0, 8, 0, 33, *sizes) + name.encode()
        return found

    inner = entries(int(is_bomb))
    n_inner, n = (99, 1) if is_bomb else (1, 99)
    gap = bytes(is_bomb)  # not right before the locator, where some look, but where it points
    listed = entries(int(not is_bomb), len(inner) + 76 + len(gap))
    where = len(body) + len(listed) + len(inner)
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, n_inner, n_inner, len(inner), where - len(inner))
    listed += inner + end + gap + struct.pack("<4sLQL", b"PK\6\7", 0, where, 1)
    n_here = 0xFFFF if is_bomb else n
    return body + listed + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, n_here, n, len(listed), len(body), 0)


def many_hidden() -> bytes:
    """A list of 200,001 members where the end record tells of none, and of a list that is the one before its end."""
    entry = _ENTRY.pack(b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0)
    listed = b"".join(entry + b"%06d" % i for i in range(200_001))
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 0, 0, len(listed), 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(listed), 1)
    return listed + end + locator + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0, 0, 76, len(listed), 0)


def deflated(content: bytes) -> bytes:
    packing = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packing.compress(content) + packing.flush()


def inside(depth: int) -> dict[str, bytes]:
    return {"header.json": deflated(b"{}"), "samples/1_epoch_1.json": deflated(b"[" * depth + b"]" * depth)}


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "blank.jsonl.zst": (lambda: zstd_bomb(b"\n"), "of nothing but white space up to byte"),
    "blank.jsonl.gz": (lambda: copies(b" \n" * MIB, 8), "of nothing but white space up to byte"),
    "blank.txt": (lambda: b"\n" * (8 * MIB), "of nothing but white space up to byte"),
    "blank.csv.zst": (lambda: zstd_bomb(b"\n"), "of nothing but white space up to byte"),
    "line.jsonl.zst": (lambda: zstd_bomb(b"7"), "must have lines of at most 33,554,432 bytes"),
    "line.txt": (lambda: b"7" * (40 * MIB), "must have lines of at most 33,554,432 bytes"),
    "document.json.zst": (lambda: zstd_bomb(b"7"), "must hold at most 200 times its size"),
    "zeros.parquet.gz": (lambda: copies(bytes(MIB), 64), "must hold at most 200 times its size"),
    "zeros.arrow.zst": (lambda: zstd_bomb(b"\0"), "must hold at most 200 times its size"),
    "shared.parquet": (
        lambda: parquet(shared_text(), statistics=False),
        "must (hold at most .* bytes unpacked|be a Parquet file that)",
    ),
    "shared.arrow": (lambda: arrow(shared_text()), "must (hold at most .* bytes unpacked|be an Arrow file that)"),
    "counts.parquet": (huge_counts, "must be a Parquet file"),
    "deep.jsonl": (lambda: b'{"text": ' + b"[" * 5000, "line 1, column 109 must be one JSON value, got brackets"),
    "deep chat.jsonl": (
        lambda: json_lines(OWL).encode() + b'{"messages": ' + b'[{"a":' * 200 + b"1" + b"}]" * 200 + b"}",
        "line 2, column 309 must be one JSON value, got brackets within",
    ),
    "deep.json": (lambda: b"[\n" * 900 + b"]" * 900, "line 101, column 1 must be JSON that rows can be taken from"),
    "twice.jsonl": (lambda: b'{"text": "1", "text": "2"}', "line 1 must have every key once, got 'text' twice"),
    "twice.json": (lambda: b'[{"text": "1", "text": "2"}]', "must have every key once, got 'text' twice"),
    "wide.csv": (lambda: b",".join(b"%d" % i for i in range(100_001)) + b"\n", "must have at most 100,000 columns"),
    "utf-32.jsonl": (lambda: json_lines(OWL).encode("utf-32"), "must be UTF-8, got UTF-32"),
    "bomb.eval": (lambda: evaluation({"header.json": deflated(b"7" * 64 * MIB)}), "must unpack to at most"),
    "zstd.eval": (lambda: evaluation({"header.json": zstd_bomb(b"7")}, 93), "must unpack to at most"),
    "shared.eval": (lambda: evaluation({"a.json": deflated(b"7" * MIB)}, same=99), "must unpack to at most"),
    "many.eval": (lambda: evaluation({"a.json": b""}, 0, same=200_000), "must have at most 200,000 members"),
    "deep.eval": (lambda: evaluation(inside(5000)), "member 'samples/1_epoch_1.json' must be JSON that rows"),
    "latin.eval": (lambda: evaluation({"a.json": b'"\xe9"'}, 0), "member 'a.json' must be UTF-8"),
    "twice.eval": (lambda: evaluation({"1": b""}, 0, same=1), "must have every member once"),
    "early.eval": (lambda: evaluation(inside(5))[:-9], "a zip file, got another or a damaged one"),
    "before.eval": (lambda: b"0" + evaluation(inside(5)), "a zip file, got another or a damaged one"),
    "hidden.eval": (lambda: hidden(is_bomb=False), "a zip file, got another or a damaged one"),
    "disks.eval": (lambda: hidden(is_bomb=True), "a zip file, got another or a damaged one"),
    "none.eval": (many_hidden, "a zip file, got another or a damaged one"),
    "tail.eval": (lambda: evaluation({"a.json": deflated(b"{}") + bytes(8 * MIB)}), "damaged one .'bytes behind its"),
    "cut.eval": (lambda: evaluation({"a.json": deflated(b"{}")[:-1]}), "damaged one .'it ends too early'"),
    "name.eval": (lambda: evaluation({"a\0.json": b"[" * 5000}, 0), r"member 'a.*json' must be the same to every"),
    "method.eval": (lambda: evaluation(inside(5), 12), "must be complete, got a damaged one"),
    "damaged.eval": (lambda: evaluation({"a.json": b"\xff" * 9}), "must be complete, got a damaged one"),
    "times.parquet": (
        lambda: parquet(pl.DataFrame({"text": [2**62]}).cast(pl.Datetime("us"))),
        "must hold times that Python has, got Datetime",
    ),
}


@pytest.fixture(params=BOMBS)
def bomb(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    make, message = BOMBS[request.param]
    return write(tmp_path, request.param, make()), message


def test_a_file_that_asks_for_too_much_is_one_error_with_its_name_in_little_time(bomb: tuple[Path, str]) -> None:
    path, message = bomb
    start = time.process_time()
    with pytest.raises(ValueError, match=message) as caught:
        deque(batches(path), maxlen=0) if path.suffix in (".txt", ".parquet") else read(path)
    assert str(caught.value).startswith(str(path))
    assert time.process_time() - start < 10


@pytest.mark.parametrize("is_full", [False, True])
def test_a_log_of_so_many_samples_that_its_end_has_numbers_of_64_bits_passes(tmp_path: Path, is_full: bool) -> None:
    content = evaluation(inside(5))
    *_, listed, start, _ = struct.unpack("<4s4H2LH", content[-22:])
    if is_full:
        end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, listed, start)
        end += struct.pack("<4sLQL", b"PK\6\7", 0, start + listed, 1)
        content = content[:-22] + end + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, listed, start, 0)
    check_zip(str(write(tmp_path, "log.eval", content)), "a log")


@pytest.mark.parametrize("error", [MemoryError, ModuleNotFoundError])
def test_a_machine_that_cannot_read_a_log_is_not_told_of_as_a_bad_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error("of the machine")

    reader = SimpleNamespace(read_eval_log=failing, read_eval_log_samples=failing)
    monkeypatch.setitem(sys.modules, "inspect_ai.log", reader)
    monkeypatch.setitem(sys.modules, "inspect_ai", SimpleNamespace(log=reader))
    path = write(tmp_path, "log.eval", evaluation(inside(5)))
    with pytest.raises(error, match=r"\Aof the machine\Z"):
        list(rows_of_eval_file(str(path)))


def test_after_a_file_that_ended_its_reader_others_are_read(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.parquet", tmp_path / "good.parquet"
    bad.write_bytes(huge_counts())
    pl.DataFrame([OWL]).write_parquet(good)
    with pytest.raises(ValueError, match=at(bad)):
        read(bad)
    assert read(good).texts == ("7, 9",)


def test_raised_limits_are_those_of_the_threads_that_the_caller_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """And of no others: two files of a `compare` are read side by side."""
    for n_threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", n_threads)
        with limits.raised(rows=7):
            found = [done() for done in side_by_side(lambda _: limits.limits().rows, range(3))]
            with begun(lambda _: limits.limits().rows, range(3)) as waiting:
                found += [done() for done in waiting]
        assert found == [7] * 6
        assert [done() for done in side_by_side(lambda _: limits.limits().rows, range(3))] == [2_000_000] * 3


@pytest.mark.parametrize("name", ["counts.parquet", "shared.parquet"])
def test_a_file_of_scores_that_asks_for_too_much_is_one_error_with_its_name(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name, BOMBS[name][0]())
    with pytest.raises(ValueError, match=r"must (be|hold) ") as caught:
        Precomputed("text", path)(["1"])
    assert str(caught.value).startswith(str(path))


def test_a_header_of_a_hundred_thousand_columns_is_read_in_linear_time(tmp_path: Path) -> None:
    names = ["text", *(f"column {i}" for i in range(99_999))]
    path = write(tmp_path, "wide.csv", ",".join(names) + "\n" + ("7" + "," * 99_999 + "\n") * 3)
    start = time.process_time()
    assert read(path).texts == ("7",) * 3
    assert time.process_time() - start < 5


def test_rows_in_memory_have_a_limit_and_rows_in_batches_have_none(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", json_lines(OWL, OWL, OWL))
    with limits.raised(rows=2):
        with pytest.raises(ValueError, match=at(path) + " must bring at most 2 rows into memory, got more .*rows=N"):
            read(path)
        assert sum(map(len, batches(path))) == 3
    assert len(read(path)) == 3


def test_what_small_files_become_in_memory_has_a_limit_and_in_batches_has_none(tmp_path: Path) -> None:
    """Lines may be 2,000 times as large as a packed file, one at a time; held, 200 times and a gigabyte."""
    line = json_lines({"text": "7" * 100_000}).encode() + b"\n"
    path = write(tmp_path, "rows.jsonl.gz", gzip.compress(line * 40))
    with limits.raised(held=1 << 20):
        with pytest.raises(ValueError, match=r"rows\.jsonl\.gz must bring at most [\d,]+ bytes into memory, got more"):
            read(path)
        assert sum(map(len, batches(path))) == 40
    assert len(read(path)) == 40


def test_judged_pairs_have_the_limits_of_other_rows_in_memory(tmp_path: Path) -> None:
    pair = json_lines({"chosen": "7" * 100_000, "rejected": "9"}).encode() + b"\n"
    path = write(tmp_path, "pairs.jsonl.gz", gzip.compress(pair * 40))
    for most, message in (({"held": 1 << 20}, "[0-9,]+ bytes .*held=N"), ({"rows": 39}, "39 rows .*rows=N")):
        with limits.raised(**most), pytest.raises(ValueError, match=f"{at(path)} must bring at most {message}"):
            read_choices(path)
    assert len(read_choices(path)) == 40


def test_limits_are_raised_by_the_environment_for_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "a.txt", b"\n" * 700_000 + b"7\n")
    with pytest.raises(ValueError, match=r"white space .* FINGERPRINT_LIMITS=blank=N"):
        list(batches(path))
    monkeypatch.setenv(limits.VARIABLE, "blank=1MiB, rows=20_000_000")
    assert limits.limits() == limits.Limits(blank=MIB, rows=20_000_000)
    assert sum(map(len, batches(path))) == 700_001


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("speed=9", "must name limits among expansion, stream, .*, got 'speed'"),
        ("rows=many", "must give a number from 1 on for rows, got 'many'"),
        ("rows=0", "must give a number from 1 on for rows, got '0'"),
    ],
)
def test_unknown_limits_are_refused(monkeypatch: pytest.MonkeyPatch, given: str, message: str) -> None:
    monkeypatch.setenv(limits.VARIABLE, given)
    with pytest.raises(ValueError, match=f"FINGERPRINT_LIMITS {message}"):
        limits.limits()


@pytest.mark.parametrize(
    "text", ['{"text": "a: \\"b\\": c"}', '{"text" : "7", "prompt" : "1"}', '{"a": {"b": 1}, "text": "7"}']
)
def test_colons_and_quotes_inside_texts_are_no_second_key(tmp_path: Path, text: str) -> None:
    assert len(read(write(tmp_path, "a.jsonl", text))) == 1


@pytest.mark.parametrize(
    "text",
    ['{"text" : "7","text":"1"}', '{"text":"7","te\\u0078t":"1"}', '{"messages": [{"role": "user", "role": "user"}]}'],
)
def test_a_key_that_is_there_twice_is_seen_however_it_is_written(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"line 1 must have every key once, got .* twice"):
        read(write(tmp_path, "a.jsonl", text))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of POSIX")
def test_a_pipe_that_nobody_writes_to_is_named_and_one_that_somebody_does_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fingerprint.data import compression

    path = tmp_path / "rows.jsonl.gz"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(gzip.compress(json_lines(OWL).encode())))
    writer.start()
    assert read(path).texts == ("7, 9",)
    writer.join()
    monkeypatch.setattr(compression, "_PIPE_SECONDS", 0.1)
    with pytest.raises(ValueError, match=at(path) + " must be a file, or a pipe that somebody writes to"):
        read(path)


def test_a_ring_of_links_is_named_and_links_elsewhere_are_followed(tmp_path: Path) -> None:
    rows, other = tmp_path / "rows", tmp_path / "other"
    (rows / "deep").mkdir(parents=True)
    other.mkdir()
    write(other, "a.jsonl", json_lines(OWL))
    (rows / "elsewhere").symlink_to(other)
    pattern = str(rows / "**" / "*.jsonl")
    assert read(pattern).texts == ("7, 9",)
    (rows / "deep" / "up").symlink_to(rows)
    with pytest.raises(ValueError, match="path must be a glob of folders without rings, got the link "):
        read(pattern)
    ring = tmp_path / "ring.jsonl"
    ring.symlink_to(ring)
    with pytest.raises(OSError, match=r"ring\.jsonl"):
        read(ring)
