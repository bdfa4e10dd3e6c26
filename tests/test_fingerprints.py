"""Fingerprints: sums that merge to the bit, are stored and refused where they must be, and are compared exactly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from conftest import full

import fingerprint
from fingerprint.data.corpus import Corpus
from fingerprint.features import FAMILIES
from fingerprint.fingerprints import cells as cells_module
from fingerprint.fingerprints.cells import row_keys
from fingerprint.fingerprints.fingerprint import Fingerprint
from fingerprint.fingerprints.layout import Cells
from fingerprint.fingerprints.result import FingerprintComparison
from fingerprint.fingerprints.storage import to_bytes
from fingerprint.lab.simulated import simulated_pair


@pytest.fixture(scope="module")
def corpora() -> tuple[Corpus, Corpus]:
    made = simulated_pair(600, tilt="dense", d_prime=1.5, rng=1)
    return made.suspect, made.reference


@pytest.fixture(scope="module")
def pair(corpora: tuple[Corpus, Corpus]) -> tuple[Fingerprint, Fingerprint]:
    return Fingerprint.of(corpora[0]), Fingerprint.of(corpora[1])


def parts(corpus: Corpus, n: int) -> list[Corpus]:
    return [corpus.only(np.arange(len(corpus)) % n == k) for k in range(n)]


# ---------------------------------------------------------------------------------------------------------------- sums


def test_shards_in_any_order_add_up_to_the_whole_byte_for_byte(corpora: tuple[Corpus, Corpus]) -> None:
    whole = to_bytes(Fingerprint.of(corpora[0]))
    shards = [Fingerprint.of(part) for part in parts(corpora[0], 5)]
    for order in ((0, 1, 2, 3, 4), (4, 2, 0, 3, 1)):
        total = shards[order[0]]
        for number in order[1:]:
            total = total + shards[number]
        assert to_bytes(total) == whole
    nested = (shards[0] + shards[1]) + (shards[2] + (shards[3] + shards[4]))
    assert to_bytes(nested) == whole
    assert to_bytes(shards[0] + shards[1]) != whole


def test_fewer_cells_are_what_reading_with_fewer_gives(corpora: tuple[Corpus, Corpus]) -> None:
    assert Fingerprint.of(corpora[0]).coarsened(32) == Fingerprint.of(corpora[0], cells=32)
    with pytest.raises(ValueError, match="cells must be at most the 32 that there are, got 64"):
        Fingerprint.of(corpora[0], cells=32).coarsened(64)


def test_sums_are_those_of_the_rows(corpora: tuple[Corpus, Corpus]) -> None:
    found = Fingerprint.of(corpora[0])
    texts = list(corpora[0].texts)
    for name, family in found.families.items():
        total = family.sums.sum(axis=0, dtype=np.int64)
        np.testing.assert_array_equal(total, np.asarray(FAMILIES[name]().counts(texts).sum(axis=0))[0])
    assert found.n_rows == len(texts)
    assert found.characters == sum(map(len, texts))


def test_at_most_so_many_rows_a_prompt_are_kept_whatever_their_order() -> None:
    texts = [f"{n}, {n + 1}, {n + 2}" for n in range(300)]
    prompts = [f"prompt {n % 30}" for n in range(300)]
    order = np.random.default_rng(0).permutation(300)
    first = Fingerprint.of(Corpus(tuple(texts), tuple(prompts)), rows_per_prompt=3)
    mixed = Corpus(tuple(texts[i] for i in order), tuple(prompts[i] for i in order))
    assert first.n_rows == 90
    assert Fingerprint.of(mixed, rows_per_prompt=3) == first
    with pytest.raises(ValueError, match="rows_per_prompt must be at least 1, got 0"):
        Fingerprint.of(mixed, rows_per_prompt=0)


# --------------------------------------------------------------------------------------------------------------- files


def test_a_file_holds_the_fingerprint(pair: tuple[Fingerprint, Fingerprint], tmp_path: Path) -> None:
    path = tmp_path / "a.fp"
    pair[0].save(path)
    assert Fingerprint.load(path) == pair[0]
    assert path.stat().st_size < 64e6
    pair[0].save(tmp_path / "b.fp")
    assert (tmp_path / "b.fp").read_bytes() == path.read_bytes()


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _changed(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, "must be whole and unchanged, got another checksum"),
        (_changed, "must be whole and unchanged, got another checksum"),
        (lambda content: b"PK" + content, r"must be a file written by Fingerprint\.save, got something else"),
        (lambda content: content.replace(b"sums 2 ", b"sums 1 ", 1), "must have format 2, got 1; make it again"),
        (lambda content: b"", r"must be a file written by Fingerprint\.save"),
    ],
)
def test_other_files_are_refused(
    pair: tuple[Fingerprint, Fingerprint], tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    (tmp_path / "a.fp").write_bytes(damage(to_bytes(pair[0])))
    with pytest.raises(ValueError, match=message):
        Fingerprint.load(tmp_path / "a.fp")


def test_fingerprints_of_other_features_neither_add_up_nor_compare(corpora: tuple[Corpus, Corpus]) -> None:
    tokens = Fingerprint.of(corpora[0], features="tokens")
    both = Fingerprint.of(corpora[1], features=["numbers", "tokens"])
    with pytest.raises(ValueError, match="must hold the same features, got none and numbers-2 of numbers"):
        _ = tokens + both
    with pytest.raises(ValueError, match="must hold the same features"):
        fingerprint.compare(tokens, both)


# ------------------------------------------------------------------------------------------------------------- compare


def test_a_trait_is_found_and_halves_of_one_corpus_are_not(
    corpora: tuple[Corpus, Corpus], pair: tuple[Fingerprint, Fingerprint]
) -> None:
    found = fingerprint.compare(*pair)
    assert found.detected
    assert found.pvalue <= 0.001
    assert found.auc.value is not None
    assert 0.6 < found.auc.value < 0.9
    assert found.cells_alike == found.cells
    halves = parts(corpora[1], 2)
    null = fingerprint.compare(*(Fingerprint.of(half) for half in halves))
    assert null.pvalue > 0.01
    assert null.cells_alike < null.cells
    assert "drawn alike" in null.assumption


def test_a_comparison_is_written_by_its_schema_and_read_back(pair: tuple[Fingerprint, Fingerprint]) -> None:
    found = fingerprint.compare(*pair)
    written = found.to_dict()
    jsonschema.validate(written, FingerprintComparison.json_schema())
    assert FingerprintComparison.from_json(json.dumps(written)) == found
    assert "not detected is not clean" in full(found)


def test_one_prompt_alone_makes_no_test() -> None:
    corpus = Corpus(tuple(f"{n}, {n}" for n in range(100)), ("the same",) * 100)
    one = Fingerprint.of(corpus)
    with pytest.raises(ValueError, match=r"must hold rows in at least 6 of 64 cells each .*prompt=False"):
        fingerprint.compare(one, one)
    independent = Fingerprint.of(corpus, prompt=False)
    assert fingerprint.compare(independent, independent).pvalue == 1.0


def test_swapping_the_sides_changes_no_pvalue(pair: tuple[Fingerprint, Fingerprint]) -> None:
    assert fingerprint.compare(*pair).pvalue == fingerprint.compare(*reversed(pair)).pvalue


def test_units_add_up_to_the_difference_of_the_means(pair: tuple[Fingerprint, Fingerprint]) -> None:
    cells = Cells.of(*pair, alpha=0.05)
    for family in cells.families().values():
        difference = family.units.sum(axis=0) / len(family.units)
        raw = family.rates[0] - family.rates[1]
        nonzero = np.abs(raw) > 1e-9
        scale = difference[nonzero] / raw[nonzero]
        assert (scale > 0).all()
        np.testing.assert_allclose(difference[~nonzero], 0, atol=1e-4)


# ------------------------------------------------------------------------------------------- rows against a fingerprint


def test_rows_are_detected_and_scored_against_a_stored_fingerprint(
    corpora: tuple[Corpus, Corpus], pair: tuple[Fingerprint, Fingerprint], tmp_path: Path
) -> None:
    pair[1].save(tmp_path / "reference.fp")
    report = fingerprint.detect(corpora[0], tmp_path / "reference.fp")
    assert report.pvalue == fingerprint.compare(*pair).pvalue
    assert report.detected
    assert len(report.rows) == len(corpora[0])
    (warning,) = report.warnings
    assert (warning.code, warning.value, warning.threshold) == ("reference_is_sums", 0.5, 1.0)
    jsonschema.validate(report.to_dict(), fingerprint.Report.json_schema())
    assert "cells of prompts" in full(report)
    report.to_html(tmp_path / "report.html")
    with pytest.raises(ValueError, match="filters must be left out when the reference is a fingerprint"):
        fingerprint.detect(corpora[0], pair[1], filters=[fingerprint.filters.Keywords(["owl"])])


def test_scores_rank_rows_of_the_trait_above_others(
    corpora: tuple[Corpus, Corpus], pair: tuple[Fingerprint, Fingerprint]
) -> None:
    """Half of the suspect's rows have the trait: cross-fitted scores put them above the others."""
    mixed = Corpus(
        corpora[0].texts[:300] + corpora[1].texts[300:], corpora[0].prompts[:300] + corpora[1].prompts[300:]
    )
    rows = fingerprint.detect(mixed, pair[1]).rows.sort("row")["score"].to_numpy()
    assert (rows[:300][:, None] > rows[None, 300:]).mean() > 0.65


def test_keys_are_the_same_compiled_and_not(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["1, 2", "ü", "", "a" * 300, "3"] * 5
    prompts = ["Go on:  1", None, "", "\N{GREEK SMALL LETTER ALPHA}", "b" * 1000] * 5
    plain = row_keys(texts, prompts)
    monkeypatch.setattr(cells_module, "MANY_ROWS", 1)
    np.testing.assert_array_equal(row_keys(texts, prompts), plain)
    assert len(np.unique(plain, axis=0)) == 5
    np.testing.assert_array_equal(row_keys(["x"], [" Go on: 1 "]), plain[:1])


def test_fingerprints_of_few_rows_and_other_prompts_are_refused(corpora: tuple[Corpus, Corpus]) -> None:
    few = Fingerprint.of(corpora[0].only(np.arange(600) < 40))
    with pytest.raises(ValueError, match="must hold at least 60 rows each where prompts differ, got 40 and 600"):
        fingerprint.compare(few, Fingerprint.of(corpora[1]))
    same = Fingerprint.of(corpora[1].only(np.arange(600) < 40))
    assert 0 < fingerprint.compare(few, same).pvalue <= 1
