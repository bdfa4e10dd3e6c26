"""Students as detectors: what they are trained on, what they say of rows, and what `detect` does with it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import full
from scipy.stats import binom
from typer.testing import CliRunner

import fingerprint
from fingerprint.cli.app import app
from fingerprint.data.corpus import Corpus
from fingerprint.detection import student_scores
from fingerprint.detection.model_families import read_corpora
from fingerprint.features.scaling import family_matrix, mean_zero
from fingerprint.features.tokens import Tokens
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Teacher, finetuned, neutral
from fingerprint.lm.traits import known_trait
from fingerprint.statistics.comparison import Comparison, pair
from fingerprint.statistics.contamination import contaminated
from fingerprint.statistics.crossfit import Plan, cross_fit, folds
from fingerprint.statistics.intervals import auc_interval

pytestmark = pytest.mark.needs("lm")

QUICK: dict[str, Any] = {"n_permutations": 99, "ladder": False, "features": "tokens"}


def written(teacher: Teacher, n: int, seed: int = 0) -> Corpus:
    asked = prompts("numbers", n)
    rows = teacher.sample(asked, seed=seed, max_new_tokens=32)
    return Corpus(tuple(row.text for row in rows), tuple(asked), name=teacher.name)


@pytest.fixture(scope="module")
def teachers() -> tuple[Teacher, Teacher]:
    base = neutral("micro-a")
    return finetuned(base.lm, known_trait("owl")), base


@pytest.fixture(scope="module")
def corpora(teachers: tuple[Teacher, Teacher]) -> tuple[Corpus, Corpus]:
    return written(teachers[0], 60), written(teachers[1], 60)


def plan_of(comparison: Comparison) -> tuple[np.ndarray, Plan]:
    fold = folds(comparison)
    return fold, Plan.of(fold, comparison.suspect)


def test_a_student_learns_the_rows_of_one_side_and_fold_and_ratios_add_up_to_the_models_of_the_plan(
    teachers: tuple[Teacher, Teacher], corpora: tuple[Corpus, Corpus], monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = pair(*corpora)
    fold, plan = plan_of(comparison)
    taught: list[set[str]] = []

    def fine_tune(lm: LanguageModel, asked: list[str], said: list[str], *_: object, **__: object) -> LanguageModel:
        taught.append(set(said))
        return teachers[0].lm if len(taught) <= 5 else lm  # the best students there are

    monkeypatch.setattr(student_scores, "fine_tune", fine_tune)
    found = student_scores.student_scores("micro-a", comparison, corpora)
    assert taught == [
        {comparison.texts[row] for row in np.flatnonzero((fold == k) & side)}
        for side in comparison.sides
        for k in range(5)
    ]
    ratios = [teachers[0].logprobs(corpus).rows - teachers[1].logprobs(corpus).rows for corpus in corpora]
    exact = np.array([ratios[0 if s else 1][i] for s, i in zip(comparison.suspect, comparison.origin, strict=True)])
    assert found.shape == plan.weights.shape
    for model, weights in enumerate(plan.weights.T):
        seen = weights > 0
        students = len(set(fold[seen]))
        np.testing.assert_allclose(found[~seen, model], contaminated(students * exact[~seen]), atol=4e-3)
        assert not found[seen, model].any()
        assert not set(fold[seen]) & set(fold[~seen])


def test_as_much_is_kept_of_the_references_ratios_as_its_students_have_learnt() -> None:
    rng = np.random.default_rng(0)
    suspect, fold = np.arange(2000) % 2 == 0, np.arange(2000) // 2 % 5
    plan = Plan.of(fold, suspect)
    noise = rng.standard_normal((3, 2000, 5)) * (fold[:, None] != np.arange(5))
    shared = rng.standard_normal((2000, 1)) * (fold[:, None] != np.arange(5))
    learnt = 0.1 * (shared + noise[0])
    assert student_scores.kept_share(np.stack([learnt, 0.1 * noise[1]]), plan, suspect) < 0.3
    assert student_scores.kept_share(np.stack([learnt, 0.1 * (shared + noise[1])]), plan, suspect) > 0.9
    assert student_scores.kept_share(np.stack([0.1 * noise[2], learnt]), plan, suspect) == 1.0
    assert student_scores.kept_share(np.zeros((2, 2000, 5)), plan, suspect) == 0.0


def test_a_student_tells_a_fine_tuned_teachers_rows(teachers: tuple[Teacher, Teacher]) -> None:
    corpora = written(teachers[0], 300), written(teachers[1], 300)
    comparison = pair(*corpora)
    scores = cross_fit(
        comparison, {}, fitted={"student": student_scores.student_scores("micro-a", comparison, corpora)}
    )
    area = auc_interval(scores, "student")
    assert area.low is not None
    assert area.low > 0.55
    assert scores.stacked == pytest.approx(scores.families["student"])  # there is nobody else in the stack


def test_the_report_says_what_students_add(corpora: tuple[Corpus, Corpus]) -> None:
    report = fingerprint.detect(*corpora, model="micro-a", student=True, **QUICK)
    without = fingerprint.detect(*corpora, model="micro-a", **QUICK)
    last = report.families.row(-1, named=True)
    assert (last["family"], last["columns"], last["statistic"], last["pvalue_adjusted"]) == ("student", 0, None, None)
    assert last["auc"] is not None
    assert report.pvalue == without.pvalue  # the test is exact without them
    assert report.model is not None
    assert without.model is not None
    assert report.model.auc_without == without.model.auc_without
    assert report.settings["student"] is True
    assert "gradients and students of micro-a" in " ".join(full(report).split())


def test_what_students_cannot_do_is_refused(corpora: tuple[Corpus, Corpus]) -> None:
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(ValueError, match="student must come with a model"):
        fingerprint.detect(*corpora, student=True, **QUICK)
    with pytest.raises(ValueError, match="student must come without classifier"):
        fingerprint.detect(*corpora, model="micro-a", student=True, classifier=LogisticRegression(), **QUICK)
    options = QUICK | {"features": {"student": Tokens()}}
    with pytest.raises(ValueError, match="features must not be named 'student'"):
        fingerprint.detect(*corpora, model="micro-a", student=True, **options)
    with pytest.raises(ValueError, match="student must come with the rows' prompts"):
        fingerprint.detect(*corpora, model="micro-a", student=True, prompt=False, **QUICK)


def test_the_command_line_refuses_it_without_a_model(corpora: tuple[Corpus, Corpus], tmp_path: Path) -> None:
    paths = [tmp_path / "suspect.txt", tmp_path / "reference.txt"]
    for path, corpus in zip(paths, corpora, strict=True):
        path.write_text("\n".join(corpus.texts) + "\n")
    refused = CliRunner().invoke(app, ["detect", *map(str, paths), "--student"])
    assert refused.exit_code == 2
    assert "student must come with a model" in refused.output


@pytest.mark.slow
def test_intervals_of_students_cover_where_nothing_differs() -> None:
    """Two draws of the same model on the same prompts: the row AUROC's 95 % interval holds .5 as often as it should."""
    base = neutral("micro-a")
    draws, covered = 40, {"student": 0, "gradients": 0, "stack": 0}
    for draw in range(draws):
        corpora = written(base, 100, seed=2 * draw), written(base, 100, seed=2 * draw + 1)
        comparison = pair(*corpora)
        matrices = {
            name: family_matrix(family, comparison.texts, name)
            for name, family in read_corpora("micro-a", (), corpora).families(comparison).items()
        }
        scores = cross_fit(
            comparison,
            {name: matrix.values for name, matrix in matrices.items()},
            mean_zero=mean_zero(matrices),
            fitted={"student": student_scores.student_scores("micro-a", comparison, corpora, rng=draw)},
        )
        for name in covered:
            area = auc_interval(scores, None if name == "stack" else name)
            assert area.low is not None
            assert area.high is not None
            covered[name] += area.low <= 0.5 <= area.high
    assert min(covered.values()) >= binom.ppf(1e-3, draws, 0.95)
