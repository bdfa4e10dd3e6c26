"""What is printed: a dozen lines by default, everything when asked, as wide as the terminal, in colours or not."""

from __future__ import annotations

import dataclasses
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, build_report, full
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprint.report import html
from fingerprint.report.formatting import visible
from fingerprint.report.layout import Page
from fingerprint.report.report import Report
from fingerprint.report.terminal import columns, takes_colors
from fingerprint.report.title import title_of

CODES = re.compile("\x1b\\[[0-9;]+m")


@pytest.fixture(params=["example_report", "quiet_report"])
def any_report(request: pytest.FixtureRequest) -> Report:
    report: Report = request.getfixturevalue(request.param)
    return report


# The short text


def test_print_gives_about_a_dozen_lines_with_the_verdict_last(quiet_report: Report) -> None:
    for report, most in ((build_report(""), 22), (quiet_report, 12)):
        lines = report.text(Page(100)).splitlines()
        assert len(lines) <= most
        verdict = " ".join(" ".join(lines[lines.index("") + 1 :]).split())
        assert verdict.startswith(report.verdict)
        assert lines[0].startswith("owl.jsonl against neutral.jsonl: 5")


def test_the_short_text_has_the_figures_a_verdict_stands_on() -> None:
    text = " ".join(build_report("").text(Page(120)).split())
    for part in (
        "5,311 pairs that answer the same prompts", "0.0001 at alpha 0.05", "0.591 [0.580, 0.602]",
        "bags of 16 0.84 [0.81, 0.86]", "canonical 0.58, sorted 0.57",
        "numbers, ngrams, tokens, layout; most: first number in (612, 741], more",
        "banned numbers removes 24.1 / 22.5 % and leaves 0.83", "103 (66 to 181) rows", "Warning format (0.538",
        "self-test rejected in", "not detected is not clean", "Everything: -v, in Python report.show()",
    ):  # fmt: skip
        assert part in text, part


def test_the_short_text_of_a_non_detection_says_what_would_have_been_found(quiet_report: Report) -> None:
    assert "a row AUROC of 0.52 with probability 0.37" in str(quiet_report)
    assert "needed" not in str(quiet_report)


def test_warnings_beyond_three_are_named(quiet_report: Report) -> None:
    warned = dataclasses.replace(quiet_report, warnings=build_report("").warnings * 3)
    assert str(warned).count("Warning ") == 3
    assert "Warnings besides: arm_sizes, format, arm_sizes" in str(warned)


def test_show_prints_everything(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    report = build_report("")
    report.show()
    assert capsys.readouterr().out == full(report) + "\n"


# Width and colours


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_line_is_wider_than_the_page(any_report: Report, width: int) -> None:
    for whole in (False, True):
        assert max(map(len, any_report.text(Page(width), full=whole).splitlines())) <= width


def test_the_width_is_that_of_the_terminal_within_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    for given_columns, used in (("90", 90), ("500", 120), ("20", 60)):
        monkeypatch.setenv("COLUMNS", given_columns)
        assert columns() == used
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(sys, "__stdout__", None)
    assert columns() == 80


def test_tables_leave_columns_out_before_names_become_unreadable() -> None:
    narrow, wide = (build_report("").text(Page(width), full=True) for width in (80, 120))
    assert "effect" not in next(line for line in narrow.splitlines() if line.startswith("Features that differ"))
    assert "first number in (612, 741]" in narrow
    assert "effect" in next(line for line in wide.splitlines() if line.startswith("Features that differ"))


@pytest.mark.parametrize("whole", [False, True])
def test_colours_change_nothing_but_colours(any_report: Report, whole: bool) -> None:
    plain, coloured = (any_report.text(Page(90, colors), full=whole) for colors in (False, True))
    assert CODES.search(coloured)
    assert CODES.sub("", coloured) == plain


def test_a_detection_is_an_alarm_and_a_non_detection_is_not_green(quiet_report: Report) -> None:
    assert "\x1b[1;31mDetected:\x1b[0m" in build_report("").text(Page(90, True))
    assert "\x1b[32m" not in quiet_report.text(Page(90, True), full=True)


class _Stream:
    def __init__(self, is_terminal: bool) -> None:
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def test_colours_are_for_terminals_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    terminal, pipe = _Stream(True), _Stream(False)
    assert takes_colors(terminal)
    assert not takes_colors(pipe)
    assert takes_colors(pipe, "always")
    assert not takes_colors(terminal, "never")
    monkeypatch.setenv("TERM", "dumb")
    assert not takes_colors(terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not takes_colors(terminal)
    assert takes_colors(terminal, "always")


# The command line


def test_quiet_is_the_verdict_in_one_line_and_verbose_everything(run: Run, calls: list[dict[str, Any]]) -> None:
    report = build_report("")
    codes = ", ".join(warning.code for warning in report.warnings)
    assert codes
    assert run("detect", "a", "b", "-q")[1] == f"{report.title}: {report.verdict} Warnings: {codes}.\n"
    assert run("detect", "a", "b", "-v")[1] == report.text(Page(80), full=True) + "\n"
    code, out, err = run("detect", "a", "b", "-q", "-v")
    assert (code, out) == (2, "")
    assert "--quiet must not be given with --verbose" in err


def test_color_is_an_option(run: Run, calls: list[dict[str, Any]]) -> None:
    assert CODES.search(run("detect", "a", "b", "--color", "always")[1])
    assert not CODES.search(run("detect", "a", "b", "--color", "never")[1])
    code, _, err = run("detect", "a", "b", "--color", "green")
    assert (code, "--color must be auto, always, never, got 'green'" in err) == (2, True)


# Titles


@pytest.mark.parametrize(
    ("suspect", "reference", "title"),
    [
        ("x/owl.jsonl", Path("y/neutral.jsonl"), "owl.jsonl against neutral.jsonl"),
        ("x/rows.jsonl", "y/rows.jsonl", "x/rows.jsonl against y/rows.jsonl"),
        ("x/*.jsonl", "neutral.jsonl", "x/*.jsonl against neutral.jsonl"),
        ([Path("a.jsonl"), Path("b.jsonl")], ["1, 2"], "a.jsonl and 1 more against reference"),
        ("owner/name@main:default:train", "neutral.jsonl", "owner/name@main:default:train against neutral.jsonl"),
    ],
)
def test_a_title_is_made_of_the_names_of_the_files(suspect: object, reference: object, title: str) -> None:
    assert title_of(None, suspect, reference) == title
    assert title_of("mine", suspect, reference) == "mine"


def test_the_title_is_on_the_page_and_in_json(quiet_report: Report) -> None:
    page = html.page(quiet_report)
    assert "<title>owl.jsonl against neutral.jsonl: not detected" in page
    assert page.count("owl.jsonl against neutral.jsonl") == 2
    assert quiet_report.to_dict()["title"] == "owl.jsonl against neutral.jsonl"


# Everything


def test_all_of_a_report_is_a_few_screens(any_report: Report) -> None:
    lines = full(any_report).splitlines()
    assert max(map(len, lines)) <= 100
    # More only where there is more to tell: a panel, a base model, a known teacher, placebos, copies.
    asked = any_report.panel, any_report.model, any_report.teacher, any_report.attribution, any_report.copies
    assert 20 <= len(lines) <= 93 + 7 * sum(part is not None for part in asked)


def test_text_says_everything_a_reader_must_know() -> None:
    text = full(build_report(""))
    for part in (
        "Detected: the suspect corpus", "0.0001", "alpha 0.05, 9,999 permutations", "0.591 [0.580, 0.602]",
        "d' 0.325", "0.594 [0.583, 0.606]", "5,311 pairs", "21,960 reference rows", "too few rows for bags of 128",
        "frequencies only", "Order adds (canonical minus sorted): +0.011", "rows: 59 (38 to 104) for power 0.8",
        "190 (120 to no known end)", "none found for power 0.95", "0.52: 0.37 [0.31, 0.42]",
        "5%: 0.12 [0.07, 0.18]", "separator ';'", "and 1 more in report.features", "Prompt control",
        "rejected at alpha 0.05: 11", "24.1 / 22.5", "Warning format (0.538, threshold 0.53)",
    ):  # fmt: skip
        assert part in text, part
    running = " ".join(text.split())
    assert "p adj. is 1/2,000 at least" in running  # features are compared with fewer relabellings
    for part in (
        "as many rows removed by the detector 0.512", "no rows survive",
        "judge could not judge 3 suspect and 1 reference rows",
    ):  # fmt: skip
        assert part in running, part


def test_all_of_it_ends_with_what_the_result_does_not_say_and_the_verdict(any_report: Report) -> None:
    *_, limits, verdict = full(any_report).split("\n\n")
    assert "detectable is not harmful, and not detected is not clean" in limits
    assert "rival explanations stand in the verdict" in " ".join(limits.split())
    assert " ".join(verdict.split()).startswith(visible(any_report.verdict)[:40])


def test_text_of_a_non_detection_shows_only_what_there_is(quiet_report: Report) -> None:
    text = full(quiet_report)
    assert "Not detected" in text
    assert "No single feature differs" in text
    assert "valid only if rows are independent" in text.replace("\n  ", " ")
    for absent in ("Ladder", "Self-test", "Warning", "AUROC within prompts", "Order adds"):
        assert absent not in text


def test_rows_needed_are_not_computed_where_nothing_was_detected(quiet_report: Report) -> None:
    text, page = full(quiet_report), html.page(quiet_report)
    assert text.count("Needed to detect: not computed: nothing was detected") == 1
    assert "none found" not in text + page
    assert page.count("not computed: nothing was detected") == 1
    detected = dataclasses.replace(quiet_report, detected=True)
    assert "none found for power 0.95" in full(detected)


def test_the_verdict_in_the_terminal_says_how_many_warnings_stand_above(quiet_report: Report) -> None:
    last = " ".join(full(build_report("")).split("\n\n")[-1].split())
    assert last.endswith("2 warnings above.")
    assert "above" not in full(quiet_report).split("\n\n")[-1]


def test_features_count_as_differing_only_at_alpha() -> None:
    report = build_report("")
    text = full(dataclasses.replace(report, alpha=0.001))
    assert "first number in (612, 741]" in text
    assert "step between numbers" not in text
    text = full(dataclasses.replace(report, alpha=0.0001))
    assert "the closest is first number in (612, 741] (p adjusted 0.0007)." in text.replace("\n  ", " ")


def test_long_descriptions_of_rungs_wrap_in_their_column() -> None:
    words = " ".join(f"word{i}" for i in range(14))
    rungs = tuple(dataclasses.replace(rung, description=words) for rung in build_report("").rungs)
    text = full(dataclasses.replace(build_report(""), rungs=rungs))
    assert all(f"word{i}" in text for i in range(14))
    assert max(map(len, text.splitlines())) <= 100


def _is_safe(text: str) -> bool:
    return not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in text.replace("\n", ""))


def test_hostile_strings_are_made_visible(example_report: Report) -> None:
    text = full(example_report)
    assert _is_safe(text)
    assert "\\u202e" in text
    assert "\\x1b[31m" in text
    assert "a\\0b" in text


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_safe_to_print_and_changes_no_line_count(strange: str) -> None:
    text = full(build_report(strange))
    assert _is_safe(text)
    assert max(map(len, text.splitlines())) <= 100
    assert len(text.splitlines()) == len(text.split("\n"))
