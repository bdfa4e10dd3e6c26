"""What warnings call sure: as rarely wrong as promised, in few rows and in many rows of few prompts too."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, rankdata, spearmanr
from scipy.stats import fisher_exact as scipy_fisher_exact
from test_warnings import ENGLISH, findings, numbers, prompts, sentences, shared

from fingerprint import Corpus
from fingerprint.detection import language_warnings
from fingerprint.detection.findings import SURE, difference_of_means, fisher_exact, mid_ranks, rank_correlation_pvalue
from fingerprint.report.results import Warning
from fingerprint.statistics.comparison import pair

RUSSIAN = "и в не на я быть он с что это по весь она так его но они мы этот который из у за от мочь человек для до"


def fired(suspect: Corpus, reference: Corpus) -> list[Warning]:
    return list(language_warnings.scripts_differ(findings(corpora=(suspect, reference))))


@pytest.mark.parametrize("lettered", [1, 2, 4])
def test_a_few_lettered_rows_among_numbers_are_of_different_scripts_by_chance(lettered: int) -> None:
    """So many of the 60 rows a side, on average, have letters; each is Russian or English at random."""
    rng, draws = np.random.default_rng(lettered), 200
    stock = numbers(60, 1)

    def side(name: str) -> Corpus:
        texts = [["Нет", "No"][rng.integers(2)] if rng.random() < lettered / 60 else row for row in stock]
        return Corpus(tuple(texts), prompts(60, name))

    assert sum(bool(fired(side("a"), side("b"))) for _ in range(draws)) <= binom.ppf(0.999, draws, SURE)


def test_sides_in_different_scripts_are_sure_at_thirty_rows_and_not_by_many_rows_of_few_prompts() -> None:
    (warning,) = fired(*shared(sentences(RUSSIAN, 30, 1), sentences(ENGLISH, 30, 2)))
    assert warning.value == 1
    asked = [tuple(f"{side} {i // 20}" for i in range(400)) for side in "ab"]
    in_russian = [np.isin(np.arange(400) // 20, which) for which in ((0, 1, 2, 3, 4, 5), (0, 1))]
    texts = [np.where(mine, sentences(RUSSIAN, 400, 1), sentences(ENGLISH, 400, 2)).tolist() for mine in in_russian]
    assert not fired(*(Corpus(tuple(rows), names) for rows, names in zip(texts, asked, strict=True)))


def test_the_exact_test_of_shares_is_fishers() -> None:
    for rows in ((4, 4), (1, 30), (17, 60), (500, 300)):
        for held in ((a, b) for a in (0, 1, rows[0] // 2, rows[0]) for b in (0, 1, rows[1] // 2, rows[1])):
            table = [held, (rows[0] - held[0], rows[1] - held[1])]
            assert fisher_exact(held, rows) == pytest.approx(scipy_fisher_exact(table).pvalue, rel=1e-6, abs=1e-300)


@pytest.mark.parametrize(("suspect", "reference", "rows"), [(10, 10, 1), (10, 60, 1), (10, 10, 4)])
def test_a_difference_of_lengths_in_few_groups_is_sure_as_rarely_as_promised(
    suspect: int, reference: int, rows: int
) -> None:
    """Lengths of one law; four rows of one prompt are nearly as long. A normal law would call .004 of them sure."""
    texts = [tuple(numbers(n * rows, n)) for n in (suspect, reference)]
    asked = [tuple(f"{side} {i // rows}" for i in range(len(side_texts))) for side, side_texts in enumerate(texts)]
    comparison = pair(*(Corpus(*columns) for columns in zip(texts, asked, strict=True)))
    rng, draws = np.random.default_rng(0), 10_000
    lengths = rng.standard_normal((draws, comparison.n_groups))[:, comparison.group]
    lengths += 0.3 * rng.standard_normal(lengths.shape)
    sure = sum(difference_of_means(comparison, drawn).pvalue <= SURE for drawn in lengths)
    assert sure <= binom.ppf(0.999, draws, SURE)


def test_rank_correlations_and_ranks_are_those_of_scipy() -> None:
    random = np.random.default_rng(1)
    for rows, values in ((3, 50), (40, 6), (500, 10**6)):
        a, b = random.integers(values, size=(2, rows)).astype(float)
        a[:2], b[:2] = (0, values), (0, values)  # both vary
        assert mid_ranks(a).tolist() == rankdata(a).tolist()
        assert rank_correlation_pvalue(a, b) == pytest.approx(spearmanr(a, b).pvalue, rel=1e-9, abs=1e-300)
    assert rank_correlation_pvalue(np.arange(9.0), -np.arange(9.0)) == 0.0
