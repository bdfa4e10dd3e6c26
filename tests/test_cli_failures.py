"""How commands fail: one line, an exit code, before any work."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from fingerprint.data.row_errors import RowError


def test_a_missing_reference_names_the_two_ways_out(run: Run, calls: list[dict[str, Any]]) -> None:
    code, out, err = run("detect", "a")
    assert (code, out, calls) == (2, "", [])
    assert "sample a reference from the base model with the same prompts" in err
    assert "scan SUSPECT with a detector trained" in err


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("value", "error: b.jsonl, line 3: must be JSON, got '{'; correct it or skip it \\x1b[31m"),
        ("type", "error: SUSPECT must be a path"),
        ("missing", "error: No such file or directory: b.jsonl"),
        ("forbidden", "error: Permission denied: b.jsonl"),
        ("encoding", "error: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(
    run: Run, calls: list[dict[str, Any]], reference: str, message: str
) -> None:
    assert run("detect", "a", reference) == (2, "", f"fingerprint: {message}\n")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            "this needs the extra lm, got no torch; install it: pip install 'subliminal-fingerprint[lm]'",
        ),
        (RowError("must fit, got more in {row}; shorten it", 7), "must fit, got more in row 8; shorten it"),
    ],
)
def test_what_the_caller_can_mend_is_no_unexpected_failure(
    run: Run, calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(sys.modules["fingerprint.detection.detect"], "detect", fail)
    code, out, err = run("detect", "a", "b")
    assert (code, out) == (2, "")
    assert err == f"fingerprint: error: {message}\n"


@pytest.mark.parametrize(
    ("reference", "message"), [("unexpected", "KeyError: 'pairs'"), ("library", "LinAlgError: singular matrix")]
)
def test_an_unexpected_failure_is_one_line_with_a_hint_and_exit_code_seventy(
    run: Run, calls: list[dict[str, Any]], reference: str, message: str
) -> None:
    hint = "run it again with --debug for the traceback"
    assert run("detect", "a", reference) == (70, "", f"fingerprint: unexpected failure: {message}; {hint}\n")


@pytest.mark.parametrize(("reference", "expected"), [("unexpected", 70), ("value", 2)])
def test_debug_shows_the_traceback(run: Run, calls: list[dict[str, Any]], reference: str, expected: int) -> None:
    code, _, err = run("detect", "a", reference, "--debug")
    assert code == expected
    assert "Traceback (most recent call last)" in err
    assert "--debug" not in err


def test_an_interrupt_exits_like_a_shell(run: Run, calls: list[dict[str, Any]]) -> None:
    assert run("detect", "a", "interrupt") == (130, "", "fingerprint: interrupted\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--html", "{folder}"), "--html must be a file, got the folder"),
        (("--json", "{folder}/no/r.json"), "--json must be in a folder that exists"),
        (("--json", "{folder}/r", "--html", "{folder}/r"), "--html and --json must be different files"),
        (("--json", "{folder}/a.jsonl"), "--json must not be an input"),
        (("--prompt", "p", "--no-prompt"), "--prompt must not be given with --no-prompt"),
        (("--features", "numbers,,tokens"), "--features must be family names with commas"),
        (("--filter", "nonsense"), "filter must be one of numbers, numbers-banned, banned"),
        (("--filter", "keywords"), "filter keywords must have a value, got 'keywords'"),
        (("--filter", "numbers=3"), "filter numbers must have no value, got 'numbers=3'"),
        (("--filter", "keywords@2=owl"), "filter keywords must have no threshold"),
        (("--filter", "tfidf@x=owl"), "the threshold after @ must be a number, got 'tfidf@x=owl'"),
        (("--filter", "banned=6,x"), "banned must be whole numbers with commas between them, got '6,x'"),
    ],
)
def test_bad_arguments_are_refused_before_any_work(
    run: Run, calls: list[dict[str, Any]], tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    (tmp_path / "a.jsonl").write_text("data")
    code, out, err = run("detect", tmp_path / "a.jsonl", "b", *(part.format(folder=tmp_path) for part in options))
    assert (code, out, calls) == (2, "", [])
    assert message in err
    assert len(err.splitlines()) == 1
    assert (tmp_path / "a.jsonl").read_text() == "data"


@pytest.mark.parametrize(
    "arguments", [("detect",), ("detect", "a", "b", "--alpha", "x"), ("scan",), ("detect", "--no")]
)
def test_usage_errors_exit_with_two_and_print_to_standard_error(
    run: Run, calls: list[dict[str, Any]], arguments: tuple[str, ...]
) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "Usage: fingerprint" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--permutations", "10"), "--permutations must be at least 99 for alpha 0.05, got 10"),
        (("--min-auc", "2"), "--min-auc must be in [0, 1), got 2.0"),
        (("--alpha", "2"), "--alpha must be between 0 and 1, got 2.0"),
        (("--student",), "--student must come with a model to train, got --student without one; pass --model"),
        (("--system-prompt", "x"), "--system-prompt must come with a model, got 1 without one; pass --model"),
        (("--teacher", "micro-a"), "pass --model (the base without a system prompt wrote the reference)\n"),
        (("--features", "zzz"), "--features must be"),
    ],
)
def test_bad_settings_are_named_as_on_the_command_line(
    run: Run, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text('{"prompt": "p", "completion": "1, 2"}\n' * 40)
    code, out, err = run("detect", tmp_path / "a.jsonl", tmp_path / "b.jsonl", *options)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("command", ["detect", "scan", "identify", "train", "lab"])
def test_no_command_takes_a_negative_seed(run: Run, command: str) -> None:
    code, out, err = run(command, "--seed", "-1")
    assert (code, out) == (2, "")
    assert "Invalid value for '--seed'" in err
