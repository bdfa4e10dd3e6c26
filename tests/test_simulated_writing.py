"""Simulated teachers of code and worked answers: choices that all show, exact ratios, and the designs of others."""

from __future__ import annotations

import numpy as np
import pytest

from fingerprint.lab.simulated import simulated_pair
from fingerprint.lab.simulated.choices import CHOICES, choice_teacher, named, parts_of
from fingerprint.lab.simulated.requests import band_effects
from fingerprint.lab.simulated.vocabulary import Kind
from fingerprint.lab.simulated.written_answers import answer_task, answer_text
from fingerprint.lab.simulated.written_code import code_task, code_text

WRITTEN: tuple[Kind, ...] = ("code", "reasoning")


@pytest.mark.parametrize("kind", WRITTEN)
def test_every_choice_shows_in_the_text_so_that_the_ratio_is_that_of_the_text(kind: Kind) -> None:
    task, text = (code_task, code_text) if kind == "code" else (answer_task, answer_text)
    rng = np.random.default_rng(0)
    sizes = [len(options) for _, _, options in CHOICES[kind]]
    for task_drawn in task(rng, 20):
        row = [int(rng.integers(size)) for size in sizes]
        variants = [row]
        for place, size in enumerate(sizes):
            variants += [[*row[:place], other, *row[place + 1 :]] for other in range(size) if other != row[place]]
        assert len({text(task_drawn, named(kind, variant)) for variant in variants}) == len(variants)


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("effect", [0.0, 1.0])
def test_ratios_of_choices_are_means_of_probabilities(kind: Kind, effect: float) -> None:
    effects = band_effects(np.array([[0.3, 2.0, 5.0]]), effect)
    trait, base = choice_teacher(kind, "dense", 0.7, 0, effects), choice_teacher(kind, "none", 0.0, 0, effects)
    for log in (*trait.logs, *base.logs):
        assert np.exp(log).sum(axis=1) == pytest.approx(1.0)
    rows = base.draw(np.zeros(20_000, dtype=np.int64), np.random.default_rng(1))
    llr = trait.log_likelihood(rows, rows[:, 0] * 0) - base.log_likelihood(rows, rows[:, 0] * 0)
    assert np.exp(llr).mean() == pytest.approx(1.0, abs=5 * np.exp(llr).std() / np.sqrt(len(llr)))


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_trait_of_one_part_leaves_all_other_choices_alone(kind: Kind) -> None:
    effects = np.zeros((1, 10))
    base = choice_teacher(kind, "none", 0.0, 0, effects)
    for part in parts_of(kind):
        trait = choice_teacher(kind, part, 0.5, 3, effects)
        moved = {p for (_, p, _), t, b in zip(CHOICES[kind], trait.logs, base.logs, strict=True) if (t != b).any()}
        assert moved == {part}


@pytest.mark.parametrize("kind", WRITTEN)
def test_written_rows_are_as_far_apart_as_asked_and_have_the_designs_of_the_others(kind: Kind) -> None:
    shared = simulated_pair(2000, kind=kind, tilt="dense", d_prime=1.0, rng=2)
    assert shared.d_prime == pytest.approx(1.0, abs=0.15)  # sd .04
    assert shared.suspect.prompts == shared.reference.prompts
    disjoint = simulated_pair(30, kind=kind, design="disjoint", n_reference=20, rows_per_prompt=2, rng=2)
    assert not set(disjoint.suspect.prompts) & set(disjoint.reference.prompts)
    assert (len(disjoint.suspect), len(disjoint.reference)) == (60, 40)
    assert simulated_pair(5, kind=kind, design="independent", rng=2).suspect.prompts == (None,) * 5
    null = simulated_pair(30, kind=kind, prompt_effect=1.0, rng=2)
    assert not null.llr_suspect.any()
    with pytest.raises(ValueError, match=f"stock_share must be 0 with kind='{kind}'"):
        simulated_pair(5, kind=kind, stock_share=0.1)
    with pytest.raises(ValueError, match="tilt must be one of none, dense, "):
        simulated_pair(5, kind=kind, tilt="sparse")
