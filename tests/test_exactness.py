"""What makes the p-value exact, one assumption a test, each on a few rows: the traps that were measured stay shut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import fingerprint
from fingerprint.data.corpus import Corpus, joined
from fingerprint.data.known_rows import KnownRows
from fingerprint.detection.analysis import exact_test, family_matrices
from fingerprint.detection.analysis import relabelled as relabellings_of
from fingerprint.detection.case import Case
from fingerprint.detection.options import Options
from fingerprint.features import choose
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.comparison import Comparison, pair
from fingerprint.statistics.parts import Part, SeparatePart
from fingerprint.statistics.permutation import PermutationTest, Relabellings, permutation_test
from fingerprint.statistics.rows_per_prompt import WITHIN_PROMPT, rows_per_prompt

Sides = tuple[Corpus, Corpus]
FAMILIES = ["numbers", "layout"]
PERMUTATIONS = 199


def drawn(design: str, **options: Any) -> Sides:
    """Twenty prompts, or rows, a side with a trait; mixed: twenty shared ones and twenty others a side."""
    if design == "mixed":
        parts = drawn("shared", **options), drawn("disjoint", **options | {"rng": 1})
        return joined([part[0] for part in parts], "suspect"), joined([part[1] for part in parts], "reference")
    found = simulated_pair(**{"n_prompts": 20, "tilt": "dense", "d_prime": 0.7, "design": design, **options})
    return found.suspect, found.reference


def case_of(suspect: Corpus, reference: Corpus) -> Case:
    options: dict[str, Any] = {"text": None, "prompt": None, "filters": (), "prior": None, "model": None}
    settings = Options(n_permutations=PERMUTATIONS)
    return Case.of(
        suspect, reference, **options, features=FAMILIES, placebos=(), alpha=0.05, rng=0, options=settings
    )


def exactly(case: Case, comparison: Comparison) -> PermutationTest:
    matrices = family_matrices(comparison, choose(FAMILIES, comparison.texts))
    return exact_test(comparison, matrices, relabellings_of(case, comparison))[0]


def relabelled(comparison: Comparison, contrast: np.ndarray) -> Comparison:
    """The same rows with the sides that a contrast over blocks [blocks] gives them."""
    suspect, first = comparison.suspect.copy(), 0
    parts: list[Part] = []
    for part in comparison.design.parts:
        own = contrast[first : first + part.n_blocks]
        first += part.n_blocks
        block = part.block[part.used]
        if isinstance(part, SeparatePart):
            suspect[part.used] = own[block] > 0
            parts.append(replace(part, block_suspect=own > 0))
        else:
            suspect[part.used] ^= own[block] < 0
            parts.append(part)
    return replace(comparison, suspect=suspect, design=replace(comparison.design, parts=tuple(parts)))


@pytest.mark.parametrize("design", ["shared", "mixed", "disjoint", "independent"])
def test_every_null_statistic_is_what_rows_labelled_so_would_give(design: str) -> None:
    """The whole of a relabelled test: whatever was fitted to the observed labels would be fitted to others there."""
    case = case_of(*drawn(design))
    comparison = pair(*case.corpora)
    test = exactly(case, comparison)
    assert set(test.parts) == set(FAMILIES)
    order = np.argsort(test.statistics)
    for number in (order[0], order[PERMUTATIONS // 2], order[-2], order[-1]):  # also the most extreme ones
        again = exactly(case, relabelled(comparison, test.relabellings.contrasts[number]))
        assert again.statistics[0] == pytest.approx(test.statistics[number], abs=1e-3)


@pytest.fixture(scope="module")
def barely() -> tuple[Sides, fingerprint.Report]:
    """Sixty pairs, detected but not by much."""
    sides = drawn("shared", n_prompts=60)
    options: dict[str, Any] = {"ladder": False, "n_permutations": PERMUTATIONS, "features": FAMILIES}
    return sides, fingerprint.detect(*sides, **options)


def test_the_reported_pvalue_is_the_rank_of_the_statistic_among_relabelled_ones(
    barely: tuple[Sides, fingerprint.Report],
) -> None:
    sides, found = barely
    statistics = exactly(case_of(*sides), pair(*sides)).statistics
    assert found.pvalue == np.count_nonzero(statistics >= statistics[0]) / (1 + PERMUTATIONS)
    assert 2 / 200 < found.pvalue < 1, "a p-value at an end would prove nothing"


def test_rows_needed_by_this_design_allow_for_the_luck_in_having_been_detected(
    barely: tuple[Sides, fingerprint.Report],
) -> None:
    """With the shift as it was observed, a stated power of .8 was really .65."""
    _, found = barely
    assert found.detected
    needed = {item.power: item for item in found.needed if item.target == "this design"}
    assert set(needed) == {0.5, 0.8, 0.95}
    for item in needed.values():
        assert (item.low or 0) < (item.rows or 0) < (item.high or np.inf)


def test_the_observed_statistic_does_not_hang_on_which_relabellings_were_drawn() -> None:
    comparison = pair(*drawn("mixed"))
    matrices = family_matrices(comparison, choose(FAMILIES, comparison.texts))
    units = comparison.units(matrices["numbers"].values).astype(np.float64)
    found = set()
    for seed in range(3):
        relabellings = Relabellings.draw(comparison.design, 20, np.random.default_rng(seed))
        test = permutation_test({"numbers": units @ units.T}, relabellings, {"sums": units[:, 0]})
        found.add((round(float(test.statistics[0]), 6), round(float(test.signed["sums"].statistics[0]), 6)))
    assert len(found) == 1


@pytest.mark.parametrize("design", ["shared", "mixed", "disjoint"])
def test_rows_of_one_prompt_keep_together(design: str) -> None:
    """Prompts are the units, and not rows: in one block, and blocks of as many prompts as there are."""
    suspect, reference = drawn(design, rows_per_prompt=3, prompt_effect=1.0)
    comparison = pair(suspect, reference)
    sides = [(suspect if s else reference) for s in comparison.suspect]
    prompts = np.array([side.prompts[i] for side, i in zip(sides, comparison.origin, strict=True)])
    for prompt in np.unique(prompts):
        assert len(set(comparison.design.block[prompts == prompt])) == 1
    assert comparison.design.n_blocks == len(set(prompts))


def test_prompts_of_unlike_sizes_give_as_many_rows_each() -> None:
    """Means of more rows vary less: blocks of two sizes, nested in the sides, would not be exchangeable."""
    suspect, reference = drawn("disjoint", n_prompts=40, rows_per_prompt=(4, 2))
    design = pair(suspect, reference).design
    assert set(np.bincount(design.block[design.used])) == {2}


def test_parts_are_relabelled_independently() -> None:
    """A part that drew from the same random numbers as another would go where that one goes."""
    design = pair(*drawn("mixed")).design
    paired, separate = design.parts
    together = design.contrasts(50, np.random.default_rng(0))
    for part, share, columns in (
        (paired, design.shares[0], together[:, : paired.n_blocks]),
        (separate, design.shares[1], together[:, paired.n_blocks :]),
    ):
        alone = np.float32(share) * part.contrasts(50, np.random.default_rng(0))
        assert np.array_equal(alone, columns) == (part is paired), "the first part alone starts the stream"
    assert separate.n_blocks == 2 * paired.n_blocks


def test_drawn_relabellings_of_two_parts_have_the_exact_variance() -> None:
    """The form's variance between parts supposes independent draws; here all of it lies between them."""
    design = pair(*drawn("mixed")).design
    n, first = design.n_blocks, design.parts[0].n_blocks
    kernel = np.zeros((n, n))
    kernel[:first, first:] = np.random.default_rng(0).standard_normal((first, n - first))
    kernel[:, first:] -= kernel[:, first:].mean(axis=1, keepdims=True)  # units of a separate part are centred
    kernel += kernel.T
    kernel[first:, first:] = 0
    relabellings = Relabellings.draw(design, 4000, np.random.default_rng(1))
    mean, sd = relabellings.moments(design.form_sums(kernel))
    forms = relabellings.quadratic(kernel)[1:]
    assert mean == pytest.approx(0, abs=1e-9)
    assert abs(forms.mean()) < 4 * sd / np.sqrt(len(forms))
    assert forms.std() == pytest.approx(sd, rel=0.06)


# ------------------------------------------------------------------------------------------------ all rows take part


@pytest.mark.parametrize("shared", [0, 1, 5, 19, 20, 21, 40])
def test_no_number_of_shared_prompts_leaves_rows_out(shared: int) -> None:
    """Choosing pairs alone from 20 shared prompts on took the power from .94 to nothing."""
    sides = [
        Corpus(
            tuple(f"{name} {i}" for i in range(60)),
            tuple(f"{'both' if i < shared else name} {i}" for i in range(60)),
            name=name,
        )
        for name in ("suspect", "reference")
    ]
    design = pair(*sides).design
    assert design.used.all()
    assert [part.n_blocks for part in design.parts] == [n for n in (shared, 2 * (60 - shared)) if n]


def test_a_few_shared_prompts_with_many_rows_are_paired() -> None:
    prompts = tuple(f"prompt {i % 12}" for i in range(480))
    sides = [Corpus(tuple(f"{name} {i}" for i in range(480)), prompts) for name in ("suspect", "reference")]
    design = pair(*sides).design
    assert (design.kind, design.n_pairs, design.n_blocks) == ("shared", 480, 12)


def test_one_prompt_of_one_row_does_not_cut_all_others_down() -> None:
    """Cut to the smallest prompt, 2 % of these rows would take part."""
    sizes = np.r_[1, np.full(39, 50)], np.r_[1, np.full(39, 60)]
    sides = []
    for name, counts in zip(("suspect", "reference"), sizes, strict=True):
        prompts = tuple(f"{name} {i}" for i, n in enumerate(counts) for _ in range(n))
        sides.append(Corpus(tuple(f"{name} row {i}" for i in range(len(prompts))), prompts, name=name))
    used = pair(*sides).design.used
    assert int(used.sum()) == 2 * 39 * 50


def test_rows_per_prompt_hold_the_most_information() -> None:
    rng = np.random.default_rng(0)
    suspect, reference = rng.integers(1, 120, 50), rng.integers(1, 40, 80)

    def worth(m: int) -> float:
        left = [int((sizes >= m).sum()) for sizes in (suspect, reference)]
        prompts = left[0] * left[1] / sum(left) if min(left) >= 2 else 0.0
        return prompts * m / (1 + (m - 1) * WITHIN_PROMPT)

    assert rows_per_prompt(suspect, reference) == max(range(1, 40), key=worth) > 1


# --------------------------------------------------------------------------------------------- what a prompt, a row is

SPACINGS: dict[str, Callable[[str], str]] = {
    "blank at the end": lambda text: f"{text} ",
    "line end": lambda text: f"{text}\r\n",
    "doubled blanks": lambda text: text.replace(" ", "  "),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
}


@pytest.mark.parametrize("spacing", SPACINGS)
def test_white_space_of_prompts_changes_nothing(spacing: str) -> None:
    suspect, reference = drawn("mixed")
    moved = replace(suspect, prompts=tuple(SPACINGS[spacing](str(prompt)) for prompt in suspect.prompts))
    plain, other = (pair(first, reference, seed=0).design for first in (suspect, moved))
    assert (other.n_pairs, other.n_blocks) == (plain.n_pairs, plain.n_blocks) == (20, 60)
    assert suspect.prompts != moved.prompts


@pytest.mark.parametrize("spacing", SPACINGS)
def test_white_space_hides_no_trained_row(spacing: str) -> None:
    rows = drawn("shared")[0]
    known = KnownRows.of(rows)
    moved = replace(rows, texts=tuple(SPACINGS[spacing](text) for text in rows.texts))
    assert known.among(moved).all()
    alone = Corpus(moved.texts)
    assert known.among(alone).all()
    assert not known.among(Corpus(tuple(f"{text}, 5" for text in rows.texts))).any()


# ------------------------------------------------------------------------------------------- what is blamed on prompts


def test_rows_that_differ_by_their_prompts_are_not_detected() -> None:
    """Each side echoes its prompts, which are of two kinds: the smallest p-value, and no detection."""
    rng = np.random.default_rng(0)
    sides = []
    for low, name in ((0, "suspect"), (500, "reference")):
        numbers = rng.integers(low, low + 500, (60, 5))
        rows = tuple(", ".join(map(str, row)) for row in numbers)
        sides.append(Corpus(rows, tuple(f"Repeat these: {row}" for row in rows), name=name))
    options: dict[str, Any] = {"ladder": False, "n_permutations": PERMUTATIONS, "features": FAMILIES}
    found = fingerprint.detect(*sides, **options)
    assert found.pvalue == 1 / 200
    assert found.prompt_control.differs
    assert not found.detected
    assert "prompts" in found.verdict
