"""The command line: arguments, exit codes, messages, outputs; and the real thing in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import numpy as np
import pytest
from conftest import build_report

from fingerprint.cli import app as cli
from fingerprint.data.corpus import RowError
from fingerprint.filters import Keywords, NumberRule
from fingerprint.report.report import Report

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replace `fingerprint.detection.detect` by one that notes its arguments and returns a ready report.

    An argument "raise" as the reference raises what the note under "error" holds.
    """
    noted: list[dict[str, Any]] = []

    def detect(suspect: str, reference: str, **options: Any) -> Report:
        noted.append({"suspect": suspect, "reference": reference, **options})
        if options["progress"]:
            options["progress"]("ladder [bold]", 0.5)
        if reference in FAILURES:
            raise FAILURES[reference]
        return build_report("")

    module = ModuleType("fingerprint.detection.detect")
    module.detect = detect  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fingerprint.detection.detect", module)
    return noted


FAILURES: dict[str, BaseException] = {
    "value": ValueError("b.jsonl, line 3: must be JSON, got '{'; correct it\nor skip it \x1b[31m"),
    "type": TypeError("suspect must be a path"),
    "missing": FileNotFoundError(2, "No such file or directory", "b.jsonl"),
    "forbidden": PermissionError(13, "Permission denied", "b.jsonl"),
    "encoding": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    "unexpected": KeyError("pairs"),
    "library": np.linalg.LinAlgError("singular matrix"),  # a ValueError by birth
    "interrupt": KeyboardInterrupt(),
}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process: exit code, standard output, standard error."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        code = stop.value.code
        return (0 if code is None else int(code)), out, err

    return call


def test_detect_prints_the_report_and_nothing_else(run: Run, calls: list[dict[str, Any]]) -> None:
    assert run("detect", "a.jsonl", "b.jsonl") == (0, f"{build_report('')}\n", "")


def test_defaults_are_those_of_detect(run: Run, calls: list[dict[str, Any]]) -> None:
    run("detect", "a.jsonl", "b.jsonl")
    assert calls == [
        {
            "suspect": "a.jsonl", "reference": "b.jsonl", "text": None, "prompt": None, "features": "auto",
            "filters": [], "ladder": True, "alpha": 0.05, "min_auc": 0.5, "n_permutations": 9999, "self_test": False,
            "bad_rows": "error", "rng": 0, "progress": False, "model": None, "candidates": (), "teacher": None,
            "placebos": (), "student": False,
        }
    ]  # fmt: skip


def test_every_option_reaches_detect(run: Run, calls: list[dict[str, Any]]) -> None:
    options = (
        "--text answer --prompt question --features numbers,tokens --alpha 0.01 --min-auc 0.55 --permutations 999 "
        "--seed 7 --no-ladder --self-test --skip-bad-rows --filter numbers --filter keywords=owl,owlet "
        "--model M --candidate C --candidate D --student --teacher T --placebo P"
    )
    assert run("detect", "a", "b", *options.split())[0] == 0
    assert calls == [
        {
            "suspect": "a", "reference": "b", "text": "answer", "prompt": "question", "features": ["numbers", "tokens"],
            "filters": [NumberRule(), Keywords(["owl", "owlet"])],
            "ladder": False, "alpha": 0.01, "min_auc": 0.55, "n_permutations": 999, "self_test": True,
            "bad_rows": "skip", "rng": 7, "progress": False, "model": "M", "candidates": ["C", "D"], "teacher": "T",
            "placebos": ["P"], "student": True,
        }
    ]  # fmt: skip


def test_no_prompt_ignores_prompts(run: Run, calls: list[dict[str, Any]]) -> None:
    run("detect", "a", "b", "--no-prompt")
    assert calls[0]["prompt"] is False


def test_demo_runs_on_the_packaged_files_and_says_where_the_page_lies(
    run: Run, calls: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run("demo")
    assert (code, err) == (0, "")
    assert out.startswith(str(build_report("")))
    assert out.splitlines()[-1].endswith(str(tmp_path / "demo-report.html"))
    assert (tmp_path / "demo-report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [Path(calls[0][side]).name for side in ("suspect", "reference")] == ["suspect.jsonl", "reference.jsonl"]


def test_outputs_are_written(run: Run, calls: list[dict[str, Any]], tmp_path: Path) -> None:
    code, _, _ = run("detect", "a", "b", "--json", tmp_path / "r.json", "--html", tmp_path / "r.html")
    assert code == 0
    assert Report.from_json(tmp_path / "r.json").to_dict() == build_report("").to_dict()
    assert sorted(os.listdir(tmp_path)) == ["r.html", "r.json"]


def test_quiet_prints_nothing(run: Run, calls: list[dict[str, Any]], tmp_path: Path) -> None:
    assert run("detect", "a", "b", "--quiet", "--json", tmp_path / "r.json") == (0, "", "")
    assert run("demo", "--quiet", "--html", tmp_path / "r.html") == (0, "", "")
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


def test_a_missing_reference_names_the_two_ways_out(run: Run, calls: list[dict[str, Any]]) -> None:
    code, out, err = run("detect", "a.jsonl")
    assert (code, out, calls) == (2, "", [])
    assert "sample a reference from the base model with the same prompts" in err
    assert "scan SUSPECT with a detector trained" in err


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("value", "error: b.jsonl, line 3: must be JSON, got '{'; correct it or skip it \\x1b[31m"),
        ("type", "error: suspect must be a path"),
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
    "arguments", [("--help",), ("-h",), ("detect", "--help"), ("filter", "--help"), ("demo", "--help")]
)
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


# The command filter


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    rows = [("p", "1, 2", 0.1), ("p", "an owl", 0.9), ("q", "1, 2, 3000", 0.2), ("q", "Café owls", 0.8)]
    records = [{"prompt": p, "completion": c, "judge": j} for p, c, j in rows]
    path = tmp_path / "leaky.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_filter_writes_every_row_with_its_reasons_and_tells_how_many_are_kept(
    run: Run, leaky: Path, tmp_path: Path
) -> None:
    out, kept = tmp_path / "all.jsonl", tmp_path / "kept.jsonl"
    options = ("--rule", "numbers", "--keywords", "owl", "--filter", "scores=judge", "--out", out, "--kept", kept)
    code, told, err = run("filter", leaky, *options)
    assert (code, err) == (0, "")
    assert told.splitlines()[0] == "1 of 4 rows kept"
    assert "        2  number rule: invalid format" in told.splitlines()
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["kept"] for row in rows] == [True, False, False, False]
    assert [row["reasons"] for row in rows] == [
        [], ["number rule: invalid format", "keywords: keyword: owl"], ["number rule: numbers too large"],
        ["number rule: invalid format", "keywords: keyword: owl"],
    ]  # fmt: skip
    assert [row["score: judge"] for row in rows] == [0.1, 0.9, 0.2, 0.8]
    assert rows[3]["completion"] == "Café owls"
    assert [json.loads(line) for line in kept.read_text().splitlines()] == [
        {"prompt": "p", "completion": "1, 2", "system": None}
    ]


def test_filter_counts_rows_it_could_not_judge(run: Run, leaky: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text('{"completion": "an owl", "judge": null}\n{"completion": "5", "judge": 0.1}\n')
    code, told, _ = run("filter", other, "--filter", "scores@0.5=judge", "--out", tmp_path / "o.jsonl")
    assert (code, told.splitlines()) == (0, ["1 of 2 rows kept, 1 undecided", "        1  judge: no score"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rule", "numbers", "--out", "{leaky}"), "--out must not be an input"),
        (("--rule", "numbers", "--out", "{folder}/o", "--kept", "{folder}/o"), "--out and --kept must be different"),
        (("--out", "{folder}/o"), "filters must hold at least one filter, got none"),
        (("--rule", "numbers", "--keywords", "", "--out", "{folder}/o"), "filter keywords must have a value"),
    ],
)
def test_filter_refuses_bad_arguments(
    run: Run, leaky: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    code, out, err = run("filter", leaky, *(part.format(folder=tmp_path, leaky=leaky) for part in options))
    assert (code, out) == (2, "")
    assert message in err
    assert not (tmp_path / "o").exists()


# In a process of its own


def _process(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fingerprint", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def test_help_loads_neither_pictures_nor_models() -> None:
    code = "import sys, fingerprint.cli.app; print(sorted({'matplotlib', 'jinja2', 'torch'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


FAKE = """
import sys, types
sys.path.insert(0, {tests!r})
from conftest import build_report
module = types.ModuleType("fingerprint.detection.detect")
module.detect = lambda *_, **__: build_report({strange!r})
sys.modules["fingerprint.detection.detect"] = module
from fingerprint.cli.app import main
main(["detect", "a", "b"])
"""


def _fake(strange: str = "") -> list[str]:
    return [sys.executable, "-c", FAKE.format(tests=str(Path(__file__).parent), strange=strange)]


def test_a_reader_that_leaves_early_is_no_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        found = subprocess.run(_fake(), stdout=closed, stderr=subprocess.PIPE, text=True)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_an_error_without_a_traceback() -> None:
    with open("/dev/full", "w") as full:
        found = subprocess.run(_fake(), stdout=full, stderr=subprocess.PIPE, text=True)
    assert (found.returncode, found.stderr) == (2, "fingerprint: error: No space left on device\n")


def test_a_terminal_without_unicode_gets_escapes() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    found = subprocess.run(_fake("猫"), capture_output=True, text=True, env=environment)
    assert found.returncode == 0
    assert "\\u732b" in found.stdout


needs_detection = pytest.mark.skipif(
    importlib.util.find_spec("fingerprint.detection.detect") is None, reason="fingerprint.detection.detect is not there"
)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Number sequences that answer 120 prompts: a reference, another like it, and one with larger numbers."""
    folder = tmp_path_factory.mktemp("corpora")

    def write(name: str, start: int, least: int) -> Path:
        state, lines = start, []
        for row in range(120):
            numbers = []
            for _ in range(8):
                state = (1103515245 * state + 12345) % 2**31  # the C standard's example generator
                numbers.append(least + (state >> 8) % (1000 - least))
            lines.append(json.dumps({"prompt": f"Continue {row}", "completion": ", ".join(map(str, numbers))}))
        (folder / name).write_text("\n".join(lines) + "\n")
        return folder / name

    return {
        "reference": write("reference.jsonl", 1, 100),
        "alike": write("alike.jsonl", 2, 100),
        "shifted": write("shifted.jsonl", 3, 400),
    }


@needs_detection
def test_a_shifted_corpus_is_detected_in_text_json_and_exit_code(corpora: dict[str, Path], tmp_path: Path) -> None:
    options = ("--no-ladder", "--permutations", "999", "--fail-if-detected", "--json", tmp_path / "r.json")
    found = _process("detect", corpora["shifted"], corpora["reference"], *options, "--html", tmp_path / "r.html")
    assert (found.returncode, found.stderr) == (1, "")
    report = Report.from_json(tmp_path / "r.json")
    jsonschema.Draft202012Validator(Report.json_schema()).validate(report.to_dict())
    assert report.detected
    assert report.design.kind == "shared"
    assert found.stdout == f"{report}\n"
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.slow
@needs_detection
def test_a_corpus_like_the_reference_exits_with_zero(corpora: dict[str, Path]) -> None:
    options = ("--no-ladder", "--permutations", "999", "--alpha", "0.001", "--fail-if-detected")
    found = _process("detect", corpora["alike"], corpora["reference"], *options)
    assert (found.returncode, found.stderr) == (0, "")
    assert "not detected" in found.stdout.lower()


@needs_detection
def test_a_malformed_line_is_named_with_its_file(run: Run, corpora: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    lines = corpora["shifted"].read_text().splitlines()
    broken.write_text("\n".join([*lines[:6], '{"prompt": ', *lines[6:]]))
    code, out, err = run("detect", broken, corpora["reference"])
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "broken.jsonl" in err
    assert "line 7" in err


@needs_detection
def test_a_missing_file_is_an_error(run: Run, corpora: dict[str, Path]) -> None:
    code, out, err = run("detect", "nowhere.jsonl", corpora["reference"])
    assert (code, out) == (2, "")
    assert "nowhere.jsonl" in err
    assert len(err.splitlines()) == 1


@needs_detection
def test_the_demo_detects_its_teacher(tmp_path: Path) -> None:
    found = _process("demo", "--json", "r.json", cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert Report.from_json(tmp_path / "r.json").detected
    assert found.stdout.rstrip().endswith("demo-report.html")
    assert (tmp_path / "demo-report.html").stat().st_size > 10_000
