"""Many reports side by side: the false discovery rate, what may be a discovery, and the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import HOSTILE, build_report, full
from scipy.stats import false_discovery_control

from fingerprint.report.report import Report
from fingerprint.report.results import Null
from fingerprint.report.side_by_side import compare_reports
from fingerprint.statistics.false_discoveries import CORRECTIONS, qvalues
from fingerprint.statistics.intervals import Estimate

Run = Callable[..., tuple[int, str, str]]


def report(pvalue: float, **changes: object) -> Report:
    return replace(build_report(""), pvalue=pvalue, detected=pvalue <= 0.05, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_qvalues_are_those_of_scipy(correction: str) -> None:
    rng = np.random.default_rng(1)
    for n in (1, 2, 7, 200):
        pvalues = rng.uniform(size=n) ** 3
        pvalues[: n // 3] = pvalues[0]  # ties, as at the floor of permutation tests
        expected = false_discovery_control(pvalues, method=correction)
        np.testing.assert_allclose(qvalues(pvalues.tolist(), correction), expected)  # type: ignore[arg-type]


def test_the_rate_is_kept_among_many_reports_and_single_pvalues_do_not_keep_it() -> None:
    """Forty reports, eight of which differ: exact permutation p-values of the others are uniform on a grid."""
    rng, rates = np.random.default_rng(2), {"q": [], "p": []}  # type: ignore[var-annotated]
    for _ in range(2000):
        pvalues = np.ceil(rng.uniform(size=40) * 2000) / 2000
        pvalues[:8] = np.ceil(pvalues[:8] ** 8 * 2000) / 2000
        for name, values in (("q", np.array(qvalues(pvalues.tolist()))), ("p", pvalues)):
            found = values <= 0.05
            rates[name].append(found[8:].sum() / max(found.sum(), 1))
    mean, error = np.mean(rates["q"]), np.std(rates["q"]) / np.sqrt(2000)
    assert mean <= 0.05
    assert abs(mean - 0.04) < 4 * error + 0.001  # exactly the share of true nulls of it: 32 / 40 * .05
    assert np.mean(rates["p"]) > 0.1


def test_reports_stand_by_their_evidence_and_ties_by_how_far_out_they_are() -> None:
    far = report(0.0001, null=Null(90.0, (-4.0, 0.0, 4.0), (5000, 4999)))
    found = compare_reports({"none": report(0.4), "near": report(0.0001), "far": far, "some": report(0.03)})
    assert [line.name for line in found.lines] == ["far", "near", "some", "none"]
    assert [line.discovered for line in found.lines] == [True, True, True, False]
    assert [line.qvalue for line in found.lines] == pytest.approx([0.0002, 0.0002, 0.04, 0.4])
    assert found.verdict.startswith("3 of 4 reports are discoveries at a false discovery rate of 0.05")
    strict = compare_reports({"a": report(0.03), "b": report(0.04), "c": report(0.2)}, correction="by")
    assert not strict.detected
    assert strict.verdict.startswith("none of 3 reports is a discovery")


def test_what_cannot_be_blamed_on_the_teacher_enters_with_a_pvalue_of_one() -> None:
    base = build_report("")
    prompts = replace(
        base,
        prompt_control=replace(base.prompt_control, differs=True, pvalue=0.001),
        design=replace(base.design, kind="disjoint"),
        detected=False,
    )
    options = {**base.settings["options"], "min_auc": 0.7}
    weak = replace(base, detected=False, settings={**base.settings, "options": options})
    found = compare_reports({"prompts": prompts, "weak": weak, "owl": base})
    lines = {line.name: line for line in found.lines}
    assert [name for name, line in lines.items() if line.discovered] == ["owl"]
    assert (lines["prompts"].pvalue, lines["prompts"].pvalue_used, lines["prompts"].qvalue) == (0.0001, 1.0, 1.0)
    assert lines["weak"].veto == "its row AUROC is not above 0.7"
    assert lines["owl"].qvalue == pytest.approx(0.0003)
    assert "enters with p = 1: the prompts of its sides differ" in " ".join(full(found).split())


def test_too_few_permutations_for_so_many_reports_are_told() -> None:
    few = Null(3.0, (-4.0, 0.0, 4.0), (50, 49))
    found = compare_reports({f"{i}": report(0.01 if i else 0.5, null=few) for i in range(6)})
    assert [warning.code for warning in found.warnings] == ["level_out_of_reach"]
    assert found.warnings[0].value == pytest.approx(0.06)
    assert compare_reports({"a": report(0.01), "b": report(0.5)}).warnings == ()


def test_shared_rows_are_told_by_their_digests() -> None:
    other = replace(report(0.3), settings={"inputs": {"suspect": "aa", "reference": {"digest": "bb"}}})
    found = compare_reports({"one": report(0.2), "two": report(0.3), "three": other})
    assert "2 of 3 share rows with another" in found.assumption
    assert "share rows" not in compare_reports({"one": report(0.2), "three": other}).assumption


def test_the_text_fits_and_hostile_names_are_escaped() -> None:
    hostile = replace(build_report(HOSTILE), auc=Estimate(None))
    found = compare_reports({HOSTILE: hostile, **{f"report {i}": report(0.2 + i / 100) for i in range(30)}})
    assert "and 11 more." in str(found)
    assert str(found).splitlines()[-1].endswith("see the warnings of each.")
    for text in (str(found), full(found), found.headline):
        assert not {"\x1b", "\u202e", "\0", "\u2028"} & set(text)
    assert max(map(len, str(found).splitlines())) <= 80


def test_bad_reports_are_refused_by_name(tmp_path: Path) -> None:
    report(0.2).to_json(tmp_path / "a.json")
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(ValueError, match=r"reports must be JSON of detect, got '.*b\.json': schema_version must be 1"):
        compare_reports([tmp_path / "a.json", tmp_path / "b.json"])
    with pytest.raises(ValueError, match="reports must be two or more, got 1"):
        compare_reports([tmp_path / "a.json"])
    with pytest.raises(ValueError, match="twice; give each once"):
        compare_reports([tmp_path / "a.json", tmp_path / "a.json"])
    with pytest.raises(ValueError, match=r"fdr must be in \(0, 1\), got 5"):
        compare_reports({"a": report(0.1), "b": report(0.2)}, fdr=5)
    with pytest.raises(ValueError, match="correction must be one of bh, by, got 'hb'"):
        compare_reports({"a": report(0.1), "b": report(0.2)}, correction="hb")  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        compare_reports([tmp_path / "a.json", tmp_path / "none.json"])


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "report.json" for folder in ("v1", "v2")]
    for path, pvalue in zip(paths, (0.2, 0.001), strict=True):
        path.parent.mkdir()
        report(pvalue).to_json(path)
    assert [line.name for line in compare_reports(paths).lines] == [str(paths[1]), str(paths[0])]


def test_the_command_writes_a_page_and_json_and_says_the_verdict_last(run: Run, tmp_path: Path) -> None:
    for name, pvalue in (("v1", 0.0001), ("v2", 0.3)):
        report(pvalue).to_json(tmp_path / f"{name}.json")
    given = ("compare-reports", tmp_path / "v1.json", tmp_path / "v2.json")
    code, out, err = run(*given, "--html", tmp_path / "all.html", "--json", tmp_path / "all.json")
    assert (code, err) == (0, "")
    assert "1 of 2 reports is a discovery at a false discovery rate of 0.05" in " ".join(out.split()).split("  ")[-1]
    assert [line["name"] for line in json.loads((tmp_path / "all.json").read_text())["lines"]] == ["v1", "v2"]
    assert (tmp_path / "all.html").read_text().count("<h1>1 of 2 reports</h1>") == 1
    assert run(*given, "--fail-if-detected", "-q")[0] == 1
    assert run(*given, "--fail-if-detected", "-q", "--fdr", "0.0001")[0] == 0
    code, _, err = run("compare-reports", tmp_path / "v1.json", tmp_path / "all.html")
    assert code == 2
    assert "REPORTS must be JSON of detect" in err
    code, _, err = run(*given, "--correction", "bonferroni")
    assert code == 2
    assert "--correction must be one of bh, by" in err
    assert run(*given, "--json", tmp_path / "v1.json")[0] == 2
