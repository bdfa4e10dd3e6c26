"""Compiled measurements are those of the reference, to the bit, on any text; and sums and columns of their bins too."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fingerprint.features import Layout, Numbers, Prose
from fingerprint.features import measured as batching
from fingerprint.features.characters import SPACE, character_flags
from fingerprint.features.compiled import FORCE
from fingerprint.features.grids import COUNTS, MEANS, REALS, SHARES, STEP_MEANS, VALUE_MEANS, VALUES, Grid, GridTables
from fingerprint.features.numbers import number_rows
from fingerprint.features.prose import lower_case
from fingerprint.features.quantiles import QuantileFamily

FAMILIES: dict[str, Callable[[], QuantileFamily]] = {
    "numbers": Numbers,
    "single numbers": lambda: Numbers(parts="single"),
    "layout": Layout,
    "prose": Prose,
}
EVERY_FAMILY = pytest.mark.parametrize("make", FAMILIES.values(), ids=FAMILIES)

# Pieces on which scanners go wrong, beside any characters at all.
PIECES = [
    "0", "7", "10", "007", "123", "321", "999999999", "1000000000", "9" * 40, "-", ", ", "\n", "\r\n", "\t", " ",
    "\u00a0", "\u2028", "\x1c", "\x85", "\u3000", "the", "The", "AN", "it's", "it’s", "'", "’", "rock'n'roll",
    "e\u0301", "É", "ß", "İ", "ǅ", "Ⅷ", "²", "①", "٣", "½", "ночь", "НОЧЬ", "漢字", "🦉", "\u200d", "_", "...", "?!",
    ".\")", ".] ", "]", "…”", ". ", "* ", "- x", "12) ", "1234. ", "3.", "running", "s", "es", "a", "\ud800", "\x00",
    "(", "[", "}", "`", "#", "|", "éééééééééathe",
]  # fmt: skip
texts = st.one_of(
    st.text(max_size=40),
    st.lists(st.one_of(st.sampled_from(PIECES), st.integers(0, 2000).map(str)), max_size=40).map("".join),
    st.lists(st.integers(0, 10**11), max_size=40).map(lambda numbers: ", ".join(map(str, numbers))),
)


def _huge() -> list[str]:
    """Rows longer than what a batch holds, and rows of thousands of things."""
    draw = random.Random(0)
    return [
        ", ".join(str(draw.randrange(1200)) for _ in range(5000)),
        " ".join(str(draw.randrange(10**9)) for _ in range(4000)),
        "".join(draw.choice(PIECES) for _ in range(6000)),
        "9" * 3000,
        "a" * 3000,
        "\n" * 3000,
        "." * 300 + "a",
    ]


def reference(family: QuantileFamily, rows: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    table = family.measure(rows)
    bins = [family.grid(name).bins(values) for name, values in table.items()]
    return np.stack(list(table.values()), axis=1), np.stack(bins, axis=1)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FORCE, "1")


@EVERY_FAMILY
@given(rows=st.lists(texts, min_size=1, max_size=12))
@example(rows=["", " ", "\n", "7", "7 7", "5, 5, 5", "1.5", "0.1 0.2 0.3"])
@example(rows=["éééééééééathe", "A [b.] C", "He said: “No.” So", "- a\n1234) b\n123) c\n+d", "the the THE The"])
@settings(deadline=None, max_examples=80)
def test_compiled_measurements_are_those_of_the_reference(make: Callable[[], QuantileFamily], rows: list[str]) -> None:
    family = make()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FORCE, "1")
        measured, bins = family.measured(rows), family.bins(rows)
    wanted, wanted_bins = reference(family, rows)
    for name, found, right in zip(family.measurements(), measured.T, wanted.T, strict=True):
        np.testing.assert_array_equal(found, right, err_msg=name)
    np.testing.assert_array_equal(bins, wanted_bins)


@given(rows=st.lists(texts, max_size=12))
@example(rows=["", " \n", "1", "1, 2", "[1; 2]", "1 a", "a", "٣", " \x1c7", "-", "1" * 9999 + " x", "1" * 10000 + "x"])
@settings(deadline=None, max_examples=80)
def test_rows_of_numbers_and_empty_rows_are_those_of_a_plain_pattern(rows: list[str]) -> None:
    white = "".join(map(chr, np.flatnonzero(character_flags() & SPACE).tolist()))
    signs = re.compile(rf"[{white}\[\](){{}},;:|.\-+/]*[0-9][0-9{white}\[\](){{}},;:|.\-+/]*")
    beginnings = [row[:10_000] for row in rows]
    is_number, is_empty = number_rows(rows)
    assert is_number.tolist() == [signs.fullmatch(row) is not None for row in beginnings]
    assert is_empty.tolist() == [not row.strip(white) for row in beginnings]


@EVERY_FAMILY
@pytest.mark.usefixtures("always")
def test_huge_rows_are_measured_as_the_reference_does(
    make: Callable[[], QuantileFamily], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "BATCH_CHARACTERS", 5000)
    family, rows = make(), [*_huge(), "", "1, 2", *_huge()[::-1]]
    wanted, wanted_bins = reference(family, rows)
    np.testing.assert_array_equal(family.measured(rows), wanted)
    np.testing.assert_array_equal(family.bins(rows), wanted_bins)


VALUES_ON_EDGES = st.one_of(st.floats(), st.integers(-2000, 2000).map(float), st.integers(-40, 40).map(lambda k: k / 8))


@given(st.lists(VALUES_ON_EDGES, min_size=1))
@settings(deadline=None)
def test_compiled_bins_are_those_of_the_grid(values: list[float]) -> None:
    grids: list[Grid] = [COUNTS, VALUES, STEP_MEANS, REALS, COUNTS]
    table = np.tile(np.array(values)[:, None], len(grids))
    found = np.empty(table.shape, dtype=np.uint16)
    GridTables.of(grids).fill(table, found)
    np.testing.assert_array_equal(found, np.stack([grid.bins(np.array(values)) for grid in grids], axis=1))


@pytest.mark.parametrize("grid", [COUNTS, MEANS, REALS, SHARES, STEP_MEANS, VALUE_MEANS])
def test_values_on_an_edge_and_next_to_it_fall_into_the_bins_of_the_grid(grid: Grid) -> None:
    edges = np.array([*grid.edges, 2.0**-10, 2.0**31, 0.0, np.inf])
    values = np.concatenate([edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)])
    found = np.empty((len(values), 1), dtype=np.uint16)
    GridTables.of([grid]).fill(values[:, None], found)
    np.testing.assert_array_equal(found[:, 0], grid.bins(values))


@given(lengths=st.lists(st.integers(0, 12), max_size=30), rows=st.integers(1, 5), characters=st.integers(1, 20))
def test_batches_hold_every_row_once_and_no_more_than_they_may(lengths: list[int], rows: int, characters: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batching, "BATCH_ROWS", rows)
        patch.setattr(batching, "BATCH_CHARACTERS", characters)
        found = list(batching.batches(["a" * length for length in lengths]))
    assert [row for part, _ in found for row in range(part.start, part.stop)] == list(range(len(lengths)))
    for part, starts in found:
        assert starts.tolist() == [sum(lengths[part.start : row]) for row in range(part.start, part.stop + 1)]
        assert 1 <= part.stop - part.start <= rows
        assert part.stop - part.start == 1 or starts[-1] <= characters


def test_lower_case_is_that_of_the_letters_of_common_alphabets() -> None:
    table = lower_case()
    changed = [code for code in range(len(table)) if table[code] != code]
    assert [chr(table[code]) for code in changed] == [chr(code).lower() for code in changed]
    capitals = "ABCXYZÀÉÑÖØÞĀŁŠŽΑΛΣΩАЖЯЁЇ"
    assert [chr(table[ord(sign)]) for sign in capitals] == list(capitals.lower())
    assert {chr(code) for code in changed}.isdisjoint("×İŸ")


ROWS = ["482, 113, 954", "[1; 2; 3]", "A quiet walk.", "", "007\n8 and 9", "482, 113", "aaa aaa aaa", "- x\n- y"]


@EVERY_FAMILY
def test_sums_columns_and_what_is_fitted_are_the_same_compiled_or_not(
    make: Callable[[], QuantileFamily], monkeypatch: pytest.MonkeyPatch
) -> None:
    block = np.array([1, 0, 2, 1, -1, 2, 0, 1])
    found = []
    for compiled in ("1", "0"):
        monkeypatch.setenv(FORCE, compiled)
        family = make()
        sums, squares = np.zeros((3, family.n_counts), dtype=np.int64), np.zeros(family.n_counts, dtype=np.int64)
        family.add_sums(ROWS, block, sums, squares)
        columns = family.fit_transform(ROWS)
        found.append((sums, squares, family.counts(ROWS).toarray(), columns.toarray(), np.concatenate(family.counts_)))
        assert columns.indices.dtype == np.int32
        assert sums.sum() == 7 * len(family.sizes)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
