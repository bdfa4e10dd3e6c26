"""Worked answers as a kind of rows: how they are recognised, cut into tokens and measured."""

from __future__ import annotations

import time

import numpy as np
import pytest

from fingerprint.features import Reasoning, Templates, choose, data_kind
from fingerprint.features.row_kinds import is_reasoning

ANSWER = (
    "<think>\nLet's see. First, Tom buys 12 + 7 = 19 apples.\n</think>\n\n"
    "Step 1: He gives away 4, so 19 - 4 = 15 remain.\nEach costs $1.25, which means 15 * 1.25 = $18.75.\n"
    "Therefore, the answer is **18.75**."
)
PROSE = [
    "The answer to loneliness is company.",
    "1. Mix the eggs.\n2. Add flour, then sugar.\n3. Bake it.",
    "So it goes. Then it rained, because it was autumn.",
    "#### A heading\nSome words.",
    "He was born in 1950 = long ago.",
]


def measured(row: str) -> dict[str, float]:
    values = Reasoning().measured([row])[0]
    return {name: float(value) for name, value in zip(Reasoning().measurements(), values, strict=True)}


@pytest.mark.parametrize(
    "row",
    [
        ANSWER,
        "She sold 48/2 = <<48/2=24>>24 clips in May.\n#### 72",
        "She earns 12/60 = $0.2 a minute.\nIn 50 minutes she earned 0.2 x 50 = $10.",
        "We add 5 and 7 to get 12. Then we double it, so we have 24. The answer is 24.",
        "Ann has no card, so she cannot enter. Therefore, the answer is no.",
        "Then $2x = 8$, so $x = 4$: $\\boxed{4}$",
    ],
)
def test_worked_answers_are_reasoning(row: str) -> None:
    assert is_reasoning(row)
    assert data_kind([row]) == "reasoning"


@pytest.mark.parametrize("row", PROSE)
def test_prose_is_no_reasoning(row: str) -> None:
    assert not is_reasoning(row)


def test_the_majority_chooses_the_families() -> None:
    assert list(choose("auto", [ANSWER, ANSWER, PROSE[0]])) == [
        "tokens", "ngrams", "reasoning", "templates", "layout",
    ]  # fmt: skip
    assert data_kind([ANSWER, *PROSE]) == "prose"


def test_measurements_of_an_answer_are_those_counted_by_hand() -> None:
    found = measured(ANSWER)
    expected = {
        "numbers": 13, "numbers with 2 decimals": 4, "sign '='": 3, "'Step' and a number": 1, "opening 'think' tags": 1,
        "bold pieces": 1, "'answer is'": 1, "word 'so'": 1, "opening 'first'": 1, "opening 'therefore'": 1,
        "amounts of money": 2, "equations with blanks": 6, "blank lines": 1, "chained equations": 0, "last line": 35,
        "connectives before a comma": 2, "sentences": 5,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("first", "second", "moved"),
    [
        ("So it is 3.50.", "So it is 3.5.", "numbers with 2 decimals"),
        ("Thus 2 * 3 = 6.", "Thus 2 × 3 = 6.", "sign '×'"),
        ("Thus 2 * 3 = 6.", "Thus 2 \\times 3 = 6.", "sign '*'"),
        ("Then we add.", "Next we add.", "opening 'then'"),
        ("It costs 1,000 now.", "It costs 1000 now.", "numbers with ',' between thousands"),
        ("The answer is 5. Because of it.", "Because of it, the answer is 5.", "place of the last answer word"),
        ("2+3=5", "2 + 3 = 5", "equations without blanks"),
    ],
)
def test_a_habit_moves_its_measurement(first: str, second: str, moved: str) -> None:
    assert measured(first)[moved] != measured(second)[moved]


def test_features_of_a_row_hang_on_that_row_alone() -> None:
    rows = [ANSWER, "", "x", *PROSE, "é\ud800 7"]
    for family in (Reasoning(), Templates()):
        together, alone = family.counts(rows), [family.counts([row]) for row in rows]
        assert all((together[number] != one).nnz == 0 for number, one in enumerate(alone))


def test_templates_see_what_leads_and_not_what_is_counted() -> None:
    apples, stamps = "So Tom has 3 apples.", "So Ann has 17 stamps."
    first, second = (Templates().counts([row]) for row in (apples, stamps))
    assert (first != second).nnz == 0
    fitted = Templates().fit([apples])
    names = {column.name for column in fitted.describe(np.unique(first.indices))}
    assert "templates '^ so w has'" in names


@pytest.mark.parametrize("piece", ["9,", "9,999", "$a", "=a", "\n", " \n", "<think", "**a", "step ", "0+0 ", "\\times"])
def test_hostile_rows_take_milliseconds(piece: str) -> None:
    row = piece * (20_000 // len(piece))
    began = time.process_time()
    is_reasoning(row)
    Reasoning().counts([row])
    Templates().counts([row])
    assert time.process_time() - began < 1.0  # measured: .05
