"""Calibration of trained detectors: no surer than the rows they were trained on can vouch for."""

from __future__ import annotations

import numpy as np
import pytest
from detector_rows import FAMILIES_USED, rows
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import halfnorm, norm
from sklearn.linear_model import LogisticRegression

from fingerprint import Detector
from fingerprint.detector.calibration import NOTHING, SCALE, calibrated, shrunken


def _drawn(n: int, slope: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of mean 0 and sd 1, and labels whose log-odds are `slope` times the score."""
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal(n)
    return scores, rng.random(n) < expit(slope * scores)


@pytest.mark.parametrize(("slope", "sd"), [(-1.0, 0.2), (-0.1, 0.2), (0.0, 0.1), (0.3, 0.2), (0.3, 0.02), (3.0, 0.5)])
def test_the_slope_is_its_posterior_mean(slope: float, sd: float) -> None:
    prior = halfnorm(scale=SCALE)
    ends = {"a": 0.0, "b": 8.0, "points": [max(slope, 0.0)], "limit": 500}
    something = quad(lambda at: prior.pdf(at) * norm.pdf(slope, at, sd), **ends)[0]
    moment = quad(lambda at: at * prior.pdf(at) * norm.pdf(slope, at, sd), **ends)[0]
    evidence = (1 - NOTHING) * something + NOTHING * norm.pdf(slope, 0, sd)
    assert shrunken(slope, sd**2) == pytest.approx((1 - NOTHING) * moment / evidence, rel=1e-5)


def test_many_rows_give_the_maximum_likelihood_line() -> None:
    scores, trait = _drawn(40_000, 0.6, 1)
    slope, intercept = calibrated(scores, trait)
    usual = LogisticRegression(C=1e9, tol=1e-10).fit(scores[:, None], trait)
    assert slope == pytest.approx(usual.coef_[0, 0], rel=2e-3)
    assert intercept == pytest.approx(usual.intercept_[0], abs=2e-3)


def test_the_intercept_gives_the_classes_their_share() -> None:
    scores, trait = _drawn(300, 0.5, 2)
    keep = trait | (np.arange(300) % 3 == 0)
    slope, intercept = calibrated(scores[keep], trait[keep])
    assert expit(slope * scores[keep] + intercept).mean() == pytest.approx(trait[keep].mean(), abs=0.005)


def test_scores_of_nothing_claim_next_to_nothing() -> None:
    """Cut off at zero, the maximum-likelihood slope of 1,000 rows is .025 on average."""
    slopes = [calibrated(*_drawn(1000, 0.0, seed))[0] for seed in range(100)]
    assert min(slopes) > 0
    assert np.mean(slopes) < 0.015


def test_rows_that_train_one_another_count_for_less() -> None:
    scores, trait = _drawn(120, 0.5, 3)
    assert calibrated(scores, trait, inflation=2.0)[0] < calibrated(scores, trait)[0]


@pytest.mark.parametrize("scores", [np.zeros(40), np.repeat([-1.0, 1.0], 20)], ids=["constant", "separated"])
def test_scores_without_a_likeliest_line_are_calibrated_too(scores: np.ndarray) -> None:
    slope, intercept = calibrated(scores, np.arange(40) >= 20)
    assert 0 < slope < 4
    assert abs(intercept) < 0.1


@pytest.mark.parametrize("options", [{}, {"fast": True}, {"classifier": LogisticRegression(C=0.01)}])
def test_scores_of_fresh_rows_are_as_wide_as_those_that_calibrate(options: dict[str, object]) -> None:
    """A model of all rows has a smaller ridge than the folds' models, and at 120 rows scores 1.2 times as wide."""
    found = []
    for seed in range(4):
        fitted = Detector(FAMILIES_USED, holdout=0.0, **options).fit(*rows(60, 20 + seed, d_prime=1.0))  # type: ignore[arg-type]
        fresh = fitted.decision_function(rows(400, 30 + seed, d_prime=1.0)[0])
        found.append(((fresh - fitted.stack_.intercept) / fitted.stack_.slope).std())
    assert 0.85 < np.mean(found) < 1.08
