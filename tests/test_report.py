"""The finished report: JSON and its schema, frames, bag sizes, rows needed, and the terminal text."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import polars as pl
import pytest
from conftest import HOSTILE, build_report, full
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.report.formatting import name, visible
from fingerprint.report.report import Report
from fingerprint.report.results import Bag, FeatureDifference, RowsNeeded
from fingerprint.statistics.intervals import Estimate

DESIGN_KEYS = (
    "schema_version title verdict detected pvalue alpha auc auc_paired d_prime bags rows_needed power mixtures design "
    "families ladder filters features prompt_control copies self_test panel model teacher attribution null sample "
    "warnings settings"
).split()


@pytest.fixture(params=["example_report", "quiet_report"])
def any_report(request: pytest.FixtureRequest) -> Report:
    report: Report = request.getfixturevalue(request.param)
    return report


# JSON


def test_schema_is_a_valid_draft_2020_12_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(Report.json_schema())


def test_reports_validate_against_the_schema(any_report: Report) -> None:
    jsonschema.Draft202012Validator(Report.json_schema()).validate(json.loads(any_report.to_json()))


def test_schema_forbids_unknown_keys_in_every_object_but_settings() -> None:
    def objects(schema: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
        if isinstance(schema, list):
            return [found for item in schema for found in objects(item, path)]
        if not isinstance(schema, dict):
            return []
        below = [found for key, item in schema.items() for found in objects(item, f"{path}/{key}")]
        return [(path, schema), *below] if schema.get("type") == "object" else below

    open_ones = [path for path, schema in objects(Report.json_schema()) if schema.get("additionalProperties", True)]
    assert open_ones == ["/properties/settings"]


def test_schema_requires_every_key() -> None:
    schema = Report.json_schema()
    assert schema["required"] == list(schema["properties"]) == DESIGN_KEYS


def test_keys_stand_in_the_order_of_the_schema(any_report: Report) -> None:
    assert list(any_report.to_dict()) == DESIGN_KEYS


def test_report_survives_the_way_through_json(any_report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    text = any_report.to_json(path)
    for loaded in (Report.from_json(text), Report.from_json(path), Report.from_json(str(path))):
        assert loaded.to_dict() == any_report.to_dict()
        assert loaded.to_json() == text
        assert (str(loaded), full(loaded)) == (str(any_report), full(any_report))


def test_row_texts_never_enter_json() -> None:
    report = build_report("")
    rows = report.rows.with_columns(text=pl.lit("unspeakable"), prompt=pl.lit("unspeakable"))
    assert "unspeakable" not in dataclasses.replace(report, rows=rows).to_json()


def test_rows_take_no_part_in_equality() -> None:
    report = build_report("")
    assert dataclasses.replace(report, rows=report.rows.head(1)) == report
    assert dataclasses.replace(report, pvalue=0.5) != report


def test_floats_have_ten_significant_digits_and_what_is_not_finite_is_null() -> None:
    report = dataclasses.replace(
        build_report(""), auc=Estimate(1 / 3, math.nan, math.inf), settings={"tiny": 1e-20 / 3, "none": -math.inf}
    )
    found = report.to_dict()
    assert found["auc"] == {"value": 0.3333333333, "low": None, "high": None}
    assert found["settings"] == {"tiny": 3.333333333e-21, "none": None}


def test_numpy_scalars_become_json_numbers() -> None:
    values = {"int": np.int64(3), "float": np.float32(0.5), "bool": np.bool_(True), "tuple": (1, np.int8(2))}
    report = dataclasses.replace(build_report(""), pvalue=np.float64(0.25), settings=values)
    found = json.loads(report.to_json())
    assert found["pvalue"] == 0.25
    assert found["settings"] == {"int": 3, "float": 0.5, "bool": True, "tuple": [1, 2]}


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ({"x": object()}, "settings must hold JSON values, got object"),
        ({1: 2}, "settings must have string keys, got 1"),
    ],
)
def test_settings_that_are_no_json_are_refused(value: dict[Any, Any], match: str) -> None:
    with pytest.raises(TypeError, match=match):
        dataclasses.replace(build_report(""), settings=value).to_json()


def test_json_is_ascii_even_with_lone_surrogates() -> None:
    report = dataclasses.replace(build_report(""), verdict="\ud800 \u202e é")
    assert report.to_json().isascii()
    assert Report.from_json(report.to_json()).verdict == "\ud800 \u202e é"


def _broken(**changes: Any) -> dict[str, Any]:
    return {**build_report("").to_dict(), **changes}


def _without(key: str) -> dict[str, Any]:
    data = build_report("").to_dict()
    del data[key]
    return data


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ([], "must be a JSON object, got list"),
        (_broken(schema_version=2), "schema_version must be 1, got 2"),
        (_without("schema_version"), "schema_version must be 1, got None"),
        (_without("null"), "must have the key 'null'"),
        (_broken(extra=1), "must have only the keys .* got 'extra'"),
        (_broken(pvalue="small"), r"report\.pvalue must be int or float, got 'small'"),
        (_broken(detected=1), r"report\.detected must be bool, got 1"),
        (_broken(alpha=True), r"report\.alpha must be int or float, got True"),
        (_broken(bags=[{"k": 1.5, "auc": {"value": 1, "low": 1, "high": 1}}]), r"report\.bags\[0\]\.k must be int"),
        (_broken(ladder=None), r"report\.ladder must be list, got None"),
    ],
)
def test_foreign_data_are_refused_with_the_place(data: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Report.from_dict(data)


def test_from_json_names_a_file_that_is_not_json(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{,}")
    with pytest.raises(ValueError, match=r"must be JSON, got '.*broken\.json'"):
        Report.from_json(path)


def test_from_dict_leaves_its_argument_alone() -> None:
    data = build_report("").to_dict()
    before = copy.deepcopy(data)
    Report.from_dict(data)
    assert data == before


# Frames and figures


def test_frames_have_one_row_a_record_and_flat_estimates(example_report: Report) -> None:
    assert example_report.bags.columns == ["k", "auc", "auc_low", "auc_high"]
    assert example_report.bags["auc"].to_list()[-1] is None
    assert example_report.families.columns == [
        "family", "columns", "statistic", "pvalue_adjusted", "auc", "auc_low", "auc_high"
    ]  # fmt: skip
    assert example_report.ladder.columns == [
        "rung", "pvalue", "auc", "auc_low", "auc_high", "bag16_auc", "bag16_auc_low", "bag16_auc_high", "description"
    ]  # fmt: skip
    assert example_report.features.columns == [
        "feature", "family", "rate_suspect", "rate_reference", "pvalue_adjusted",
        "measure", "direction", "effect", "spellings", "families",
    ]  # fmt: skip
    assert example_report.features.height == len(example_report.differences)
    row = example_report.filters.row(0, named=True)
    assert (row["filter"], row["removed_suspect"], row["pairs_kept"]) == ("banned numbers", 0.241, 3312)
    assert (row["residual_bag16_auc"], row["random_bag16_auc_low"], row["half_detector_auc"]) == (0.83, 0.81, 0.512)
    assert example_report.filters["reason"].to_list()[0] is None
    assert example_report.power.columns == ["auc", "power", "power_low", "power_high"]


def test_empty_frames_keep_their_columns_and_types(quiet_report: Report) -> None:
    assert quiet_report.ladder.is_empty()
    assert quiet_report.ladder.schema["bag16_auc_low"] == pl.Float64
    assert quiet_report.features.schema["feature"] == pl.String
    assert quiet_report.filters.is_empty()
    assert quiet_report.filters.schema["rows_kept_suspect"] == pl.Int64


def test_frames_hold_whole_numbers_as_floats_and_lone_surrogates_as_escapes() -> None:
    difference = FeatureDifference("\ud800", "tokens", 1, 0, 1, "share of rows", "more", 2, ("\ud801",), ("tokens",))
    report = dataclasses.replace(build_report(""), differences=(difference,), bag_results=(Bag(1, Estimate(1)),))
    assert report.features.row(0) == (
        "\\ud800", "tokens", 1.0, 0.0, 1.0, "share of rows", "more", 2.0, ["\\ud801"], ["tokens"]
    )  # fmt: skip
    assert report.bags.schema["auc"] == pl.Float64


def test_a_report_from_json_has_no_rows(example_report: Report) -> None:
    loaded = Report.from_json(example_report.to_json())
    assert loaded.rows.is_empty()
    assert loaded.rows.columns == example_report.rows.columns


def test_bag_auc_lists_the_sizes_there_are(example_report: Report) -> None:
    assert example_report.bag_auc(16).value == 0.838
    assert example_report.bag_auc(128) == Estimate(None)
    with pytest.raises(ValueError, match="bag sizes 1, 2, 4, 8, 16, 32, 64, 128, got 3"):
        example_report.bag_auc(3)


def test_rows_needed_takes_what_was_computed(example_report: Report) -> None:
    assert example_report.rows_needed(0.8) == 59
    assert example_report.rows_needed(0.8, "this design") == 190
    assert example_report.rows_needed(0.95, "this design") is None


def test_rows_needed_of_a_trained_detector_follows_from_d_prime() -> None:
    # ((1.6448536 + 1.2815516) / 0.5) ** 2 = 34.2554, quantiles from a printed table
    report = dataclasses.replace(build_report(""), d_prime=Estimate(0.5))
    assert report.rows_needed(0.9) == 35


@pytest.mark.parametrize("d_prime", [None, 0.0, -0.4, math.nan, 1e-200])
def test_no_number_of_rows_is_enough_without_a_signal(d_prime: float | None) -> None:
    assert dataclasses.replace(build_report(""), d_prime=Estimate(d_prime)).rows_needed(0.9) is None


def test_a_perfect_detector_needs_one_row() -> None:
    assert dataclasses.replace(build_report(""), d_prime=Estimate(math.inf)).rows_needed(0.9) == 1


def test_rows_needed_at_another_alpha_are_not_mistaken_for_this_one() -> None:
    needed = (RowsNeeded("this design", 0.9, 0.01, 7), RowsNeeded("this design", 0.8, 0.05, 5))
    report = dataclasses.replace(build_report(""), needed=needed)
    with pytest.raises(ValueError, match=r"power must be one of 0\.8 for 'this design', got 0\.9"):
        report.rows_needed(0.9, "this design")


@pytest.mark.parametrize(("power", "target"), [(0.05, "trained detector"), (1.0, "trained detector"), (0.9, "rows")])
def test_rows_needed_refuses_what_makes_no_sense(example_report: Report, power: float, target: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        example_report.rows_needed(power, target)


# Strings fit to print


@given(st.text())
def test_visible_is_idempotent_and_leaves_plain_text_alone(text: str) -> None:
    assert visible(visible(text)) == visible(text)
    if text.isascii() and text.isprintable():
        assert visible(text) == text


@given(st.text(max_size=50), st.integers(3, 20))
def test_shortened_text_keeps_to_its_limit(text: str, limit: int) -> None:
    assert len(visible(text, limit)) <= limit
    assert len(name(text, limit)) <= limit


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\tb\r\n", "a\\tb\\r\\n"), ("\x9b1m", "\\x9b1m"), ("\u2067", "\\u2067"), ("\U000e0041", "\\U000e0041"),
     ("\u00a0", "\\xa0"), ("é 猫", "é 猫")],
)  # fmt: skip
def test_escapes(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_blank_names_are_quoted() -> None:
    assert name(" ") == "' '"
    assert name("") == "''"
    assert name("a b") == "a b"


def test_repr_is_short(example_report: Report) -> None:
    assert len(repr(example_report)) < 120
    assert HOSTILE not in repr(example_report)


def test_importing_the_report_is_light() -> None:
    code = (
        "import sys, fingerprint.report.report; "
        "print([m for m in ('matplotlib', 'jinja2', 'torch') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
