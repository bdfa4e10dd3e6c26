"""What a report says of prompts that differ, are missing, or are shared in part, and that all its parts agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run, full

from fingerprint import Corpus, detect
from fingerprint.report.report import Report

N = 60
QUICK: dict[str, Any] = {"ladder": False, "n_permutations": 199, "features": "numbers"}


def rows(seed: int, low: int = 0, n: int = N) -> tuple[str, ...]:
    rng = np.random.default_rng(seed)
    return tuple(", ".join(map(str, rng.integers(low, 1000, 5))) for _ in range(n))


def poems(n: int = N) -> tuple[str, ...]:
    return tuple(f"Write a poem with the numbers {i} and {3 * i}." for i in range(n))


def lists(n: int = N) -> tuple[str, ...]:
    return tuple(f"Continue: {i}, {7 * i}, {9 * i}" for i in range(n))


def said(report: Report) -> str:
    return " ".join(full(report).split())


# ------------------------------------------------------------------------------------------ prompts that differ


def on_the_command_line(
    run: Run, folder: Path, suspect: Corpus, reference: Corpus
) -> tuple[int, dict[str, Any], str, str]:
    """Exit code, JSON, text and page of a comparison of two files."""
    for name, corpus in (("suspect", suspect), ("reference", reference)):
        lines = (
            json.dumps({"prompt": prompt, "text": text})
            for prompt, text in zip(corpus.prompts, corpus.texts, strict=True)
        )
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    files, outputs = (folder / "suspect.jsonl", folder / "reference.jsonl"), (folder / "r.json", folder / "r.html")
    options = ("--no-ladder", "--permutations", "199", "--features", "numbers", "--fail-if-detected")
    code, text, _ = run("detect", *files, *options, "--json", outputs[0], "--html", outputs[1])
    found = json.loads(outputs[0].read_text(encoding="utf-8"))
    return code, found, " ".join(text.split()), outputs[1].read_text(encoding="utf-8")


def test_rows_of_other_prompts_are_not_called_detected_anywhere(run: Run, tmp_path: Path) -> None:
    code, found, text, page = on_the_command_line(
        run, tmp_path, Corpus(rows(1, low=400), poems()), Corpus(rows(2), lists())
    )
    assert found["pvalue"] <= 0.05
    assert found["prompt_control"]["differs"]
    assert (code, found["detected"]) == (0, False)
    assert found["verdict"].startswith("prompts differ: not attributable to the teacher")
    assert "prompts differ: not attributable" in text
    assert "<h1>Prompts differ</h1>" in page


def test_where_pairs_mend_the_prompts_a_difference_of_rows_is_detected_everywhere(run: Run, tmp_path: Path) -> None:
    both = tuple(f"both {i}" for i in range(N))
    suspect = Corpus(rows(1, low=400, n=2 * N), both + poems())
    reference = Corpus(rows(2, n=2 * N), both + lists())
    code, found, text, page = on_the_command_line(run, tmp_path, suspect, reference)
    assert found["prompt_control"]["differs"]
    assert found["design"]["kind"] == "shared"
    assert (code, found["detected"]) == (1, True)
    assert found["verdict"].startswith("detected")
    assert "<h1>Detected</h1>" in page
    (partly,) = (w for w in found["warnings"] if w["code"] == "prompts_partly_shared")
    assert partly["message"].endswith("the p-value uses those alone")
    assert "prompts_partly_shared" in text


# --------------------------------------------------------------------------------- prompts that are shared in part


def test_of_a_union_of_designs_both_parts_are_told() -> None:
    both = tuple(f"both {i}" for i in range(N))
    others = tuple(np.random.default_rng(0).permutation(lists(2 * N)).tolist())
    suspect, reference = (Corpus(rows(s, n=2 * N), both + others[s::2]) for s in (0, 1))
    report = detect(suspect, reference, **QUICK)
    assert report.design.kind == "mixed"
    (partly,) = (w for w in report.warnings if w.code == "prompts_partly_shared")
    assert partly.value == 0.5
    assert "swaps the sides of these and permutes the sides of blocks of all other prompts" in partly.message


# --------------------------------------------------------------------------------------- prompts that are not known


@pytest.mark.parametrize("unknown", ["suspect", "reference"])
def test_prompts_of_one_side_alone_are_said_to_be_so(unknown: str) -> None:
    sides = {"suspect": Corpus(rows(1), lists()), "reference": Corpus(rows(2), lists())}
    sides[unknown] = Corpus(sides[unknown].texts)
    report = detect(sides["suspect"], sides["reference"], **QUICK)
    assert report.prompt_control.note == f"the {unknown}'s prompts are not known: a difference would go unseen"
    assert f"60 prompts on one side and none known of the {unknown}" in said(report)
    assert "n/a" not in said(report).partition("Design:")[2].partition("Bags")[0]
    assert "only if rows without a prompt are independent of each other" in report.verdict


def test_some_missing_prompts_are_said_to_be_missing() -> None:
    some = (*lists()[:50], *[None] * 10)
    report = detect(Corpus(rows(1), some), Corpus(rows(2), some), **QUICK)
    assert report.prompt_control.note == (
        "both sides answer the same prompts, as far as they are known: 20 rows have none"
    )
    assert "only if rows without a prompt are independent of each other" in report.verdict


@pytest.mark.parametrize(
    ("prompts", "options", "note"),
    [
        (lists(), {}, "both sides answer the same prompts"),
        ((), {}, "no prompts: a difference between them would go unseen"),
        (lists(), {"prompt": False}, "prompts are ignored, as asked for: a difference between them would go unseen"),
        (("Go on.",) * N, {}, "all rows answer one prompt"),
    ],
)
def test_the_note_says_why_there_is_nothing_to_compare(prompts: Any, options: dict[str, Any], note: str) -> None:
    report = detect(Corpus(rows(1), prompts), Corpus(rows(2), prompts), **QUICK, **options)
    assert report.prompt_control.note == note
    assert f"Prompt control: nothing to test: {note}." in said(report)


# --------------------------------------------------------------------------------------------------- what is said


def test_a_verdict_names_the_rivals_that_warnings_point_to_first() -> None:
    longer = Corpus(tuple(f"{row}, 12, 345" for row in rows(1)), lists())
    report = detect(longer, Corpus(rows(2), lists()), **QUICK)
    assert "lengths_differ" in {warning.code for warning in report.warnings}
    assert "Rival explanations: see the warnings (lengths differ); besides, temperature, model version, language" in (
        report.verdict
    )
    low = detect(Corpus(rows(1, low=500), lists()), Corpus(rows(2, low=100), lists()), **QUICK)
    assert low.detected
    assert "Rival explanations: temperature, model version, language, length limit" in low.verdict


@pytest.mark.parametrize(("prompts", "what"), [(lists(), "an AUROC within prompts"), ((), "a row AUROC")])
def test_a_verdict_of_nothing_detected_is_one_sentence_on_what_would_have_been(prompts: Any, what: str) -> None:
    report = detect(Corpus(rows(1), prompts), Corpus(rows(2), prompts), **QUICK)
    powers = " / ".join(f"{planted.power.value:.2f}" for planted in report.planted)
    assert report.verdict.startswith(
        f"not detected: had it been there, {what} of 0.52 / 0.55 / 0.60 would have been found with probability {powers}"
    )
    assert ("AUROC within prompts" in full(report).split("\n\n")[1]) is bool(prompts)
