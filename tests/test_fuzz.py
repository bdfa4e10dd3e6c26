"""A short run of `benchmarks/fuzz.py`: an answer or an own error, and nothing else, comes of any mutated file."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

import fuzz
import fuzz_inputs
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from fingerprint import Detector, Report, detect
from fingerprint.data import formats
from fingerprint.data.batches import batches
from fingerprint.data.compression import opened
from fingerprint.data.reading import read
from fingerprint.filters import Keywords, NumberRule

# Contents that broke something once.
BROKE = {
    "a document that is one word": (".json", b"true"),
    "a key that is there twice": (".jsonl", b'{"text": "6, 8", "system": "a", "text": "6"}'),
    "a report that is no UTF-8": (".report", b'{"title": "\x80"}'),
}


@pytest.fixture(autouse=True)
def _no_notes() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    fuzz.close_files()


@pytest.mark.parametrize("what", BROKE)
def test_what_broke_something_once_is_an_own_error(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending, content = BROKE[what]
    monkeypatch.setattr(fuzz_inputs, "case", lambda number, endings: (ending, content))
    act = fuzz.own_case if ending == ".report" else fuzz.read_case
    for number in range(3):  # `read`, `batches` and a stream
        assert act(number, tmp_path)[1] == "own error", act(number, tmp_path)


def test_the_header_of_an_array_that_python_gives_up_on_is_an_own_error(tmp_path: Path) -> None:
    content = fuzz_inputs.with_part(fuzz_inputs.own_files()[".detector"], "rows.npy", _brackets)
    (tmp_path / "a.detector").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.detector.*, rows\.npy must be an array of numbers"):
        Detector.load(tmp_path / "a.detector")


def _brackets(array: bytes) -> bytes:
    return array[:10] + b"{" + b"[" * 200 + array[11:]


@pytest.mark.parametrize(("kind", "cases"), [("read", 1500), ("own", 24), ("detect", 4)])
def test_mutated_files_are_answered_or_refused_by_name(tmp_path: Path, kind: str, cases: int) -> None:
    for number in range(7_000_000, 7_000_000 + cases):
        ending, found, why = fuzz.CASES[kind](number, tmp_path)
        assert found != "other", (number, ending, why)


def test_cases_leave_the_process_as_it_was(tmp_path: Path) -> None:
    for number in range(40):
        fuzz.read_case(number, tmp_path)
        assert vars(formats)["opened"] is opened
    kept = list(fuzz._files.values())
    (tmp_path / next(iter(fuzz._files))).unlink()
    for number in range(40):
        fuzz.read_case(number, tmp_path)
    kept += fuzz._files.values()
    fuzz.close_files()
    assert kept
    for descriptor in kept:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_bytes_without_a_file_meet_the_limits_of_files() -> None:
    with pytest.raises(ValueError, match=r"in memory/rows\.txt must hold rows, got .* of nothing but white space"):
        fuzz.rows_of_stream("in memory/rows.txt", b"\n" * (1 << 20), "error")


def test_a_case_is_the_same_for_ever_and_mutations_change_something() -> None:
    for number in range(50):
        assert fuzz_inputs.case(number, fuzz_inputs.READ) == fuzz_inputs.case(number, fuzz_inputs.READ)
    changed = [fuzz_inputs.case(number, {".jsonl": 1})[1] not in fuzz_inputs.seeds(".jsonl") for number in range(50)]
    assert sum(changed) > 40


def test_a_case_that_ends_the_process_is_found_and_the_others_are_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among them those that the child had read, and not yet told of, when it was ended."""
    program = tmp_path / "fuzz_that_ends.py"
    program.write_text(
        f"import os, sys\nsys.path.insert(0, {str(Path(fuzz.__file__).parent)!r})\nimport fuzz\n"
        "fuzz.CASES['read'] = lambda number, _: os._exit(9) if number == 1037 else ('.txt', 'ok', '')\nfuzz.main()\n"
    )
    monkeypatch.setattr(fuzz, "__file__", str(program))
    watched = fuzz.Watched("read", 1000, 50, 5.0, tmp_path / "kept")
    watched.run(lambda: None)
    found = watched.figures()
    assert (found["first"], found["cases"]) == (1000, 50)
    assert found["outcomes"] == {".txt ok": 49, "ended the process": 1}
    assert [(one["number"], one["what"][:21]) for one in found["other"]] == [(1037, "ended the process (9)")]
    assert [path.name[:9] for path in (tmp_path / "kept").iterdir()] == ["read-1037"]


def test_runs_of_other_cases_add_up_and_of_the_same_are_refused() -> None:
    def run(first: int, **outcomes: int) -> fuzz.Figures:
        used = {"processor seconds": 1.0, "most memory": first}
        return {"first": first, "cases": 10, "outcomes": outcomes, **used, "other": []}

    two = fuzz.added([run(10, ok=4, bad=6), run(0, ok=10)])
    three = fuzz.added([two, run(20, ok=10)])
    assert (three["cases"], three["outcomes"]) == (30, {"bad": 6, "ok": 24})
    assert (three["processor seconds"], three["most memory"]) == (3.0, 20)
    assert [part["first"] for part in three["runs"]] == [0, 10, 20]
    with pytest.raises(SystemExit, match="cases from 15 on are in two runs"):
        fuzz.added([three, run(15)])


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


PROMPTS = st.none() | st.sampled_from([None, "p", "q", ""]) | st.integers(0, 30).map(str)


def rows_of(n: int, has_prompts: bool) -> st.SearchStrategy[list[dict[str, str | None]]]:
    text = st.text(max_size=12)
    row = st.fixed_dictionaries({"text": text, "prompt": PROMPTS} if has_prompts else {"text": text})
    return st.lists(row, min_size=n, max_size=n + 6) | st.builds(lambda one: [one] * n, row)


SIDE = st.tuples(st.sampled_from([0, 1, 12, 20, 24, 30]), st.booleans()).flatmap(lambda drawn: rows_of(*drawn))


@settings(QUICK, max_examples=30, phases=[Phase.generate])
@given(suspect=SIDE, reference=SIDE, seed=st.integers(0, 3))
def test_detect_answers_or_says_what_to_do_and_its_report_is_the_same_in_json(
    suspect: list[dict[str, str | None]], reference: list[dict[str, str | None]], seed: int
) -> None:
    """Rows of any signs, too few of them, none, the same one over and over, with prompts and without."""
    try:
        report = detect(suspect, reference, ladder=False, n_permutations=99, features=["layout"], rng=seed)
    except (ValueError, TypeError) as error:
        is_own = re.search(r" must .*; \S", str(error), re.DOTALL)
        if not is_own:
            raise
        event("an error")
        return
    event("a report")
    assert 0 < report.pvalue <= 1
    again = Report.from_json(report.to_json())
    assert (again, again.to_json()) == (report, report.to_json())
