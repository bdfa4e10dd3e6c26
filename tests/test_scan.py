"""scan: a detector's verdict on a corpus, exact without neutral rows too, none on rows it does not know."""

from __future__ import annotations

import json
from typing import Literal

import numpy as np
import pytest
from detector_rows import arm, rows, trained_detector
from scipy.stats import binom

from fingerprint import Detector
from fingerprint.data.corpus import Corpus
from fingerprint.detector.domain import Domain
from fingerprint.detector.scan import scan
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.parts import SeparatePart


@pytest.fixture(scope="module")
def trained() -> Detector:
    return trained_detector()


@pytest.fixture(scope="module")
def fresh() -> tuple[Corpus, np.ndarray]:
    return rows(500, 2)


def test_scan_detects_the_trait_and_not_neutral_rows(trained: Detector, fresh: tuple[Corpus, np.ndarray]) -> None:
    trait, neutral = arm(*fresh, 1, "trait"), arm(*fresh, 0, "neutral")
    found = scan(trait, trained, neutral=neutral)
    assert found.detected
    assert not found.corpus_shift
    assert found.inside > 0.98
    assert found.verdict.startswith("detected")
    assert found.top[0].log_odds == max(row.log_odds for row in found.top)
    assert f"row {found.top[0].row + 1}: " in str(found)  # counted from one, as in a file
    alone = scan(trait, trained)
    assert alone.detected
    quiet = scan(neutral, trained, alpha=0.001)
    assert not quiet.detected
    assert quiet.pvalue is not None
    assert quiet.pvalue > 0.001
    assert "not detected" in str(quiet)


def test_scan_without_neutral_rows_is_exact_against_the_held_out_ones(trained: Detector) -> None:
    """40 corpora of 60 neutral rows: rejections at .2 in the exact binomial band, of held-out rows drawn anew."""
    corpus, labels = rows(4000, 13, tilt="none")
    neutral = arm(corpus, labels, 0)
    scores = trained.decision_function(neutral)
    saved, rejected = trained.neutral_scores_, 0
    try:
        for i in range(40):
            trained.neutral_scores_ = scores[i * 100 : i * 100 + 40]
            texts = neutral.texts[i * 100 + 40 : (i + 1) * 100]
            found = scan(list(texts), trained, n_permutations=99, alpha=0.2, rng=i)
            rejected += found.pvalue is not None and found.pvalue <= 0.2
    finally:
        trained.neutral_scores_ = saved
    assert binom.ppf(0.0005, 40, 0.2) <= rejected <= binom.isf(0.0005, 40, 0.2)


def test_scan_refuses_prose_and_empty_rows(trained: Detector) -> None:
    for texts in (["A quiet walk along the river, and then home."] * 30, [""] * 30):
        with pytest.raises(ValueError, match="must hold rows like those the detector was trained on"):
            scan(texts, trained)
    with pytest.raises(ValueError, match="at least one row"):
        scan([], trained)

Kind = Literal["code", "reasoning"]


@pytest.mark.parametrize("kind", ["code", "reasoning"])
def test_a_domain_of_code_or_worked_answers_holds_rows_of_that_kind_and_no_others(kind: Kind) -> None:
    drawn, fresh = (simulated_pair(400, kind=kind, rng=seed) for seed in (1, 2))
    texts = [*drawn.suspect.texts, *drawn.reference.texts]
    known = Domain.of(texts, np.repeat([True, False], 400), np.ones(800, dtype=bool))
    assert kind in known.kinds
    assert kind in known.families
    assert known.inside(fresh.reference.texts).mean() > 0.97
    prose = [f"A quiet walk with {i} friends along the river, and then home." for i in range(60)]
    assert not known.inside(prose).any()
    of_prose = Domain.of(prose, np.arange(60) < 30, np.ones(60, dtype=bool))
    assert of_prose.kinds == ("prose",)
    assert of_prose.inside(fresh.reference.texts).mean() < 0.05


def test_scan_gives_no_pvalue_after_a_corpus_shift(trained: Detector, fresh: tuple[Corpus, np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    small = [", ".join(map(str, row)) for row in rng.integers(0, 60, size=(400, 8))]
    with_neutral = scan(small[:200], trained, neutral=small[200:])
    assert with_neutral.corpus_shift
    assert with_neutral.pvalue is None
    assert not with_neutral.detected
    assert with_neutral.shift_pvalue is not None
    assert with_neutral.shift_pvalue <= 0.001
    without = scan(small[:200], trained)
    assert without.corpus_shift
    assert without.pvalue is None
    assert json.loads(without.to_json())["pvalue"] is None
    assert "corpus shift" in str(without)


@pytest.mark.parametrize(
    ("sizes", "most", "per_block", "counts"),
    [((100, 60), 2000, 1, (100, 60)), ((3000, 1500), 2000, 3, (1000, 500)), ((50, 9000), 2000, 1, (50, 2000))],
    ids=["a row each", "both sides fill blocks of three", "few suspect rows"],
)
def test_blocks_of_ordered_rows_are_of_one_size_and_of_one_side(
    sizes: tuple[int, int], most: int, per_block: int, counts: tuple[int, int]
) -> None:
    design = SeparatePart.of_ordered_rows(*sizes, max_blocks=most)
    suspect = np.arange(sum(sizes)) < sizes[0]
    assert (np.bincount(design.block[design.used]) == per_block).all()
    assert (int(design.block_suspect.sum()), int((~design.block_suspect).sum())) == counts
    assert (design.block_suspect[design.block[design.used]] == suspect[design.used]).all()
    assert (np.diff(design.block[design.used]) >= 0).all()  # neighbours share a block
