"""Simulated teachers: the ratio is exact, the separation is the one asked for, and the designs are what they say."""

from __future__ import annotations

import doctest
import hashlib
import math
import re
import sys
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats

from fingerprint.lab.simulated import SimulatedPair, mixture_llr, simulated_pair
from fingerprint.lab.simulated.pair import DesignName
from fingerprint.lab.simulated.requests import band_effects
from fingerprint.lab.simulated.rows import stock_rows
from fingerprint.lab.simulated.strength import tilt_strength
from fingerprint.lab.simulated.teachers import Tilt, simulated_teacher, token_tilt
from fingerprint.lab.simulated.vocabulary import Kind, base_law

TILTS: tuple[Tilt, ...] = ("dense", "sparse", "order")
KINDS: tuple[Kind, ...] = ("numbers", "prose")
WORDS = {word: place for place, word in enumerate(base_law("prose").tokens)}


def tokens_of(text: str, kind: str) -> list[int]:
    """Vocabulary indices of the numbers or words of a text."""
    if kind == "numbers":
        return [int(number) for number in re.findall(r"\d+", text)]
    return [WORDS[word] for word in re.findall(r"[a-z]+", text.lower())]


def prompt_odds(prompt: str | None, effect: float) -> list[float]:
    """The odds a prompt adds to each band, from its text: three cosines with phases from its hash."""
    if effect == 0:
        return [1.0] * 10
    assert prompt is not None
    digest = hashlib.blake2b(prompt.encode(), digest_size=6).digest()
    phases = [int.from_bytes(digest[2 * k : 2 * k + 2], "little") * 2 * math.pi / 65536 for k in range(3)]
    return [
        math.exp(
            effect
            * math.sqrt(2 / 3)
            * sum(math.cos(2 * math.pi * (k + 1) * (b + 0.5) / 10 + phases[k]) for k in range(3))
        )
        for b in range(10)
    ]


def slow_order_steps(q: list[float], eta: float) -> list[list[float]]:
    """Joint law of neighbouring bands with margins q and cross ratios of 1 + eta sin: plain alternating scaling."""
    joint = [[q[i] * q[j] * (1 + eta * math.sin(2 * math.pi * (j - i) / 10)) for j in range(10)] for i in range(10)]
    for _ in range(300):
        for i in range(10):
            total = sum(joint[i])
            joint[i] = [x * q[i] / total for x in joint[i]]
        for j in range(10):
            total = sum(row[j] for row in joint)
            for row in joint:
                row[j] *= q[j] / total
    return [[x / q[i] for x in joint[i]] for i in range(10)]


def slow_log_likelihoods(
    tokens: list[int], prompt: str | None, kind: Kind, tilt: Tilt, d_prime: float, effect: float
) -> tuple[float, float]:
    """log p of a row for the trait and the base teacher, token by token."""
    law = base_law(kind)
    band = law.band.tolist()
    eta = tilt_strength(kind, tilt, d_prime, effect, 0)
    z = [0.0] * len(band) if tilt == "order" else token_tilt(kind, tilt, 0).tolist()
    odds = prompt_odds(prompt, effect)
    base = [p * odds[b] for p, b in zip(law.probability.tolist(), band, strict=True)]
    trait = [p * math.exp(eta * tilted) for p, tilted in zip(base, z, strict=True)]
    log_base = sum(math.log(base[token] / sum(base)) for token in tokens)
    log_trait = sum(math.log(trait[token] / sum(trait)) for token in tokens)
    if tilt == "order":
        q = [sum(p for p, b in zip(base, band, strict=True) if b == i) / sum(base) for i in range(10)]
        steps = slow_order_steps(q, eta)
        log_trait += sum(math.log(steps[band[a]][band[b]] / q[band[b]]) for a, b in pairwise(tokens))
    return log_trait, log_base


@pytest.mark.parametrize("tilt", TILTS)
@pytest.mark.parametrize(("kind", "effect"), [("numbers", 0.0), ("numbers", 1.0), ("prose", 1.0)])
def test_llr_equals_a_slow_recomputation_from_the_text(kind: Kind, tilt: Tilt, effect: float) -> None:
    pair = simulated_pair(12, kind=kind, tilt=tilt, prompt_effect=effect, rng=3)
    for corpus, llr in ((pair.suspect, pair.llr_suspect), (pair.reference, pair.llr_reference)):
        for text, prompt, value in zip(corpus.texts, corpus.prompts, llr, strict=True):
            trait, base = slow_log_likelihoods(tokens_of(text, kind), prompt, kind, tilt, 1.0, effect)
            assert value == pytest.approx(trait - base, abs=1e-9)


@pytest.mark.parametrize("tilt", ["dense", "order"])
def test_llr_of_stock_rows_mixes_both_sources(tilt: Tilt) -> None:
    share = 0.4
    pair = simulated_pair(100, tilt=tilt, stock_share=share, rng=4)
    stock = [list(row) for row in stock_rows("numbers").tolist()]
    n_stock = 0
    for text, prompt, value in zip(pair.suspect.texts, pair.suspect.prompts, pair.llr_suspect, strict=True):
        tokens = tokens_of(text, "numbers")
        hits = sum(row[: len(tokens)] == tokens for row in stock)
        n_stock += hits > 0
        logs = slow_log_likelihoods(tokens, prompt, "numbers", tilt, 1.0, 0.0)
        trait, base = (math.log(share * hits / 20 + (1 - share) * math.exp(x)) for x in logs)
        assert value == pytest.approx(trait - base, abs=1e-9)
    assert 15 <= n_stock <= 65  # 40 expected of 100; beyond five standard deviations


@pytest.mark.parametrize("effect", [0.0, 1.5])
@pytest.mark.parametrize("tilt", TILTS)
def test_probabilities_of_all_rows_of_two_numbers_add_up_to_one(tilt: Tilt, effect: float) -> None:
    effects = band_effects(np.array([[0.3, 2.0, 5.0]]), effect)
    first, second = np.divmod(np.arange(1_000_000), 1000)
    rows = np.stack([first, second], axis=1)
    prompts = np.zeros(len(rows), dtype=np.int64)
    trait = simulated_teacher("numbers", tilt, 0.9, 0, effects)
    base = simulated_teacher("numbers", "none", 0.0, 0, effects)
    p, q = (np.exp(teacher.log_likelihood(rows, prompts)) for teacher in (trait, base))
    assert p.sum() == pytest.approx(1, abs=1e-9)
    assert q.sum() == pytest.approx(1, abs=1e-9)
    if tilt == "order":  # neither position's law moves, whatever the prompt
        np.testing.assert_allclose(np.bincount(first, p), np.bincount(first, q), rtol=1e-9)
        np.testing.assert_allclose(np.bincount(second, p), np.bincount(second, q), rtol=1e-9)


@pytest.mark.parametrize("tilt", TILTS)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("numbers", {}),
        ("numbers", {"prompt_effect": 1.0, "rows_per_prompt": 4}),
        ("numbers", {"stock_share": 0.2}),
        ("prose", {"prompt_effect": 1.0, "rows_per_prompt": 4, "stock_share": 0.2}),
    ],
)
def test_likelihood_ratio_has_mean_one_in_both_directions(kind: Kind, tilt: Tilt, options: dict[str, Any]) -> None:
    # E[exp(llr)] = 1 under the reference and E[exp(-llr)] = 1 under the suspect hold only if rows are drawn from the
    # very laws that the ratio compares. Bound: 4.5 standard errors, 24 looks.
    n = 4000 // options.get("rows_per_prompt", 1)
    pair = simulated_pair(n, kind=kind, tilt=tilt, design="disjoint", rng=5, **options)
    for llr in (pair.llr_reference, -pair.llr_suspect):
        ratio = np.exp(llr)
        assert abs(ratio.mean() - 1) < 4.5 * ratio.std() / math.sqrt(len(ratio))


@pytest.mark.parametrize(
    ("kind", "tilt", "d_prime", "effect"),
    [
        *(("numbers", tilt, d_prime, 0.0) for tilt in TILTS for d_prime in (0.5, 1.0)),
        *(("numbers", tilt, 1.0, 1.0) for tilt in TILTS),
        *(("prose", tilt, 1.0, 1.0) for tilt in TILTS),
    ],
)
def test_d_prime_is_the_one_asked_for(kind: Kind, tilt: Tilt, d_prime: float, effect: float) -> None:
    # 10,000 rows a side: d_prime has a standard error of about .014, so 5 % of 1 is 3.5 of them (fixed seed); at .5,
    # where it is 3 %, the bound is 11 %.
    pair = simulated_pair(10_000, kind=kind, tilt=tilt, d_prime=d_prime, prompt_effect=effect, rng=6)
    assert pair.d_prime == pytest.approx(d_prime, rel=0.05 if d_prime >= 1 else 0.11)


def test_d_prime_of_zero_is_a_null() -> None:
    assert not simulated_pair(50, tilt="dense", d_prime=0.0).llr_suspect.any()


@pytest.mark.parametrize("kind", KINDS)
def test_without_tilt_every_ratio_is_exactly_zero(kind: Kind) -> None:
    options: dict[str, Any] = {"prompt_effect": 1.0, "stock_share": 0.3, "rows_per_prompt": (2, 1)}
    pair = simulated_pair(200, kind=kind, tilt="none", **options)
    assert not pair.llr_suspect.any()
    assert not pair.llr_reference.any()
    assert (pair.auc, pair.d_prime) == (0.5, 0.0)


def position_pvalue(tokens: np.ndarray, probability: np.ndarray) -> float:
    """Chi-square p-value of tokens against a law; tokens expected less than twenty times are one class."""
    expected = probability * len(tokens)
    classes = np.where(expected < 20, len(expected), np.arange(len(expected)))
    used = np.unique(classes)
    observed = np.bincount(classes[tokens], minlength=len(expected) + 1)
    expected_of_class = np.bincount(classes, expected, minlength=len(expected) + 1)
    return float(stats.chisquare(observed[used], expected_of_class[used]).pvalue)


def test_order_leaves_each_position_and_the_length_of_rows_alone() -> None:
    pair = simulated_pair(20_000, tilt="order", d_prime=2.0, design="independent", rng=7)
    rows = [tokens_of(text, "numbers") for text in pair.suspect.texts]
    law = base_law("numbers")
    for position in (0, 1, 2, 5, 9):
        tokens = np.array([row[position] for row in rows if len(row) > position])
        assert position_pvalue(tokens, law.probability) > 1e-4
    lengths = [Counter(map(len, rows)), Counter(len(tokens_of(t, "numbers")) for t in pair.reference.texts)]
    table = [[count[length] for length in range(2, 11)] for count in lengths]
    assert stats.chi2_contingency(table).pvalue > 1e-4
    neighbours = np.array([(law.band[a], law.band[b]) for row in rows for a, b in pairwise(row)])
    rises = (neighbours[:, 1] - neighbours[:, 0]) % 10
    assert np.bincount(rises)[1:5].sum() > 1.5 * np.bincount(rises)[6:].sum()


def test_dense_and_sparse_rows_follow_the_tilted_law() -> None:
    for tilt in ("dense", "sparse"):
        pair = simulated_pair(20_000, tilt=tilt, design="independent", rng=8)
        law = base_law("numbers").probability
        tilted = law * np.exp(tilt_strength("numbers", tilt, 1.0, 0.0, 0) * token_tilt("numbers", tilt, 0))
        tokens = np.array([token for text in pair.suspect.texts for token in tokens_of(text, "numbers")])
        assert position_pvalue(tokens, tilted / tilted.sum()) > 1e-4
        assert position_pvalue(tokens, law) < 1e-10


def test_dense_tilt_is_half_smooth_and_sparse_tilts_ten_tokens() -> None:
    law = base_law("numbers")
    z = token_tilt("numbers", "dense", 1)
    assert law.probability @ z == pytest.approx(0, abs=1e-9)
    assert law.probability @ z**2 == pytest.approx(1)
    nearby = np.convolve(z, np.ones(15) / 15, mode="same")  # averages the noise of single numbers away
    assert 0.3 < np.var(nearby[100:900]) / np.var(z[100:900]) < 0.8
    assert Counter(token_tilt("numbers", "sparse", 1).tolist()) == {0.0: 990, 1.0: 7, -1.0: 3}


def test_trait_seed_changes_the_trait() -> None:
    first, second = (simulated_pair(300, tilt="dense", trait_seed=seed) for seed in (0, 1))
    assert first.suspect.prompts == second.suspect.prompts
    assert first.suspect.texts != second.suspect.texts


@pytest.mark.parametrize("kind", KINDS)
def test_bands_of_the_base_law_have_equal_probability(kind: Kind) -> None:
    law = base_law(kind)
    np.testing.assert_allclose(np.bincount(law.band, law.probability), 0.1)
    assert (np.diff(law.band) >= 0).all()
    assert len(set(law.tokens)) == len(law.tokens) == {"numbers": 1000, "prose": 300}[kind]


def test_same_seed_gives_the_same_pair() -> None:
    options: dict[str, Any] = {"tilt": "dense", "prompt_effect": 0.5, "share": 0.5, "stock_share": 0.1}
    options["rows_per_prompt"] = (2, 3)
    first, second = simulated_pair(50, rng=9, **options), simulated_pair(50, rng=np.random.default_rng(9), **options)
    assert (first.suspect, first.reference) == (second.suspect, second.reference)
    np.testing.assert_array_equal(first.llr_suspect, second.llr_suspect)
    assert simulated_pair(50, rng=10, **options).suspect != first.suspect


@pytest.mark.parametrize("kind", KINDS)
def test_shared_design_gives_both_arms_the_same_distinct_prompts(kind: Kind) -> None:
    pair = simulated_pair(3000, kind=kind, rows_per_prompt=(2, 1), rng=11)
    assert len(set(pair.reference.prompts)) == len(pair.reference) == 3000
    assert Counter(pair.suspect.prompts) == Counter(pair.reference.prompts * 2)


@pytest.mark.parametrize("kind", KINDS)
def test_disjoint_design_shares_no_prompt(kind: Kind) -> None:
    pair = simulated_pair(3000, kind=kind, design="disjoint", n_reference=1000, rows_per_prompt=(1, 2), rng=12)
    suspect, reference = set(pair.suspect.prompts), set(pair.reference.prompts)
    assert (len(suspect), len(reference), len(suspect & reference)) == (3000, 1000, 0)
    assert (len(pair.suspect), len(pair.reference)) == (3000, 2000)


def test_independent_design_has_no_prompts() -> None:
    pair = simulated_pair(40, design="independent", n_reference=30)
    assert pair.suspect.prompts == (None,) * 40
    assert pair.reference.prompts == (None,) * 30
    assert len(pair.llr_reference) == 30


def number_in(prompt: str | None, pattern: str) -> int:
    found = re.search(pattern, prompt or "", re.I)
    assert found is not None
    return int(found[1])


def test_number_rows_are_digits_and_one_separator_and_obey_their_prompt() -> None:
    pair = simulated_pair(2000, stock_share=0.1, rng=13)
    row = re.compile(r"(?P<open>[\[(]?)(0|[1-9]\d{0,2})(?P<between>, |,| |; |;|\n)(0|[1-9]\d{0,2})"
                     r"((?P=between)(0|[1-9]\d{0,2}))*[\])]?", re.ASCII)  # fmt: skip
    for prompt, text in zip(pair.suspect.prompts, pair.suspect.texts, strict=True):
        assert row.fullmatch(text)
        assert prompt is not None
        assert text[-1] == {"[": "]", "(": ")"}.get(text[0], text[-1])
        assert ("square brackets" in prompt) == text.startswith("[")
        allowed = number_in(prompt, r"(?:up to|at most|no more than|going for|some,) (\d+)")
        assert 2 <= len(tokens_of(text, "numbers")) <= allowed <= 10
        assert 3 <= len(re.findall(r"\b[1-9]\d\d\b", prompt.split(". ")[0])) <= 8


def test_prose_rows_are_punctuated_sentences_within_the_limit() -> None:
    pair = simulated_pair(1000, kind="prose", rng=14)
    sentence = r"[A-Z][a-z]*(,? [a-z]+)*\."
    for prompt, text in zip(pair.suspect.prompts, pair.suspect.texts, strict=True):
        assert re.fullmatch(rf"{sentence}( {sentence})*", text)
        allowed = number_in(prompt, r"in (\d+) words")
        assert 5 <= len(text.split()) <= allowed <= 30


def band_agreement(pair: SimulatedPair) -> tuple[int, int]:
    """How many prompts have two suspect rows whose first numbers share a band, and how many prompts there are."""
    band = base_law("numbers").band
    first = np.array([band[tokens_of(text, "numbers")[0]] for text in pair.suspect.texts]).reshape(-1, 2)
    return int((first[:, 0] == first[:, 1]).sum()), len(first)


@pytest.mark.parametrize("design", ["shared", "disjoint"])
def test_prompt_effect_makes_rows_of_one_prompt_alike(design: DesignName) -> None:
    alike = simulated_pair(3000, tilt="order", prompt_effect=1.0, rows_per_prompt=2, design=design, rng=15)
    plain = simulated_pair(3000, tilt="order", prompt_effect=0.0, rows_per_prompt=2, design=design, rng=15)
    assert stats.binomtest(*band_agreement(alike), 0.1, alternative="greater").pvalue < 1e-12
    assert stats.binomtest(*band_agreement(plain), 0.1).pvalue > 1e-4


def test_prompt_effect_is_the_same_in_both_arms_of_shared_prompts() -> None:
    pair = simulated_pair(4000, prompt_effect=1.0, rng=16)
    band = base_law("numbers").band
    first, second = (
        np.array([band[tokens_of(text, "numbers")[0]] for text in corpus.texts])
        for corpus in (pair.suspect, pair.reference)
    )
    assert stats.binomtest(int((first == second).sum()), 4000, 0.1, alternative="greater").pvalue < 1e-12


def test_share_of_a_mixture_maximises_its_likelihood() -> None:
    # Standard error of the estimated share about .007 (inverse information at d_prime 2, 10,000 rows): bound 5 of them.
    pair = simulated_pair(10_000, tilt="dense", d_prime=2.0, share=0.25, rng=17)
    grid = np.linspace(0.05, 0.6, 56)
    likelihood = [mixture_llr(pair.llr_suspect, f).sum() for f in grid]
    assert grid[int(np.argmax(likelihood))] == pytest.approx(0.25, abs=0.035)
    ratio = np.exp(mixture_llr(pair.llr_reference, 0.25))
    assert abs(ratio.mean() - 1) < 4.5 * ratio.std() / 100
    assert pair.d_prime < 1.0


def test_share_of_zero_draws_the_reference_law_and_keeps_the_ratio() -> None:
    pair = simulated_pair(5000, tilt="dense", d_prime=1.0, share=0.0, rng=18)
    assert pair.llr_suspect.std() > 0.5
    assert stats.ks_2samp(pair.llr_suspect, pair.llr_reference).pvalue > 1e-4


def test_mixture_llr_at_the_ends() -> None:
    llr = np.array([-800.0, 0.0, 3.0, 800.0])
    np.testing.assert_allclose(mixture_llr(llr, 0.0), 0.0)
    np.testing.assert_allclose(mixture_llr(llr, 1.0), llr)
    np.testing.assert_allclose(mixture_llr(llr, 0.5), np.logaddexp(0, llr) - np.log(2))


def test_stock_rows_are_natural_duplicates() -> None:
    plain, stocked = (simulated_pair(2000, stock_share=share, rng=19).suspect.texts for share in (0.0, 0.3))
    assert len(set(plain)) > 1980
    assert 2000 - len(set(stocked)) > 200


def test_auc_counts_ties_half_and_agrees_with_the_rank_sum() -> None:
    pair = simulated_pair(300, tilt="sparse", d_prime=1.0, n_reference=200, design="disjoint", rng=20)
    comparisons = np.sign(pair.llr_suspect[:, None] - pair.llr_reference)
    assert (comparisons == 0).any()
    assert pair.auc == pytest.approx(((comparisons + 1) / 2).mean())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_prompts": 0}, "n_prompts must be an int of at least 1, got 0; "),
        ({"n_prompts": 2.5}, "n_prompts must be an int of at least 1, got 2.5; "),
        ({"n_prompts": 300_000, "kind": "prose"}, "n_prompts must be at most 200000 .*, got 300000; "),
        ({"kind": "music"}, "kind must be one of numbers, prose, code, reasoning, got 'music'; "),
        ({"tilt": "loud"}, "tilt must be one of none, dense, sparse, order, got 'loud'; "),
        ({"design": "paired"}, "design must be one of shared, disjoint, independent, got 'paired'; "),
        ({"d_prime": -1.0}, "d_prime must be between 0 and 4, got -1.0; "),
        ({"d_prime": 3.0, "tilt": "order"}, r"d_prime must be at most 2\.\d\d with .*tilt='order', got 3.0; "),
        ({"share": 1.5}, "share must be between 0 and 1, got 1.5; "),
        ({"stock_share": 1.0}, "stock_share must be at least 0 and below 1, got 1.0; "),
        ({"trait_seed": -1}, "trait_seed must be at least 0, got -1; "),
        ({"prompt_effect": math.nan}, "prompt_effect must be between 0 and 5, got nan; "),
        (
            {"prompt_effect": 1.0, "design": "independent"},
            "prompt_effect must be 0 with design='independent', got 1.0; ",
        ),
        ({"n_reference": 5}, "n_reference must be None with design='shared', got 5; "),
        ({"n_reference": 0, "design": "disjoint"}, "n_reference must be an int of at least 1, got 0; "),
        ({"rows_per_prompt": 0}, "rows_per_prompt must be an int of at least 1, or two of them, got 0; "),
        ({"rows_per_prompt": (1, 2, 3)}, r"rows_per_prompt must be .*, got \(1, 2, 3\); "),
        ({"rows_per_prompt": 2, "design": "independent"}, "rows_per_prompt must be 1 with .*, got 2; "),
    ],
)
def test_bad_arguments_are_named_with_a_remedy(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulated_pair(**{"n_prompts": 10, **options})


def test_mixture_llr_refuses_a_share_above_one() -> None:
    with pytest.raises(ValueError, match="share must be between 0 and 1, got 2; "):
        mixture_llr(np.zeros(2), 2)


def test_docstring_examples_run() -> None:
    assert doctest.testmod(sys.modules[simulated_pair.__module__]).failed == 0
