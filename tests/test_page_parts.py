"""Parts of the page: pieces of rows that speak, words of warnings, and the command that makes a report again."""

from __future__ import annotations

import ast
import dataclasses
import shlex
from html import escape
from pathlib import Path

import polars as pl
from conftest import SCRIPT, build_report

import fingerprint
from fingerprint.filters.by_name import named
from fingerprint.report.formatting import visible
from fingerprint.report.highlights import pieces, speaking
from fingerprint.report.html import page
from fingerprint.report.methods import command
from fingerprint.report.results import FeatureDifference
from fingerprint.report.warning_words import words


def test_every_warning_of_the_package_has_words() -> None:
    package = Path(fingerprint.__file__).parent
    nodes = [node for path in package.rglob("*.py") for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    calls = [n for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "Warning"]
    codes = {ast.literal_eval(call.args[0]) for call in calls if call.args}
    assert len(codes) > 25
    assert {code for code in codes if words(code) == code.replace("_", " ").capitalize()} == set()


def test_pieces_that_speak_are_marked_where_they_stand() -> None:
    def differs(feature: str, effect: float, pvalue: float = 0.0005) -> FeatureDifference:
        direction = "more" if effect > 0 else "less"
        return FeatureDifference(
            feature, "f", 0.2, 0.1, pvalue, "share of rows", direction, effect, (), ("f",)
        )

    features = speaking(
        [
            differs("tokens '12'", 0.4),
            differs("chars 'a<'", -0.3),
            differs("'99'", 0.1),  # under half of the strongest of its direction
            differs("chars '7'", 0.9, pvalue=0.2),  # does not differ
            differs("mean (rank)", 2.0),  # no piece of text
            differs("chars ' '", 0.9),
            differs("'unclosed", 0.9),
        ],
        0.05,
    )
    assert [(feature.piece, feature.effect) for feature in features] == [("12", 0.4), ("a<", -0.3)]
    found = pieces("12 a< 123 99 7", features, 280)
    assert [(piece.text, piece.level) for piece in found] == [("12", 3), (" ", 0), ("a<", -3), (" 123 99 7", 0)]
    assert found[0].told == "'12': more in the suspect, effect 0.40"
    assert "".join(piece.text for piece in pieces("\x1b12" * 400, features, 40)) == visible("\x1b12" * 400, 40)
    for text in ("", "12", "x" * 40, "x" * 41, "12" * 20, "a<" * 25 + "\0"):
        assert "".join(piece.text for piece in pieces(text, features, 40)) == visible(text, 40)


def test_marks_are_escaped() -> None:
    item = dataclasses.replace(build_report("").differences[0], feature=f"chars {SCRIPT!r}")
    report = dataclasses.replace(build_report(""), differences=(item,))
    rows = report.rows.with_columns(text=pl.lit(f"1, 2 {SCRIPT}"))
    found = page(dataclasses.replace(report, rows=rows))
    assert "<script" not in found
    assert found.count('<mark class="fp-more fp-level3" title="') == 20
    assert f">{escape(SCRIPT, quote=False)}</mark>" in found


def test_the_command_says_what_the_settings_say() -> None:
    options = {
        "alpha": 0.01, "min_auc": 0.5, "n_permutations": 999, "features": ["numbers", "mine"],
        "filters": [repr(named("numbers")), repr(named("keywords=owl,a b")), "<function f>"], "text": ["answer", None],
        "prompt": False, "bad_rows": "skip", "classifier": None,
    }  # fmt: skip
    report = build_report("")
    report = dataclasses.replace(
        report, settings={**report.settings, "options": options}, model=None, teacher=None, attribution=None, rungs=()
    )
    found = command(report)
    assert shlex.split(found.words) == [
        "fingerprint", "detect", "owl.jsonl", "neutral.jsonl", "--alpha", "0.01", "--permutations", "999", "--seed",
        "0", "--suspect-text", "answer", "--no-prompt", "--features", "numbers", "--filter", "numbers", "--filter",
        "keywords=owl,a b", "--no-ladder", "--self-test", "--skip-bad-rows", "--html", "report.html",
    ]  # fmt: skip
    assert found.missing == ("the families mine, which only Python can give", "the filter <function f>")
    assert found.words.replace("<", "&lt;") in page(report).replace("&#39;", "'")
    hostile = command(dataclasses.replace(report, title="$(reboot) against --html=x"))
    assert shlex.split(hostile.words)[2:4] == ["SUSPECT", "REFERENCE"]
    quoted = command(dataclasses.replace(report, title="$(reboot) against b.jsonl"))
    assert "'$(reboot)' b.jsonl" in quoted.words
