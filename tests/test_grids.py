"""Fixed grids, and the columns that counts of their bins give."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.features import FAMILIES, Layout, Numbers, Prose
from fingerprint.features.counted import CountedFamily
from fingerprint.features.grids import (
    COUNTS,
    EXTENTS,
    KINDS,
    LENGTHS,
    MEANS,
    REALS,
    SHARES,
    STEP_MEANS,
    STEPS,
    VALUE_MEANS,
    VALUES,
    Grid,
)
from fingerprint.features.quantiles import QuantileFamily

GRIDS = (COUNTS, EXTENTS, KINDS, LENGTHS, MEANS, REALS, SHARES, STEP_MEANS, STEPS, VALUE_MEANS, VALUES)
MEASURING: tuple[type[QuantileFamily], ...] = (Numbers, Prose, Layout)
TEXTS = ["482, 113, 954", "[1; 2; 3]", "A quiet walk, then tea.", "", "007\n8 and 9", "5 5 5", "Don't shout!"] * 4


def test_the_upper_end_of_a_bin_belongs_to_it_and_nan_has_the_last() -> None:
    grid = Grid((0.0, 1.0, 4.0))
    values = np.array([-7.0, 0.0, 0.5, 1.0, 1.0001, 4.0, 5.0, np.inf, np.nan])
    assert grid.bins(values).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4]
    assert grid.n_bins == 5


@pytest.mark.parametrize("grid", GRIDS)
def test_edges_rise_and_every_value_has_a_bin(grid: Grid) -> None:
    assert (np.diff(grid.edges) > 0).all()
    bins = grid.bins(np.array([-1e300, -0.0, 0.0, 1e-300, 1e300, np.nan]))
    assert bins.min() >= 0
    assert bins.max() == grid.n_bins - 1
    assert bins[1] == bins[2]


def test_small_counts_have_bins_of_their_own() -> None:
    assert len(set(COUNTS.bins(np.arange(25.0)).tolist())) == 25
    assert len(set(STEPS.bins(np.arange(-10.0, 11.0)).tolist())) == 21


@pytest.mark.parametrize(("grid", "low", "high", "at_most"), [
    (VALUES, 100.0, 2.0**29, 0.2), (LENGTHS, 24.0, 2.0**29, 0.1), (SHARES, 2.0**-8, 1.0, 0.06),
    (MEANS, 2.0, 2.0**19, 0.1), (VALUE_MEANS, 100.0, 2.0**29, 0.2),
])  # fmt: skip
def test_a_bin_is_never_wider_than_a_share_of_its_values(grid: Grid, low: float, high: float, at_most: float) -> None:
    edges = np.array([edge for edge in grid.edges if low <= edge <= high])
    assert edges[0] <= 2 * low
    assert edges[-1] >= high / 2
    least = edges[:-1] + grid.is_whole
    assert ((edges[1:] - least) / least).max() <= at_most


@pytest.mark.parametrize("grid", [grid for grid in GRIDS if grid.is_whole])
def test_grids_of_whole_numbers_have_whole_edges(grid: Grid) -> None:
    assert all(edge.is_integer() for edge in grid.edges)


def _holds(label: str, value: float) -> bool:
    """Whether a column's name is true of a value of "x"."""
    label = {"no x": "x = 0", "x present": "x > 0", "x not missing": "x == x"}.get(label, label)
    return bool(eval(label.replace(" = ", " == "), {"x": value}))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("amount", ["x", None])
def test_names_of_bins_are_true_of_what_falls_into_them_and_of_nothing_else(grid: Grid, amount: str | None) -> None:
    draw = np.random.default_rng(1)
    values = np.concatenate([[0.0, 1.0], *(draw.normal(0, scale, 60) for scale in (1, 30, 3000))])
    values = np.rint(values) if grid.is_whole else np.round(values, 3)
    values = np.abs(values) if grid.edges[0] == 0.0 else values
    known = grid.n_bins - 2
    for ends in (np.array([], int), np.array([0]), np.array([0, 1, 25]), np.unique(draw.integers(0, known, 8))):
        labels = [grid.name("x", ends, b, amount) for b in range(len(ends) + 1)]
        assert len(set(labels)) == len(labels)
        found = np.searchsorted(ends, grid.bins(values), "left")
        for value, place in zip(values, found, strict=True):
            assert [_holds(label, value) for label in labels] == [b == place for b in range(len(labels))], value


def test_counts_are_named_by_whole_numbers_and_their_absence_is_called_no() -> None:
    texts = ["x" * (20 + i) + "!" * (i % 2) for i in range(19)]
    names = Layout().fit(texts).get_feature_names_out().tolist()
    about = [name for name in names if "characters" in name]
    assert about == [
        "characters (rank)", "characters <= 24", "25 <= characters <= 31", "32 <= characters <= 37", "characters >= 38",
        "characters missing",
    ]  # fmt: skip
    assert {"no '!'", "'!' present"} <= set(names)


@pytest.mark.parametrize("make", MEASURING)
def test_no_two_columns_of_a_family_have_one_name(make: type[QuantileFamily]) -> None:
    names = make().fit([*TEXTS, "Well, AN owl saw 12 owls!"]).get_feature_names_out().tolist()
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("make", MEASURING)
def test_the_bins_of_a_row_hang_on_that_row_alone(make: type[QuantileFamily]) -> None:
    family = make()
    together = family.measure(TEXTS)
    for row in (0, 3, 4):
        alone = family.measure([TEXTS[row]])
        for name, values in together.items():
            grid = family.grid(name)
            assert grid.bins(values)[row] == grid.bins(alone[name])[0], name


@pytest.mark.parametrize("make", MEASURING)
def test_sums_of_columns_follow_from_counts_of_bins(make: type[QuantileFamily]) -> None:
    """What makes fingerprints mergeable: columns are linear in the indicators of the bins."""
    family = make().fit(TEXTS)
    part = TEXTS[2:9]
    sums = np.asarray(family.transform(part).sum(axis=0)).ravel()
    first = 0
    for name, values in family.measure(part).items():
        m = family.names_.index(name)
        ranks, ends = family.ranks_[m], family.ends_[m]
        counts = np.bincount(family.grid(name).bins(values), minlength=len(ranks))
        assert sums[first] == pytest.approx(float(counts @ ranks), rel=1e-5)
        inner = [counts[a:b].sum() for a, b in zip([0, *(ends + 1)], [*(ends + 1), len(counts) - 1], strict=True)]
        assert sums[first + 1 : first + 3 + len(ends)].tolist() == [*inner, counts[-1]]
        first += len(ends) + 3
    assert first == len(sums)


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=40))
def test_ranks_are_pooled_mid_ranks_of_bins(drawn: list[float | None]) -> None:
    class Given(QuantileFamily):
        def measure(self, texts: object) -> dict[str, np.ndarray]:
            return {"x": np.array([np.nan if value is None else value for value in drawn])}

        def grid(self, measurement: str) -> Grid:
            return REALS

    texts = [""] * len(drawn)
    found = Given().fit(texts).transform(texts).toarray()[:, 0]
    bins = REALS.bins(np.array([np.nan if value is None else value for value in drawn]))
    known = [b for b, value in zip(bins, drawn, strict=True) if value is not None]
    for b, value, rank in zip(bins, drawn, found, strict=True):
        below, same = sum(k < b for k in known), sum(k == b for k in known)
        assert rank == pytest.approx(0.5 if value is None else (below + same / 2) / len(known), abs=1e-6)


def test_every_built_in_family_names_its_definition() -> None:
    names = [make().definition for make in FAMILIES.values()]
    assert all(name == f"{family}-{str(name)[-1]}" for family, name in zip(FAMILIES, names, strict=True))


# ------------------------------------------------------------------------------------------------------ sums of counts

ROWS = ["482, 113, 954", "[1; 2; 3]", "A quiet walk.", "", "007\n8 and 9", "482, 113", "aaa aaa aaa"]


@pytest.mark.parametrize("make", FAMILIES.values(), ids=FAMILIES)
def test_columns_and_their_scales_follow_from_sums_of_counts(make: Callable[[], CountedFamily]) -> None:
    family = make()
    values = sp.csr_matrix(family.fit_transform(ROWS)).toarray().astype(np.float64)
    counts = family.counts(ROWS)
    assert counts.dtype == np.int64
    block, sums = np.array([0, 1, 1, 0, -1, 1, 0]), np.zeros((2, family.n_counts), dtype=np.int64)
    squares = np.zeros(family.n_counts, dtype=np.int64)
    family.add_sums(ROWS, block, sums, squares)
    for b in range(2):
        np.testing.assert_array_equal(sums[b], np.asarray(counts[block == b].sum(axis=0))[0])
    again = make().fit_counts(family.pooled(counts, ROWS))
    np.testing.assert_array_equal(again.ridge, family.ridge)
    np.testing.assert_array_equal(again.column_weights, family.column_weights)
    projected = again.projected(sums)
    np.testing.assert_allclose(projected, [values[block == b].sum(axis=0) for b in range(2)], rtol=1e-6, atol=1e-6)
    mean, second = again.moments(family.pooled(counts, ROWS))
    np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(second, (values**2).mean(axis=0), rtol=1e-3, atol=1e-6)


def test_pooled_counts_add_up_in_any_order() -> None:
    family = FAMILIES["ngrams"]()
    parts = [family.pooled(family.counts(ROWS[at]), ROWS[at]) for at in (slice(0, 2), slice(2, 3), slice(3, 7))]
    whole = family.pooled(family.counts(ROWS), ROWS)
    for first, second, third in ((0, 1, 2), (2, 0, 1)):
        total = parts[first] + (parts[second] + parts[third])
        assert (total.rows, total.characters) == (whole.rows, whole.characters)
        np.testing.assert_array_equal(total.sums, whole.sums)
        np.testing.assert_array_equal(total.squares, whole.squares)
