"""A trained detector as prior of detect: rows it was trained on are known, its direction counts."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from conftest import full
from detector_rows import FAMILIES_USED, arm, rows, trained_detector

import fingerprint
from fingerprint import Detector
from fingerprint.data.corpus import Corpus


@pytest.fixture(scope="module")
def trained() -> Detector:
    return trained_detector()


def test_rows_and_prompts_of_training_are_recognised(trained: Detector) -> None:
    corpus, _ = rows(500, 1)
    assert trained.trained_on(corpus).all()
    assert trained.trained_on(list(corpus.texts[:5])).all()  # by text alone
    assert trained.trained_on([{"prompt": corpus.prompts[0], "completion": "never seen"}]).all()
    assert not trained.trained_on([{"prompt": "a prompt never seen", "completion": corpus.texts[0]}]).any()


def test_detect_refuses_rows_the_prior_was_trained_on_and_can_drop_them(trained: Detector) -> None:
    old, old_labels = rows(500, 1)
    new, labels = rows(100, 10)
    options = {"prior": trained, "ladder": False, "n_permutations": 199, "features": FAMILIES_USED}
    suspect, reference = arm(new, labels, 1, "suspect"), arm(new, labels, 0, "reference")
    mixed = Corpus(old.texts[:40] + suspect.texts, old.prompts[:40] + suspect.prompts, name="mixed")
    with pytest.raises(ValueError, match="mixed must hold no rows or prompts that the detector was trained on, got 40"):
        fingerprint.detect(mixed, reference, **options)  # type: ignore[arg-type]
    report = fingerprint.detect(mixed, reference, trained_rows="drop", **options)  # type: ignore[arg-type]
    assert report.settings["prior"]["left_out"] == {"suspect": 40, "reference": 0}
    plain = fingerprint.detect(suspect, reference, **options)  # type: ignore[arg-type]
    assert report.pvalue == plain.pvalue
    assert old_labels.sum() == 500


def test_rows_keep_their_numbers_where_others_are_dropped(trained: Detector, tmp_path: Path) -> None:
    old, _ = rows(500, 1)
    new, labels = rows(100, 10)
    suspect, reference = arm(new, labels, 1, "suspect"), arm(new, labels, 0, "reference")
    mixed = Corpus(old.texts[:40] + suspect.texts, old.prompts[:40] + suspect.prompts, name="mixed")
    path = tmp_path / "scores.parquet"
    options = {"prior": trained, "trained_rows": "drop", "ladder": False, "n_permutations": 199, "scores": path}
    report = fingerprint.detect(mixed, reference, features="layout", **options)  # type: ignore[arg-type]
    sides = {"suspect": mixed, "reference": reference}
    named = report.rows.select("corpus", "row", "text").rows()
    assert len(named) == 200
    assert all(sides[side].texts[row] == text for side, row, text in named)
    scores = pl.read_parquet(path).rename({"side": "corpus"})
    assert scores.height == 240
    both = report.rows.join(scores, on=["corpus", "row"], suffix="_written")
    assert both.height == 200
    assert (both.get_column("score") == both.get_column("score_written")).all()
    dropped = scores.filter(pl.col("score").is_null())
    assert dropped.select("corpus", "row").rows() == [("suspect", row) for row in range(40)]
    assert "Left out before any of this: 40 suspect rows and 0 reference rows that" in " ".join(full(report).split())
    scanned = fingerprint.scan(mixed, trained, neutral=reference, trained_rows="drop")
    assert all(mixed.texts[row.row] == row.text for row in scanned.top)


def test_a_prior_joins_the_omnibus_signed_and_with_weight_one(trained: Detector) -> None:
    new, labels = rows(60, 11)
    arms = arm(new, labels, 1, "suspect"), arm(new, labels, 0, "reference")
    options = {"ladder": False, "n_permutations": 199, "features": FAMILIES_USED}
    with_prior = fingerprint.detect(*arms, prior=trained, **options)  # type: ignore[arg-type]
    without = fingerprint.detect(*arms, **options)  # type: ignore[arg-type]
    statistic = dict(zip(with_prior.families["family"], with_prior.families["statistic"], strict=True))
    assert with_prior.null.observed == pytest.approx(without.null.observed + statistic["prior"], rel=1e-4)
    swapped = fingerprint.detect(*arms[::-1], prior=trained, **options)  # type: ignore[arg-type]
    other_way = dict(zip(swapped.families["family"], swapped.families["statistic"], strict=True))
    assert other_way["prior"] == pytest.approx(-statistic["prior"])
    assert other_way["numbers"] == pytest.approx(statistic["numbers"], rel=1e-3)
    assert statistic["prior"] > 3


def test_placebos_are_looked_at_with_the_prior_that_the_main_test_has(trained: Detector) -> None:
    new, labels = rows(60, 11)
    arms = arm(new, labels, 1, "suspect"), arm(new, labels, 0, "reference")
    other, others = rows(60, 13, tilt="dense", d_prime=1.0)
    placebo = arm(other, others, 1, "placebo")
    options = {"ladder": False, "n_permutations": 199, "features": "layout", "prior": trained}
    found = fingerprint.detect(*arms, placebos=[placebo], **options)  # type: ignore[arg-type]
    assert found.attribution is not None
    assert found.attribution.presence_pvalue == found.pvalue == 0.005
    old, _ = rows(500, 1)
    known = Corpus(old.texts[:40] + placebo.texts, old.prompts[:40] + placebo.prompts, name="mixed")
    with pytest.raises(ValueError, match="mixed must hold no rows or prompts that the detector was trained on, got 40"):
        fingerprint.detect(*arms, placebos=[known], **options)  # type: ignore[arg-type]
    dropped = fingerprint.detect(*arms, placebos=[known], trained_rows="drop", **options)  # type: ignore[arg-type]
    assert dropped.attribution is not None
    assert dropped.attribution.placebos[0].pvalue == found.attribution.placebos[0].pvalue


def test_a_report_with_a_prior_can_be_written_and_read_again(trained: Detector, tmp_path: Path) -> None:
    new, labels = rows(80, 12)
    report = fingerprint.detect(
        arm(new, labels, 1, "suspect"), arm(new, labels, 0, "reference"), prior=trained, n_permutations=199
    )
    report.to_json(tmp_path / "r.json")
    again = fingerprint.Report.from_json(tmp_path / "r.json")
    assert again.to_dict() == report.to_dict()
    assert report.rungs[0].rung == "raw"
    assert str(report)


def test_a_prior_must_be_a_detector() -> None:
    with pytest.raises(TypeError, match=r"prior must be a trained .*Detector or a .*Panel, got 'owl'"):
        fingerprint.detect(["1"] * 20, ["2"] * 20, prior="owl")  # type: ignore[arg-type]
