"""A report as a JUnit file: a test case for each question that a pipeline asks of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

from fingerprint.report import sentences
from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.formatting import probability, visible, with_interval
from fingerprint.report.gate import USUAL_EFFECT, Judgement, power_sentence
from fingerprint.report.results import FilterResult

_SUITE = "fingerprint"


@dataclass(frozen=True)
class _Case:
    """A question, and its answer: passed, failed, or not asked (skipped)."""

    name: str
    outcome: Literal["passed", "failure", "skipped"]
    message: str
    lines: tuple[str, ...] = ()


def junit(report: DetectionResult, judgement: Judgement, min_effect: float | None = None) -> str:
    """A JUnit file of one suite: verdict, power, prompts, and each filter.

    Parameters
    ----------
    report : DetectionResult
        What was found. Rows are not quoted.
    judgement : Judgement
        What the gate says of it: "failed" fails the case ``verdict``, "unknown" the case ``power``.
    min_effect : float, optional
        Row AUROC that the judgement was asked for.

    Returns
    -------
    str
        XML 1.0 in ASCII: everything from the data is escaped, and what XML cannot hold is shown as an escape. The same
        for equal reports: it holds no date and no duration.
    """
    cases = list(_cases(report, judgement, USUAL_EFFECT if min_effect is None else min_effect))
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.outcome == "failure" for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.outcome == "skipped" for case in cases)),
    }
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": visible(report.title), **counts})
    for case in cases:
        element = ElementTree.SubElement(
            suite, "testcase", {"classname": f"{_SUITE}.detect", "name": visible(case.name), "time": "0"}
        )
        lines = [visible(line) for line in (case.message, *case.lines)]
        if case.outcome != "passed":
            kind = {"type": case.name.partition(":")[0]} if case.outcome == "failure" else {}
            told = ElementTree.SubElement(element, case.outcome, {"message": lines[0], **kind})
            told.text = "\n".join(lines)
        ElementTree.SubElement(element, "system-out").text = "\n".join(lines)
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="us-ascii", xml_declaration=True)
    return written.decode("ascii") + "\n"


def _cases(report: DetectionResult, judgement: Judgement, effect: float) -> Iterator[_Case]:
    is_failed, is_unknown = judgement.outcome == "failed", judgement.outcome == "unknown"
    warnings = tuple(f"warning {w.code}: {w.message}" for w in report.warnings)
    verdict = judgement.reason if report.detected else report.verdict
    yield _Case("verdict", "failure" if is_failed else "passed", verdict, (report.verdict, *warnings))
    if report.detected:
        yield _Case("power", "passed", "not asked: something was detected")
    else:
        is_found = report.pvalue <= report.alpha  # the power of finding nothing says nothing of what was found
        told = judgement.reason if is_unknown or is_found else power_sentence(report, effect)
        yield _Case("power", "failure" if is_unknown else "passed", told)
    control = report.prompt_control
    is_confounded = control.differs and not report.design.is_paired
    yield _Case("prompts", "failure" if is_confounded else "passed", sentences.control(report))
    for result in report.filter_results:
        yield _filter(report, result, is_failed)


def _filter(report: DetectionResult, result: FilterResult, is_failed: bool) -> _Case:
    """Is what was detected still detectable on the rows that a filter keeps?"""
    name, left = f"filter: {result.filter}", result.residual
    removed = f"removes {sentences.removed(result)} % of suspect / reference rows"
    if left.pvalue is None:
        return _Case(name, "skipped", f"{removed}; {left.reason or 'nothing is known of the rest'}")
    rest = f"left: p = {probability(left.pvalue)}, row AUROC {with_interval(left.auc)}"
    if not is_failed:  # a rest is only judged where the whole failed: each filter would add false alarms otherwise
        return _Case(name, "passed", f"{removed}; {rest}")
    is_left = left.pvalue <= report.alpha
    found = "still detectable on what it keeps" if is_left else "no longer detectable on what it keeps"
    return _Case(name, "failure" if is_left else "passed", f"{found}; {removed}; {rest}")
