"""A short run of `benchmarks/fuzz.py`: an answer or an own error, and nothing else, comes of any mutated file."""

from __future__ import annotations

import warnings
from pathlib import Path

import fuzz
import fuzz_inputs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fingerprint.data.batches import batches
from fingerprint.data.reading import read
from fingerprint.filters import Keywords, NumberRule

# Cases that broke something once. Which ones: see the notes beside them.
BROKE = {
    "read": [1001665, 2000602],  # a JSON document that is one word, a key that is there twice: no remedy
    "own": [0, 39],  # a report that is no UTF-8; the header of an array that Python's tokenizer gave up on
}


@pytest.fixture(autouse=True)
def _no_notes() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("kind", ["read", "own"])
def test_what_broke_something_once_is_an_answer_or_an_own_error(tmp_path: Path, kind: str) -> None:
    for number in BROKE[kind]:
        ending, found, why = fuzz.CASES[kind](number, tmp_path)
        assert found != "other", (number, ending, why)


@pytest.mark.parametrize(("kind", "cases"), [("read", 600), ("own", 24), ("detect", 4)])
def test_mutated_files_are_answered_or_refused_by_name(tmp_path: Path, kind: str, cases: int) -> None:
    for number in range(7_000_000, 7_000_000 + cases):
        ending, found, why = fuzz.CASES[kind](number, tmp_path)
        assert found != "other", (number, ending, why)


def test_a_case_is_the_same_for_ever_and_mutations_change_something() -> None:
    for number in range(50):
        assert fuzz_inputs.case(number, fuzz_inputs.READ) == fuzz_inputs.case(number, fuzz_inputs.READ)
    changed = [fuzz_inputs.case(number, {".jsonl": 1})[1] not in fuzz_inputs.seeds(".jsonl") for number in range(50)]
    assert sum(changed) > 40


def test_the_fuzzer_notices_what_is_no_own_error() -> None:
    def without_name() -> None:
        raise ValueError("bad")

    def without_remedy() -> None:
        raise ValueError("a.jsonl must be good, got bad")

    def another() -> None:
        raise ZeroDivisionError("a.jsonl; correct it")

    def good() -> None:
        raise ValueError("a.jsonl must be good, got bad; correct it")

    assert [fuzz.outcome(act, "a.jsonl")[0] for act in (without_name, without_remedy, another)] == ["other"] * 3
    assert fuzz.outcome(good, "a.jsonl")[0] == "own error"
    assert fuzz.outcome(lambda: None, "a.jsonl")[0] == "ok"


QUICK = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@QUICK
@given(st.lists(st.text(), min_size=1, max_size=5))
def test_texts_that_were_written_are_read_as_they_were_by_every_loader(tmp_path: Path, texts: list[str]) -> None:
    import json

    try:
        "".join(texts).encode()
    except UnicodeEncodeError:  # half of a pair of surrogates is refused elsewhere
        return
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    assert read(path).texts == tuple(texts)
    assert [text for batch in batches(path) for text in batch.texts] == texts


@QUICK
@given(st.lists(st.text(), max_size=5))
def test_filters_give_every_row_a_verdict(tmp_path: Path, texts: list[str]) -> None:
    for judge in (Keywords(["owl"]), NumberRule()):
        assert len(judge(texts).dropped) == len(texts)
