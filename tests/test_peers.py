"""The peers of `benchmarks/power.py` do what their names say, and the benchmark runs from files to exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import peers
import power
import power_draws
import power_rates
import pytest
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from fingerprint.data.corpus import Corpus
from fingerprint.lab.simulated import simulated_pair

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def some_signs(rng: np.random.Generator, relabellings: int, n: int) -> np.ndarray:
    """The observed labelling and some random swaps."""
    signs = rng.choice([-1.0, 1.0], size=(relabellings + 1, n))
    signs[0] = 1.0
    return signs


def swapped(values: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Rows after the swaps, done by hand."""
    n = len(signs)
    sides = values[:n], values[n:]
    return np.vstack([np.where(signs[:, None] > 0, *sides), np.where(signs[:, None] > 0, *sides[::-1])])


def scikit_learn(values: np.ndarray, labels: np.ndarray, C: float) -> LogisticRegression:
    return LogisticRegression(C=C, tol=1e-10, max_iter=100_000).fit(values, labels)


# -------------------------------------------------------------------------------------------------- logistic regression


@pytest.mark.parametrize(("rows", "columns", "C"), [(60, 20, 1.0), (60, 150, 1.0), (80, 200, 0.01), (40, 100, 50.0)])
def test_fitted_weights_are_scikit_learns(rng: np.random.Generator, rows: int, columns: int, C: float) -> None:
    values = rng.standard_normal((rows, columns)) * rng.uniform(0.2, 2.0, columns)
    labels = rng.integers(0, 2, (rows, 5)).astype(float)
    fit = peers.fit_logistic(values, labels, C)
    for j in range(labels.shape[1]):
        theirs = scikit_learn(values, labels[:, j], C)
        np.testing.assert_allclose(fit.weights[:, j], theirs.coef_[0], atol=1e-4 * np.abs(theirs.coef_).max())
        assert fit.intercepts[j] == pytest.approx(theirs.intercept_[0], abs=1e-4)


def test_separable_rows_are_fitted_too(rng: np.random.Generator) -> None:
    values = np.r_[rng.uniform(1, 2, 20), rng.uniform(-2, -1, 20)][:, None]
    labels = np.repeat([1.0, 0.0], 20)
    fit = peers.fit_logistic(values, labels[:, None], C=1e4)
    assert fit.weights[0, 0] == pytest.approx(scikit_learn(values, labels, 1e4).coef_[0, 0], rel=1e-4)


def test_logistic_statistic_is_the_least_penalised_loss_of_the_swapped_rows(rng: np.random.Generator) -> None:
    values, signs, C = rng.standard_normal((40, 60)), some_signs(rng, 3, 20), 0.5
    labels = np.repeat([1.0, 0.0], 20)
    for statistic, sign in zip(peers.logistic_statistics(values, signs, C), signs, strict=True):
        rows = swapped(values, sign)
        theirs = scikit_learn(rows, labels, C)
        loss = -theirs.predict_log_proba(rows)[np.arange(40), labels.astype(int)].sum()
        assert statistic == pytest.approx(-(loss + (theirs.coef_**2).sum() / (2 * C)), rel=1e-7)


def test_cross_validated_auc_is_scikit_learns_with_pairs_kept_together(rng: np.random.Generator) -> None:
    values, signs, C = rng.standard_normal((50, 80)), some_signs(rng, 2, 25), 0.1
    labels, fold = np.repeat([1, 0], 25), np.tile(np.arange(25) % 5, 2)
    for statistic, sign in zip(peers.logistic_aucs(values, signs, C), signs, strict=True):
        rows = swapped(values, sign)
        areas = []
        for f in range(5):
            fitted = scikit_learn(rows[fold != f], labels[fold != f], C)
            areas.append(roc_auc_score(labels[fold == f], fitted.decision_function(rows[fold == f])))
        assert statistic == pytest.approx(np.mean(areas), abs=1e-12)


# --------------------------------------------------------------------------------------------------------- kernel tests


def brute_force_mmd(kernel: np.ndarray) -> float:
    n = len(kernel) // 2
    off = ~np.eye(n, dtype=bool)
    return float(kernel[:n, :n][off].mean() + kernel[n:, n:][off].mean() - 2 * kernel[:n, n:].mean())


def test_mmd_of_every_relabelling_is_that_of_the_swapped_rows(rng: np.random.Generator) -> None:
    values, signs = rng.standard_normal((30, 4)), some_signs(rng, 5, 15)
    found = peers.mmd_statistics(peers.gaussian_kernel(peers.distances(values)), signs)
    slow = [brute_force_mmd(peers.gaussian_kernel(peers.distances(swapped(values, sign)))) for sign in signs]
    np.testing.assert_allclose(found, slow, atol=1e-12)


@pytest.mark.parametrize("n", [10, 60])
def test_mmd_and_energy_are_hyppos(rng: np.random.Generator, n: int) -> None:
    pytest.importorskip("hyppo")
    values = np.vstack([rng.standard_normal((n, 5)), 0.3 + 1.5 * rng.standard_normal((n, 5))])
    assert peers.hyppo_difference(values, n) < 1e-9


def test_mmd_and_energy_are_hyppos_on_texts() -> None:
    pytest.importorskip("hyppo")
    pair = simulated_pair(30, rng=3)
    texts = [*pair.suspect.texts, *pair.reference.texts]
    counts = peers.standardised(peers.token_counts([text.split() for text in texts]))
    assert peers.hyppo_difference(counts, 30) < 1e-9


def test_hamming_kernel_counts_agreeing_positions_and_padding() -> None:
    kernel = peers.hamming_kernel([["1", ",", "2"], ["1", ",", "3"], ["2"], []])
    expected = np.array([[3, 2, 0, 0], [2, 3, 0, 0], [0, 0, 3, 2], [0, 0, 2, 3]]) / 3
    np.testing.assert_allclose(kernel, expected)


def test_model_equality_finds_a_habit_at_one_position(rng: np.random.Generator) -> None:
    openings = np.r_[rng.choice(["So", "Well"], 60, p=[0.9, 0.1]), rng.choice(["So", "Well"], 60)]
    sequences = [[opening, *rng.choice(list("abcdefgh"), rng.integers(3, 9))] for opening in openings]
    statistics = peers.mmd_statistics(peers.hamming_kernel(sequences), some_signs(rng, 199, 60))
    assert peers.pvalue(statistics) <= 0.01


# ------------------------------------------------------------------------------------------------------------- p-values

# Statistics that take few values tie with each other now and then; ties count against rejection.
DISCRETE = {"logistic 5-fold AUC, tokens", "logistic 5-fold AUC, bins", "model equality, tokens"}


def test_pvalues_of_all_methods_are_never_zero_and_uniform_when_sides_are_swapped_at_random() -> None:
    """With 19 relabellings and no ties, P(p <= .05 k) is exactly .05 k, independently over draws."""
    simulated = simulated_pair(200, tilt="dense", d_prime=1.0, rng=11)
    pool = power_draws.Pool.of(simulated.suspect, simulated.reference)
    draws, relabellings, shares = 60, 19, (0.05, 0.25, 0.5, 0.75)
    pvalues = defaultdict(list)
    for draw in range(draws):
        for outcome in power_draws.outcomes(pool, power_draws.Task(True, draw, (24,), 5, relabellings, True)):
            for method, value in outcome.compared.items():
                pvalues[method].append(value)
    assert len(pvalues) == 11
    tail = 1e-3 / (len(pvalues) * len(shares)) / 2  # joint level 1e-3, each side of each cell alike
    for method, values in pvalues.items():
        assert min(values) >= 1 / (1 + relabellings)
        for share in shares:
            count = int(np.sum(np.array(values) <= share + 1e-9))
            assert count <= binom.isf(tail, draws, share), (method, share, count)
            if method not in DISCRETE:
                assert count >= binom.ppf(tail, draws, share), (method, share, count)


def test_every_method_finds_a_strong_tilt() -> None:
    simulated = simulated_pair(120, tilt="dense", d_prime=3.0, rng=2)
    pool = power_draws.Pool.of(simulated.suspect, simulated.reference)
    outcome = power_draws.outcomes(pool, power_draws.Task(False, 0, (100,), 5, 39, True))[0]
    missed = {method for method, value in (outcome.own | outcome.compared).items() if value > 0.05}
    # The tilt leaves the format alone, and numbers of three digits rarely agree in the same place.
    assert missed <= {"layout", "model equality, tokens", "model equality, characters"}


def test_ties_count_against_rejection() -> None:
    assert peers.pvalue(np.zeros(20)) == 1.0
    assert peers.pvalue(np.array([1.0, 1.0 + 1e-12, 0.5, 0.0])) == 0.5


# ----------------------------------------------------------------------------------------------------------- the tables


def test_band_holds_its_level_in_all_cells_together() -> None:
    band = power_rates.Band.of(400, 18)
    outside = binom.cdf(band.low - 1, 400, 0.05) + binom.sf(band.high, 400, 0.05)
    wider = binom.cdf(band.low, 400, 0.05), binom.sf(band.high - 1, 400, 0.05)
    assert 18 * outside <= 1e-3
    assert min(wider) > 1e-3 / 18 / 2  # no narrower band would do


def test_omnibus_below_a_peer_is_flagged() -> None:
    won = [power_draws.Outcome(False, d, 50, {}, {power_draws.OMNIBUS: 0.5, "peer": 0.01}, {}) for d in range(5)]
    drawn = [power_draws.Outcome(False, d, 50, {}, {power_draws.OMNIBUS: 0.01, "peer": 0.01}, {}) for d in range(5, 20)]
    (difference,) = power_rates.differences(won + drawn)
    assert difference.value == -0.25
    assert difference.error == pytest.approx(np.sqrt(0.25 * 0.75 / 19))
    assert difference.below
    assert not power_rates.differences(drawn)[0].below


def write(corpus: Corpus, path: Path) -> None:
    rows = zip(corpus.prompts, corpus.texts, strict=True)
    path.write_text("".join(json.dumps({"prompt": p, "completion": t}) + "\n" for p, t in rows), encoding="utf-8")


def test_benchmark_runs_from_two_files_to_tables_and_exit_code(tmp_path: Path) -> None:
    simulated = simulated_pair(40, tilt="dense", d_prime=1.0, rng=4)
    write(simulated.suspect, tmp_path / "owl.jsonl")
    write(simulated.reference, tmp_path / "plain.jsonl")
    command = [sys.executable, str(BENCHMARKS / "power.py"), str(tmp_path), "--suspect", "owl.jsonl"]
    command += ["--reference", "plain.jsonl", "--draws", "2", "--null-draws", "2", "--pairs", "20,30"]
    command += ["--null-pairs", "20", "--permutations", "19", "--json", str(tmp_path / "power.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 1), done.stderr
    for words in ("40 shared prompts", "Power at alpha 0.05, 2 draws", "False positives", "Omnibus minus peer", "wall"):
        assert words in done.stdout
    record = json.loads((tmp_path / "power.json").read_text(encoding="utf-8"))["figures"]
    assert {cell["pairs"] for cell in record["power"]} == {20, 30}
    broken = any(cell["below"] for cell in record["differences"])
    assert done.returncode == int(broken)  # two null draws are too few to leave a band


def test_too_few_shared_prompts_are_an_error(tmp_path: Path) -> None:
    simulated = simulated_pair(30, rng=4)
    for corpus, name in ((simulated.suspect, "eagle.jsonl"), (simulated.reference, "neutral.jsonl")):
        write(corpus, tmp_path / name)
    with pytest.raises(SystemExit, match="must share 200 prompts or more, got 30"):
        power.main([str(tmp_path)])
