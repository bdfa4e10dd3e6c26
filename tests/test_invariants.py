"""What must not matter does not: the order of rows, which side is which, process, wording of prompts."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fingerprint import Corpus, Report, detect
from fingerprint.data.corpus import joined
from fingerprint.detection import rungs
from fingerprint.features import FAMILIES
from fingerprint.features.numbers import DIGITS
from fingerprint.features.scaling import family_matrix
from fingerprint.lab.simulated import SimulatedPair, simulated_pair
from fingerprint.statistics.comparison import Comparison, pair, thin
from fingerprint.statistics.designs import MIN_GROUPS
from fingerprint.statistics.parts import SeparatePart

QUICK: dict[str, Any] = {"ladder": False, "n_permutations": 199, "features": ["numbers", "layout"]}
DESIGNS = ("shared", "mixed", "disjoint", "independent")


def drawn(design: str, d_prime: float = 1.0, rng: int = 0) -> SimulatedPair:
    """Arms of different size where the design allows it, a few rows a prompt where there are prompts."""
    if design == "mixed":
        parts = drawn("shared", d_prime, rng), drawn("disjoint", d_prime, rng)
        sides: dict[str, Any] = {
            side: joined([getattr(part, side) for part in parts], side) for side in ("suspect", "reference")
        }
        return dataclasses.replace(parts[0], **sides)
    if design == "shared":
        return simulated_pair(40, tilt="dense", d_prime=d_prime, rows_per_prompt=(2, 1), stock_share=0.1, rng=rng)
    options: dict[str, Any] = {"design": design} | ({"rows_per_prompt": 2} if design == "disjoint" else {})
    return simulated_pair(
        50, tilt="dense", d_prime=d_prime, n_reference=40, stock_share=0.1, rng=rng, **options
    )


def shuffled(corpus: Corpus, seed: int) -> Corpus:
    order = np.random.default_rng(seed).permutation(len(corpus))
    texts, prompts = (tuple(column[i] for i in order) for column in (corpus.texts, corpus.prompts))
    return dataclasses.replace(corpus, texts=texts, prompts=prompts)


def but_for_row_order(report: Report) -> dict[str, Any]:
    """Everything but the one warning that is about the order of rows."""
    found = report.to_dict()
    return found | {"warnings": [w for w in found["warnings"] if w["code"] != "row_order"]}


# -------------------------------------------------------------------------------------------------------- whole reports


@pytest.mark.parametrize("design", DESIGNS)
def test_order_of_rows_does_not_matter(design: str) -> None:
    both = drawn(design)
    plain = detect(both.suspect, both.reference, **QUICK)
    moved = detect(shuffled(both.suspect, 1), shuffled(both.reference, 2), **QUICK)
    assert but_for_row_order(moved) == but_for_row_order(plain)
    columns = ["corpus", "text", "prompt", "score"]
    assert moved.rows.select(columns).sort(columns).equals(plain.rows.select(columns).sort(columns))


@pytest.mark.parametrize("design", DESIGNS)
def test_swapping_suspect_and_reference_changes_neither_pvalue_nor_auc(design: str) -> None:
    both = drawn(design, d_prime=0.6, rng=3)
    plain = detect(both.suspect, both.reference, **QUICK)
    swapped = detect(both.reference, both.suspect, **QUICK)
    assert 1 / 200 < plain.pvalue < 0.9, "a p-value at an end would prove nothing"
    assert swapped.pvalue == pytest.approx(plain.pvalue, abs=1e-9)
    assert swapped.auc.value == pytest.approx(plain.auc.value, abs=1e-4)
    for one, other in zip(plain.family_results, swapped.family_results, strict=True):
        assert other.pvalue_adjusted == pytest.approx(one.pvalue_adjusted, abs=1e-9)
        assert other.statistic == pytest.approx(one.statistic, abs=1e-3)


def test_one_object_for_both_sides_is_as_good_as_two_equal_ones() -> None:
    corpus = drawn("independent").suspect
    twin = dataclasses.replace(corpus)
    assert detect(corpus, corpus, **QUICK).to_dict() == detect(corpus, twin, **QUICK).to_dict()


def test_same_seed_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    program = (
        "from fingerprint import detect; from fingerprint.lab.simulated import simulated_pair; import sys; "
        "p = simulated_pair(24, tilt='dense', rng=1); "
        "sys.stdout.write(detect(p.suspect, p.reference, n_permutations=199, self_test=False).to_json())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert json.loads(runs[0])["settings"]["seed"] == 0


@pytest.mark.parametrize("design", DESIGNS)
def test_another_seed_changes_little(design: str) -> None:
    both = drawn(design, d_prime=0.6, rng=3)
    one, other = (detect(both.suspect, both.reference, rng=seed, **QUICK) for seed in (0, 1))
    assert one.auc.value == other.auc.value  # folds are chosen by hash, not by chance
    # Two p-values of 199 permutations each; blocks of one row or prompt do not depend on the seed. Four sds.
    middle = (one.pvalue + other.pvalue) / 2
    assert abs(one.pvalue - other.pvalue) <= 4 * np.sqrt(2 * middle * (1 - middle) / 199)
    assert one.design == other.design


@pytest.mark.parametrize("design", ["shared", "disjoint"])
def test_wording_of_prompts_does_not_change_the_design(design: str) -> None:
    both = drawn(design)
    renamed = [
        dataclasses.replace(c, prompts=tuple(f"<{prompt}>" for prompt in c.prompts))
        for c in (both.suspect, both.reference)
    ]
    assert detect(*renamed, **QUICK).design == detect(both.suspect, both.reference, **QUICK).design


def test_rows_of_unshared_prompts_take_part_beside_the_pairs() -> None:
    both = drawn("shared", d_prime=0.6, rng=3)
    more = simulated_pair(20, design="disjoint", rng=9)
    sides = (both.suspect, more.suspect), (both.reference, more.reference)
    plain = detect(both.suspect, both.reference, **QUICK)
    widened = detect(*(joined(side, name) for side, name in zip(sides, ("suspect", "reference"), strict=True)), **QUICK)
    assert (plain.design.kind, widened.design.kind) == ("shared", "mixed")
    assert widened.design.pairs == plain.design.pairs == 40
    assert widened.design.unused_suspect == plain.design.unused_suspect
    assert widened.design.blocks == plain.design.blocks + 40


def test_frames_have_the_columns_documented() -> None:
    both = drawn("shared")
    report = detect(both.suspect, both.reference, ladder=True, n_permutations=99, features=["numbers"])
    interval = ["auc", "auc_low", "auc_high"]
    assert report.families.columns == ["family", "columns", "statistic", "pvalue_adjusted", *interval]
    assert report.ladder.columns == [
        "rung", "pvalue", *interval, "bag16_auc", "bag16_auc_low", "bag16_auc_high", "description"
    ]  # fmt: skip
    assert report.bags.columns == ["k", *interval]
    assert report.features.columns == [
        "feature", "family", "rate_suspect", "rate_reference", "pvalue_adjusted",
        "measure", "direction", "effect", "spellings", "families",
    ]  # fmt: skip
    assert report.power.columns == ["auc", "power", "power_low", "power_high"]
    assert report.rows.schema == {
        "corpus": pl.String, "row": pl.Int64, "text": pl.String, "prompt": pl.String, "score": pl.Float64
    }  # fmt: skip
    assert report.rows["score"].is_sorted(descending=True)
    assert [rung.rung for rung in report.rungs] == [step.rung for step in rungs.NUMBER_STEPS]


def test_every_row_is_in_the_frame_with_its_text_and_prompt() -> None:
    both = drawn("shared")
    rows = detect(both.suspect, both.reference, **QUICK).rows
    for side, corpus in (("suspect", both.suspect), ("reference", both.reference)):
        mine = rows.filter(pl.col("corpus") == side).sort("row")
        assert mine["row"].to_list() == list(range(len(corpus)))
        assert tuple(mine["text"]) == corpus.texts
        assert tuple(mine["prompt"]) == corpus.prompts


@pytest.mark.parametrize("name", FAMILIES)
def test_features_are_blind_to_the_side_of_a_row(name: str) -> None:
    """Rows of some prompts change sides: the pooled rows, and so the whole matrix, stay as they were."""
    both = simulated_pair(40, rng=1)
    flip = np.random.default_rng(0).integers(0, 2, 40).astype(bool)
    sides = [
        tuple(b if f else a for a, b, f in zip(one.texts, other.texts, flip, strict=True))
        for one, other in ((both.suspect, both.reference), (both.reference, both.suspect))
    ]
    mixed = [Corpus(texts, both.suspect.prompts) for texts in sides]
    plain, moved = pair(both.suspect, both.reference), pair(*mixed)
    assert moved.texts == plain.texts
    assert (moved.suspect != plain.suspect).any()
    matrices = [family_matrix(FAMILIES[name](), c.texts, name) for c in (plain, moved)]
    assert (matrices[0].values != matrices[1].values).nnz == 0
    np.testing.assert_array_equal(matrices[0].scale, matrices[1].scale)


# ------------------------------------------------------------------------------------------------------------- designs


@st.composite
def corpora(draw: st.DrawFn, design: str) -> tuple[Corpus, Corpus]:
    """Small corpora, up to four rows a prompt and side; mixed: some prompts are one side's, some unknown."""
    n = draw(st.integers(20, 40))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    sides = []
    for side in ("s", "r"):
        prompts: list[str | None] = []
        for i in range(n):
            name = f"{'' if design in ('shared', 'mixed') else side}{i}" if design != "independent" else None
            prompts += [name] * int(rng.integers(1, 5))
        if design == "mixed":
            prompts += [f"{side} only {i}" for i in range(int(rng.integers(2, 9)))]
            prompts += [None] * int(rng.integers(0, 5))
        texts = tuple(str(rng.integers(0, 50)) for _ in prompts)
        sides.append(Corpus(texts, tuple(prompts), name=side))
    return sides[0], sides[1]


def assert_valid(comparison: Comparison, rows_may_be_missing: bool = False) -> None:
    """What the test assumes of any comparison."""
    design, suspect, group = comparison.design, comparison.suspect, comparison.group
    np.testing.assert_array_equal(np.unique(design.block[design.used]), np.arange(design.n_blocks))
    assert design.block.min() >= -1
    assert len(comparison.texts) == len(suspect) == len(group) == len(design.block) == len(comparison.origin)
    np.testing.assert_array_equal(np.unique(group), np.arange(group.max() + 1))
    assert (np.sum([part.used for part in design.parts], axis=0) <= 1).all(), "a row is in one part"
    in_parts = [set(group[part.used].tolist()) for part in design.parts]
    assert len(set().union(*in_parts)) == sum(map(len, in_parts)), "a prompt is in one part"
    assert sum(design.shares) == pytest.approx(1.0)
    for part in design.parts:
        block, used = part.block, part.used
        for g in np.unique(group[used]):
            assert len(set(block[used & (group == g)])) == 1, "a prompt lies in one block"
        if isinstance(part, SeparatePart):
            np.testing.assert_array_equal(part.block_suspect[block[used]], suspect[used])
        if rows_may_be_missing:
            continue
        if isinstance(part, SeparatePart):
            sizes = {len(np.unique(group[block == b])) for b in range(part.n_blocks)}
            assert len(sizes) <= 1, "all blocks hold the same number of prompts"
        else:
            ours, theirs = (np.bincount(group[used & side], minlength=group.max() + 1) for side in (suspect, ~suspect))
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("design", DESIGNS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_designs_are_valid(design: str, data: st.DataObject) -> None:
    suspect, reference = data.draw(corpora(design))
    comparison = pair(suspect, reference, seed=data.draw(st.integers(0, 3)))
    assert comparison.design.kind == design
    assert len(comparison.texts) == len(suspect) + len(reference)
    assert_valid(comparison)


@pytest.mark.parametrize("design", DESIGNS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_thinned_designs_are_valid_and_small(design: str, data: st.DataObject) -> None:
    comparison = pair(*data.draw(corpora(design)))
    rows = data.draw(st.integers(MIN_GROUPS, 60))
    small = thin(comparison, rows)
    assert small.design.kind in ({design, "shared"} if design == "mixed" else {design})
    assert max(int(small.suspect.sum()), int((~small.suspect).sum())) <= rows
    assert_valid(small)
    assert set(small.texts) <= set(comparison.texts)


@pytest.mark.parametrize("design", ["shared", "disjoint"])
def test_thinning_takes_rows_rather_than_prompts(design: str) -> None:
    """Twenty prompts a side with thirty rows each, thinned to fewer rows than two prompts have."""
    rows = tuple(str(i) for i in range(600))
    other = "a" if design == "shared" else "b"
    comparison = pair(
        Corpus(rows, tuple(f"a{i % 20}" for i in range(600))),
        Corpus(rows, tuple(f"{other}{i % 20}" for i in range(600))),
    )
    small = thin(comparison, 50)
    assert int(small.suspect.sum()) <= 50
    assert small.design.n_blocks == comparison.design.n_blocks == {"shared": 20, "disjoint": 40}[design]
    assert_valid(small)


@pytest.mark.parametrize("design", DESIGNS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_leaving_rows_out_keeps_the_rest_as_it_was(design: str, data: st.DataObject) -> None:
    comparison = pair(*data.draw(corpora(design)))
    keep = np.random.default_rng(data.draw(st.integers(0, 99))).random(len(comparison.texts)) < 0.7
    assume(keep.any())
    rest = comparison.only(keep)
    assert_valid(rest, rows_may_be_missing=True)
    assert rest.texts == [t for t, k in zip(comparison.texts, keep, strict=True) if k]
    np.testing.assert_array_equal(rest.design.used, comparison.design.used[keep])
    before, after = comparison.design.separate, rest.design.separate
    if before is not None and after is not None:
        sides = before.block_suspect[before.block[keep & before.used]]
        np.testing.assert_array_equal(after.block_suspect[after.block[after.used]], sides)


@pytest.mark.parametrize("design", ["shared", "mixed"])
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_swapping_sides_keeps_counts_of_every_prompt(design: str, data: st.DataObject) -> None:
    comparison = pair(*data.draw(corpora(design))).null_source()
    null = comparison.null(np.random.default_rng(data.draw(st.integers(0, 99))))
    assert_valid(null)
    paired = comparison.design.paired
    assert paired is not None
    assert null.design.paired is paired
    changed = (null.suspect != comparison.suspect) & np.isin(comparison.group, comparison.group[paired.used])
    assert not changed[~paired.used].any()
    for g in np.unique(comparison.group[changed]):
        assert changed[(comparison.group == g) & paired.used].all()


@pytest.mark.parametrize("design", ["disjoint", "independent"])
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_halves_of_the_reference_are_a_valid_design(design: str, data: st.DataObject) -> None:
    comparison = pair(*data.draw(corpora(design)))
    null = comparison.null_source().null(np.random.default_rng(data.draw(st.integers(0, 99))))
    assert_valid(null)
    sides = [len(np.unique(null.group[arm])) for arm in (null.suspect, ~null.suspect)]
    assert abs(sides[0] - sides[1]) <= 1
    assert not set(null.group[null.suspect]) & set(null.group[~null.suspect]), "a prompt is in one half"


def test_a_reference_too_small_to_split_is_an_error_that_names_the_self_test() -> None:
    rng = np.random.default_rng(0)
    texts = [", ".join(map(str, rng.integers(0, 1000, 5))) for _ in range(40)]
    with pytest.raises(ValueError, match="for the self-test"):
        detect(texts[:25], texts[25:], self_test=True, **QUICK)


# -------------------------------------------------------------------------------------------------------------- ladder

NUMBER_RUNGS = {step.rung: step for step in rungs.NUMBER_STEPS}
PROSE_RUNGS = {step.rung: step for step in rungs.PROSE_STEPS}
some_rows = st.lists(st.text(st.sampled_from("0123456789 ,\n[]xÄé.'!٣²_"), max_size=25), min_size=1, max_size=8)


def rewritten(rungs: dict[str, rungs.RungStep], rung: str, texts: list[str], seed: int = 0) -> list[str]:
    out = rungs[rung].rewrite(texts, np.random.default_rng(seed))
    assert len(out) == len(texts)
    return out


def runs(texts: list[str]) -> Counter[str]:
    return Counter(run for text in texts for run in DIGITS.findall(text))


@given(texts=some_rows, seed=st.integers(0, 99))
def test_format_only_keeps_everything_but_digits(texts: list[str], seed: int) -> None:
    out = rewritten(NUMBER_RUNGS, "format only", texts, seed)
    for before, after in zip(texts, out, strict=True):
        assert DIGITS.split(before) == DIGITS.split(after)
    assert set(runs(out)) <= set(runs(texts))


@given(texts=some_rows)
def test_canonical_keeps_the_values_and_their_order(texts: list[str]) -> None:
    values = [[int(run) if len(run) <= 9 else 10**9 for run in DIGITS.findall(text)] for text in texts]
    canonical = rewritten(NUMBER_RUNGS, "canonical", texts)
    assert canonical == [", ".join(map(str, row)) for row in values]
    assert rewritten(NUMBER_RUNGS, "sorted", texts) == [", ".join(map(str, sorted(row))) for row in values]


@given(texts=some_rows, seed=st.integers(0, 99))
@settings(deadline=None)
def test_frequencies_only_cannot_see_which_numbers_stand_together(texts: list[str], seed: int) -> None:
    """Numbers moved between the rows of an arm, counts kept, leave the arm's sums as they were."""
    step = NUMBER_RUNGS["frequencies only"]
    (family,) = (make() for make in step.families.values())
    rows = [DIGITS.findall(text) for text in rewritten(NUMBER_RUNGS, "frequencies only", texts)]
    pool = iter(np.random.default_rng(seed).permutation([run for row in rows for run in row]).tolist())
    moved = [", ".join(next(pool) for _ in row) for row in rows]
    before, after = (family.fit(t).transform(t).sum(axis=0) for t in ([", ".join(row) for row in rows], moved))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("rungs", "texts", "moved"),
    [
        (NUMBER_RUNGS, ["1, 22", "[333]", "4;5;6"], ["1", "22 333", "4\n5\n6"]),
        (PROSE_RUNGS, ["One two.", "three!", "four, five six"], ["ONE", "two three", "four five; six?"]),
    ],
    ids=["numbers", "prose"],
)
def test_the_floor_knows_of_the_rows_only_what_is_in_the_pool(
    rungs: dict[str, rungs.RungStep], texts: list[str], moved: list[str]
) -> None:
    """The same numbers or words, cut into rows in another way, give the same floor."""
    floor = rewritten(rungs, "floor", texts, seed=5)
    assert floor == rewritten(rungs, "floor", moved, seed=5)
    assert len({len(row.split()) for row in floor}) == 1, "all rows have one count"


@given(texts=some_rows)
def test_prose_rungs_take_out_what_they_say(texts: list[str]) -> None:
    layout = rewritten(PROSE_RUNGS, "layout only", texts)
    assert not re.search(r"[^\W\d_x]", "".join(layout), flags=re.IGNORECASE)
    for before, after in zip(texts, layout, strict=True):
        assert re.sub(r"[^\W\d_]+|\d+", "", before) == re.sub(r"[^\W\d_]+|\d+", "", after)
    folded = rewritten(PROSE_RUNGS, "folded", texts)
    assert folded == rewritten(PROSE_RUNGS, "folded", [f" {text.upper()}\n".lower() for text in texts])
    bags = rewritten(PROSE_RUNGS, "bag of words", texts)
    for text, bag in zip(texts, bags, strict=True):
        assert bag.split() == sorted(rungs.WORDS.findall(text.lower()))
    for bag, lengths in zip(bags, rewritten(PROSE_RUNGS, "lengths only", texts), strict=True):
        assert lengths.split() == sorted("x" * len(word) for word in bag.split())
