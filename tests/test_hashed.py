"""Compiled tokens and n-grams equal the reference on every input, and so do sums by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprint.data.arrays import Ints
from fingerprint.features import NGrams, Tokens, compiled, hashed
from fingerprint.features.counted import CountedFamily
from fingerprint.features.hashed import HashedFamily, batches, token_rows
from fingerprint.features.hashing import fold, hash_runs, hash_strings, mix
from fingerprint.features.tokens import tokenize

FAMILIES: tuple[type[HashedFamily], ...] = (Tokens, NGrams)
# Rows of a few kinds side by side, since n-grams of one kind alone never meet another.
ODD = st.sampled_from(
    ["e\u0301", "٣٤", "Ⅷ½²", "字典", "🦉\u200d🦉", "\u00a0\u2028", "__", "\x00", "\U0010ffff", "\ud800"]
)
PLAIN = st.text("0123456789, .ab\n_", max_size=40)
ANY = st.text(st.characters(exclude_categories=()), max_size=30)
ROW = st.one_of(PLAIN, ANY, st.lists(st.one_of(PLAIN, ANY, ODD), max_size=6).map("".join))
ROWS = st.lists(ROW, max_size=8)


T = TypeVar("T")


def both_ways(monkeypatch: pytest.MonkeyPatch, work: Callable[[], T]) -> list[T]:
    """What some work gives with the reference, and with compiled code in one thread, and in two and small batches."""
    found = []
    for forced, threads, batch in (("0", "1", 2**18), ("1", "1", 2**18), ("1", "2", 20)):
        monkeypatch.setattr(hashed, "BATCH", batch)
        monkeypatch.setenv(compiled.FORCE, forced)
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        found.append(work())
    return found


def entries(matrix: sp.csr_matrix) -> tuple[object, ...]:
    assert matrix.has_canonical_format
    arrays = matrix.indptr, matrix.indices, matrix.data
    return matrix.shape, *((array.dtype.name, array.tolist()) for array in arrays)


def sums(family: CountedFamily, texts: Sequence[str], block: Ints, n_blocks: int) -> tuple[Ints, Ints]:
    found = np.zeros((n_blocks, family.n_counts), np.int64), np.zeros(family.n_counts, np.int64)
    family.add_sums(texts, block, *found)
    return found


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield monkeypatch


@pytest.mark.parametrize("make", FAMILIES)
@given(texts=ROWS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_compiled_code_equals_the_reference(
    patch: pytest.MonkeyPatch, make: type[HashedFamily], texts: list[str], data: st.DataObject
) -> None:
    block = np.array([data.draw(st.integers(-1, 3)) for _ in texts], dtype=np.int64)
    family = make().fit(texts)
    matrix, *matrices = both_ways(patch, lambda: family.counts(texts))
    assert all(entries(other) == entries(matrix) for other in matrices)
    for times in (1, 30):  # blocks of few characters, and of so many that they are added up in a small table first
        repeated, blocks = texts * times, np.tile(block, times)
        arrays, *others = both_ways(patch, partial(sums, family, repeated, blocks, 4))
        assert all(same(other, arrays) for other in others)
    columns = np.unique(matrix.indices)[::3]
    names, *other_names = both_ways(patch, lambda: family.describe(columns))
    assert all(other == names for other in other_names)


def same(ones: tuple[Ints, ...], others: tuple[Ints, ...]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(ones, others, strict=True))


# Some of them just short enough for the table of 32 bits, and the most that it takes at once.
HUGE = ["ab, 12! " * 40_000, "7" * 300_000, "", "x", " \u0301" * 70_000, *["7" * 32_767] * 8, *["1, 2"] * 9_000]


@pytest.mark.parametrize("make", FAMILIES)
def test_compiled_code_equals_the_reference_on_huge_rows(
    monkeypatch: pytest.MonkeyPatch, make: type[HashedFamily]
) -> None:
    block = np.arange(len(HUGE)) % 7 - 1
    family = make().fit(HUGE)
    matrix, *matrices = both_ways(monkeypatch, lambda: entries(family.counts(HUGE)))
    assert all(other == matrix for other in matrices)
    arrays, *others = both_ways(monkeypatch, lambda: sums(family, HUGE, block, 6))
    assert all(same(other, arrays) for other in others)
    some = np.arange(0, family.n_counts, 7)
    names, *other_names = both_ways(monkeypatch, lambda: family.describe(some))
    assert all(other == names for other in other_names)


@pytest.mark.parametrize("forced", ["0", "1"])
@pytest.mark.parametrize("make", FAMILIES)
def test_sums_by_block_are_sums_of_counts(
    monkeypatch: pytest.MonkeyPatch, make: type[HashedFamily], forced: str
) -> None:
    monkeypatch.setenv(compiled.FORCE, forced)
    texts = ["1, 2, 1", "A word.", "", "1, 2", "b" * 50, "٣"] * 20
    block = np.random.default_rng(1).integers(-1, 5, len(texts))
    family = make().fit(texts)
    found, squares = sums(family, texts, block, 5)
    dense = family.counts(texts).toarray()
    assert np.array_equal(found, np.stack([dense[block == b].sum(axis=0) for b in range(5)]))
    assert np.array_equal(squares, family.squared(dense[block >= 0]).sum(axis=0))


def test_what_was_compiled_is_known_to_be_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.FORCE, "1")
    Tokens().counts(["1, 2"])
    from fingerprint.features.kernels import is_on_disk

    assert [is_on_disk(name) for name in ("hashed", "hashed.fill_tokens", "hashed.fill", "tokens")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_small_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{i}, {i * i} owl" for i in range(200)] + ["x" * 500, ""]
    whole = entries(NGrams().fit(texts).counts(texts)), NGrams().fit(texts).describe(np.arange(2**15))
    monkeypatch.setattr(hashed, "BATCH", 100)
    assert len(batches(texts)) > 20
    assert [text for part in batches(texts) for text in texts[part]] == texts
    assert (entries(NGrams().fit(texts).counts(texts)), NGrams().fit(texts).describe(np.arange(2**15))) == whole


@given(texts=ROWS)
@settings(deadline=None)
def test_tokens_of_many_rows_are_those_of_each(texts: list[str]) -> None:
    rows, joined = token_rows(texts), "".join(texts)
    found = [joined[start:end] for start, end in zip(rows.start, rows.end, strict=True)]
    assert found == [token for text in texts for token in tokenize(text)]
    assert rows.tokens.counts.tolist() == [len(tokenize(text)) for text in texts]
    assert rows.hashed.tolist() == hash_strings(found).tolist()


def test_hashes_of_runs_are_polynomials_of_their_items() -> None:
    items = mix(np.arange(12, dtype=np.uint64))
    wanted = []
    for first, last in ((0, 1), (1, 6), (6, 12)):
        hashed = 0
        for item in items[first:last].tolist():
            hashed = (hashed * 0xD1342543DE82EF95 + item) % 2**64
        wanted.append(hashed)
    assert hash_runs(items, np.array([1, 6, 12])).tolist() == wanted


def test_columns_are_as_even_as_random_ones() -> None:
    """Chi-squared of columns of numbers, short n-grams and words, which differ in few bits; bounds of 5 deviations."""
    words = [a + b + c for a in "abcdefghijklmnop" for b in "aeiouxyz" for c in "bcdfghjklmnp"]
    for strings in ([str(i) for i in range(100_000)], [f", {i}" for i in range(60_000)], words):
        for n_columns in (2**10, 2**14, 2**15):
            counts = np.bincount(fold(hash_strings(strings), n_columns), minlength=n_columns)
            expected = len(strings) / n_columns
            excess = (((counts - expected) ** 2 / expected).sum() - n_columns) / np.sqrt(2 * n_columns)
            assert abs(excess) < 5
