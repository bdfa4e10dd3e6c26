"""One writer a path, among real processes: who comes second is refused, told of the first, or shares it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from fingerprint.data.files import draft_beside, write_atomically
from fingerprint.data.locks import PartLocks, alone_with, locked

WRITER = """
import sys, time
from pathlib import Path
from fingerprint.lab.generation import generate
from fingerprint.lm.sampling import Sampled

class Writer:
    name, system = "slow", None
    def provenance(self): return {"teacher": self.name}
    def rows_together(self, batch_size): return 1
    def write(self, prompts, **options):
        for row in prompts:
            time.sleep(0.002)
            yield {row: Sampled(f"{row}, {row + 1}", True, {})}

path, n = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
try:
    print(len(generate(Writer(), [f"p{i}" for i in range(n)], path)))
except BlockingIOError as error:
    print(error)
"""
HOLDER = """
import sys
from pathlib import Path
from fingerprint.data.locks import locked
with locked(Path(sys.argv[1]), "out"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def child(program: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_of_three_that_write_the_same_rows_at_once_each_is_refused_or_has_them_all(tmp_path: Path) -> None:
    path, n = tmp_path / "rows.jsonl", 150
    writers = [child(WRITER, path, n) for _ in range(3)]
    for one in writers:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    told = [one.communicate("go\n", timeout=120)[0].strip() for one in writers]
    assert str(n) in told
    refused = f"{path}.partial must have one writer, got a second beside "
    assert all(one == str(n) or one.startswith(refused) for one in told)
    rows = [json.loads(line)["row"] for line in path.read_text().splitlines()]
    assert rows == list(range(n))
    assert os.listdir(tmp_path) == ["rows.jsonl"]


def test_a_folder_has_one_user_and_a_killed_one_has_none(tmp_path: Path) -> None:
    """An experiment's or a panel's; the message names process, machine and since when."""
    pytest.importorskip("httpx", reason="the extra endpoints is not installed")
    from fingerprint.endpoints.endpoint import Endpoint
    from fingerprint.lab.panel_rows import PanelRows

    holder = child(HOLDER, tmp_path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    rows = PanelRows(Endpoint("M", "http://localhost:9/v1"), ("owl",), n_prompts=5)
    told = (
        rf"out must be used by one process at a time, got '.*', which process {holder.pid} on {socket.gethostname()} "
        r"\(since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\) uses; wait until it has ended, or choose another folder"
    )
    with pytest.raises(ValueError, match=told):
        rows.write(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".lock", ".lock.writer"]
    holder.kill()
    holder.communicate()
    with locked(tmp_path, "out"):
        pass
    assert os.listdir(tmp_path) == []


def test_links_that_somebody_else_put_there_lead_nowhere(tmp_path: Path) -> None:
    """Beside what is written lie hidden files of known names: who may write to the folder can make links of these."""
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("rows.partial.writer", ".scores.parquet.tmp", ".report.json.tmp", "other.partial", ".data.tmp.lock"):
        (folder / name).symlink_to(precious)
    with alone_with(folder / "rows.partial") as file:
        file.write(b"row")
    for name in ("scores.parquet", "data"):
        with draft_beside(folder / name) as draft:
            draft.write_bytes(b"scores")
    write_atomically(folder / "report.json", "{}")
    with pytest.raises(OSError, match=r"other\.partial must be a file, got a link"):
        alone_with(folder / "other.partial").__enter__()
    assert precious.read_text() == "keep me"
    assert (folder / "rows.partial").read_bytes() == b"row"
    assert (folder / "report.json").read_bytes() == b"{}"


def test_a_pipe_in_the_place_of_a_lock_is_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.lock")
    with pytest.raises(OSError, match=r"a\.lock must be a file, got a link, a pipe"), locked(tmp_path / "a", "out"):
        pass


def test_what_one_has_claimed_no_other_has_until_it_is_left(tmp_path: Path) -> None:
    with PartLocks.of(tmp_path / "f") as one:
        with PartLocks.of(tmp_path / "f") as other:
            assert one.take("a")
            assert not other.take("a")
            assert other.take("b")
            one.leave("a")
            assert other.take("a")
            assert not one.take("b")
        assert one.take("a")  # a holder that ended, or was killed, holds nothing


def test_who_writes_is_said_to_no_file_that_a_link_put_there_meanwhile_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    opens, exchanged = Path.open, []

    def open_and_exchange(path: Path, mode: str = "r", **options: Any) -> IO[Any]:
        file = opens(path, mode, **options)
        if mode == "xb":
            path.unlink()
            path.symlink_to(precious)
            exchanged.append(path.name)
        return file

    monkeypatch.setattr(Path, "open", open_and_exchange)
    with alone_with(tmp_path / "rows"):
        assert exchanged == ["rows.writer"]
    assert precious.read_text() == "keep me"


def test_a_file_system_without_locks_is_told_and_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    monkeypatch.setattr(fcntl, "fcntl", none)
    with pytest.warns(UserWarning, match="file system without locks"), alone_with(tmp_path / "f") as file:
        file.write(b"x")
    assert (tmp_path / "f").read_bytes() == b"x"
    with PartLocks.of(tmp_path / "g") as parts, parts.whole():
        assert parts.take("a")
