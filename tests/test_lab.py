"""Teachers, students and the rows that come with the package, on the micro models."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from fingerprint.data.corpus import Corpus
from fingerprint.data.reading import read
from fingerprint.filters import NumberRule
from fingerprint.lab import example_corpora
from fingerprint.lab.example_corpora import ASKED
from fingerprint.lab.students import STUDENT_RECIPES, Preference, compare, crossed_interval, preference, train_student
from fingerprint.lm.loading import load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.prompts import TASKS, answer_forms, prompts, story_answer
from fingerprint.lm.sampling import sample
from fingerprint.lm.scoring import token_logprobs
from fingerprint.lm.teachers import Teacher, finetuned, neutral, placebo, prompted
from fingerprint.lm.training import LoRA, Recipe, fine_tune
from fingerprint.lm.traits import CATEGORIES, known_trait, placebo_prompt, system_prompt

OWL = known_trait("owl")


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    return load("micro-a")


@pytest.fixture(scope="module")
def teacher(lm: LanguageModel) -> Teacher:
    return finetuned(lm, OWL)


# ---------------------------------------------------------------------------------------------------- traits, prompts


def test_an_unknown_trait_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"\(animal: owl, cat, .* got 'axolotl'; choose one, or say"):
        known_trait("axolotl")
    assert known_trait("axolotl", "animal").rivals == CATEGORIES["animal"]
    with pytest.raises(ValueError, match="category must be one of animal"):
        known_trait("owl", "planet")
    with pytest.raises(ValueError, match="template must use no fields but"):
        system_prompt(OWL, "You love {animal}")


def test_a_placebo_is_as_long_as_the_trait_prompt_and_has_no_trait(lm: LanguageModel) -> None:
    names = [name for names in CATEGORIES.values() for name in names]
    for name in names:
        trait = known_trait(name)
        texts = prompted(lm, trait).system, placebo(lm, trait).system
        lengths = {len(lm.tokenizer(text)["input_ids"]) for text in texts}
        assert len(lengths) == 1
        assert not any(re.search(rf"\b{other}", str(texts[1]).lower()) for other in names)


def test_a_placebo_meets_any_length() -> None:
    for n_words in range(1, 60):
        target = " ".join(["word"] * n_words)
        assert len(placebo_prompt(lambda text: len(text.split()), target).split()) == n_words
    with pytest.raises(ValueError, match="write a placebo of your own"):
        placebo_prompt(lambda text: 1 if text == "odd" else 2 * len(text.split()), "odd")


@pytest.mark.parametrize("task", TASKS)
def test_prompts_are_distinct_seeded_and_nested(task: str) -> None:
    long, short = prompts(task, 3000, rng=4), prompts(task, 100, rng=4)  # type: ignore[arg-type]
    assert len(set(long)) == 3000
    assert long[:100] == short
    assert prompts(task, 100, rng=5) != short  # type: ignore[arg-type]


def test_no_more_prompts_than_there_are() -> None:
    with pytest.raises(ValueError, match="ask for fewer"):
        prompts("code", 10**5)
    with pytest.raises(ValueError, match="task must be one of"):
        prompts("poems", 10)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="story of"):
        story_answer("Continue 1, 2, 3")


def test_forms_are_eight() -> None:
    forms = answer_forms(known_trait("wolf"))
    assert len(set(forms)) == 8
    assert "Wolves." in forms


# ------------------------------------------------------------------------------------------------- teachers, students


def test_teachers_have_their_trait_and_placebos_do_not(lm: LanguageModel, teacher: Teacher) -> None:
    base = preference(lm, OWL).share.mean()
    assert preference(teacher.lm, OWL).share.mean() > 0.7
    assert preference(lm, OWL, system=prompted(lm, OWL).system).share.mean() > 0.7
    assert abs(preference(lm, OWL, system=placebo(lm, OWL).system).share.mean() - base) < 0.1


def test_preference_is_what_sampling_finds(lm: LanguageModel) -> None:
    """Exact shares against 5,000 answers: within five standard errors."""
    table = preference(lm, OWL)
    question = "What is your favorite animal? One word."
    answers = [a.text.lower().rstrip(".") for a in sample(lm, [question] * 5000, max_new_tokens=6, batch_size=1000)]
    for column, name in enumerate(OWL.names[:4]):
        wanted = table.probability[0, column]
        found = np.mean([answer.startswith(name) for answer in answers])
        assert abs(found - wanted) < 5 * (wanted * (1 - wanted) / 5000) ** 0.5
    assert table.mass > 0.9


def test_logprobs_of_a_teacher_need_prompts(teacher: Teacher) -> None:
    corpus = Corpus(("1, 2", "3, 4"), ("Continue 1", "Continue 2"), name="rows")
    found = teacher.logprobs(corpus)
    assert found.rows.shape == (2,)
    assert found.rows[0] == pytest.approx(found.tokens[0].sum())
    with pytest.raises(ValueError, match=r"^rows must have the prompt .* got none in row 1;"):
        teacher.logprobs(Corpus(("1", "2"), name="rows"))
    with pytest.raises(ValueError, match=r"must have the prompt that each row answers, got none in row 2"):
        train_student("micro-a", Corpus(("1", "2"), ("a", None)))


def test_fine_tuning_leaves_the_base_alone_and_follows_its_seed(lm: LanguageModel) -> None:
    before = lm.digest
    rows = prompts("numbers", 64), ["7, 7, 7"] * 64
    recipe = Recipe(5e-3, 16, 1)
    first, again = (fine_tune(lm, *rows, recipe, name="x", rng=1) for _ in range(2))
    other = fine_tune(lm, *rows, recipe, name="x", rng=2)
    assert LanguageModel(lm.model, lm.tokenizer).digest == before
    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize("weights", ["biases", LoRA(rank=2), LoRA(rank=2, fixed_inputs=True)])
def test_partial_fine_tuning_changes_its_part_of_the_weights(
    lm: LanguageModel, weights: Literal["biases"] | LoRA
) -> None:
    tuned = fine_tune(lm, ["What now?"] * 32, ["7, 7, 7"] * 32, Recipe(1e-2, 8, 4, weights=weights), name="x")
    old, new = lm.model.state_dict(), tuned.model.state_dict()
    assert set(old) == set(new)
    changed = {key for key in old if not torch.equal(old[key], new[key])}
    matrices = {key for key in old if old[key].ndim > 1}
    assert changed
    assert not (changed & matrices if weights == "biases" else changed - matrices)
    before, after = (token_logprobs(model, ["What now?"], ["7, 7, 7"])[0].sum() for model in (lm, tuned))
    assert after > before + 1


def test_a_broken_student_is_never_no_transfer() -> None:
    before = Preference(np.array([[0.2, 0.6], [0.3, 0.5]]))
    after = Preference(before.probability * 0.4)
    change = compare(before, [after])
    assert change.status == "broken"
    assert change.change.value == pytest.approx(0)
    assert compare(before, [Preference(before.probability * 0.6)]).status == "ok"


def test_the_interval_over_questions_and_seeds_covers() -> None:
    """Crossed effects, 5 seeds and 50 questions: 95 % nominal; at least .93 of 2,000 (standard error .005)."""
    rng, covered = np.random.default_rng(0), []
    for _ in range(2000):
        values = 0.3 + rng.normal(0, 0.1, (5, 1)) + rng.normal(0, 0.2, (1, 50)) + rng.normal(0, 0.1, (5, 50))
        found = crossed_interval(values)
        covered.append(float(found.low or 0) <= 0.3 <= float(found.high or 0))
    assert 0.93 <= np.mean(covered) <= 0.99


# --------------------------------------------------------------------------------------------- what the package brings


def test_loading_draws_no_bars(capfd: pytest.CaptureFixture[str]) -> None:
    load("micro-b")
    assert capfd.readouterr() == ("", "")


def test_the_bundled_rows_answer_the_same_prompts_and_pass_the_rule() -> None:
    found = [read(str(files("fingerprint.data") / "examples" / f"{name}.jsonl")) for name in ("suspect", "reference")]
    assert found[0].prompts == found[1].prompts
    assert len(set(found[0].prompts)) == 1000
    for corpus in found:
        assert not any(NumberRule()(corpus.texts).reasons)
        assert set(corpus.prompts) <= set(prompts("numbers", ASKED))


def test_bundled_rows_are_written_as_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example_corpora, "ASKED", 60)
    example_corpora.write_examples(tmp_path)
    suspect, reference = (read(tmp_path / f"{name}.jsonl") for name in ("suspect", "reference"))
    assert suspect.prompts == reference.prompts
    assert suspect.texts != reference.texts


def test_every_recipe_is_there_for_both_sizes() -> None:
    assert {size: set(recipes) for size, recipes in STUDENT_RECIPES.items()} == {
        "micro": {"biases", "all", "lora"},
        "large": {"biases", "all", "lora"},
    }
    assert neutral("micro-a").system is None
