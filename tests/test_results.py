"""The contract of results: frozen, written as JSON that follows their schemas, and read back as equal."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from fingerprint.data.corpus import Corpus
from fingerprint.detection.detect import detect
from fingerprint.detector.detector import Detector
from fingerprint.detector.monitor import Monitor
from fingerprint.detector.reading import Reading
from fingerprint.detector.scan import scan
from fingerprint.detector.scan_result import Scan, TopRow
from fingerprint.fingerprints.compare import compare
from fingerprint.fingerprints.fingerprint import Fingerprint
from fingerprint.fingerprints.result import FingerprintComparison
from fingerprint.identification.identify import identify
from fingerprint.identification.mixture import MixtureShare, mixture_share
from fingerprint.identification.result import Identification
from fingerprint.lab.judges import SimulatedJudge, neutral_pairs
from fingerprint.lab.simulated import simulated_pair
from fingerprint.preferences.detect_labels import detect_labels
from fingerprint.preferences.result import LabelsResult
from fingerprint.report import formatting
from fingerprint.report.contract import Result
from fingerprint.report.encoding import finite
from fingerprint.report.report import Report
from fingerprint.report.side_by_side import SideBySide, compare_reports
from fingerprint.statistics.intervals import Estimate


def _pair(n: int, rng: int, trait_seed: int = 3) -> tuple[Corpus, Corpus]:
    found = simulated_pair(n, tilt="sparse", d_prime=2.0, trait_seed=trait_seed, rng=rng)
    return found.suspect, found.reference


def _report() -> Report:
    return detect(*_pair(60, 1), n_permutations=199, ladder=False)


def _scan() -> Scan:
    (trait, neutral), (suspect, reference) = _pair(200, 2), _pair(60, 3)
    labels = [1] * len(trait) + [0] * len(neutral)
    detector = Detector(["numbers"]).fit(
        [*trait.texts, *neutral.texts], labels, groups=[*trait.prompts, *neutral.prompts]
    )
    return scan(suspect, detector, neutral=reference, n_permutations=199)


def _reading() -> Reading:
    suspect, reference = _pair(30, 4)
    monitor = Monitor(reference, features=["numbers"])
    return [monitor.observe(text, prompt) for text, prompt in zip(suspect.texts, suspect.prompts, strict=True)][-1]


def _share() -> MixtureShare:
    return mixture_share(np.random.default_rng(0).normal([2.0] * 50 + [-2.0] * 150, 2.0))


def _identification() -> Identification:
    owls, neutrals = _pair(150, 5, trait_seed=1)
    cats, (suspect, _) = _pair(150, 6, trait_seed=2)[0], _pair(100, 7, trait_seed=1)
    return identify(suspect, {"owls": owls, "cats": cats}, reference=neutrals, n_permutations=199)


def _comparison() -> FingerprintComparison:
    return compare(*(Fingerprint.of(corpus) for corpus in _pair(60, 8)), n_permutations=199)


def _labels() -> LabelsResult:
    pairs = neutral_pairs(300, rng=1)
    suspect, reference = (SimulatedJudge(trait=trait).label(pairs, rng=trait) for trait in (2, 0))
    return detect_labels(suspect, reference, features="numbers", n_permutations=199)


def _side_by_side() -> SideBySide:
    report = _made("report")
    assert isinstance(report, Report)
    return compare_reports({"one": report, "another": report})


KINDS: tuple[type[Result], ...] = (
    Report,
    Scan,
    Identification,
    Reading,
    MixtureShare,
    FingerprintComparison,
    LabelsResult,
    SideBySide,
)
MADE: dict[str, Callable[[], Result]] = {
    "report": _report,
    "scan": _scan,
    "identification": _identification,
    "reading": _reading,
    "mixture_share": _share,
    "comparison": _comparison,
    "labels": _labels,
    "side_by_side": _side_by_side,
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@cache
def _made(name: str) -> Result:
    return MADE[name]()


def real(kind: type[Result]) -> Result:
    """What a public function returned."""
    found = _made(kind.schema_name)
    assert type(found) is kind
    return found


def objects(schema: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every schema of an object within a schema, with where it stands."""
    if isinstance(schema, list):
        return [found for item in schema for found in objects(item, path)]
    if not isinstance(schema, dict):
        return []
    below = [found for key, item in schema.items() for found in objects(item, f"{path}/{key}")]
    return [(path, schema), *below] if schema.get("type") == "object" else below


def test_every_schema_in_the_package_is_that_of_a_result() -> None:
    names = {path.name for path in (files("fingerprint.report") / "schemas").iterdir()}
    assert names == {f"{kind.schema_name}.schema.json" for kind in KINDS}


@every_kind
def test_schemas_are_valid_and_allow_no_other_keys(kind: type[Result]) -> None:
    schema = kind.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["required"] == list(schema["properties"])
    assert schema["properties"]["schema_version"] == {"const": kind.schema_version}
    open_ones = {path for path, item in objects(schema) if item.get("additionalProperties", True)}
    assert open_ones <= {"/properties/settings"}


@every_kind
def test_real_results_follow_their_schema(kind: type[Result]) -> None:
    data = json.loads(real(kind).to_json())
    jsonschema.Draft202012Validator(kind.json_schema()).validate(data)
    assert list(data) == list(kind.json_schema()["properties"])


@every_kind
def test_a_result_that_was_read_back_equals_the_one_that_was_written(kind: type[Result], tmp_path: Path) -> None:
    found, path = real(kind), tmp_path / "result.json"
    text = found.to_json(path)
    assert path.read_text() == text + "\n"
    for again in (kind.from_json(text), kind.from_json(path), kind.from_dict(found.to_dict())):
        assert type(again) is kind
        assert again == found
        assert hash(again) == hash(found)
        assert again.to_json() == text
        assert str(again) == str(found)


@every_kind
def test_results_are_frozen_and_keep_the_equality_of_the_contract(kind: type[Result]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        real(kind).pvalue = 1.0  # type: ignore[attr-defined]
    assert kind.__eq__ is Result.__eq__
    assert kind.__hash__ is Result.__hash__


def test_results_of_two_kinds_differ() -> None:
    for one, other in zip(KINDS, KINDS[1:] + KINDS[:1], strict=True):
        assert real(one) != real(other)
    assert _reading() == real(Reading) != dataclasses.replace(_reading(), rows=1)


@every_kind
def test_foreign_data_are_refused(kind: type[Result], tmp_path: Path) -> None:
    data = real(kind).to_dict()
    with pytest.raises(ValueError, match=f"must be a JSON object, got list; write it with {kind.__name__}.to_json"):
        kind.from_dict([])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="schema_version must be 1, got 2; read it with the release that wrote it"):
        kind.from_dict({**data, "schema_version": 2})
    with pytest.raises(ValueError, match=f"{kind.schema_name} must have only the keys .* got 'extra'"):
        kind.from_dict({**data, "extra": 1})
    key = next(key for key in data if key != "schema_version")
    with pytest.raises(ValueError, match=f"{kind.schema_name} must have the key '{key}'"):
        kind.from_dict({name: value for name, value in data.items() if name != key})
    (tmp_path / "broken.json").write_text("{,}")
    with pytest.raises(ValueError, match=r"must be JSON, got '.*broken\.json'"):
        kind.from_json(tmp_path / "broken.json")


def test_what_is_not_finite_is_null_and_comes_back_as_no_number() -> None:
    reading = Reading(3, math.inf, 0.0, True, "rows are exchangeable", False, 1.0)
    assert reading.to_dict() == {
        "schema_version": 1, "rows": 3, "evalue": None, "pvalue": 0.0, "alarm": True,
        "assumption": "rows are exchangeable", "drift": False, "drift_pvalue": 1.0,
    }  # fmt: skip
    again = Reading.from_json(reading.to_json())
    assert math.isnan(again.evalue)
    assert again == reading
    jsonschema.validate(reading.to_dict(), Reading.json_schema())


def test_numbers_that_json_writes_alike_are_equal() -> None:
    third = MixtureShare(Estimate(1 / 3, 0.0, 1.0), Estimate(1 / 3, 0.0, 1.0), 0.5, 10)
    rounded = MixtureShare.from_json(third.to_json())
    assert rounded.share.value == 0.3333333333
    assert rounded == third
    assert rounded != dataclasses.replace(third, pvalue=0.5001)


def test_rows_with_lone_surrogates_can_be_written(tmp_path: Path) -> None:
    found = real(Scan)
    assert isinstance(found, Scan)
    strange = dataclasses.replace(found, top=(TopRow(0, 0.1, "\ud800 é 猫", None),))
    assert strange.to_json(tmp_path / "scan.json").isascii()
    assert Scan.from_json(tmp_path / "scan.json").top[0].text == "\ud800 é 猫"


def test_an_alarm_is_a_plain_bool() -> None:
    reading = real(Reading)
    assert isinstance(reading, Reading)
    assert type(reading.alarm) is bool
    assert json.loads(json.dumps(dataclasses.asdict(reading)))["alarm"] is reading.alarm


def test_settings_know_the_inputs_by_what_they_hold() -> None:
    scanned, identified, compared, judged = (
        real(kind).to_dict()["settings"] for kind in (Scan, Identification, FingerprintComparison, LabelsResult)
    )
    corpus, neutral = _pair(60, 3)
    assert [scanned["inputs"][side]["digest"] for side in ("corpus", "neutral")] == [corpus.digest, neutral.digest]
    assert list(scanned["detector"]["families"]) == ["numbers"]
    assert identified["inputs"]["suspect"]["digest"] == _pair(100, 7, trait_seed=1)[0].digest
    assert identified["options"]["candidates"] == ["corpus: owls", "corpus: cats"]
    sides = _pair(60, 8)
    again = [Fingerprint.of(corpus).digest for corpus in sides]
    assert [compared["inputs"][side]["digest"] for side in ("suspect", "reference")] == again
    others = Corpus(sides[0].texts[::-1], sides[0].prompts)  # the same answers, to other prompts
    assert len({*again, Fingerprint.of(others).digest}) == 3
    suspect, reference = judged["inputs"]["suspect"], judged["inputs"]["reference"]
    assert suspect["rows"] == reference["rows"] == 300
    assert suspect["digest"] != reference["digest"]
    assert scanned["seed"] == identified["seed"] == compared["seed"] == judged["seed"] == 0


def test_a_result_that_was_read_back_is_shown_as_it_was() -> None:
    value = 0.8565 - 1e-13  # between what has three decimals; JSON holds .8565
    read = finite(value)
    assert formatting.figure(value) == formatting.figure(read)
    assert formatting.rate(value) == formatting.rate(read)
    assert formatting.probability(value / 10) == formatting.probability(finite(value / 10))
    report = real(Report)
    assert str(Report.from_json(report.to_json())) == str(report)
