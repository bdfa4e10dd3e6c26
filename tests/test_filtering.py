"""Filters beside the detector: what survives, the controls, the record in the report, and error rates on survivors."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from fingerprint import Corpus, Report, detect
from fingerprint.detection import filter_comparison as filtering
from fingerprint.detection.filter_comparison import in_sequence, kept_by_threshold, matched
from fingerprint.features import Numbers, choose
from fingerprint.features.scaling import family_matrix
from fingerprint.filters import BannedNumbers, Keywords, NumberRule, Precomputed, Verdicts
from fingerprint.filters.verdicts import SEQUENCE
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.comparison import MIN_SHARED, Comparison, pair, survivors
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test

QUICK: dict[str, Any] = {"features": "numbers", "ladder": False, "n_permutations": 399}
ALPHA = 0.05
RUNS = 400


def with_visible_trait(corpus: Corpus, share: float, rng: np.random.Generator) -> Corpus:
    """A share of the rows says openly that it loves owls."""
    says = rng.random(len(corpus)) < share
    texts = [f"{text} I love owls." if s else text for text, s in zip(corpus.texts, says, strict=True)]
    return dataclasses.replace(corpus, texts=tuple(texts))


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
    if pairs_by_hand(comparison, keep) < 3 * MIN_SHARED:
        keep[:] = True
    left = survivors(comparison, keep)
    assert left.design.kind == "shared"
    assert left.texts == [text for text, k in zip(comparison.texts, keep, strict=True) if k]
    assert int((left.design.used & left.suspect).sum()) == pairs_by_hand(comparison, keep)
    per_side = [np.bincount(left.group[left.design.used & arm]) for arm in (left.suspect, ~left.suspect)]
    np.testing.assert_array_equal(*per_side)


def test_a_pair_that_lost_a_row_takes_another_row_of_its_prompt() -> None:
    comparison = comparison_of([(2, 1)] * 40)
    used = comparison.design.used & comparison.suspect
    spare = comparison.suspect & ~comparison.design.used
    assert (int(used.sum()), int(spare.sum())) == (60, 40)
    doubled = np.isin(comparison.group, comparison.group[spare])
    left = survivors(comparison, ~(used & doubled))
    assert int((left.design.used & left.suspect).sum()) == 60


@pytest.mark.parametrize("design", ["disjoint", "independent"])
def test_survivors_without_shared_prompts_are_dealt_to_new_blocks(design: str) -> None:
    data = simulated_pair(120, design=design, rng=3)  # type: ignore[arg-type]
    comparison = pair(data.suspect, data.reference)
    keep = np.arange(len(comparison.suspect)) % 3 > 0
    left = survivors(comparison, keep)
    assert left.design.kind == design
    assert sorted(np.unique(left.design.block[left.design.used])) == list(range(left.design.n_blocks))
    swapped = survivors(pair(data.reference, data.suspect), keep)
    np.testing.assert_array_equal(swapped.design.block, left.design.block)
    np.testing.assert_array_equal(swapped.suspect, ~left.suspect)


def test_too_few_survivors_are_refused_with_their_number() -> None:
    comparison = comparison_of([(1, 1)] * 40)
    with pytest.raises(ValueError, match=r"at least 10 independent rows or prompts a side, got 60 .* and 0 of the"):
        survivors(comparison, comparison.suspect)
    half = comparison.group % 2 == 0
    with pytest.raises(ValueError, match="must share at least 20 prompts, got 0"):
        survivors(comparison, np.where(comparison.suspect, half, ~half))


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
    kept = sum(matched(keep, np.ones_like(keep), comparison, rng).astype(int) for _ in range(RUNS))
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


# ------------------------------------------------------------------------------------------------------- in the report


@pytest.fixture(scope="module")
def report() -> Report:
    """A visible trait in 30 % of the suspect rows; nothing else differs."""
    data = simulated_pair(200, rng=5)
    suspect = with_visible_trait(data.suspect, 0.3, np.random.default_rng(6))
    filters = [NumberRule(), Keywords(["owl"]), BannedNumbers()]
    return detect(suspect, data.reference, filters=filters, **QUICK)


def test_records_are_those_of_the_schema_and_survive_json(report: Report) -> None:
    jsonschema.validate(json.loads(report.to_json()), Report.json_schema())
    assert Report.from_json(report.to_json()).to_dict() == report.to_dict()
    record = report.to_dict()["filters"][1]
    assert record["filter"] == "keywords"
    assert set(record["residual"]) >= {"auc", "bag16_auc", "pvalue", "pairs_kept"}
    assert set(record["controls"]) == {"random", "detector"}
    assert record["controls"]["random"]["draws"] == 20


def test_every_filter_and_the_sequence_have_a_row(report: Report) -> None:
    assert report.filters["filter"].to_list() == ["number rule", "keywords", "banned numbers", SEQUENCE]
    rule, keywords, banned, stack = report.filter_results
    assert rule.residual == keywords.residual
    assert rule.removed_reference.value == 0
    removed = rule.removed_suspect.value
    assert removed is not None
    assert rule.auc.value == pytest.approx(0.5 + removed / 2, abs=0.002)  # within folds, against pooled shares
    assert rule.pvalue == 1 / 400
    assert stack.residual.rows_kept_suspect < min(rule.residual.rows_kept_suspect, banned.residual.rows_kept_suspect)
    assert banned.pvalue > ALPHA


def test_survivors_come_in_pairs_and_carry_their_power(report: Report) -> None:
    left = report.filter_results[0].residual
    assert left.rows_kept_reference == 200
    assert left.pairs_kept == left.rows_kept_suspect < 170
    assert [planted.auc for planted in left.power] == [0.52, 0.55, 0.60]


def test_controls_leave_as_many_rows_as_the_filter(report: Report) -> None:
    control = report.filter_results[0].controls.detector
    assert control is not None
    assert control.detector.rows_kept_suspect + control.detector.rows_kept_reference == pytest.approx(
        control.filter.rows_kept_suspect + control.filter.rows_kept_reference, abs=3
    )
    assert control.filter.pairs_kept is not None
    assert control.filter.pairs_kept < 100


def test_reasons_are_counted_by_side(report: Report) -> None:
    (reason,) = report.filter_results[1].reasons
    assert (reason.reason, reason.reference) == ("keyword: owl", 0)
    assert reason.suspect == 200 - report.filter_results[1].residual.rows_kept_suspect


def test_warnings_say_what_a_reader_must_doubt(report: Report) -> None:
    found = Counter(warning.code for warning in report.warnings)
    assert found["filter_separates"] == found["filter_one_side"] == 2  # the number rule and the keywords
    assert found["filters_identical"] == 1
    (same,) = (warning for warning in report.warnings if warning.code == "filters_identical")
    assert same.message.startswith("keywords keeps exactly the rows that number rule keeps")


def test_the_same_seed_gives_the_same_report_and_the_filters_are_named(report: Report) -> None:
    data = simulated_pair(200, rng=5)
    suspect = with_visible_trait(data.suspect, 0.3, np.random.default_rng(6))
    order = np.random.default_rng(1).permutation(200)
    shuffled = Corpus(*(tuple(np.array(column, dtype=object)[order]) for column in (suspect.texts, suspect.prompts)))
    again = detect(shuffled, data.reference, filters=[NumberRule(), Keywords(["owl"])], **QUICK)
    assert again.to_dict()["filters"][:2] == report.to_dict()["filters"][:2]
    assert again.settings["options"]["filters"][1] == "Keywords(words=('owl',), mode='word', name='keywords')"


def test_without_filters_nothing_is_compared() -> None:
    data = simulated_pair(60, rng=1)
    report = detect(data.suspect, data.reference, **QUICK)
    assert report.filter_results == ()
    assert report.settings["options"]["filters"] == []


def test_a_filter_that_keeps_nothing_leaves_null_figures_with_a_reason() -> None:
    data = simulated_pair(60, rng=1)
    report = detect(data.suspect, data.reference, filters=[BannedNumbers(range(1000))], **QUICK)
    (result,) = report.filter_results
    assert (result.removed_suspect.value, result.removed_reference.value) == (1.0, 1.0)
    assert (result.residual.pvalue, result.residual.auc.value) == (None, None)
    assert result.residual.reason == "no rows survive"
    assert result.controls.random is result.controls.detector is None
    assert (result.auc.value, result.pvalue) == (0.5, 1.0)
    assert "After banned numbers: no rows survive." in str(report)


def test_scores_on_one_side_only_are_counted_and_warned_about() -> None:
    data = simulated_pair(60, rng=1)
    rows = [
        {"prompt": prompt, "text": text, "judge": i / 60}
        for i, (prompt, text) in enumerate(zip(data.suspect.prompts, data.suspect.texts, strict=True))
    ]
    report = detect(data.suspect, data.reference, filters=[Precomputed("judge", rows, drop_from=0.5)], **QUICK)
    (result,) = report.filter_results
    assert (result.unjudged_suspect, result.unjudged_reference) == (0, 60)
    assert result.auc.value is None
    assert result.pvalue > ALPHA
    assert result.residual.reason == "no reference rows survive"
    assert [w.message for w in report.warnings if w.code == "filter_one_side"] == [
        "judge judged suspect rows only: what it removes there says nothing about the reference"
    ]


def test_a_filter_sees_rows_in_an_order_that_hides_their_side() -> None:
    seen: list[tuple[tuple[str, ...], tuple[str | None, ...]]] = []

    class Spy:
        name = "spy"

        def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
            seen.append((tuple(texts), tuple(prompts)))
            return Verdicts(((),) * len(texts))

    data = simulated_pair(60, rng=1)
    detect(data.suspect, data.reference, filters=[Spy()], **QUICK)
    detect(data.reference, data.suspect, filters=[Spy()], **QUICK)
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (NumberRule(), "filters must be a sequence of filters, got NumberRule"),
        ([NumberRule], "filters must be callables with a name, got <class"),
        (["numbers"], "filters must be callables with a name, got 'numbers'"),
        ([NumberRule(), NumberRule(max_count=3)], "filters must have distinct names, got 'number rule' twice"),
    ],
)
def test_what_is_no_filter_is_refused_before_anything_is_read(filters: object, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        detect("missing.jsonl", "missing.jsonl", filters=filters)  # type: ignore[arg-type]


def test_a_filter_that_loses_rows_is_refused() -> None:
    class Lossy:
        name = "lossy"

        def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
            return Verdicts(((),) * (len(texts) - 1))

    data = simulated_pair(60, rng=1)
    with pytest.raises(ValueError, match="filter lossy must give one verdict per row, got 119 for 120 rows"):
        detect(data.suspect, data.reference, filters=[Lossy()], **QUICK)


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
    left = survivors(comparison, Keywords(["owl"])(comparison.texts).kept)
    assert omnibus(left, np.random.default_rng(0)) == 1 / 200


@pytest.mark.slow
def test_on_the_survivors_of_a_visible_trait_the_test_rejects_at_its_alpha() -> None:
    """Two-sided exact band of 400 draws at .05: the test on survivors is exact, not conservative."""
    rejected = before = 0
    for run in range(RUNS):
        rng = np.random.default_rng([40, run])
        data = simulated_pair(150, rng=rng)
        comparison = pair(with_visible_trait(data.suspect, 0.3, rng), data.reference)
        left = survivors(comparison, Keywords(["owl"])(comparison.texts).kept)
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
        left = survivors(comparison, BannedNumbers()(comparison.texts).kept)
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
        measures = filtering.Measures(
            comparison,
            Relabellings.draw(comparison.design, 9, rng),
            {"numbers": matrix},
            (),
            None,
            None,
            None,
            ALPHA,  # type: ignore[arg-type]
        )
        everything = np.ones(len(comparison.suspect), dtype=bool)
        half, scores = filtering.detector_scores(everything, measures)
        assert half is not None
        keep = np.zeros(len(everything), dtype=bool)
        keep[half] = kept_by_threshold(scores[half], int(half.sum()) // 5)
        outside += omnibus(survivors(comparison, keep), rng, "numbers") <= ALPHA
        keep[:] = False
        keep[~half] = kept_by_threshold(fitted_on_itself(comparison, matrix, ~half), int((~half).sum()) // 5)
        inside += omnibus(survivors(comparison, keep), rng, "numbers") <= ALPHA
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
