"""The ladder: rungs whose rows are the same share what is known of them."""

from __future__ import annotations

import pytest

from fingerprint import Corpus, detect
from fingerprint.detection import ladder
from fingerprint.features import Family
from fingerprint.features.numbers import DIGITS
from fingerprint.features.scaling import FamilyMatrix, family_matrix
from fingerprint.lab.simulated import simulated_pair


def one_format(corpus: Corpus) -> Corpus:
    return Corpus(tuple(", ".join(DIGITS.findall(text)) for text in corpus.texts), corpus.prompts)


def test_a_rung_that_changes_no_row_takes_what_is_known_and_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are in one format already: "canonical" has the rows of "raw", and three of its four families."""
    drawn = simulated_pair(60, design="shared", rng=3)
    suspect, reference = one_format(drawn.suspect), one_format(drawn.reference)
    read: list[str] = []

    def counted(family: Family, texts: list[str], name: str) -> FamilyMatrix:
        read.append(name)
        return family_matrix(family, texts, name)

    monkeypatch.setattr(ladder, "family_matrix", counted)
    shared = detect(suspect, reference, n_permutations=199).ladder
    once = len(read)
    assert shared["rung"].to_list()[2] == "canonical"
    monkeypatch.setattr(ladder, "_is_same", lambda one, other: False)
    assert detect(suspect, reference, n_permutations=199).ladder.equals(shared)
    assert len(read) == 2 * once + 3
