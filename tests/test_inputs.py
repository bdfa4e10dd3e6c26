"""Every input of the table in `benchmarks/inputs.py` gives what it must: its rows, or the words that help."""

from __future__ import annotations

import inputs
import pytest


@pytest.mark.parametrize("given", inputs.INPUTS, ids=lambda given: given.name)
def test_no_input_is_misread(given: inputs.Input) -> None:
    for package in given.needs:
        pytest.importorskip(package)
    found = inputs.outcome(given)
    assert inputs.is_as_it_must_be(given, found), found


def test_rows_other_than_those_that_are_meant_are_misread() -> None:
    wrong = inputs.Input("wrong", lambda: inputs.ROWS, prompts=inputs.NONE)
    assert inputs.outcome(wrong).what == "misread"
    assert not inputs.is_as_it_must_be(wrong, inputs.outcome(wrong))
    unheard = inputs.mistake("unheard", lambda: inputs.ROWS, "anything")
    assert not inputs.is_as_it_must_be(unheard, inputs.outcome(unheard))
    assert not inputs.is_as_it_must_be(unheard, inputs.Outcome("refused", "something else"))


def test_inputs_have_names_of_their_own() -> None:
    assert len({given.name for given in inputs.INPUTS}) == len(inputs.INPUTS)
