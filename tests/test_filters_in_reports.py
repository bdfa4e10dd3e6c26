"""Filters beside the detector: their record in the report, the controls, the warnings, what is refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import jsonschema
import numpy as np
import pytest
from conftest import full
from visible_trait import ALPHA, QUICK, with_visible_trait

from fingerprint import Corpus, Report, detect
from fingerprint.detection import filter_controls
from fingerprint.filters import BannedNumbers, Filter, Keywords, NumberRule, Precomputed, Verdicts
from fingerprint.filters.verdicts import SEQUENCE
from fingerprint.lab.simulated import simulated_pair


@pytest.fixture(scope="module")
def report() -> Report:
    """A visible trait in 30 % of the suspect rows; nothing else differs."""
    data = simulated_pair(200, rng=5)
    suspect = with_visible_trait(data.suspect, 0.3, np.random.default_rng(6))
    filters: list[Filter] = [NumberRule(), Keywords(["owl"]), BannedNumbers()]
    return detect(suspect, data.reference, filters=filters, **QUICK)


def test_records_are_those_of_the_schema_and_survive_json(report: Report) -> None:
    jsonschema.validate(json.loads(report.to_json()), Report.json_schema())
    assert Report.from_json(report.to_json()).to_dict() == report.to_dict()
    record = report.to_dict()["filters"][1]
    assert record["filter"] == "keywords"
    assert set(record["residual"]) >= {"auc", "bag16_auc", "pvalue", "pairs_kept"}
    assert set(record["controls"]) == {"random", "detector"}
    assert record["controls"]["random"]["draws"] == 20


def test_every_filter_and_the_sequence_have_a_row(report: Report) -> None:
    assert report.filters["filter"].to_list() == ["number rule", "keywords", "banned numbers", SEQUENCE]
    rule, keywords, banned, stack = report.filter_results
    assert rule.residual == keywords.residual
    assert rule.removed_reference.value == 0
    removed = rule.removed_suspect.value
    assert removed is not None
    assert rule.auc.value == pytest.approx(0.5 + removed / 2, abs=0.002)  # within folds, against pooled shares
    assert rule.pvalue == 1 / 400
    assert stack.residual.rows_kept_suspect < min(rule.residual.rows_kept_suspect, banned.residual.rows_kept_suspect)
    assert banned.pvalue > ALPHA


def test_survivors_come_in_pairs_and_carry_their_power(report: Report) -> None:
    left = report.filter_results[0].residual
    assert left.rows_kept_reference == 200
    assert left.pairs_kept == left.rows_kept_suspect < 170
    assert [planted.auc for planted in left.power] == [0.52, 0.55, 0.60]


def test_a_filter_removes_from_both_sides_by_one_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_controls, "RANDOM_DRAWS", 1)
    data = simulated_pair(60, rng=5)
    (found,) = detect(data.suspect, data.reference, filters=[BannedNumbers()], **QUICK).filter_results
    kept = [int(BannedNumbers()(side.texts).kept.sum()) for side in (data.suspect, data.reference)]
    assert [found.residual.rows_kept_suspect, found.residual.rows_kept_reference] == kept
    assert max(kept) < 60


def test_controls_leave_as_many_rows_as_the_filter(report: Report) -> None:
    control = report.filter_results[0].controls.detector
    assert control is not None
    assert control.detector.rows_kept_suspect + control.detector.rows_kept_reference == pytest.approx(
        control.filter.rows_kept_suspect + control.filter.rows_kept_reference, abs=3
    )
    assert control.filter.pairs_kept is not None
    assert control.filter.pairs_kept < 100


def test_reasons_are_counted_by_side(report: Report) -> None:
    (reason,) = report.filter_results[1].reasons
    assert (reason.reason, reason.reference) == ("keyword: owl", 0)
    assert reason.suspect == 200 - report.filter_results[1].residual.rows_kept_suspect


def test_warnings_say_what_a_reader_must_doubt(report: Report) -> None:
    found = Counter(warning.code for warning in report.warnings)
    assert found["filter_separates"] == 2  # the number rule and the keywords
    assert found["filter_one_side"] == 0  # neutral rows give a filter for the trait nothing to find
    assert "keywords removes no reference row, as a filter for the trait should" in " ".join(full(report).split())
    assert found["filters_identical"] == 1
    (same,) = (warning for warning in report.warnings if warning.code == "filters_identical")
    assert same.message.startswith("keywords keeps exactly the rows that number rule keeps")


def test_a_filter_that_finds_nothing_on_the_suspect_alone_may_have_run_there_already() -> None:
    data = simulated_pair(100, rng=5)
    reference = with_visible_trait(data.reference, 0.3, np.random.default_rng(6))
    report = detect(data.suspect, reference, filters=[Keywords(["owl"])], **QUICK)
    (warning,) = (w for w in report.warnings if w.code == "filter_one_side")
    assert warning.message.startswith("keywords removes none of the suspect rows")


def test_the_same_seed_gives_the_same_report_and_the_filters_are_named(report: Report) -> None:
    data = simulated_pair(200, rng=5)
    suspect = with_visible_trait(data.suspect, 0.3, np.random.default_rng(6))
    order = np.random.default_rng(1).permutation(200)
    shuffled = Corpus(*(tuple(column[i] for i in order) for column in (suspect.texts, suspect.prompts)))  # type: ignore[arg-type]
    again = detect(shuffled, data.reference, filters=[NumberRule(), Keywords(["owl"])], **QUICK)
    assert again.to_dict()["filters"][:2] == report.to_dict()["filters"][:2]
    assert again.settings["options"]["filters"][1] == "Keywords(words=('owl',), mode='word', name='keywords')"


def test_without_filters_nothing_is_compared() -> None:
    data = simulated_pair(60, rng=1)
    report = detect(data.suspect, data.reference, **QUICK)
    assert report.filter_results == ()
    assert report.settings["options"]["filters"] == []


def test_a_filter_that_keeps_nothing_leaves_null_figures_with_a_reason() -> None:
    data = simulated_pair(60, rng=1)
    report = detect(data.suspect, data.reference, filters=[BannedNumbers(range(1000))], **QUICK)
    (result,) = report.filter_results
    assert (result.removed_suspect.value, result.removed_reference.value) == (1.0, 1.0)
    assert (result.residual.pvalue, result.residual.auc.value) == (None, None)
    assert result.residual.reason == "no rows survive"
    assert (result.controls.random, result.controls.detector) == (None, None)
    assert (result.auc.value, result.pvalue) == (0.5, 1.0)
    assert "After banned numbers: no rows survive." in full(report)


def test_scores_on_one_side_only_are_counted_and_warned_about() -> None:
    data = simulated_pair(60, rng=1)
    rows = [
        {"prompt": prompt, "text": text, "judge": i / 60}
        for i, (prompt, text) in enumerate(zip(data.suspect.prompts, data.suspect.texts, strict=True))
    ]
    report = detect(data.suspect, data.reference, filters=[Precomputed("judge", rows, drop_from=0.5)], **QUICK)
    (result,) = report.filter_results
    assert (result.unjudged_suspect, result.unjudged_reference) == (0, 60)
    assert result.auc.value is None
    assert result.pvalue > ALPHA
    assert result.residual.reason == "no reference rows survive"
    assert [w.message for w in report.warnings if w.code == "filter_one_side"] == [
        "judge judged suspect rows only: what it removes there says nothing about the reference"
    ]


def test_a_filter_sees_rows_in_an_order_that_hides_their_side() -> None:
    seen: list[tuple[tuple[str, ...], tuple[str | None, ...]]] = []

    class Spy:
        name = "spy"

        def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
            seen.append((tuple(texts), tuple(prompts)))
            return Verdicts(((),) * len(texts))

    data = simulated_pair(60, rng=1)
    detect(data.suspect, data.reference, filters=[Spy()], **QUICK)
    detect(data.reference, data.suspect, filters=[Spy()], **QUICK)
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (NumberRule(), "filters must be a sequence of filters, got NumberRule"),
        ([NumberRule], "filters must be callables with a name, got <class"),
        (["numbers"], "filters must be callables with a name, got 'numbers'"),
        ([NumberRule(), NumberRule(max_count=3)], "filters must have distinct names, got 'number rule' twice"),
    ],
)
def test_what_is_no_filter_is_refused_before_anything_is_read(filters: object, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        detect("missing.jsonl", "missing.jsonl", filters=filters)  # type: ignore[arg-type]


def test_a_filter_that_loses_rows_is_refused() -> None:
    class Lossy:
        name = "lossy"

        def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
            return Verdicts(((),) * (len(texts) - 1))

    data = simulated_pair(60, rng=1)
    with pytest.raises(ValueError, match="filter lossy must give one verdict per row, got 119 for 120 rows"):
        detect(data.suspect, data.reference, filters=[Lossy()], **QUICK)
