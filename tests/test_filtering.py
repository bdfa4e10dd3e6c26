"""Filters beside the detector: what survives, random removal, and error rates on survivors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from visible_trait import ALPHA, QUICK, with_visible_trait

from fingerprint import Corpus, detect
from fingerprint.detection.filter_comparison import in_sequence
from fingerprint.detection.filter_controls import detector_scores, kept_by_threshold, matched
from fingerprint.features import Numbers, choose
from fingerprint.features.scaling import family_matrix
from fingerprint.filters import BannedNumbers, Keywords, NumberRule, Verdicts
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.auc import roc_auc
from fingerprint.statistics.comparison import Comparison, pair, survivors
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test

RUNS = 400


def exact_band(runs: int, rate: float, level: float = 1e-3) -> tuple[int, int]:
    """Counts that a binomial of this rate stays within, but for `level`; two-sided, because the test is exact."""
    return int(binom.ppf(level / 2, runs, rate)), int(binom.isf(level / 2, runs, rate))


def omnibus(comparison: Comparison, rng: np.random.Generator, names: str | Sequence[str] = "auto") -> float:
    """p-value of the main test on a comparison, without scores and report."""
    families = choose(names, comparison.texts)
    kernels = {
        name: gram(comparison.units(family_matrix(family, comparison.texts, name).values))
        for name, family in families.items()
    }
    return permutation_test(kernels, Relabellings.draw(comparison.design, 199, rng)).pvalue


# ----------------------------------------------------------------------------------------------------- what survives

counts = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=60, max_size=80)


def comparison_of(sizes: list[tuple[int, int]]) -> Comparison:
    """Prompts with these numbers of rows on both sides, twenty of them shared by one row each."""
    sizes = [(1, 1)] * 20 + sizes
    sides = []
    for side in (0, 1):
        rows = [(f"prompt {p}", f"{side} {p} {i}") for p, n in enumerate(sizes) for i in range(n[side])]
        sides.append(Corpus(tuple(text for _, text in rows), tuple(prompt for prompt, _ in rows)))
    return pair(*sides)


def pairs_by_hand(comparison: Comparison, keep: np.ndarray) -> int:
    """Sum over prompts of the smaller of both sides' numbers of rows."""
    left = Counter(zip(comparison.group[keep].tolist(), comparison.suspect[keep].tolist(), strict=True))
    return sum(min(left[group, True], left[group, False]) for group in set(comparison.group.tolist()))


@settings(max_examples=30, deadline=None)
@given(counts, st.integers(0, 2**32))
def test_survivors_are_paired_anew_prompt_by_prompt(sizes: list[tuple[int, int]], seed: int) -> None:
    comparison = comparison_of(sizes)
    keep = np.random.default_rng(seed).random(len(comparison.suspect)) < 0.8
    if pairs_by_hand(comparison, keep) < 60:
        keep[:] = True
    left = survivors(comparison, keep, ALPHA)
    assert left.design.paired is not None
    assert left.texts == [text for text, k in zip(comparison.texts, keep, strict=True) if k]
    paired = left.design.paired.used
    assert int((paired & left.suspect).sum()) == left.design.n_pairs == pairs_by_hand(comparison, keep)
    ours, theirs = (np.bincount(left.group[paired & side], minlength=left.n_groups) for side in left.sides)
    np.testing.assert_array_equal(ours, theirs)


def test_a_pair_that_lost_a_row_takes_another_row_of_its_prompt() -> None:
    comparison = comparison_of([(2, 1)] * 40)
    used = comparison.design.used & comparison.suspect
    spare = comparison.suspect & ~comparison.design.used
    assert (int(used.sum()), int(spare.sum())) == (60, 40)
    doubled = np.isin(comparison.group, comparison.group[spare])
    left = survivors(comparison, ~(used & doubled), ALPHA)
    assert int((left.design.used & left.suspect).sum()) == 60


def test_a_shared_prompt_that_lost_one_side_does_not_join_prompts_of_one_side() -> None:
    """Beside other prompts of one side, and more of one side than of the other, it would be of another kind."""
    comparison = comparison_of([(1, 1)] * 60 + [(1, 0)] * 90 + [(0, 1)] * 30)
    assert comparison.design.kind == "mixed"
    first_rows = comparison.suspect & np.isin(comparison.group, np.unique(comparison.group[~comparison.suspect])[::3])
    left = survivors(comparison, ~first_rows, ALPHA)
    assert left.design.separate is not None
    was_shared = np.isin(comparison.group, comparison.group[comparison.design.paired.used])[~first_rows]  # type: ignore[union-attr]
    assert not (left.design.separate.used & was_shared).any()
    assert (left.design.separate.used | was_shared).sum() >= 0.9 * len(was_shared)


@pytest.mark.parametrize("design", ["disjoint", "independent"])
def test_survivors_without_shared_prompts_are_dealt_to_new_blocks(design: str) -> None:
    data = simulated_pair(120, design=design, rng=3)  # type: ignore[arg-type]
    comparison = pair(data.suspect, data.reference)
    keep = np.arange(len(comparison.suspect)) % 3 > 0
    left = survivors(comparison, keep, ALPHA)
    assert left.design.kind == design
    assert sorted(np.unique(left.design.block[left.design.used])) == list(range(left.design.n_blocks))
    swapped = survivors(pair(data.reference, data.suspect), keep, ALPHA)
    np.testing.assert_array_equal(swapped.design.block, left.design.block)
    np.testing.assert_array_equal(swapped.suspect, ~left.suspect)


def test_too_few_survivors_are_refused_with_their_number() -> None:
    comparison = comparison_of([(1, 1)] * 40)
    with pytest.raises(ValueError, match=r"at least 10 independent rows or prompts a side, got 60 .* and 0 of the"):
        survivors(comparison, comparison.suspect, ALPHA)
    few = comparison.group < 12
    with pytest.raises(ValueError, match="must allow at least 100000 distinct relabellings for alpha 1e-05, got 2048"):
        survivors(comparison, few, 1e-5)


@settings(max_examples=30, deadline=None)
@given(counts, st.integers(0, 2**32))
def test_random_removal_leaves_as_many_rows_and_pairs_as_the_filter(sizes: list[tuple[int, int]], seed: int) -> None:
    comparison = comparison_of(sizes)
    rng = np.random.default_rng(seed)
    among = rng.random(len(comparison.suspect)) < 0.9
    keep = rng.random(len(comparison.suspect)) < 0.7
    random = matched(keep, among, comparison, rng)
    assert not (random & ~among).any()
    for side in (comparison.suspect, ~comparison.suspect):
        assert (random & side).sum() == (keep & among & side).sum()
    assert pairs_by_hand(comparison, random) == pairs_by_hand(comparison, keep & among)


def test_random_removal_removes_each_row_equally_often() -> None:
    """60 prompts of one row a side, half of the suspect rows kept: every suspect row stays in half of the draws."""
    comparison = comparison_of([(1, 1)] * 40)
    keep = ~comparison.suspect | (comparison.group % 2 == 0)
    rng = np.random.default_rng(0)
    kept = np.sum([matched(keep, np.ones_like(keep), comparison, rng) for _ in range(RUNS)], axis=0)
    low, high = exact_band(RUNS, 0.5, level=1e-3 / 60)
    assert (kept[~comparison.suspect] == RUNS).all()
    assert low <= kept[comparison.suspect].min() <= kept[comparison.suspect].max() <= high


def test_the_threshold_takes_the_highest_scores_and_their_ties() -> None:
    scores = np.array([3.0, 1.0, 2.0, 2.0, 0.0])
    assert kept_by_threshold(scores, 0).all()
    assert kept_by_threshold(scores, 1).tolist() == [False, True, True, True, True]
    assert kept_by_threshold(scores, 2).tolist() == [False, True, False, False, True]


def test_a_sequence_gives_the_reasons_of_the_first_filter_that_does_not_keep() -> None:
    first = Verdicts(((), ("a", "b"), (), ("no score",)), unjudged=np.array([False, False, False, True]))
    second = Verdicts((("c",), ("c",), (), ()))
    stack = in_sequence({"one": first, "two": second})
    assert stack.reasons == (("two: c",), ("one: a", "one: b"), (), ("one: no score",))
    assert stack.undecided.tolist() == [False, False, False, True]


def test_the_detector_of_the_control_never_saw_the_labels_of_the_half_it_judges() -> None:
    data = simulated_pair(160, tilt="dense", d_prime=2.0, rng=8)
    comparison = pair(data.suspect, data.reference)
    features = {"numbers": family_matrix(Numbers(), comparison.texts, "numbers").values}
    everything = np.ones(len(comparison.suspect), dtype=bool)
    half, scores = detector_scores(comparison, features, everything)
    assert half is not None
    flipped = replace(comparison, suspect=comparison.suspect ^ half)
    again, others = detector_scores(flipped, features, everything)
    assert again is not None
    np.testing.assert_array_equal(again, half)
    np.testing.assert_allclose(others[half], scores[half], atol=1e-4)
    assert roc_auc(scores[half & comparison.suspect], scores[half & ~comparison.suspect]) > 0.6


# -------------------------------------------------------------------------------------------------- known truth, exact


def test_keywords_see_a_visible_trait_and_nothing_else() -> None:
    """30 % of the suspect rows name owls: AUROC .5 + .3 / 2. Its sd at 20,000 rows is .0016."""
    data = simulated_pair(20_000, rng=2)
    suspect = with_visible_trait(data.suspect, 0.3, np.random.default_rng(3))
    comparison = pair(suspect, data.reference)
    dropped = Keywords(["owl"])(comparison.texts).dropped
    area = 0.5 + (dropped[comparison.suspect].mean() - dropped[~comparison.suspect].mean()) / 2
    assert area == pytest.approx(0.65, abs=0.01)


def test_a_hidden_tilt_is_seen_by_the_detector_and_by_no_filter() -> None:
    data = simulated_pair(1500, tilt="sparse", d_prime=0.7, rng=4)
    report = detect(data.suspect, data.reference, filters=[Keywords(["owl"]), NumberRule()], **QUICK)
    for result in report.filter_results:
        assert result.auc.value == 0.5
        assert result.pvalue == 1.0
        assert result.residual.pvalue == 1 / 400
    assert report.detected


def test_a_hidden_tilt_is_still_detected_after_the_visible_rows_are_gone() -> None:
    data = simulated_pair(1500, tilt="sparse", d_prime=0.7, rng=4)
    suspect = with_visible_trait(data.suspect, 0.3, np.random.default_rng(3))
    comparison = pair(suspect, data.reference)
    left = survivors(comparison, Keywords(["owl"])(comparison.texts).kept, ALPHA)
    assert omnibus(left, np.random.default_rng(0)) == 1 / 200


@pytest.mark.slow
def test_on_the_survivors_of_a_visible_trait_the_test_rejects_at_its_alpha() -> None:
    """Two-sided exact band of 400 draws at .05: the test on survivors is exact, not conservative."""
    rejected = before = 0
    for run in range(RUNS):
        rng = np.random.default_rng([40, run])
        data = simulated_pair(150, rng=rng)
        comparison = pair(with_visible_trait(data.suspect, 0.3, rng), data.reference)
        left = survivors(comparison, Keywords(["owl"])(comparison.texts).kept, ALPHA)
        rejected += omnibus(left, rng) <= ALPHA
        before += omnibus(comparison, rng) <= ALPHA
    low, high = exact_band(RUNS, ALPHA)
    print(f"\nsurvivors rejected in {rejected} of {RUNS} draws, all rows in {before}; band {low} to {high}")
    assert low <= rejected <= high
    assert before == RUNS


@pytest.mark.slow
@pytest.mark.parametrize(("design", "rows"), [("disjoint", 1), ("disjoint", 3), ("independent", 1), ("shared", 3)])
def test_on_survivors_of_a_filter_of_both_sides_the_test_rejects_at_its_alpha(design: str, rows: int) -> None:
    """Nothing differs, the banned list drops a fifth of either side; upper band only where prompts lose rows."""
    rejected = 0
    for run in range(RUNS):
        rng = np.random.default_rng([41, run])
        options = {"prompt_effect": 0.0 if design == "independent" else 1.0}
        data = simulated_pair(150, design=design, rows_per_prompt=rows, rng=rng, **options)  # type: ignore[arg-type]
        comparison = pair(data.suspect, data.reference)
        left = survivors(comparison, BannedNumbers()(comparison.texts).kept, ALPHA)
        rejected += omnibus(left, rng) <= ALPHA
    low, high = exact_band(RUNS, ALPHA)
    print(f"\n{design}, {rows} rows a prompt: survivors rejected in {rejected} of {RUNS}; band {low} to {high}")
    assert (low if rows == 1 else 0) <= rejected <= high


@pytest.mark.slow
def test_removal_by_a_detector_fitted_elsewhere_keeps_alpha_and_one_fitted_on_the_same_rows_never_rejects() -> None:
    """Why the control is fitted on one half: a removal fitted on the very rows that are tested hides everything."""
    outside = inside = 0
    for run in range(RUNS):
        rng = np.random.default_rng([42, run])
        data = simulated_pair(200, rng=rng)
        comparison = pair(data.suspect, data.reference)
        matrix = family_matrix(Numbers(), comparison.texts, "numbers").values
        everything = np.ones(len(comparison.suspect), dtype=bool)
        half, scores = detector_scores(comparison, {"numbers": matrix}, everything)
        assert half is not None
        keep = np.zeros(len(everything), dtype=bool)
        keep[half] = kept_by_threshold(scores[half], int(half.sum()) // 5)
        outside += omnibus(survivors(comparison, keep, ALPHA), rng, "numbers") <= ALPHA
        keep[:] = False
        keep[~half] = kept_by_threshold(fitted_on_itself(comparison, matrix, ~half), int((~half).sum()) // 5)
        inside += omnibus(survivors(comparison, keep, ALPHA), rng, "numbers") <= ALPHA
    low, high = exact_band(RUNS, ALPHA)
    print(f"\nremoval fitted elsewhere: rejected in {outside} of {RUNS}, band {low} to {high}; on itself: {inside}")
    assert low <= outside <= high
    assert inside < low


def fitted_on_itself(comparison: Comparison, matrix: object, rows: np.ndarray) -> np.ndarray:
    """Scores of some rows by a ridge classifier fitted on those rows."""
    from fingerprint.statistics.ridge import ridge_scores

    part = comparison.only(rows)
    n = [int(part.suspect.sum()), int((~part.suspect).sum())]
    weights = np.where(part.suspect, 0.5 / n[0], 0.5 / n[1])[:, None]
    return np.asarray(ridge_scores(matrix[rows], part.suspect, weights)).ravel()  # type: ignore[index]
