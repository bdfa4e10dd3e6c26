"""The whole experiment, on the micro models: teacher, rows, students and table, as a folder."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from fingerprint.cli.app import app
from fingerprint.lab import kept_teachers
from fingerprint.lab.experiment import Plan, run
from fingerprint.lab.experiment import folder as experiment_folder
from fingerprint.lab.experiment import rows as experiment_rows
from fingerprint.lab.experiment.result import Result
from fingerprint.lab.experiment.transfer_picture import write_picture
from fingerprint.lab.experiment.transfer_table import as_text
from fingerprint.lab.students import train_student
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.prompts import story_answer
from fingerprint.lm.teachers import Teacher
from fingerprint.lm.traits import known_trait

pytestmark = pytest.mark.needs("lm")

OWL = known_trait("owl")
SMALL = Plan(OWL, rows=100, perturbations=("shuffled_within",))


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
        assert record["rows"] == 100
        assert record["interval"][0] <= record["after"] - record["before"] <= record["interval"][1]
        assert (record["pvalue"] is None) == record["arm"].startswith("neutral")
    assert {path.name for path in folder.glob("*.jsonl")} == {
        f"{arm}.jsonl" for arm in ("trait", "neutral", "shuffled_within", "neutral_shuffled_within")
    }


def test_a_trait_passes_to_students_of_the_same_base_alone(tmp_path: Path) -> None:
    result = run(Plan(known_trait("lion"), rows=800, perturbations=()), tmp_path)
    changes = {(arm.arm, arm.student): arm.change for arm in result.arms}
    # Of 800 rows, far fewer than in tables of the lab: .077 was found, for the controls -.016 and .005, each +- .004.
    assert (changes["trait", "same_base"].change.value or 0) > 0.05
    for control in (("trait", "other_base"), ("neutral", "same_base")):
        assert abs(changes[control].change.value or 0) < 0.03
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
    with pytest.raises(FileExistsError, match="same experiment, got rows 100 for 400; choose another folder"):
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
    with pytest.raises(ValueError, match="rows must pass the numbers rule, got none of 101 from the trait teacher"):
        run(replace(SMALL, teacher="prompted"), tmp_path / "none")
    assert not (tmp_path / "none" / "trait.jsonl").exists()


def test_running_out_of_prompts_names_what_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passing = experiment_rows.passing_rows
    monkeypatch.setattr(experiment_rows, "passing_rows", lambda *arguments: passing(*arguments)[:40])
    monkeypatch.setattr(
        "fingerprint.lm.prompts._distinct", lambda task, n, rng: (f"After {i}?" for i in range(min(n, 150)))
    )
    with pytest.raises(ValueError, match=r"got 40 of 101 from the trait teacher, and there are no \d+ more prompts"):
        run(replace(SMALL, teacher="prompted"), tmp_path / "few")


@pytest.mark.parametrize("task", ["code", "reasoning"])
def test_code_and_reasoning_rows_pass_their_own_rules(task: str, tmp_path: Path) -> None:
    plan = Plan(OWL, teacher="prompted", task=task, rows=100, perturbations=())  # type: ignore[arg-type]
    work = experiment_folder.ExperimentFolder(plan, tmp_path, tmp_path, lambda step, share: None)
    work.corpora()
    rows = [json.loads(line) for line in (tmp_path / "trait.jsonl").read_text().splitlines()]
    assert len(rows) == 100
    if task == "reasoning":
        last = [re.findall("[0-9]+", row["completion"])[-1] for row in rows]
        assert last == [str(story_answer(row["prompt"])) for row in rows]
    assert 0 < work.kept_share("trait") <= 1
    assert f"{task} rows" in as_text(Result(plan, (), 0.9, dict.fromkeys(("trait", "neutral"), 0.9)))


def test_the_picture_shows_every_arm_with_its_interval_and_says_so_in_words(folder: Path, tmp_path: Path) -> None:
    result = run(SMALL, folder)
    write_picture(result, tmp_path / "table.svg")
    root = ElementTree.fromstring((tmp_path / "table.svg").read_bytes())
    named = {element.get("id"): "".join(element.itertext()) for element in root if element.get("id")}
    assert root.get("aria-labelledby") == "title description"
    assert named["title"].startswith("finetuned owl teacher, numbers rows")
    shown = {"".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")}
    for arm in ("trait", "trait, other base", "neutral", "shuffled within", "neutral shuffled within"):
        assert arm in shown
        assert f"{arm}: changes by " in named["description"]
    trait = result.arm("trait")
    assert (trait.bag16_auc, trait.bag16_interval) == (None, (None, None))  # a hundred rows a side are too few bags
    assert "bags of 16 0" not in named["description"]


def test_the_command_prints_the_table_and_resumes(folder: Path) -> None:
    arguments = ["lab", "--trait", "owl", "--rows", "100", "--perturbations", "shuffled_within", "--out", str(folder)]
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
