"""How hard rows are for a model: what that alone tells of the sides, and what scores tell beyond it."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import full

import fingerprint
from fingerprint.data.corpus import Corpus
from fingerprint.detection.hardness import VISIBLE, hardness_warnings
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Teacher, finetuned, neutral
from fingerprint.report.results import Hardness
from fingerprint.statistics.auc import Arms
from fingerprint.statistics.crossfit import Scores
from fingerprint.statistics.intervals import Estimate, auc_interval
from fingerprint.statistics.residuals import beyond, curves


def drawn(n: int, hardness_moves: float, trait_moves: float) -> tuple[Scores, np.ndarray]:
    """Scores of rows whose sides differ in hardness, and by a trait, that many standard deviations."""
    rng = np.random.default_rng(3)
    suspect = np.arange(2 * n) < n
    hard = rng.standard_normal(2 * n) + hardness_moves * suspect
    score = hard + 0.3 * hard**2 + (rng.standard_normal(2 * n) + trait_moves * suspect)
    return Scores.fixed(Arms(suspect, np.arange(2 * n), np.arange(2 * n) % 5), score), np.exp(hard)[:, None]


def test_scores_that_know_hardness_alone_tell_nothing_beyond_it() -> None:
    scores, covariate = drawn(4000, 1.0, 0.0)
    before, after = auc_interval(scores), auc_interval(beyond(scores, curves(covariate)))
    assert before.low is not None
    assert before.low > 0.6
    assert after.value == pytest.approx(0.5, abs=0.02)


def test_a_trait_that_goes_along_with_nothing_is_left_as_it_was() -> None:
    scores, covariate = drawn(4000, 0.0, 0.7)
    before, after = auc_interval(scores), auc_interval(beyond(scores, curves(covariate)))
    assert before.value is not None
    assert after.value is not None
    assert after.value > before.value - 0.005  # the noise that hardness made is gone


def test_normal_scores_share_ties_and_do_not_see_the_scale() -> None:
    values = np.array([[3.0], [1.0], [3.0], [1e9]])
    columns = curves(values)
    np.testing.assert_array_equal(columns, curves(np.log(values)))
    assert columns[0, 0] == columns[2, 0]
    np.testing.assert_allclose(columns, columns[:, :1] ** [1, 2, 3])
    assert columns[:, 0].argsort(kind="stable").tolist() == [1, 0, 2, 3]


def test_the_warning_asks_for_visible_hardness_a_sure_difference_and_nothing_left() -> None:
    found = Hardness(Estimate(0.56, 0.52, 0.6), Estimate(0.51, 0.48, 0.54))
    (warning,) = hardness_warnings(found, 0.001)
    assert (warning.code, warning.value, warning.threshold) == ("hardness_alone", 0.56, VISIBLE)
    assert not hardness_warnings(found, 0.02)
    assert not hardness_warnings(replace(found, alone=Estimate(0.54, 0.52, 0.56)), 0.001)
    assert not hardness_warnings(replace(found, alone=Estimate(0.56, 0.49, 0.63)), 0.001)
    assert not hardness_warnings(replace(found, beyond=Estimate(0.55, 0.51, 0.59)), 0.001)
    assert not hardness_warnings(Hardness(Estimate(None), Estimate(None)), 0.001)


def written(teacher: Teacher, n: int, temperature: float = 1.0) -> Corpus:
    asked = prompts("numbers", n)
    rows = teacher.sample(asked, seed=int(10 * temperature), max_new_tokens=32, temperature=temperature)
    return Corpus(tuple(row.text for row in rows), tuple(asked), name=teacher.name)


def reported(suspect: Corpus, reference: Corpus) -> fingerprint.Report:
    return fingerprint.detect(suspect, reference, model="micro-a", features="layout", ladder=False, n_permutations=199)


@pytest.mark.needs("lm")
def test_rows_of_another_temperature_are_called_hard_and_nothing_more() -> None:
    base = neutral("micro-a")
    report = reported(written(base, 300, 0.7), written(base, 300))
    assert report.detected
    assert report.model is not None
    found = report.model.hardness
    assert found.alone.low is not None
    assert found.alone.low > VISIBLE
    assert found.beyond.low is not None
    assert found.beyond.low <= 0.5
    assert "hardness_alone" in {warning.code for warning in report.warnings}
    assert "How hard rows are for it alone" in " ".join(full(report).split())


@pytest.mark.needs("lm")
def test_a_trait_stands_out_beyond_hardness() -> None:
    base = neutral("micro-a")
    report = reported(written(finetuned(base.lm, "owl"), 300), written(base, 300))
    assert report.model is not None
    found = report.model.hardness
    assert found.beyond.low is not None
    assert found.beyond.low > 0.5
    assert "hardness_alone" not in {warning.code for warning in report.warnings}
