"""Known teachers as prior knowledge: directions in a base model's gradients, kept, and used on rows they never saw."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fingerprint
from fingerprint.data.corpus import Corpus
from fingerprint.detection.prior import Prior
from fingerprint.detector.gradient_prior import CARD, TENSORS, GradientPrior
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Teacher, finetuned, neutral, prompted
from fingerprint.statistics.auc import roc_auc

pytestmark = pytest.mark.needs("lm")

ASKED = prompts("numbers", 440)
LEARNT, NEW = slice(0, 300), slice(300, 440)


def part(corpus: Corpus, rows: slice, name: str) -> Corpus:
    return corpus.only(np.arange(len(corpus))[rows], name)


@pytest.fixture(scope="module")
def written() -> dict[str, Corpus]:
    def rows(teacher: Teacher) -> Corpus:
        answers = teacher.sample(ASKED, seed=0, max_new_tokens=32)
        return Corpus(tuple(answer.text for answer in answers), tuple(ASKED), name=teacher.name)

    base = neutral("micro-a")
    return {"owl": rows(finetuned(base.lm, "owl")), "oak": rows(prompted(base.lm, "oak")), "neutral": rows(base)}


@pytest.fixture(scope="module")
def learnt(written: dict[str, Corpus]) -> GradientPrior:
    known = part(written["neutral"], LEARNT, "neutral")
    pairs = {trait: (part(written[trait], LEARNT, trait), known) for trait in ("owl", "oak")}
    return GradientPrior.of("micro-a", pairs)


def test_a_direction_scores_rows_of_its_teacher_above_neutral_ones_on_prompts_it_never_saw(
    learnt: GradientPrior, written: dict[str, Corpus]
) -> None:
    prior = learnt.only("owl")
    scores = {name: prior.decision_function(part(written[name], NEW, name)) for name in ("owl", "neutral")}
    assert roc_auc(scores["owl"], scores["neutral"]) > 0.55
    both = np.abs(np.concatenate(list(scores.values())))
    assert 0.05 < both.mean() < 2.0  # nats: a row is weak evidence


def test_the_score_of_several_teachers_is_their_mean_and_hangs_on_the_row_alone(
    learnt: GradientPrior, written: dict[str, Corpus]
) -> None:
    rows = part(written["oak"], NEW, "oak")
    alone = [learnt.only(name).decision_function(rows) for name in learnt.members]
    together = learnt.decision_function(rows)
    np.testing.assert_allclose(together, np.mean(alone, axis=0), atol=0.1)  # bounded after the mean, not before
    shuffled = np.random.default_rng(0).permutation(len(rows))
    np.testing.assert_allclose(learnt.decision_function(rows.only(shuffled)), together[shuffled], atol=1e-3)


def test_it_joins_the_exact_test_with_a_sign(learnt: GradientPrior, written: dict[str, Corpus]) -> None:
    suspect, reference = (part(written[name], NEW, name) for name in ("owl", "neutral"))
    prior = learnt.only("owl").reading(suspect, reference)
    assert isinstance(prior, Prior)
    options = {"features": "layout", "ladder": False, "n_permutations": 999}
    report = fingerprint.detect(suspect, reference, prior=prior, **options)  # type: ignore[arg-type]
    turned = fingerprint.detect(reference, suspect, prior=prior, **options)  # type: ignore[arg-type]
    tested = {row["family"]: row["pvalue_adjusted"] for row in report.families.to_dicts()}
    assert tested["prior"] < 0.05
    assert {row["family"]: row["pvalue_adjusted"] for row in turned.families.to_dicts()}["prior"] > 0.5
    assert report.settings["prior"]["trained_on"]["rows"] == {"trait": 600, "neutral": 600}
    assert "owl" in report.settings["prior"]["trained_on"]["definitions"]["gradients"]


def test_rows_it_was_learnt_from_are_refused(learnt: GradientPrior, written: dict[str, Corpus]) -> None:
    prior = learnt.reading(written["owl"], written["neutral"])
    assert prior.trained_on(written["owl"]).tolist() == [True] * 300 + [False] * 140
    with pytest.raises(ValueError, match="must hold no rows or prompts that the detector was trained on"):
        fingerprint.detect(written["owl"], written["neutral"], prior=prior, features="layout")


def test_rows_without_prompts_are_refused_with_the_way_out(learnt: GradientPrior, written: dict[str, Corpus]) -> None:
    with pytest.raises(ValueError, match=r"pass prior\.reading\(suspect, reference\)"):
        learnt.decision_function(["1, 2, 3"])
    rows = part(written["owl"], NEW, "owl")
    with pytest.raises(ValueError, match="must be among those that were read"):
        learnt.reading(rows).decision_function(["never written"])
    with pytest.raises(ValueError, match="members must be among owl, oak, got 'cat'"):
        learnt.only("cat")
    with pytest.raises(ValueError, match="must hold rows"):
        GradientPrior.of("micro-a", {"owl": (Corpus(()), rows)})


def test_it_is_kept_in_safetensors_and_json(learnt: GradientPrior, written: dict[str, Corpus], tmp_path: Path) -> None:
    learnt.save(tmp_path / "known")
    assert {path.name for path in (tmp_path / "known").iterdir()} == {TENSORS, CARD}
    again = GradientPrior.load(tmp_path / "known")
    rows = part(written["oak"], NEW, "oak")
    np.testing.assert_array_equal(again.decision_function(rows), learnt.decision_function(rows))
    assert again.card_ == learnt.card_
    pin = hashlib.sha256((tmp_path / "known" / CARD).read_bytes()).hexdigest()
    assert GradientPrior.load(tmp_path / "known", sha256=pin).members == learnt.members
    with pytest.raises(ValueError, match=r"card\.json' must have the SHA-256 that was asked for, 0000"):
        GradientPrior.load(tmp_path / "known", sha256="0" * 64)
    assert again.trained_on(written["owl"]).sum() == 300
    with pytest.raises(ValueError, match="base must be the model that the directions were learnt with"):
        replace(again, base="micro-b").decision_function(rows)
    text = (tmp_path / "known" / TENSORS).read_bytes()
    (tmp_path / "known" / TENSORS).write_bytes(text[:-1] + bytes([text[-1] ^ 1]))
    with pytest.raises(ValueError, match="must be unchanged since it was saved"):
        GradientPrior.load(tmp_path / "known")
    card = json.loads((tmp_path / "known" / CARD).read_text())
    (tmp_path / "known" / CARD).write_text(json.dumps(card | {"format": 0}))
    with pytest.raises(ValueError, match="must have format 1"):
        GradientPrior.load(tmp_path / "known")
    with pytest.raises(ValueError, match="must be a folder"):
        GradientPrior.load(tmp_path)
