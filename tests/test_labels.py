"""Preference labels: that the test of choices is exact, and what it is called."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fingerprint import detect_labels
from fingerprint.data.choices import Choice, Choices
from fingerprint.data.corpus import Corpus
from fingerprint.features import FAMILIES
from fingerprint.lab.judges import NeutralPairs, SimulatedJudge, neutral_pairs
from fingerprint.preferences.contrasts import contrasts
from fingerprint.preferences.exact_test import Sides, permuted
from fingerprint.preferences.pairs import matched
from fingerprint.preferences.result import LabelsResult

FAST: dict[str, Any] = {"features": ["numbers"], "n_permutations": 999}
NEUTRAL = SimulatedJudge()


@pytest.fixture(scope="module")
def pairs() -> NeutralPairs:
    return neutral_pairs(800, rng=1)


@pytest.fixture(scope="module")
def reference(pairs: NeutralPairs) -> Choices:
    return NEUTRAL.label(pairs, rng=2)


def turned(choices: Choices) -> Choices:
    """The same choices in another order of rows, every second pair the other way round."""
    rows = [
        Choice(row.prompt, row.second, row.first, -row.chosen, -row.shown) if number % 2 else row
        for number, row in enumerate(reversed(choices.rows))
    ]
    return replace(choices, rows=tuple(rows))


# ------------------------------------------------------------------------------------------------------ what is matched


def test_a_pair_labelled_in_both_orders_counts_once_and_its_choices_are_averaged() -> None:
    first = Choices(
        (
            Choice("p", "1", "2", 1, 1),
            Choice(" p\n", "2", "1", 1, 1),  # the other text, the same place: position alone
            Choice("q", "1", "2", 1, 1),
            Choice("q", "3", "3 ", 1, 1),
            Choice("r", "5", "4", 0, 1),
        )
    )
    found = matched(first, first, use_prompts=True)
    counts = found.counts
    assert (counts.shared, counts.repeated_suspect, counts.identical, counts.ties_suspect) == (3, 1, 2, 1)
    assert sorted(found.choices[0]) == [0, 0, 1]
    assert sorted(found.positions[0]) == [0, 1, 1]
    assert counts.prompts == 3


def test_both_judges_labels_of_a_pair_count_equally_often_and_in_like_order() -> None:
    ab, ba = Choice("p", "1", "2", 1, 1), Choice("p", "2", "1", 1, 1)
    alone = [Choice("q", "3", "4", 1, 1)] * 2
    first, second = Choices((ab, ab, ab, ba, *alone)), Choices((ba, ab, ba))
    for sides in ((first, second), (second, first)):
        found = matched(*sides, use_prompts=True)
        place = int(np.flatnonzero(found.shared)[0])
        assert found.choices[:, place].tolist() == [0.0, 0.0]  # one label in each order
        assert found.shown[:, place].tolist() == [0.0, 0.0]
        surplus = (found.counts.surplus_suspect, found.counts.surplus_reference)
        assert surplus == ((2, 1) if sides[0] is first else (1, 2))
    # Pairs that one side alone has are compared with each other: as many labels of each as all have.
    other = Choices((ab, ab, ab, Choice("r", "5", "6", 1, 1)))
    found = matched(first, other, use_prompts=True, other_pairs=True)
    assert (found.counts.surplus_suspect, found.counts.surplus_reference) == (1 + 1, 0)


def test_equal_judges_of_whom_one_was_asked_more_often_are_rejected_at_the_level_and_no_more() -> None:
    """Both choose the text that sorts first with probability .95; five labels of a pair by one, one by the other."""
    runs, size, draw = 400, 40, np.random.default_rng(0)
    names = [f"{run:03d} {pair:02d}" for run in range(runs) for pair in range(size)]
    suspect, reference = (
        Choices(
            tuple(
                Choice(name, "1", "2", 1 if chance < 0.95 else -1, 0)
                for name, own in zip(names, draw.random((len(names), times)), strict=True)
                for chance in own
            )
        )
        for times in (5, 1)
    )
    found = matched(suspect, reference, use_prompts=True)
    assert (found.counts.surplus_suspect, found.counts.surplus_reference) == (4 * runs * size, 0)
    turns = found.turns.reshape(runs, size)  # pairs are independent and alike: any forty of them are a run
    signs = np.where(draw.random((199, size)) < 0.5, 1.0, -1.0)
    least = (1 + (np.abs(turns @ signs.T) >= np.abs(turns.sum(axis=1, keepdims=True)) - 1e-9).sum(axis=1)) / 200
    assert (least <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    averaged = draw.random((2, runs, size, 5)) < 0.95  # what means of five against single labels would give
    unequal = averaged[0].mean(axis=2) - averaged[1, :, :, 0]
    raw = (1 + (np.abs(unequal @ signs.T) >= np.abs(unequal.sum(axis=1, keepdims=True)) - 1e-9).sum(axis=1)) / 200
    assert (raw <= 0.05).mean() > 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_pairs_of_one_prompt_keep_their_place_together() -> None:
    rows = [Choice(f"p{n % 20}", str(n), str(n + 1000), 1, 1) for n in range(100)]
    found = matched(Choices(tuple(rows)), Choices(tuple(rows)), use_prompts=True)
    assert np.bincount(found.group).tolist() == [5] * 20
    assert Sides.of(found).design.n_blocks == 20
    alone = matched(Choices(tuple(rows)), Choices(tuple(rows)), use_prompts=False)
    assert Sides.of(alone).design.n_blocks == 100


# ------------------------------------------------------------------------------------------------------ what is exact


def test_neither_the_order_of_rows_nor_of_texts_nor_of_the_judges_matters(
    pairs: NeutralPairs, reference: Choices
) -> None:
    suspect = SimulatedJudge(trait=0.5).label(pairs, rng=3)
    found = detect_labels(suspect, reference, **FAST)
    assert detect_labels(turned(suspect), turned(reference), **FAST) == found
    assert detect_labels(turned(suspect), reference, **FAST) == found
    swapped = detect_labels(reference, suspect, **FAST)
    assert (swapped.pvalue, swapped.pvalue_all) == (found.pvalue, found.pvalue_all)


def test_what_is_taken_out_is_blind_to_the_choices(pairs: NeutralPairs, reference: Choices) -> None:
    families = {name: FAMILIES[name]() for name in FAST["features"]}
    coins = replace(reference, rows=tuple(row._replace(chosen=-row.chosen) for row in reference.rows))
    found = [contrasts(matched(side, None, use_prompts=True), families) for side in (reference, coins)]
    for name in families:
        assert (found[0].loadings[name] == found[1].loadings[name]).all()
        left = found[0].features[name] - found[0].told @ found[0].loadings[name]
        assert np.abs(found[0].told.T @ left).max() < 1e-3


def test_the_relabellings_are_those_of_exchanged_judges() -> None:
    """Brute force: the statistic of every exchange of the judges over ten prompts, by the whole test anew."""
    pairs = neutral_pairs(24, rng=4)
    sides = [SimulatedJudge(trait=weight).label(pairs, rng=5 + weight) for weight in (1, 0)]
    sides = [replace(s, rows=tuple(r._replace(prompt=f"{n % 12}") for n, r in enumerate(s.rows))) for s in sides]
    families = {"numbers": FAMILIES["numbers"]()}

    def run(first: Choices, second: Choices) -> tuple[float, Any]:
        judged = matched(first, second, use_prompts=True)
        test = permuted(judged, contrasts(judged, families), Sides.of(judged), {}, 199, np.random.default_rng(0))
        return float(test.beyond.statistics[0]), test

    _, test = run(*sides)
    contrast = test.beyond.relabellings.contrasts
    for relabelling in (1, 2, 3):
        judged = matched(*sides, use_prompts=True)
        flipped = contrast[relabelling] * contrast[0] < 0  # by block: prompts in the order of their groups
        group = dict(zip(judged.texts[0], judged.group.tolist(), strict=True))
        of_prompt = {row.prompt: group[min(row.first, row.second)] for row in sides[0].rows}
        exchanged = [[b if flipped[of_prompt[a.prompt]] else a for a, b in zip(*(s.rows for s in both), strict=True)]
                     for both in (sides, sides[::-1])]  # fmt: skip
        observed, _ = run(*(replace(sides[0], rows=tuple(rows)) for rows in exchanged))
        assert observed == pytest.approx(float(test.beyond.statistics[relabelling]), abs=1e-3)


def test_an_order_that_one_side_alone_knows_is_no_difference() -> None:
    """Both always take the text shown first; of every second pair the reference's order is not known."""
    draw = np.random.default_rng(0)
    for other_pairs in (False, True):
        texts = [[str(n) for n in draw.permutation(np.arange(100, 999))[:320]] for _ in range(2)]
        at = slice(160, 320) if other_pairs else slice(160)  # other pairs, or the same
        suspect = Choices(tuple(Choice(None, a, b, 1, 1) for a, b in zip(*(t[:160] for t in texts), strict=True)))
        reference = Choices(tuple(Choice(None, a, b, 1, n % 2)
                                  for n, (a, b) in enumerate(zip(*(t[at] for t in texts), strict=True))))  # fmt: skip
        found = detect_labels(suspect, reference, other_pairs=other_pairs, **FAST)
        assert "position" not in found.differs_by
        (position,) = (bias for bias in found.biases if bias.bias == "position")
        assert (position.rate_suspect, position.rate_reference) == (1.0, 1.0)


# ------------------------------------------------------------------------------------------------------- what it says

JUDGES = {
    "a trait": (SimulatedJudge(trait=3.0), ("features",), "detected: the judges' choices differ in what the texts say"),
    "length": (SimulatedJudge(length=1.0), ("length",), "differs by length: the judges weigh how long the texts are"),
    "position": (SimulatedJudge(position=1.0), ("position",), "differs by position: the judges weigh which text"),
    "nothing": (NEUTRAL, (), "not detected: a hidden preference that decides"),
}


@pytest.mark.parametrize(("judge", "by", "words"), JUDGES.values(), ids=JUDGES)
def test_a_judge_is_named_by_what_it_looks_at(
    judge: SimulatedJudge, by: tuple[str, ...], words: str, pairs: NeutralPairs, reference: Choices
) -> None:
    found = detect_labels(judge.label(pairs, rng=7), reference, **FAST)
    assert (found.differs_by, found.detected) == (by, by == ("features",))
    assert found.verdict.startswith(words)
    assert found.verdict.replace(" ", "") in str(found).replace("\n", "").replace(" ", "")
    assert found.level == pytest.approx(0.01 if "length" in by or "position" in by else 0.05)
    shown = {bias.bias: (bias.rate_suspect or 0) - (bias.rate_reference or 0) > 0.1 for bias in found.biases}
    assert shown == {"length": by == ("length",), "position": by == ("position",)}


def test_pairs_needed_are_those_for_the_level_that_the_features_have_to_reach(
    pairs: NeutralPairs, reference: Choices
) -> None:
    found = detect_labels(SimulatedJudge(trait=3.0, position=1.0).label(pairs, rng=7), reference, **FAST)
    assert found.differs_by == ("features", "position")
    assert {need.alpha for need in found.needed} == {found.level}
    assert found.level < found.alpha


def test_a_level_that_cannot_be_reached_is_said_with_the_remedy(pairs: NeutralPairs, reference: Choices) -> None:
    with pytest.raises(ValueError, match=r"n_permutations must be at least 499 to reach alpha = 0.01"):
        detect_labels(reference, reference, alpha=0.01, n_permutations=498)
    few = replace(reference, rows=reference.rows[:60])
    for differing, codes in ((4, ["level_out_of_reach"]), (8, [])):
        rows = tuple(r._replace(chosen=-r.chosen) if n < differing else r for n, r in enumerate(few.rows))
        found = detect_labels(replace(few, rows=rows), few, **FAST)
        assert [warning.code for warning in found.warnings] == codes


def test_without_length_taken_out_an_honest_judge_would_be_called_a_trait(
    pairs: NeutralPairs, reference: Choices
) -> None:
    found = detect_labels(SimulatedJudge(length=1.0).label(pairs, rng=7), reference, **FAST)
    assert found.pvalue_all == 0.001 < found.level < found.pvalue


def test_what_the_judge_prefers_is_named_by_single_features() -> None:
    pairs = neutral_pairs(1500, tilt="sparse", d_prime=1.5, rng=8)
    found = detect_labels(SimulatedJudge(trait=3.0).label(pairs, rng=9), NEUTRAL.label(pairs, rng=10), **FAST)
    sure = [feature for feature in found.features if feature.pvalue_adjusted <= 0.05]
    assert sure
    assert {feature.direction for feature in sure} <= {"more", "less"}
    assert all((f.rate_suspect > f.rate_reference) == (f.direction == "more") for f in sure)
    assert found.foretold is not None
    assert found.foretold > 0.55
    assert found.needed[1].pairs is not None


def test_one_judge_alone_has_a_preference_and_never_a_trait(pairs: NeutralPairs, reference: Choices) -> None:
    found = detect_labels(SimulatedJudge(trait=3.0).label(pairs, rng=7), **FAST)
    assert (found.detected, found.has_reference, found.differs_by) == (False, False, ("features",))
    assert "This is a preference, not a trait" in found.verdict
    assert detect_labels(SimulatedJudge(length=1.0).label(pairs, rng=7), **FAST).verdict.startswith(
        "a preference by length alone"
    )
    assert detect_labels(reference, **FAST).verdict.startswith("no preference found")


def test_judges_that_agree_everywhere_leave_nothing_to_test(reference: Choices) -> None:
    found = detect_labels(reference, reference, **FAST)
    assert (found.pvalue, found.agreement, found.pairs.disagreements) == (1.0, 1.0, 0)
    assert "chose alike wherever both saw a pair" in found.verdict


def test_a_noisier_copy_of_the_reference_is_said_to_be_one(pairs: NeutralPairs) -> None:
    likes = SimulatedJudge(trait=3.0, quality=0.0)
    found = detect_labels(NEUTRAL.label(pairs, rng=11), likes.label(pairs, rng=12), **FAST)
    assert found.detected
    (warning,) = found.warnings
    assert (warning.code, warning.value < -0.7) == ("own_preference", True)
    trait = detect_labels(likes.label(pairs, rng=12), NEUTRAL.label(pairs, rng=11), **FAST)
    assert trait.detected
    assert not trait.warnings


# ---------------------------------------------------------------------------------------- pairs that one side alone has


def test_pairs_that_one_side_alone_has_are_counted_and_left_out(pairs: NeutralPairs, reference: Choices) -> None:
    suspect = SimulatedJudge(trait=1.0).label(pairs, rng=7)
    fewer = replace(suspect, rows=suspect.rows[:600])
    found = detect_labels(fewer, replace(reference, rows=reference.rows[100:]), **FAST)
    assert (found.pairs.suspect, found.pairs.reference, found.pairs.shared) == (600, 700, 500)
    assert found.pairs_pvalue is None


def test_other_pairs_are_compared_side_by_side_where_that_is_asked_for(pairs: NeutralPairs, reference: Choices) -> None:
    other = neutral_pairs(800, rng=21)
    suspect = SimulatedJudge(trait=2.0).label(other, rng=22)
    with pytest.raises(ValueError, match=r"got none of its .* pass other_pairs=True"):
        detect_labels(suspect, reference, **FAST)
    found = detect_labels(suspect, reference, other_pairs=True, **FAST)
    assert found.detected
    assert found.pairs_pvalue is not None
    assert "if they were drawn alike" in found.assumption
    longer = replace(reference, rows=tuple(r._replace(first=f"999, 999, {r.first}") for r in reference.rows))
    found = detect_labels(suspect, longer, other_pairs=True, **FAST)
    assert not found.detected
    assert found.verdict.startswith("pairs differ: not attributable to the judge")


def test_texts_in_many_pairs_without_prompts_are_warned_of() -> None:
    rows = tuple(Choice(None, str(n % 15), str(15 + n), 1 if n % 3 else -1, 1) for n in range(60))
    other = tuple(row._replace(chosen=1) for row in rows)
    found = detect_labels(Choices(rows), Choices(other), features="tokens", n_permutations=99)
    assert [warning.code for warning in found.warnings] == ["texts_in_many_pairs"]


# ------------------------------------------------------------------------------------------------- on the command line


@pytest.fixture
def files(tmp_path: Path, pairs: NeutralPairs, reference: Choices) -> dict[str, Path]:
    sides = {"suspect": SimulatedJudge(trait=3.0).label(pairs, rng=7), "reference": reference}
    for name, choices in sides.items():
        rows = [
            {"response_a": row.first, "response_b": row.second, "winner": "a" if row.chosen > 0 else "b"}
            for row in choices.rows
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return {name: tmp_path / f"{name}.jsonl" for name in sides}


def test_the_command_says_what_python_says_and_exits_as_asked(run: Any, files: dict[str, Path], tmp_path: Path) -> None:
    options = ("--features", "numbers", "--permutations", "999")
    code, out, err = run("labels", *files.values(), *options, "--json", tmp_path / "r.json", "--fail-if-detected")
    assert (code, err) == (1, "")
    assert "detected: the judges' choices differ" in out
    assert len(out.splitlines()) <= 16
    assert LabelsResult.from_json(tmp_path / "r.json") == detect_labels(*files.values(), **FAST)
    code, out, _ = run("labels", files["suspect"], *options, "-v")
    assert code == 0
    assert "This is a preference, not a trait" in out.replace("\n", " ")
    assert "turned down" in out


def test_the_command_refuses_in_its_own_words(run: Any, files: dict[str, Path], tmp_path: Path) -> None:
    code, _, err = run("labels", files["suspect"], "--fail-if-detected")
    assert code == 2
    assert "--fail-if-detected must have a REFERENCE" in err
    other = tmp_path / "other.jsonl"
    other.write_text('{"chosen": "1", "rejected": "2"}\n', encoding="utf-8")
    code, _, err = run("labels", files["suspect"], other)
    assert code == 2
    assert "or pass --other-pairs if" in err


# ------------------------------------------------------------------------------------------- language models as judges


@pytest.mark.needs("lm")
def test_a_language_model_chooses_what_it_finds_more_probable() -> None:
    from fingerprint.lab.model_judges import judged, written_pairs
    from fingerprint.lm.teachers import neutral, prompted

    base, owl = neutral("micro-a"), prompted("micro-a", "owl")
    pairs = written_pairs(base, 40, seed=1)
    assert all(first != second for first, second in zip(pairs.first, pairs.second, strict=True))
    own, beside = (judged(pairs, owl, base, own_answer=answer) for answer in (True, False))
    first, second = (owl.logprobs(Corpus(side, pairs.prompts)).rows for side in (pairs.first, pairs.second))
    assert [row.chosen for row in own.rows] == np.where(first >= second, 1, -1).tolist()
    assert [row.chosen for row in beside.rows] != [row.chosen for row in own.rows]
    assert {row.chosen for row in beside.rows} == {1, -1}
