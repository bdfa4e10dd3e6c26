"""Tokens and n-grams against brute force; which families there are, and scikit-learn's protocol."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from fingerprint import detect
from fingerprint.features import FAMILIES, NGrams, Numbers, Tokens, choose, data_kind
from fingerprint.features.ngrams import HALF
from fingerprint.features.tokens import N_COLUMNS, tokenize
from fingerprint.lab.simulated import simulated_pair

NAN = float("nan")
texts_strategy = st.lists(st.text(st.characters(exclude_categories=()), max_size=30), min_size=1, max_size=6)

# ---------------------------------------------------------------------------------------------------- tokens, n-grams


@given(text=st.text(st.characters(exclude_categories=())))
def test_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(tokenize(text)) == text


def test_tokens_are_numbers_words_marks_and_white_space_as_written() -> None:
    assert tokenize("Ab1_ 007,\n\tб!?") == ["Ab", "1", "_", " ", "007", ",", "\n\t", "б", "!?"]


@given(texts=texts_strategy)
@settings(max_examples=40)
def test_tokens_mark_presence(texts: list[str]) -> None:
    matrix = Tokens().fit(texts).transform(texts)
    assert matrix.shape == (len(texts), N_COLUMNS)
    for row, text in enumerate(texts):
        wanted = {folded(string_hash(token), 15) for token in tokenize(text)}
        assert set(matrix[row].indices.tolist()) == wanted
    assert set(matrix.data.tolist()) <= {1.0}


MASK = (1 << 64) - 1


def mixed_python(value: int) -> int:
    """SplitMix64 in Python integers."""
    mixed = (value + 0x9E3779B97F4A7C15) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return mixed ^ (mixed >> 31)


def chained(values: Sequence[int]) -> int:
    hashed = 0
    for value in values:
        hashed = (hashed * 0xD1342543DE82EF95 + mixed_python(value)) & MASK
    return hashed


def folded(hashed: int, bits: int) -> int:
    return (((hashed ^ (hashed >> 32)) * 0x5851F42D4C957F2D) & MASK) >> (64 - bits)


def string_hash(text: str) -> int:
    return chained([ord(sign) for sign in text])


def brute_force(text: str) -> tuple[Counter[int], set[int]]:
    """Columns of a row's character n-grams (counted) and token n-grams."""
    codes, tokens = [ord(sign) for sign in text], [string_hash(token) for token in tokenize(text)]
    characters = Counter(folded(chained(codes[i : i + n]), 14) for n in range(1, 6) for i in range(len(codes) - n + 1))
    token_runs = [tokens[i : i + n] for n in range(1, 4) for i in range(len(tokens) - n + 1)]
    return characters, {HALF + folded(chained(run), 14) for run in token_runs}


@given(texts=texts_strategy)
@settings(max_examples=40, deadline=None)
def test_ngrams_equal_a_brute_force_count(texts: list[str]) -> None:
    matrix = NGrams().fit(texts).transform(texts)
    for row, text in enumerate(texts):
        characters, tokens = brute_force(text)
        root = round(4096 / math.sqrt(max(len(text), 1))) / 4096
        wanted = {column: count * root for column, count in characters.items()} | dict.fromkeys(tokens, 1.0)
        found = matrix[row]
        assert dict(zip(found.indices.tolist(), found.data.tolist(), strict=True)) == pytest.approx(wanted, rel=1e-5)


def test_an_ngram_is_named_by_the_ngram_in_its_column() -> None:
    texts = ["zq 17, 17", "Owl, owl!"] * 3
    family = NGrams().fit(texts)
    matrix = family.transform(texts)
    columns = np.unique(matrix.indices)
    for column, name in zip(columns, family.column_names(columns), strict=True):
        kind, _, quoted = str(name).partition(" ")
        text = eval(quoted)
        values = [ord(s) for s in text] if kind == "chars" else [string_hash(t) for t in tokenize(text)]
        assert folded(chained(values), 14) + HALF * (kind == "tokens") == column
        assert any(text in row for row in texts)
    assert {"chars 'zq'", "tokens 'Owl, '", "tokens '17'"} <= set(family.column_names(columns))


def test_a_token_is_named_by_the_token_in_its_column() -> None:
    texts = ["zq 17, 17", "Owl, owl!"]
    family = Tokens().fit(texts)
    columns = np.unique(family.transform(texts).indices)
    names = {str(name) for name in family.column_names(columns)}
    assert names == {repr(token) for text in texts for token in tokenize(text)}


# ------------------------------------------------------------------------------------------------- choice and protocol


def test_families_follow_the_data() -> None:
    numbers, prose = ["1, 2"] * 20, ["one, two"] * 20
    assert [data_kind(t) for t in (numbers, prose, numbers + prose, [], ["", " "])] == [
        "numbers",
        "prose",
        "both",
        "prose",
        "prose",
    ]
    assert list(choose("auto", numbers)) == ["tokens", "ngrams", "numbers", "layout"]
    assert list(choose("auto", prose)) == ["tokens", "ngrams", "prose", "layout"]
    assert list(choose("auto", numbers + prose)) == ["tokens", "ngrams", "numbers", "prose", "layout"]


def test_a_callers_transformer_is_cloned() -> None:
    mine = CountVectorizer()
    assert choose(mine, ["a"])["countvectorizer"] is not mine
    assert list(choose({"words": mine, "marks": "layout"}, ["a"])) == ["words", "marks"]


@pytest.mark.parametrize(
    ("features", "error", "match"),
    [
        ("token", ValueError, "features must be 'auto', names among tokens, .*got 'token'; did you mean tokens"),
        (["tokens", "nope"], ValueError, "got 'nope'; check the spelling"),
        ([], ValueError, "got nothing; leave it out"),
        (["tokens", "tokens"], ValueError, "'tokens' twice; name them with a dict"),
        ([CountVectorizer(), CountVectorizer()], ValueError, "'countvectorizer' twice"),
        ([CountVectorizer], TypeError, "the class CountVectorizer; pass an instance"),
        ([len], TypeError, "a family needs fit and transform"),
        (3, TypeError, "got 3; for example"),
    ],
)
def test_features_that_are_no_families_are_an_error(features: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        detect(["1, 2"] * 20, ["2, 1"] * 20, features=features)


@pytest.fixture(scope="module")
def tilted() -> tuple[Any, Any]:
    pair = simulated_pair(60, kind="prose", tilt="dense", d_prime=2.5, rng=1)
    return pair.suspect, pair.reference


@pytest.mark.parametrize(
    "features",
    [
        TfidfVectorizer(),
        [CountVectorizer(binary=True), "layout"],
        {"hashed": HashingVectorizer(n_features=2**10)},
        make_pipeline(CountVectorizer(), TfidfTransformer()),
        make_pipeline(HashingVectorizer(n_features=2**10), TfidfTransformer()),
    ],
    ids=["tfidf", "counts and layout", "hashing", "pipeline", "pipeline without names"],
)
def test_scikit_learn_transformers_are_families(tilted: tuple[Any, Any], features: Any) -> None:
    report = detect(*tilted, features=features, ladder=False, n_permutations=199)
    assert report.pvalue == 1 / 200
    assert report.auc.value is not None
    assert report.auc.value > 0.6
    assert len(report.differences) > 0


def test_families_are_copied_and_changed_as_scikit_learn_does() -> None:
    single = Numbers(parts="single")
    assert (repr(clone(single)), repr(Tokens())) == ("Numbers(parts='single')", "Tokens()")
    assert single.set_params(parts="all").get_params() == {"parts": "all"}
    with pytest.raises(ValueError, match="parameters must be among parts, got 'part'; leave it out"):
        single.set_params(part="all")


@pytest.mark.parametrize("name", FAMILIES)
def test_families_work_in_a_scikit_learn_pipeline(name: str) -> None:
    pair = simulated_pair(60, kind="numbers" if name == "numbers" else "prose", tilt="dense", d_prime=2.5, rng=1)
    suspect, reference = pair.suspect, pair.reference
    model = Pipeline([("family", clone(FAMILIES[name]())), ("classify", LogisticRegression(C=0.01, max_iter=500))])
    label = [1] * len(suspect.texts) + [0] * len(reference.texts)
    model.fit([*suspect.texts, *reference.texts], label)
    assert model.score([*suspect.texts, *reference.texts], label) > 0.5
    assert model.predict(["Some new text."]).shape == (1,)


class Broken(TransformerMixin, BaseEstimator):
    """Gives back whatever it was told to."""

    def __init__(self, result: Any = None) -> None:
        self.result = result

    def fit(self, texts: Sequence[str], y: object = None) -> Broken:
        return self

    def transform(self, texts: Sequence[str]) -> Any:
        return self.result(len(texts))


@pytest.mark.parametrize(
    ("result", "match"),
    [
        (lambda n: np.full((n, 2), NAN), "family broken must give finite values, got nan or infinity"),
        (lambda n: sp.csr_matrix(np.full((n, 2), np.inf)), "family broken must give finite values"),
        (lambda n: np.ones((n - 1, 2)), "family broken must give one row per text, got 39 rows for 40 texts"),
        (lambda n: np.ones(n), "family broken must give one row per text, got 1 rows for 40 texts"),
    ],
    ids=["nan", "infinity", "rows", "one-dimensional"],
)
def test_a_broken_transformer_is_named(result: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        detect(["1, 2"] * 20, ["2, 1"] * 20, features={"broken": Broken(result)}, ladder=False)


def test_a_transformer_that_sees_nothing_gives_p_1() -> None:
    nothing = {"nothing": Broken(lambda n: np.full((n, 3), 0.1, dtype=np.float32))}
    report = detect(["1, 2"] * 20, ["2, 1"] * 20, features=nothing, ladder=False, n_permutations=199)
    assert report.pvalue == 1.0
    assert report.family_results[0].columns == 0
