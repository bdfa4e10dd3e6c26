"""Output files: checked before the work, written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from fingerprint.data.files import check_output, write_atomically


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
