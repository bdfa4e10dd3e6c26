"""What the command line passes on to detect, and what comes back: text, files, help, exit codes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, build_report

from fingerprint.cli.app import COMMANDS
from fingerprint.filters import Keywords, NumberRule
from fingerprint.report.report import Report


def test_detect_prints_the_report_and_nothing_else(run: Run, calls: list[dict[str, Any]]) -> None:
    assert run("detect", "a", "b") == (0, f"{build_report('')}\n", "")


def test_defaults_are_those_of_detect(run: Run, calls: list[dict[str, Any]]) -> None:
    run("detect", "a", "b")
    assert calls == [
        {
            "suspect": "a", "reference": "b", "text": None, "prompt": None, "features": "auto",
            "filters": [], "ladder": True, "alpha": 0.05, "min_auc": 0.5, "min_effect": None, "n_permutations": 9999,
            "self_test": False, "bad_rows": "error", "rng": 0, "progress": False, "model": None, "system_prompts": (),
            "teacher": None, "placebos": (), "student": False, "bad_shards": "error", "scores": None, "engine": "local",
            "prior": None, "trained_rows": "error", "title": None, "turn": None, "resume": None,
        }
    ]  # fmt: skip


def test_every_option_reaches_detect(
    run: Run, calls: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fingerprint.cli.detect.check_extra", lambda *packages: None)  # nothing of them is reached
    options = (
        "--text answer --prompt question --features numbers,tokens --alpha 0.01 --min-auc 0.55 --permutations 999 "
        "--min-effect 0.57 --require-power 0.8 --seed 7 --no-ladder --self-test --skip-bad-rows --filter numbers "
        "--filter keywords=owl,owlet --model M --system-prompt C --system-prompt D --student --teacher T --placebo P "
        "--skip-bad-shards --scores s.parquet --engine ray --drop-trained-rows --title mine --turn=-2 "
        "--json r.json --resume"
    )
    assert run("detect", "a", "b", *options.split())[0] == 0
    draft = calls[0].pop("scores")  # moved to its place with all other files
    assert (draft.parent, sorted(os.listdir(tmp_path))) == (tmp_path, ["r.json", "s.parquet"])
    assert calls == [
        {
            "suspect": "a", "reference": "b", "text": "answer", "prompt": "question", "features": ["numbers", "tokens"],
            "filters": [NumberRule(), Keywords(["owl", "owlet"])],
            "ladder": False, "alpha": 0.01, "min_auc": 0.55, "min_effect": 0.57, "n_permutations": 999,
            "self_test": True, "bad_rows": "skip", "rng": 7, "progress": False, "model": "M",
            "system_prompts": ["C", "D"], "teacher": "T", "placebos": ["P"], "student": True, "bad_shards": "skip",
            "engine": "ray", "prior": None, "trained_rows": "drop", "title": "mine", "turn": -2,
            "resume": Path("r.json.part"),  # beside the first file that is written
        }
    ]  # fmt: skip


def test_columns_of_one_side_go_before_those_of_both(run: Run, calls: list[dict[str, Any]]) -> None:
    run("detect", "a", "b", "--text", "t", "--suspect-text", "s", "--reference-prompt", "q", "--turn", "first")
    assert (calls[0]["text"], calls[0]["prompt"], calls[0]["turn"]) == (("s", "t"), (None, "q"), "first")
    code, _, err = run("detect", "a", "b", "--suspect-prompt", "q", "--no-prompt")
    assert (code, "--prompt must not be given with --no-prompt" in err) == (2, True)
    assert run("detect", "a", "b", "--turn", "second")[2].startswith('fingerprint: error: --turn must be "last", ')


def test_no_prompt_ignores_prompts(run: Run, calls: list[dict[str, Any]]) -> None:
    run("detect", "a", "b", "--no-prompt")
    assert calls[0]["prompt"] is False


def test_demo_runs_on_the_packaged_files_and_says_where_the_page_lies(
    run: Run, calls: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run("demo")
    assert (code, err) == (0, "")
    assert out.endswith(f"{build_report('')}\n")
    assert out.splitlines()[0].endswith(str(tmp_path / "demo-report.html"))
    assert (tmp_path / "demo-report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [Path(calls[0][side]).name for side in ("suspect", "reference")] == ["suspect.jsonl", "reference.jsonl"]


def test_outputs_are_written(run: Run, calls: list[dict[str, Any]], tmp_path: Path) -> None:
    code, _, _ = run("detect", "a", "b", "--json", tmp_path / "r.json", "--html", tmp_path / "r.html")
    assert code == 0
    assert Report.from_json(tmp_path / "r.json").to_dict() == build_report("").to_dict()
    assert sorted(os.listdir(tmp_path)) == ["r.html", "r.json"]


def test_quiet_prints_the_verdict_and_nothing_else(run: Run, calls: list[dict[str, Any]], tmp_path: Path) -> None:
    verdict = f"{build_report('').headline}\n"
    assert run("detect", "a", "b", "--quiet", "--json", tmp_path / "r.json") == (0, verdict, "")
    assert run("demo", "--quiet", "--html", tmp_path / "r.html") == (0, verdict, "")
    assert sorted(os.listdir(tmp_path)) == ["r.html", "r.json"]


def test_fail_if_detected_exits_with_one_after_everything_was_written(
    run: Run, calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    code, out, _ = run("detect", "a", "b", "--fail-if-detected", "--json", tmp_path / "r.json")
    assert code == 1
    assert "Detected" in out
    assert (tmp_path / "r.json").exists()


def test_fail_if_detected_exits_with_zero_when_nothing_was(
    run: Run, calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, quiet_report: Report
) -> None:
    monkeypatch.setattr(sys.modules["fingerprint.detection.detect"], "detect", lambda *_, **__: quiet_report)
    assert run("detect", "a", "b", "--fail-if-detected")[0] == 0


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), *((command, "--help") for command in COMMANDS)])
def test_help(run: Run, arguments: tuple[str, ...]) -> None:
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: fingerprint")


def test_version(run: Run) -> None:
    code, out, _ = run("--version")
    assert code == 0
    assert out.startswith("fingerprint 0.")


def test_progress_is_shown_on_a_terminal_only(
    run: Run, calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("detect", "a", "b")
    assert calls[-1]["progress"] is False
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run("detect", "a", "b", "--quiet")
    assert calls[-1]["progress"] is False
    code, out, _ = run("detect", "a", "b")
    assert callable(calls[-1]["progress"])
    assert (code, out) == (0, f"{build_report('')}\n")
