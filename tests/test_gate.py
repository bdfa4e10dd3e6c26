"""The gate: exit codes in a pipeline, what passes and why, and the files that a pipeline reads."""

from __future__ import annotations

import dataclasses
import html
import json
import math
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest
from conftest import HOSTILE, Run, build_report
from markdown_it import MarkdownIt
from users_folder import put_command

from fingerprint.data.files import write_together
from fingerprint.detection.detect import detect
from fingerprint.report.formatting import visible
from fingerprint.report.gate import power_at
from fingerprint.report.junit import junit
from fingerprint.report.report import Report
from fingerprint.report.results import PromptControl
from fingerprint.report.summary import summary
from fingerprint.statistics.intervals import Estimate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Number rows that answer the same 120 prompts: a reference, rows like it, and rows of larger numbers."""
    place = tmp_path_factory.mktemp("pipeline")
    for seed, (name, least) in enumerate({"reference": 0, "alike": 0, "other": 150}.items()):
        numbers = random.Random(seed)
        rows = [
            {"prompt": f"Continue {i}", "completion": ", ".join(str(numbers.randint(least, 999)) for _ in range(8))}
            for i in range(120)
        ]
        (place / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    put_command(place / "bin")
    return place


PIPELINE = """
check() {
    set +e
    fingerprint detect "$@" reference.jsonl --no-ladder --permutations 99 --features numbers --quiet >verdict; code=$?
    set -e
    echo "$code"
}
check alike.jsonl --fail-if-detected --require-power .8 --min-effect .9
check other.jsonl --fail-if-detected --min-effect .55 --junit j.xml --summary s.md --json r.json --scores s.parquet
check no-such-file.jsonl --fail-if-detected
check alike.jsonl --fail-if-detected --require-power .8 --min-effect .55
"""


def test_a_pipeline_tells_passed_detected_bad_input_and_not_found_out_apart(folder: Path, tmp_path: Path) -> None:
    for name in ("reference", "alike", "other"):
        (tmp_path / f"{name}.jsonl").symlink_to(folder / f"{name}.jsonl")
    environment = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "-euo", "pipefail", "-c", PIPELINE]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1", "2", "3"], done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if not path.is_symlink()) == [
        "j.xml", "r.json", "s.md", "s.parquet", "verdict"
    ]  # fmt: skip
    assert pl.read_parquet(tmp_path / "s.parquet").height == 240
    failed = ElementTree.parse(tmp_path / "j.xml").findall(".//testcase[failure]")
    assert [case.get("name") for case in failed] == ["verdict"]


def test_the_power_against_the_effect_that_was_asked_for_is_stated_and_nothing_else_changes(folder: Path) -> None:
    sides = (str(folder / "alike.jsonl"), str(folder / "reference.jsonl"))
    plain, asked = (
        detect(*sides, ladder=False, n_permutations=199, min_effect=effect) for effect in (None, 0.7)
    )
    assert [item.auc for item in asked.planted] == [0.52, 0.55, 0.6, 0.7]
    assert asked.planted[:3] == plain.planted
    at = power_at(asked, 0.7)
    assert at is not None
    assert (at.power.value or 0) > (plain.planted[2].power.value or 0)
    same = dataclasses.replace(
        asked, planted=asked.planted[:3], verdict=plain.verdict, settings=plain.settings
    )
    assert same == plain
    assert asked.settings["options"]["min_effect"] == 0.7


# ----------------------------------------------------------------------------------------------- what passes, and why


def with_auc(low: float, value: float, high: float) -> Report:
    return dataclasses.replace(build_report(""), auc=Estimate(value, low, high))


@pytest.mark.parametrize(
    ("low", "value", "high", "outcome"),
    [
        (0.51, 0.52, 0.53, "passed"),  # all of the interval is below .55
        (0.51, 0.54, 0.56, "failed"),
        (0.54, 0.58, 0.62, "failed"),
        (0.58, 0.60, 0.62, "failed"),
    ],
)
def test_a_detection_passes_only_where_what_was_learnt_is_shown_to_lie_below_what_was_asked_for(
    low: float, value: float, high: float, outcome: str
) -> None:
    report = with_auc(low, value, high)
    found = report.gate(min_effect=0.55)
    assert found.outcome == outcome
    assert "that a score learnt from these rows reaches" in found.reason
    assert ("the trait's own effect can be larger" in found.reason) == found.passed, "a pass is no word on the trait"
    assert report.gate().outcome == "failed"


def test_an_effect_without_an_interval_does_not_pass() -> None:
    report = dataclasses.replace(build_report(""), auc=Estimate(0.52))
    assert report.gate(min_effect=0.55).outcome == "failed"


@pytest.mark.parametrize(
    ("effect", "power", "outcome", "reason"),
    [
        (None, 0.8, "passed", "row AUROC of 0.55 is 0.98"),  # the usual effect
        (0.55, 0.99, "unknown", "below the 0.99 required"),
        (0.52, 0.8, "unknown", "row AUROC of 0.52 is 0.37"),
        (0.57, 0.8, "passed", "row AUROC of 0.57 (at least that of 0.55) is 0.98"),
        (0.51, 0.1, "unknown", "no power is stated for a row AUROC of 0.51"),
        (None, None, "passed", "no power was required"),
    ],
)
def test_a_non_detection_passes_only_with_the_power_that_is_required(
    quiet_report: Report, effect: float | None, power: float | None, outcome: str, reason: str
) -> None:
    found = quiet_report.gate(min_effect=effect, require_power=power)
    assert (found.outcome, found.passed) == (outcome, outcome == "passed")
    assert reason in found.reason


def test_differing_prompts_are_no_pass_where_power_is_required(quiet_report: Report) -> None:
    report = dataclasses.replace(quiet_report, prompt_control=PromptControl(0.001, True, ""))
    assert report.gate().outcome == "passed"
    assert report.gate(require_power=0.1).outcome == "unknown"
    assert all("prompts of the two sides differ" in report.gate(require_power=p).reason for p in (None, 0.1))


def of_least_auc(report: Report, least: float) -> Report:
    options = {**report.settings["options"], "min_auc": least}
    return dataclasses.replace(report, settings={**report.settings, "options": options})


@pytest.fixture
def found_but_not_called(quiet_report: Report) -> Report:
    """Rows that differ for sure, with a row AUROC that only `min_auc` keeps from being a detection."""
    report = dataclasses.replace(quiet_report, pvalue=1e-4, auc=Estimate(0.56, 0.54, 0.58))
    return of_least_auc(report, 0.57)


@pytest.mark.parametrize(
    ("effect", "power", "outcome"),
    [
        (None, None, "passed"),
        (0.6, None, "passed"),
        (0.6, 0.1, "passed"),  # as a detection would
        (0.575, 0.1, "unknown"),
    ],
)
def test_a_difference_below_the_least_auc_is_not_said_to_be_nothing(
    found_but_not_called: Report, effect: float | None, power: float | None, outcome: str
) -> None:
    found = found_but_not_called.gate(min_effect=effect, require_power=power)
    assert found.outcome == outcome
    assert "the rows differ (p = 0.0001)" in found.reason
    assert "0.560 [0.540, 0.580], is not above the least that was asked for (min_auc 0.57)" in found.reason
    written = ElementTree.fromstring(junit(found_but_not_called, found, effect))
    (told,) = written.findall(".//testcase[@name='power']")
    assert "the rows differ" in (told.findtext("system-out") or ""), "no power for what was found"


@pytest.mark.parametrize(("power", "outcome"), [(None, "passed"), (0.1, "unknown")])
def test_a_difference_that_the_prompts_can_explain_is_not_said_to_be_nothing(
    quiet_report: Report, power: float | None, outcome: str
) -> None:
    report = dataclasses.replace(quiet_report, pvalue=1e-4, prompt_control=PromptControl(0.001, True, ""))
    report = dataclasses.replace(report, auc=Estimate(0.7, 0.65, 0.75))
    found = report.gate(require_power=power)
    assert found.outcome == outcome
    assert "the rows differ (p = 0.0001), and so do the prompts" in found.reason


@pytest.mark.parametrize(("effect", "least"), [(None, 0.55), (0.55, 0.6), (0.6, 0.6)])
def test_power_against_what_would_not_be_called_detected_is_refused_before_any_work(
    quiet_report: Report, run: Run, calls: list[dict[str, Any]], effect: float | None, least: float
) -> None:
    options = () if effect is None else ("--min-effect", str(effect))
    code, out, err = run("detect", "a", "b", "--min-auc", str(least), "--require-power", "0.8", *options)
    assert (code, out, calls) == (2, "", [])
    assert f"error: --min-auc must be below the row AUROC of {effect or 0.55:g}" in err
    assert run("detect", "a", "b", "--min-auc", "0.54", "--require-power", "0.8", *options)[0] == 0
    with pytest.raises(ValueError, match="min_auc must be below"):
        of_least_auc(quiet_report, least).gate(min_effect=effect, require_power=0.8)


def test_an_effect_on_which_no_exit_code_depends_is_refused(run: Run, calls: list[dict[str, Any]]) -> None:
    code, out, err = run("detect", "a", "b", "--min-effect", "0.6")
    assert (code, out, calls) == (2, "", [])
    assert "error: --min-effect must come with --fail-if-detected, --require-power P or both" in err


def test_a_failed_gate_that_exits_with_zero_says_so(run: Run, calls: list[dict[str, Any]]) -> None:
    assert "Exit code 0 all the same" in run("detect", "a", "b", "--require-power", "0.8")[1]
    code, out, _ = run("detect", "a", "b", "--require-power", "0.8", "--fail-if-detected")
    assert (code, "Exit code 0" in out) == (1, False)


@pytest.mark.parametrize(
    ("option", "value"), [("--min-effect", "0.5"), ("--min-effect", "1"), ("--require-power", "1")]
)
def test_impossible_thresholds_are_refused_before_any_work(
    run: Run, calls: list[dict[str, Any]], option: str, value: str
) -> None:
    code, out, err = run("detect", "a", "b", option, value)
    assert (code, out, calls) == (2, "", [])
    assert f"error: {option} must be" in err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), 0),
        (("--require-power", "0.8"), 0),  # a detection is found out; it fails only where that was asked for
        (("--fail-if-detected", "--min-effect", "0.7"), 0),
        (("--fail-if-detected", "--min-effect", "0.6"), 1),
        (("--fail-if-detected", "--require-power", "0.8"), 1),
    ],
)
def test_exit_codes_of_a_detection(
    run: Run, calls: list[dict[str, Any]], options: tuple[str, ...], expected: int
) -> None:
    code, out, _ = run("detect", "a", "b", *options)
    assert code == expected
    assert ("\nGate: " in out) == bool({"--min-effect", "--require-power"} & set(options))


# ------------------------------------------------------------------------------------------ files that a pipeline reads


def test_junit_has_a_case_for_each_question_and_counts_them(
    run: Run, calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    run("detect", "a", "b", "--junit", tmp_path / "j.xml")
    root = ElementTree.parse(tmp_path / "j.xml").getroot()
    suite = root[0]
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [
        "verdict", "power", "prompts", "filter: banned numbers", "filter: judge"
    ]  # fmt: skip
    outcomes = {case.get("name"): [child.tag for child in case] for case in cases}
    assert outcomes["verdict"] == ["failure", "system-out"]
    assert outcomes["power"] == outcomes["prompts"] == ["system-out"]
    assert outcomes["filter: banned numbers"] == ["failure", "system-out"]  # p = 1e-4 on what it keeps
    assert outcomes["filter: judge"] == ["skipped", "system-out"]  # keeps nothing
    for element in (root, suite):
        counts = [int(element.get(name, "")) for name in ("tests", "failures", "errors", "skipped")]
        assert counts == [5, 2, 0, 1]


def test_junit_of_a_pass_has_no_failure_and_of_too_little_power_one(
    run: Run, calls: list[dict[str, Any]], tmp_path: Path, quiet_report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["fingerprint.detection.detect"], "detect", lambda *_, **__: quiet_report)
    for power, expected, code in (("0.8", [], 0), ("0.99", ["power"], 3)):
        assert run("detect", "a", "b", "--junit", tmp_path / "j.xml", "--require-power", power)[0] == code
        failed = ElementTree.parse(tmp_path / "j.xml").findall(".//testcase[failure]")
        assert [case.get("name") for case in failed] == expected


def test_strings_from_the_data_stay_text_in_junit(example_report: Report) -> None:
    written = junit(example_report, example_report.gate())
    assert written.isascii()
    root = ElementTree.fromstring(written)
    assert {element.tag for element in root.iter()} == {
        "testsuites", "testsuite", "testcase", "failure", "skipped", "system-out"
    }  # fmt: skip
    names = [case.get("name", "") for case in root.iter("testcase")]
    assert names[-1].startswith("filter: <script>alert(1)</script>")
    assert "a\\0b" in names[-1]


@pytest.mark.parametrize("strange", ["", HOSTILE, "![x](http://x/y.png) | a | `b` **c** @everyone <img src=x>"])
def test_strings_from_the_data_stay_text_in_markdown(strange: str) -> None:
    report = build_report(strange)
    for page in (summary(report, report.gate()), report.card()):
        rendered = MarkdownIt("commonmark").enable("table").render(page)
        tags = set(re.findall(r"<([a-z0-9]+)", rendered))
        assert tags <= {"h2", "h3", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "code",
                        "blockquote"}  # fmt: skip
        shown = html.unescape(re.sub("<[^>]+>", "", rendered))
        assert shown.count(visible(strange)) >= 2, "a warning and the verdict, nothing of them lost"
        if "@everyone" in strange and page.startswith("###"):
            cells = [html.unescape(re.sub("</?code>", "", cell)) for cell in re.findall("<td>(.*?)</td>", rendered)]
            assert cells.count(strange) >= 3, "a rung, a feature and its family, a filter: whole, each in one cell"
        assert not set("\0\x1b\u202e") & set(page)


def test_the_card_says_what_was_found_against_what_and_how_to_get_it_again(quiet_report: Report) -> None:
    page = quiet_report.card()
    assert page.startswith("## Check for hidden traits\n")
    assert "**No signal was detected.**" in page
    assert "| power against a row AUROC of 0.55 | 0.98 [0.93, 1.00] |" in page
    assert "512 suspect rows, 498 reference rows" in page
    assert "* subliminal-fingerprint 0.1.0, seed 0" in page
    assert "**A signal was detected.**" in build_report("").card()


def test_a_summary_is_added_to_the_file_of_the_step_and_replaces_any_other(
    run: Run, calls: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, other = tmp_path / "step", tmp_path / "other.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    for path in (step, other):
        path.write_text("before\n")
        run("detect", "a", "b", "--summary", path)
    assert step.read_text().startswith("before\n### Hidden traits: **failed**\n")
    assert step.read_text().count("Hidden traits") == 1
    assert other.read_text().startswith("### Hidden traits: **failed**\n")


def test_metrics_are_flat_numbers_under_names_that_trackers_take(example_report: Report, quiet_report: Report) -> None:
    for report in (example_report, quiet_report):
        found = report.metrics("fingerprint/")
        assert all(re.fullmatch(r"fingerprint/[A-Za-z0-9_./-]+", name) for name in found)
        assert all(isinstance(value, (bool, int, float)) and math.isfinite(value) for value in found.values())
    found = build_report("").metrics()
    some = {"detected": True, "pvalue": 0.0001, "auc": 0.591, "auc_low": 0.5802, "power/0.55": 0.985, "warnings": 2}
    assert some.items() <= found.items()
    assert (found["families/numbers/auc"], found["ladder/sorted/auc"]) == (0.588, 0.572)
    assert found["filters/banned_numbers/residual_auc"] == 0.589
    assert "auc_paired" not in quiet_report.metrics()


def test_names_that_become_alike_stay_apart_in_metrics() -> None:
    results = build_report("").filter_results
    named = [dataclasses.replace(results[0], filter=name) for name in ("a b", "a_b", "a!b", "")]
    found = dataclasses.replace(build_report(""), filter_results=tuple(named)).metrics("x/")
    assert [name for name in found if name.endswith("residual_auc")] == [
        f"x/filters/{name}/residual_auc" for name in ("a_b", "a_b_2", "a_b_3", "unnamed")
    ]


# --------------------------------------------------------------------------------------------------- all files, or none


def test_when_one_file_cannot_be_written_none_appears(
    run: Run, calls: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever cannot be made: the page here, which is made last."""
    (tmp_path / "r.json").write_text("of an earlier run")

    def fail(report: object) -> str:
        raise OSError(28, "No space left on device", "p.html")

    monkeypatch.setattr("fingerprint.report.html.page", fail)
    places = [str(tmp_path / name) for name in ("r.json", "p.html", "j.xml", "s.md", "s.parquet")]
    options = zip(("--json", "--html", "--junit", "--summary", "--scores"), places, strict=True)
    code, _, err = run("detect", "a", "b", *[part for option in options for part in option])
    assert (code, err) == (2, "fingerprint: error: No space left on device: p.html\n")
    assert os.listdir(tmp_path) == ["r.json"]
    assert (tmp_path / "r.json").read_text() == "of an earlier run"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_when_the_disk_is_full_no_file_appears(tmp_path: Path) -> None:
    ready = tmp_path / "draft"
    ready.write_text("scores")
    with pytest.raises(OSError, match="No space left"):
        write_together({tmp_path / "a": "a", Path("/dev/full"): "b"}, drafts={tmp_path / "scores": ready})
    assert os.listdir(tmp_path) == []


def test_files_written_together_all_hold_what_they_should(tmp_path: Path) -> None:
    ready, link = tmp_path / "draft", tmp_path / "link"
    ready.write_text("scores")
    (tmp_path / "kept").write_text("old")
    link.symlink_to(tmp_path / "kept")
    write_together({link: "new", tmp_path / "b": b"bytes"}, drafts={tmp_path / "scores": ready})
    held = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert held == {"link": "new", "kept": "new", "b": "bytes", "scores": "scores"}
    assert link.is_symlink()
