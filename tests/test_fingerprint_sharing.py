"""Fingerprints that are given away: few and common features, of many rows, and still compared and added rightly."""

from __future__ import annotations

import numpy as np
import pytest

import fingerprint
from fingerprint.data.corpus import Corpus
from fingerprint.fingerprints.fingerprint import Fingerprint
from fingerprint.lab.simulated import simulated_pair

FAMILIES = ["tokens", "ngrams", "layout"]
# What so few rows allow: features of a cell's rows at this AUROC are about as many as of 8,000 at .55.
MAX_AUC = 0.8


@pytest.fixture(scope="module")
def null() -> tuple[Fingerprint, Fingerprint]:
    """Two corpora of one law, on the same prompts."""
    made = simulated_pair(4000, tilt="none", rng=3)
    return Fingerprint.of(made.suspect, features=FAMILIES), Fingerprint.of(made.reference, features=FAMILIES)


# ------------------------------------------------------------------------------------------------------ what is shared


def test_a_corpus_of_few_rows_is_not_shared(null: tuple[Fingerprint, Fingerprint]) -> None:
    with pytest.raises(ValueError, match=r"must hold at least 1,014 rows in each of 16 cells .* add rows"):
        null[0].for_sharing()


def test_features_are_so_few_that_the_bound_on_membership_is_kept(null: tuple[Fingerprint, Fingerprint]) -> None:
    assert null[0].membership_auc > 0.99
    counts = []
    for max_auc in (0.7, MAX_AUC, 0.9):
        given = null[0].for_sharing(max_auc=max_auc)
        assert given.membership_auc <= max_auc
        counts.append(given.n_features)
    assert 32 <= counts[0] < counts[1] < counts[2]


def test_no_feature_that_is_shared_is_in_few_rows_or_in_all_but_few(null: tuple[Fingerprint, Fingerprint]) -> None:
    given = null[0].for_sharing(max_auc=MAX_AUC)
    rows = given.families["tokens"].sums.sum(axis=0, dtype=np.int64)
    rows = rows[rows > 0]
    assert min(rows.min(), given.n_rows - rows.max()) >= given.n_rows / given.n_features / 1.5


def test_a_string_of_one_row_leaves_no_trace_in_the_features() -> None:
    made = simulated_pair(1000, rng=5).reference
    secret = Corpus((f"{made.texts[0]} zanzibar-7731-quetzal", *made.texts[1:]), made.prompts)
    with_it, without = (Fingerprint.of(corpus, features=FAMILIES) for corpus in (secret, made))
    for name in ("tokens", "ngrams"):
        new = with_it.families[name].sums.any(axis=0) & ~without.families[name].sums.any(axis=0)
        assert new.any() or name == "ngrams"
        given = with_it.for_sharing(max_auc=0.95).families[name]
        assert not given.sums[:, new].any()
        assert not given.squares[new].any()


@pytest.mark.parametrize("length", [40, 3000, 2_000_000])
def test_the_least_number_of_rows_with_a_count_is_never_more_than_there_are(length: int) -> None:
    texts = ["q" + "a" * length + "z", "b" * 30, "b" * 40]
    made = Fingerprint.of(Corpus(tuple(texts), (None,) * 3), features="ngrams", cells=16)
    found = made.families["ngrams"].least_rows("ngrams")
    rows = np.diff(fingerprint.features.NGrams().counts(texts).tocsc().indptr)
    assert (found <= rows + 1e-9).all()
    assert (found[rows > 0] > 0).all()


# ------------------------------------------------------------------------------------- what can be done with it then


def test_what_one_side_lacks_is_left_out_of_both(null: tuple[Fingerprint, Fingerprint]) -> None:
    """Were it not, features near the bound would be missing on one side: a difference in every cell."""
    for suspect, reference in (
        (null[0].for_sharing(max_auc=MAX_AUC), null[1].for_sharing(max_auc=MAX_AUC)),
        (null[0].for_sharing(max_auc=0.7), null[1]),
        (null[0], null[1].for_sharing(max_auc=0.7)),
    ):
        assert fingerprint.compare(suspect, reference).pvalue > 0.01


def test_features_are_not_chosen_by_how_rows_happen_to_fall() -> None:
    """Nine hundred tokens, equally frequent: chosen by their counts, the reference's would lie high by chance."""
    rng = np.random.default_rng(0)

    def made() -> Fingerprint:
        texts = tuple(" ".join(map(str, row)) for row in rng.integers(100, 1000, (6000, 10)).tolist())
        return Fingerprint.of(Corpus(texts, (None,) * 6000), features="tokens", cells=16)

    pairs = [(made(), made().for_sharing(max_auc=0.75)) for _ in range(8)]
    pvalues = [fingerprint.compare(*pair, n_permutations=199).pvalue for pair in pairs]
    assert np.mean(np.array(pvalues) <= 0.05) <= 0.25


def test_a_trait_is_found_in_what_is_shared() -> None:
    made = simulated_pair(2000, tilt="dense", d_prime=1.0, rng=2)
    pair = [Fingerprint.of(corpus).for_sharing(max_auc=0.9) for corpus in (made.suspect, made.reference)]
    assert fingerprint.compare(*pair).pvalue <= 0.001


def test_shared_fingerprints_add_up_to_what_both_have(null: tuple[Fingerprint, Fingerprint]) -> None:
    parts = [made.for_sharing(max_auc=0.7) for made in null]
    total = parts[0] + parts[1]
    assert total == parts[1] + parts[0]
    whole = null[0] + null[1]
    for name, family in total.families.items():
        both = parts[0].families[name].sums.any(axis=0) & parts[1].families[name].sums.any(axis=0)
        np.testing.assert_array_equal(family.sums[:, both], whole.coarsened(16).families[name].sums[:, both])
        assert not family.sums[:, ~both].any()
    with pytest.raises(ValueError, match="must have the same min_rows to add up"):
        _ = parts[0] + null[1].coarsened(16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"min_rows": 0}, "min_rows must be at least 1, got 0"), ({"max_auc": 0.5}, "max_auc must be between .5 and 1")],
)
def test_bad_arguments_are_refused(
    null: tuple[Fingerprint, Fingerprint], arguments: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        null[0].for_sharing(**arguments)  # type: ignore[arg-type]  # what is refused
