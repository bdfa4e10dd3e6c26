"""Copies: one row copied many times is warned about, and the test with every text counted once is exact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import full
from scipy.stats import binom

from fingerprint import Corpus, detect
from fingerprint.data.arrays import Bools
from fingerprint.detection.analysis import family_matrices
from fingerprint.detection.copies import each_text_once, frequent_texts
from fingerprint.features import choose
from fingerprint.features.scaling import FamilyMatrix
from fingerprint.lab.simulated import simulated_pair
from fingerprint.report.report import Report
from fingerprint.statistics.comparison import Comparison, pair, survivors
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test


def with_copies(corpus: Corpus, copies: int) -> Corpus:
    """The eleventh row in place of the rows that follow it."""
    texts = list(corpus.texts)
    texts[10 : 10 + copies] = [texts[10]] * copies
    return Corpus(tuple(texts), corpus.prompts)


def judged(copies: int, **options: object) -> Report:
    clean = simulated_pair(500, rng=3, **options)  # type: ignore[arg-type]
    return detect(
        with_copies(clean.suspect, copies), clean.reference, features="numbers", ladder=False, n_permutations=199
    )


def codes(report: Report) -> set[str]:
    return {warning.code for warning in report.warnings}


@pytest.mark.parametrize("design", ["shared", "disjoint", "independent"])
def test_copies_of_one_row_make_the_test_reject_and_are_named(design: str) -> None:
    report = judged(40, design=design)
    assert report.pvalue <= 0.01
    assert "frequent_text" in codes(report)
    assert report.copies is not None
    assert (report.copies.side, report.copies.share_suspect, report.copies.share_reference) == ("suspect", 0.08, 0)
    assert report.copies.pvalue_once is not None
    assert report.copies.pvalue_once > 0.1
    assert report.copies.rows_suspect in (460, 461)
    assert "copies may be all that differs" in report.verdict


def test_a_report_says_which_text_it_is_and_what_is_left_without_copies(tmp_path: Path) -> None:
    report = judged(40)
    assert report.copies is not None
    said = f"Copies: '{report.copies.text}' is 8 % of the suspect's rows and 0 % of the reference's."
    assert said in " ".join(full(report).split())
    report.to_html(tmp_path / "report.html")
    assert "With every text counted once" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert Report.from_json(report.to_json()) == report


def test_no_copies_leave_no_record() -> None:
    report = judged(1)
    assert report.copies is None
    assert "frequent_text" not in codes(report)
    assert "Copies" not in full(report)


def test_a_frequent_answer_of_both_sides_is_looked_at_and_no_warning() -> None:
    rng = np.random.default_rng(5)
    clean = simulated_pair(400, rng=1)
    sides = [
        Corpus(tuple("yes" if x < 0.3 else t for x, t in zip(rng.random(400), c.texts, strict=True)), c.prompts)
        for c in (clean.suspect, clean.reference)
    ]
    report = detect(*sides, ladder=False, features=["numbers", "layout"], n_permutations=199)
    assert report.copies is not None
    assert report.copies.text == "yes"
    assert report.copies.share_reference > 0.25
    assert "frequent_text" not in codes(report)


def test_a_text_is_kept_once_and_pairs_are_kept_whole() -> None:
    suspect = Corpus(("a", "a", "b", *map(str, range(20))), tuple(f"p{i}" for i in range(23)))
    reference = Corpus(("c", "d", "a", *map(str, range(100, 120))), tuple(f"p{i}" for i in range(23)))
    comparison = pair(suspect, reference)
    keep = each_text_once(comparison)
    kept = [text for text, mine in zip(comparison.texts, keep, strict=True) if mine]
    assert len(kept) == len(set(kept)) == 2 * 21
    assert np.bincount(comparison.group[keep]).max() == 2
    assert kept.count("a") == 1


def test_which_rows_are_kept_does_not_hang_on_which_side_is_the_suspect() -> None:
    for sides in rows_with_copies(np.random.default_rng(2)).values():
        found = []
        for suspect, reference in (sides, sides[::-1]):
            comparison = pair(suspect, reference)
            keep = each_text_once(comparison)
            origin = zip(comparison.suspect == (suspect is sides[0]), comparison.origin, keep, strict=True)
            found.append({(bool(side), int(row)) for side, row, kept in origin if kept})
        assert found[0] == found[1]


# ------------------------------------------------------------------------------------------------------- it is exact


def rows_with_copies(rng: np.random.Generator) -> dict[str, tuple[Corpus, Corpus]]:
    """Sides of one law in which a third of the rows are one of six texts, in every design; sizes differ."""

    def texts(n: int) -> tuple[str, ...]:
        stock = [f"{i}, {i}" for i in range(6)]
        drawn = [", ".join(map(str, rng.integers(0, 99, 2))) for _ in range(n)]
        return tuple(stock[rng.integers(6)] if rng.random() < 0.33 else row for row in drawn)

    def prompts(name: str, n: int) -> tuple[str, ...]:
        return tuple(f"{name} {i}" for i in range(n))

    return {
        "shared": (Corpus(texts(50), prompts("p", 50)), Corpus(texts(50), prompts("p", 50))),
        "disjoint": (Corpus(texts(60), prompts("p", 60)), Corpus(texts(30), prompts("q", 30))),
        "independent": (Corpus(texts(90)), Corpus(texts(30))),
        "mixed": (
            Corpus(texts(60), prompts("p", 30) + prompts("q", 30)),
            Corpus(texts(50), prompts("p", 30) + prompts("r", 20)),
        ),
    }


def pvalue_once(comparison: Comparison, keep: Bools, matrix: FamilyMatrix, rng: np.random.Generator) -> float:
    left = survivors(comparison, keep, 0.05)
    relabellings = Relabellings.draw(left.design, 99, rng)
    return permutation_test({"one": gram(left.units(matrix.values[keep]))}, relabellings).pvalue


def suspect_first(comparison: Comparison) -> Bools:
    """What must not be done: of every text the suspect's copy, where it has one."""
    seen: set[str] = set()
    keep = np.zeros(len(comparison.texts), dtype=bool)
    for row in np.argsort(~comparison.suspect, kind="stable"):
        keep[row] = comparison.texts[row] not in seen
        seen.add(comparison.texts[row])
    return keep


def rare_and_frequent(rng: np.random.Generator) -> dict[str, tuple[Corpus, Corpus]]:
    """Rows of one law: some texts are frequent, most are rare."""
    share = 1 / np.arange(1, 301)
    texts = [tuple(f"{i % 7}, {i}" for i in rng.choice(300, n, p=share / share.sum())) for n in (60, 300)]
    return {"independent": (Corpus(texts[0]), Corpus(texts[1]))}


def rejections(
    runs: int,
    law: Callable[[np.random.Generator], dict[str, tuple[Corpus, Corpus]]],
    rule: Callable[[Comparison], Bools],
) -> dict[str, int]:
    found = dict.fromkeys(law(np.random.default_rng(0)), 0)
    for run in range(runs):
        rng = np.random.default_rng([7, run])
        for design, sides in law(rng).items():
            comparison = pair(*sides)
            (matrix,) = family_matrices(comparison, choose("numbers", comparison.texts)).values()
            found[design] += pvalue_once(comparison, rule(comparison), matrix, rng) <= 0.05
    return found


@pytest.mark.slow
def test_the_test_with_every_text_counted_once_is_exact_in_every_design() -> None:
    runs = 600
    low, high = binom.interval(0.999, runs, 0.05)
    for design, rejected in rejections(runs, rows_with_copies, each_text_once).items():
        assert low <= rejected <= high, (design, rejected)


def test_a_rule_that_prefers_one_side_would_reject_and_ours_does_not() -> None:
    most = binom.ppf(0.999, 40, 0.05)
    assert rejections(40, rare_and_frequent, each_text_once)["independent"] <= most
    assert rejections(40, rare_and_frequent, suspect_first)["independent"] > most


def test_frequent_texts_are_the_same_whichever_side_they_are_from() -> None:
    for first, second in rows_with_copies(np.random.default_rng(1)).values():
        assert set(frequent_texts(pair(first, second))) == set(frequent_texts(pair(second, first))) != set()
