"""Output files: checked before the work, written whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fingerprint.data.files import check_output, write_atomically, write_together


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_written_files_have_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").write_text("")
    write_atomically(tmp_path / "ours", "")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "ours")}
    assert len(modes) == 1


def test_a_symbolic_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomically(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_device_is_written_to_and_never_replaced() -> None:
    write_atomically("/dev/null", "text")
    assert not Path("/dev/null").is_file()


def test_outputs_are_checked(tmp_path: Path) -> None:
    check_output(tmp_path / "new.json", "--json")
    check_output("/dev/null", "--json")
    with pytest.raises(ValueError, match="--json must be a file, got the folder"):
        check_output(tmp_path, "--json")
    with pytest.raises(FileNotFoundError, match="--json must be in a folder that exists"):
        check_output(tmp_path / "no" / "new.json", "--json")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="--json must be writable"):
        check_output(tmp_path / "new.json", "--json")


# ------------------------------------------------------------------------------------------------- whose files they are


@pytest.mark.skipif(sys.platform == "win32", reason="no modes there")
def test_what_is_replaced_keeps_its_permissions_owner_and_group(tmp_path: Path) -> None:
    path, link = tmp_path / "report.json", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    if os.geteuid() == 0:
        os.chown(path, 12345, 54321)
    before = path.stat()
    write_atomically(link, "new")
    write_together({path: "newer", tmp_path / "other": "x"})
    after = path.stat()
    assert link.is_symlink()
    assert path.read_text() == "newer"
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    ready = tmp_path / "ready"
    ready.write_text("scores")
    write_together({}, drafts={link: ready})
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("scores", 0o640)


def test_secret_files_are_never_open_while_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen = tmp_path / "report.json", []
    path.write_text("old")
    path.chmod(0o600)
    sync = os.fsync

    def look(descriptor: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    write_atomically(path, "new")
    assert seen == [0o600]


KILLED = """
import os, sys
from pathlib import Path
from fingerprint.data import files
files.os.fsync = lambda _: os.kill(os.getpid(), 9)
files.write_together({Path(name): "half of it" for name in sys.argv[1:]})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_what_a_killed_process_left_is_gone_after_the_next(tmp_path: Path) -> None:
    names = ["report.json", "x" * 250]
    for _ in range(3):
        found = subprocess.run([sys.executable, "-c", KILLED, *(str(tmp_path / name) for name in names)])
        assert found.returncode == -signal.SIGKILL
    assert os.listdir(tmp_path) == [".report.json.tmp"]
    (tmp_path / ".report.json.tmp").chmod(0o777)
    write_together({tmp_path / name: "whole" for name in names})
    assert sorted(os.listdir(tmp_path)) == sorted(names)
    (tmp_path / "usual").write_text("")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (*names, "usual")}
    assert len(modes) == 1


def test_a_draft_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    """In a folder that others can write to, the hidden name may lead elsewhere."""
    (tmp_path / "precious").write_text("precious")
    (tmp_path / ".report.json.tmp").symlink_to(tmp_path / "precious")
    write_atomically(tmp_path / "report.json", "new")
    assert (tmp_path / "precious").read_text() == "precious"
    (tmp_path / ".other.tmp").mkdir()
    write_atomically(tmp_path / "other", "new")
    assert (tmp_path / "other").read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == [".other.tmp", ".report.json.tmp", "other", "precious", "report.json"]


def test_many_writers_of_one_file_leave_one_whole_file(tmp_path: Path) -> None:
    texts = [str(i) * 10_000 for i in range(8)]
    failed: list[BaseException] = []

    def write(text: str) -> None:
        try:
            for _ in range(20):
                write_atomically(tmp_path / "f", text)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert (tmp_path / "f").read_text() in texts
    assert os.listdir(tmp_path) == ["f"]


def test_signals_wait_until_all_files_have_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move = os.replace

    def asked_to_end(source: Path, target: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        move(source, target)

    monkeypatch.setattr(os, "replace", asked_to_end)
    with pytest.raises(KeyboardInterrupt):
        write_together({tmp_path / name: "new" for name in "abc"})
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c"]


def test_a_link_that_leads_back_to_itself_is_named(tmp_path: Path) -> None:
    (tmp_path / "ring").symlink_to(tmp_path / "ring")
    with pytest.raises(ValueError, match=r"--json must be a file, got .*a symbolic link that leads nowhere"):
        check_output(tmp_path / "ring", "--json")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("kept")
    (tmp_path / "r.json").chmod(0o400)
    with pytest.raises(PermissionError, match="--json must be writable"):
        check_output(tmp_path / "r.json", "--json")
