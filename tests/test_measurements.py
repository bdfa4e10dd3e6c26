"""Measurements of numbers, layout and prose against values worked out by hand; ranks and bins of any measurement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.features import FAMILIES, Layout, Numbers, Prose
from fingerprint.features.layout import MARKS
from fingerprint.features.prose import ENDINGS, FUNCTION_WORDS, LETTERS
from fingerprint.features.quantiles import N_BINS, QuantileFamily

NAN = float("nan")


def assert_measures(table: dict[str, Any], expected: dict[str, list[float]], default: dict[str, list[float]]) -> None:
    """`table` holds what `expected` says, and `default` (by the beginning of its names) where that says nothing."""
    for name, values in table.items():
        prefix = next((p for p in default if name.startswith(p)), None)
        wanted = expected.get(name, default.get(prefix) if prefix is not None else None)
        assert wanted is not None, f"{name} is not in the table worked out by hand: {values}"
        np.testing.assert_allclose(values, wanted, rtol=1e-12, err_msg=name)
    assert set(expected) <= set(table)


# ------------------------------------------------------------------------------------------------------------- numbers

NUMBER_ROWS = ["123, 124, 125", "", "7", "999 999"]
NUMBER_TABLE: dict[str, list[float]] = {
    "count of numbers": [3, 0, 1, 2],
    "mean": [124, NAN, 7, 999],
    "spread": [math.sqrt(2 / 3), NAN, 0, 0],
    "least": [123, NAN, 7, 999],
    "greatest": [125, NAN, 7, 999],
    "last number": [125, NAN, 7, 999],
    "number 1": [123, NAN, 7, 999],
    "number 2": [124, NAN, NAN, 999],
    "number 3": [125, NAN, NAN, NAN],
    **{f"number {k}": [NAN] * 4 for k in range(4, 11)},
    "units digit 3": [1, 0, 0, 0],
    "units digit 4": [1, 0, 0, 0],
    "units digit 5": [1, 0, 0, 0],
    "units digit 7": [0, 0, 1, 0],
    "units digit 9": [0, 0, 0, 2],
    "tens digit 2": [3, 0, 0, 0],
    "tens digit 9": [0, 0, 0, 2],
    "hundreds digit 1": [3, 0, 0, 0],
    "hundreds digit 9": [0, 0, 0, 2],
    "digits ascend by 1 (123)": [1, 0, 0, 0],
    "digits descend by 1 (321)": [0, 0, 0, 0],
    "three equal digits": [0, 0, 0, 2],
    "equal digit steps (135)": [1, 0, 0, 2],
    "palindrome (121)": [0, 0, 0, 2],
    "first two digits equal": [0, 0, 0, 2],
    "last two digits equal": [0, 0, 0, 2],
    "digits rise": [3, 0, 0, 0],
    "digits fall": [0, 0, 0, 0],
    "middle digit highest": [0, 0, 0, 0],
    "middle digit lowest": [0, 0, 0, 0],
    "hundreds to tens +1": [3, 0, 0, 0],
    "hundreds to tens +0": [0, 0, 0, 2],
    "tens to units +1": [1, 0, 0, 0],
    "tens to units +2": [1, 0, 0, 0],
    "tens to units +3": [1, 0, 0, 0],
    "tens to units +0": [0, 0, 0, 2],
    "numbers of 1 digits": [0, 0, 1, 0],
    "numbers of 2 digits": [0, 0, 0, 0],
    "numbers of 3 digits": [3, 0, 0, 2],
    "numbers of 4 or more digits": [0, 0, 0, 0],
    "even numbers": [1, 0, 0, 0],
    "multiples of 10": [0, 0, 0, 0],
    "multiples of 111": [0, 0, 0, 2],
    "step mean": [1, NAN, NAN, 0],
    "step size": [1, NAN, NAN, 0],
    "step spread": [0, NAN, NAN, 0],
    "lowest step": [1, NAN, NAN, 0],
    "highest step": [1, NAN, NAN, 0],
    "smallest step": [1, NAN, NAN, 0],
    "upward steps": [2, 0, 0, 0],
    "zero steps": [0, 0, 0, 1],
    "small steps": [2, 0, 0, 1],
    "steps by 111": [0, 0, 0, 0],
    "steps by tens": [0, 0, 0, 1],
    "steps by hundreds": [0, 0, 0, 1],
    "distinct numbers less count": [0, 0, 0, -1],
    "step 1": [1, NAN, NAN, 0],
    "step 2": [1, NAN, NAN, NAN],
    **{f"step {k}": [NAN] * 4 for k in range(3, 6)},
    "equal steps in a row": [1, 0, 0, 0],
    "turns": [0, 0, 0, 0],
    "leading digit repeats units digit before": [0, 0, 0, 1],
    "leading digit repeats": [2, 0, 0, 1],
    "units digit repeats": [0, 0, 0, 1],
}
NUMBER_ZEROS = {p: [0.0] * 4 for p in ("units digit", "tens digit", "hundreds digit", "hundreds to", "tens to")}


def test_numbers_measures_are_those_worked_out_by_hand() -> None:
    assert_measures(Numbers().measure(NUMBER_ROWS), NUMBER_TABLE, NUMBER_ZEROS)


def test_numbers_turns_and_shapes() -> None:
    table = Numbers().measure(["1 5 2 2", "321 121 212 100 10", "10 121 232"])
    assert table["turns"].tolist() == [2, 2, 0]  # + - 0; - + - -; + +
    assert table["digits descend by 1 (321)"].tolist() == [0, 1, 0]
    assert table["palindrome (121)"].tolist() == [0, 2, 2]
    assert table["middle digit highest"].tolist() == [0, 1, 2]
    assert table["middle digit lowest"].tolist() == [0, 1, 0]
    assert table["steps by 111"].tolist() == [0, 0, 2]
    assert table["multiples of 10"].tolist() == [0, 2, 1]
    assert table["numbers of 2 digits"].tolist() == [0, 1, 1]


def test_numbers_too_long_for_an_integer_keep_their_length() -> None:
    table = Numbers().measure(["9" * 1000, "1234"])
    assert table["numbers of 4 or more digits"].tolist() == [1, 1]
    assert table["greatest"].tolist() == [1e9, 1234]


def test_single_parts_are_sums_over_numbers() -> None:
    """What `parts="single"` keeps adds up over a row's numbers: joining two rows adds their measurements."""
    single = Numbers(parts="single")
    one, other = single.measure(["123, 7"]), single.measure(["999, 40"])
    assert "mean" not in one
    assert "turns" not in one
    for name, values in single.measure(["123, 7, 999, 40"]).items():
        assert values[0] == one[name][0] + other[name][0], name


# -------------------------------------------------------------------------------------------------------------- layout

LAYOUT_ROWS = ["Ab, 1!\n\n- x", "", "  (é)\n "]
LAYOUT_TABLE: dict[str, list[float]] = {
    "characters": [11, 0, 7],
    "upper-case letters": [1, 0, 0],
    "lower-case letters": [2, 0, 1],
    "digits": [1, 0, 0],
    "non-ASCII": [0, 0, 1],
    "count of ' '": [2, 0, 3],
    "count of '\\n'": [2, 0, 1],
    "count of ','": [1, 0, 0],
    "count of '!'": [1, 0, 0],
    "count of '-'": [1, 0, 0],
    "count of '('": [0, 0, 1],
    "count of ')'": [0, 0, 1],
    "separators": [2, 0, 2],  # ", " and "!\n\n- "; "  (" and ")\n "
    "distinct separators": [2, 0, 2],
    "longest separator": [5, NAN, 3],
    "blank lines": [1, 1, 1],
    "bulleted or numbered lines": [1, 0, 0],
    "longest line": [6, 0, 5],
    "last line": [3, 0, 1],
    "leading white space": [0, 0, 2],
    "trailing white space": [0, 0, 2],
    "kind of first character": [2, 0, 4],  # a capital, nothing, another sign
    "kind of last character": [3, 0, 11],  # a small letter, nothing, the seventh of the closing signs
}


def test_layout_measures_are_those_worked_out_by_hand() -> None:
    assert_measures(Layout().measure(LAYOUT_ROWS), LAYOUT_TABLE, {"count of": [0.0] * 3})
    assert {f"count of {mark!r}" for mark in MARKS} <= set(Layout().measure(LAYOUT_ROWS))


def test_layout_sees_no_value_and_no_word() -> None:
    rows, others = ["12, 345; 6", "The cat sat."], ["98, 700; 1", "Any dog ran."]
    for name, values in Layout().measure(rows).items():
        np.testing.assert_array_equal(values, Layout().measure(others)[name], err_msg=name)


# --------------------------------------------------------------------------------------------------------------- prose

PROSE_ROWS = ["The cat sat. It's RUNNING quickly!", "", "1 2"]
PROSE_TABLE: dict[str, list[float]] = {
    "words": [6, 0, 0],
    "sentences": [2, 0, 0],
    "words a sentence": [3, 0, 0],
    "mean word length": [4.5, NAN, NAN],
    "spread of word lengths": [math.sqrt(3.25), NAN, NAN],  # 3 3 3 4 7 7
    "longest word": [7, NAN, NAN],
    "share of short words": [0.5, NAN, NAN],
    "share of long words": [0, NAN, NAN],
    "characters": [34, 0, 3],
    "blank lines": [0, 1, 0],
    "bulleted or numbered lines": [0, 0, 0],
    "longest line": [34, 0, 3],
    "trailing white space": [0, 0, 0],
    "kind of first character": [2, 0, 1],
    "kind of last character": [9, 0, 1],
    "count of '.'": [1, 0, 0],
    "count of '!'": [1, 0, 0],
    'count of "\'"': [1, 0, 0],
    "word 'the'": [1, 0, 0],
    "words in -ing": [1, 0, 0],
    "words in -ly": [1, 0, 0],
    "words in -s": [1, 0, 0],
    "function words": [1 / 6, NAN, NAN],
    "capitalised words": [3, 0, 0],
    "share of capitalised words": [0.5, NAN, NAN],
    "words in capitals": [1, 0, 0],
    "contractions": [1, 0, 0],
    "share of distinct words": [1, NAN, NAN],
    "length of first word": [3, NAN, NAN],
    "length of last word": [7, NAN, NAN],
    "opening function word": [1, NAN, NAN],
    "opening 'the', 'a' or 'an'": [1, NAN, NAN],
    "capitalised second word": [0, NAN, NAN],
    "capitalised last word": [0, NAN, NAN],
    "punctuation": [3, 0, 0],
    "share of punctuation": [3 / 34, NAN, 0],
    "share of white space": [5 / 34, NAN, 1 / 3],
    "share of digits": [0, NAN, 2 / 3],
    "share of capitals": [9 / 34, NAN, 0],
}
PROSE_LETTERS = {
    f"share of letter {letter}": [PROSE_ROWS[0].lower().count(letter) / 34, NAN, 0.0] for letter in LETTERS
}


def test_prose_measures_are_those_worked_out_by_hand() -> None:
    zeros = {prefix: [0.0] * 3 for prefix in ("count of", "word '", "words in -")}
    table = Prose().measure(PROSE_ROWS)
    assert_measures(table, PROSE_TABLE | PROSE_LETTERS, zeros)
    assert {f"word {word!r}" for word in FUNCTION_WORDS} | {f"words in -{e}" for e in ENDINGS} <= set(table)


# ----------------------------------------------------------------------------------------------------------- quantiles


class Given(QuantileFamily):
    """Measures what it was handed, row by row; texts are row numbers."""

    def __init__(self, values: Sequence[float] = ()) -> None:
        self.values = values

    def measurements(self) -> tuple[str, ...]:
        return ("given",)

    def measure(self, texts: Sequence[str]) -> dict[str, Any]:
        return {"given": np.array([self.values[int(text)] for text in texts], dtype=np.float64)}


measurements = st.lists(
    st.one_of(st.just(NAN), st.integers(-3, 3).map(float), st.floats(-1e12, 1e12)), min_size=1, max_size=30
)


@given(values=measurements)
def test_ranks_lie_between_0_and_1_and_bins_partition_the_rows(values: list[float]) -> None:
    family = Given(values)
    rows = [str(i) for i in range(len(values))]
    columns = family.fit(rows).transform(rows).toarray()
    assert family.column_weights is not None
    assert columns.shape[1] == len(family.get_feature_names_out()) == len(family.column_weights)
    assert ((columns[:, 0] >= 0) & (columns[:, 0] <= 1)).all()
    assert set(np.unique(columns[:, 1:])) <= {0.0, 1.0}
    assert (columns[:, 1:].sum(axis=1) == 1).all()
    missing = np.isnan(values)
    assert (columns[missing, 0] == 0.5).all()
    np.testing.assert_array_equal(columns[:, -1] == 1, missing)
    assert columns.shape[1] <= N_BINS + 2


def test_ranks_are_pooled_mid_ranks_and_few_values_have_a_bin_each() -> None:
    rows = [str(i) for i in range(5)]
    family = Given([1.0, 1.0, 2.0, 5.0, NAN]).fit(rows)
    columns = family.transform(rows).toarray()
    np.testing.assert_allclose(columns[:, 0], [0.25, 0.25, 0.625, 0.875, 0.5])
    assert columns[:, 1:].argmax(axis=1).tolist() == [0, 0, 1, 2, 3]
    assert family.get_feature_names_out().tolist() == [
        "given (rank)",
        "given <= 1",
        "given = 2",
        "given >= 3",
        "given missing",
    ]


@pytest.mark.parametrize("family", [Numbers(), Prose(), Layout()], ids=lambda f: type(f).__name__)
def test_every_measurement_has_one_bin_a_row(family: QuantileFamily) -> None:
    rows = [*NUMBER_ROWS, *LAYOUT_ROWS, *PROSE_ROWS, "a" * 1000, "9" * 1000]
    matrix = family.fit(rows).transform(rows)
    assert matrix.shape == (len(rows), len(family.get_feature_names_out()))
    bins = [i for i, name in enumerate(family.get_feature_names_out()) if not name.endswith("(rank)")]
    assert (matrix[:, bins].sum(axis=1) == len(family.names_)).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_there_is_a_name_for_every_column(name: str) -> None:
    family = FAMILIES[name]().fit(NUMBER_ROWS + PROSE_ROWS)
    assert len(family.get_feature_names_out()) == family.transform(["1, 2"]).shape[1]
