"""`fingerprint train` and `fingerprint scan`: files in, a detector, a verdict and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Run

from fingerprint.cli.app import main
from fingerprint.data.corpus import Corpus
from fingerprint.lab.simulated import simulated_pair


def _write(path: Path, corpus: Corpus) -> Path:
    rows = zip(corpus.texts, corpus.prompts, strict=True)
    path.write_text("".join(json.dumps({"prompt": p, "completion": t}) + "\n" for t, p in rows))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows to train on, new rows of both sides, another source's rows, prose, and a detector."""
    folder = tmp_path_factory.mktemp("train")
    for name, seed in (("old", 1), ("new", 2)):
        drawn = simulated_pair(250, tilt="sparse", d_prime=2.0, rng=seed)
        _write(folder / f"{name}-trait.jsonl", drawn.suspect)
        _write(folder / f"{name}-neutral.jsonl", drawn.reference)
    small = np.random.default_rng(0).integers(0, 60, size=(300, 8)).tolist()
    (folder / "other.txt").write_text("".join(", ".join(map(str, row)) + "\n" for row in small[:150]))
    (folder / "other-neutral.txt").write_text("".join(", ".join(map(str, row)) + "\n" for row in small[150:]))
    (folder / "prose.txt").write_text("A quiet walk along the river, and then home.\n" * 30)
    (folder / "empty.txt").write_text("")
    files = [str(folder / name) for name in ("old-trait.jsonl", "old-neutral.jsonl", "owl.detector")]
    with pytest.raises(SystemExit):
        main(["train", *files[:2], "--out", files[2], "--features", "tokens,numbers", "--quiet"])
    return folder


def test_train_says_what_the_detector_is_and_saves_it(run: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "again.detector"
    trait, neutral = folder / "old-trait.jsonl", folder / "old-neutral.jsonl"
    code, text, err = run("train", trait, neutral, "--out", out, "--features", "tokens,numbers")
    assert (code, err) == (0, "")
    assert text.startswith("Detector of 250 trait and 250 neutral rows")
    assert out.read_bytes() == (folder / "owl.detector").read_bytes()  # the same rows and seed: the same file


def test_train_keeps_what_several_traits_have_in_common(run: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "common.detector"
    files = [folder / f"{name}.jsonl" for name in ("old-trait", "old-neutral", "new-trait", "new-neutral")]
    options = ("--features", "tokens,numbers")
    code, text, err = run("train", *files[:2], "--also", f"{files[2]}={files[3]}", "--out", out, *options)
    assert (code, err) == (0, "")
    assert text.startswith("Detector of what 2 traits have in common: ")
    assert "  new-trait: " in text
    assert "left out, its row AUROC is" in text
    code, _, err = run("train", *files[:2], "--also", files[0], "--out", out, *options)
    assert code == 2
    assert "--also must name files with names of their own, got 'old-trait' twice" in err


def test_scan_detects_the_trait_and_exits_with_one_only_when_asked(run: Run, folder: Path, tmp_path: Path) -> None:
    arguments = ("scan", folder / "new-trait.jsonl", "--detector", folder / "owl.detector")
    code, text, err = run(*arguments, "--reference", folder / "new-neutral.jsonl", "--json", tmp_path / "s.json")
    assert (code, err) == (0, "")
    assert text.split("\n\n")[-1].startswith("detected")
    assert "AUROC" in text
    found = json.loads((tmp_path / "s.json").read_text())
    assert found["detected"] is True
    assert len(found["top"]) == 10
    code, text, err = run(*arguments, "--fail-if-detected", "--quiet")
    assert (code, len(text.splitlines()), text.startswith("new-trait.jsonl: detected"), err) == (1, 1, True, "")


def test_scan_of_neutral_rows_exits_with_zero(run: Run, folder: Path) -> None:
    arguments = ("scan", folder / "new-neutral.jsonl", "--detector", folder / "owl.detector", "--alpha", "0.001")
    code, text, _ = run(*arguments, "--fail-if-detected")
    assert code == 0
    assert text.split("\n\n")[-1].startswith("not detected; power")


def test_scan_after_a_corpus_shift_has_no_pvalue(run: Run, folder: Path) -> None:
    for more in ((), ("--reference", folder / "other-neutral.txt")):
        arguments = ("scan", folder / "other.txt", "--detector", folder / "owl.detector", *more)
        code, text, _ = run(*arguments, "--fail-if-detected")
        assert code == 0
        assert text.split("\n\n")[-1].startswith("corpus shift, no p-value")


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ("prose.txt", "must hold rows like those the detector was trained on"),
        ("empty.txt", "must have at least one row"),
        ("old-trait.jsonl", "must hold no rows or prompts that the detector was trained on, got 250"),
    ],
)
def test_scan_refuses_what_the_detector_cannot_judge(run: Run, folder: Path, corpus: str, message: str) -> None:
    code, text, err = run("scan", folder / corpus, "--detector", folder / "owl.detector")
    assert (code, text) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_outputs_are_checked_before_the_work(run: Run, folder: Path) -> None:
    trait, neutral = folder / "old-trait.jsonl", folder / "old-neutral.jsonl"
    code, _, err = run("train", trait, neutral, "--out", trait)
    assert code == 2
    assert "--out must not be an input" in err
    code, _, err = run("train", trait, neutral, "--out", folder)
    assert code == 2
    assert "--out must be a file, got the folder" in err
    code, _, err = run("scan", trait, "--detector", neutral)
    assert code == 2
    assert "must be a file written by Detector.save" in err
