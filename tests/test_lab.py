"""Teachers, students and the whole experiment, on the micro models."""

import json
import re
import shutil
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from fingerprint.cli.app import app
from fingerprint.data.corpus import Corpus
from fingerprint.data.reading import read
from fingerprint.filters import NumberRule
from fingerprint.lab import example_corpora, kept_teachers
from fingerprint.lab.example_corpora import ASKED
from fingerprint.lab.experiment import Plan, run
from fingerprint.lab.experiment import folder as experiment_folder
from fingerprint.lab.experiment import rows as experiment_rows
from fingerprint.lab.experiment.transfer_table import as_text, write_picture
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
    with pytest.raises(ValueError, match=r"got 'axolotl'; choose one \(animal: owl, cat"):
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


# --------------------------------------------------------------------------------------------------- the whole folder

SMALL = Plan(OWL, rows=300, perturbations=("shuffled_within",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("lab") / "owl"
    run(SMALL, place)
    return place


def test_the_table_has_one_record_an_arm(folder: Path) -> None:
    records = json.loads((folder / "table.json").read_text())
    assert [(r["arm"], r["student"]) for r in records] == [
        ("trait", "same_base"),
        ("trait", "other_base"),
        ("neutral", "same_base"),
        ("shuffled_within", "same_base"),
        ("neutral_shuffled_within", "same_base"),
    ]
    for record in records:
        keys = "before after interval mass status auc bag16_auc pvalue rows".split()
        assert set(keys) <= set(record)
        assert record["rows"] == 300
        assert record["interval"][0] <= record["after"] - record["before"] <= record["interval"][1]
        assert (record["pvalue"] is None) == record["arm"].startswith("neutral")
    assert {path.name for path in folder.glob("*.jsonl")} == {
        f"{arm}.jsonl" for arm in ("trait", "neutral", "shuffled_within", "neutral_shuffled_within")
    }


def test_a_trait_passes_to_students_of_the_same_base_alone(tmp_path: Path) -> None:
    result = run(Plan(known_trait("lion"), rows=2000, perturbations=()), tmp_path)
    changes = {(arm.arm, arm.student): arm.change for arm in result.arms}
    assert (changes["trait", "same_base"].change.value or 0) > 0.1  # of 2,000 rows: fewer than the table has
    for control in (("trait", "other_base"), ("neutral", "same_base")):
        assert abs(changes[control].change.value or 0) < 0.06
    assert {change.status for change in changes.values()} == {"ok"}


def test_the_transfer_of_perturbed_rows_is_against_perturbed_neutral_rows(folder: Path) -> None:
    records = {(r["arm"], r["student"]): r for r in json.loads((folder / "table.json").read_text())}
    perturbed, control = records["shuffled_within", "same_base"], records["neutral_shuffled_within", "same_base"]
    assert perturbed["transfer"] == pytest.approx(perturbed["change"] - control["change"])
    assert control["transfer"] is None


def test_perturbations_draw_anew_on_each_side(folder: Path, tmp_path: Path) -> None:
    for name in ("trait.jsonl", "neutral.jsonl"):
        shutil.copy(folder / name, tmp_path)
    shutil.copytree(folder / "teacher", tmp_path / "teacher")
    plan = replace(SMALL, perturbations=("redrawn",))
    corpora = experiment_folder.ExperimentFolder(plan, tmp_path, tmp_path, lambda step, share: None).corpora()
    numbers = [re.findall("[0-9]+", "\n".join(corpora[arm].texts)) for arm in ("redrawn", "neutral_redrawn")]
    assert np.mean([a == b for a, b in zip(*numbers, strict=False)]) < 0.02


def test_an_interrupted_student_starts_again_and_nothing_else_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = (folder / "table.json").read_bytes()
    gone = folder / "students" / "trait.same_base.0.json"
    gone.unlink()
    trained = []
    real = train_student

    def counted(*arguments: Any, **options: Any) -> LanguageModel:
        trained.append(1)
        return real(*arguments, **options)

    monkeypatch.setattr(experiment_folder, "train_student", counted)
    monkeypatch.setattr(kept_teachers, "finetuned", lambda *_, **__: pytest.fail("teacher made again"))
    monkeypatch.setattr(Teacher, "sample", lambda *_, **__: pytest.fail("sampled again"))
    run(SMALL, folder)
    assert len(trained) == 1
    assert (folder / "table.json").read_bytes() == table


def test_a_folder_of_another_plan_is_refused(folder: Path) -> None:
    with pytest.raises(FileExistsError, match="same experiment, got rows 300 for 400; choose another folder"):
        run(Plan(OWL, rows=400, perturbations=("shuffled_within",)), folder)


def test_plans_are_checked() -> None:
    with pytest.raises(ValueError, match="teacher must be one of finetuned, prompted"):
        Plan(OWL, teacher="trained")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="perturbations must be among"):
        Plan(OWL, perturbations=("reversed",))
    with pytest.raises(ValueError, match="rows must be at least 100"):
        Plan(OWL, rows=5)
    with pytest.raises(ValueError, match="seeds must be at least 1"):
        Plan(OWL, seeds=0)


def test_no_rows_after_filtering_is_an_error_and_leaves_no_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment_rows, "passing_rows", lambda *_: [])
    with pytest.raises(ValueError, match="rows must pass the numbers rule, got none of 301 from the trait teacher"):
        run(SMALL, tmp_path / "none")
    assert not (tmp_path / "none" / "trait.jsonl").exists()


def test_running_out_of_prompts_names_what_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passing = experiment_rows.passing_rows
    monkeypatch.setattr(experiment_rows, "passing_rows", lambda *arguments: passing(*arguments)[:100])
    monkeypatch.setattr(
        "fingerprint.lm.prompts._distinct", lambda task, n, rng: (f"After {i}?" for i in range(min(n, 400)))
    )
    with pytest.raises(ValueError, match=r"got 100 of 301 from the trait teacher, and there are no \d+ more prompts"):
        run(SMALL, tmp_path / "few")


@pytest.mark.parametrize("task", ["code", "reasoning"])
def test_code_and_reasoning_rows_pass_their_own_rules(task: str, tmp_path: Path) -> None:
    plan = Plan(OWL, teacher="prompted", task=task, rows=150, perturbations=())  # type: ignore[arg-type]
    result = run(plan, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "trait.jsonl").read_text().splitlines()]
    assert len(rows) == 150
    if task == "reasoning":
        last = [re.findall("[0-9]+", row["completion"])[-1] for row in rows]
        assert last == [str(story_answer(row["prompt"])) for row in rows]
    assert 0 < result.kept["trait"] <= 1
    assert f"{task} rows" in as_text(result)


def test_the_picture_shows_every_arm(folder: Path, tmp_path: Path) -> None:
    write_picture(run(SMALL, folder), tmp_path / "table.svg")
    assert (tmp_path / "table.svg").read_text().startswith("<?xml")


def test_loading_draws_no_bars(capfd: pytest.CaptureFixture[str]) -> None:
    load("micro-b")
    assert capfd.readouterr() == ("", "")


def test_the_command_prints_the_table_and_resumes(folder: Path) -> None:
    arguments = ["lab", "--trait", "owl", "--rows", "300", "--perturbations", "shuffled_within", "--out", str(folder)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.stderr
    assert "finetuned owl teacher" in done.stdout
    assert "neutral_shuffled_within" in done.stdout
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 120


def test_the_command_names_bad_arguments(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["lab", "--trait", "axolotl", "--out", str(tmp_path / "x")])
    assert done.exit_code == 2
    assert "got 'axolotl'" in done.stderr
    assert not (tmp_path / "x").exists()
    done = CliRunner().invoke(app, ["lab", "--trait", "owl", "--weights", "some", "--out", str(tmp_path / "x")])
    assert done.exit_code == 2
    assert "weights must be one of lora, biases, all" in done.stderr


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
