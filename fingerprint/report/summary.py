"""A report as Markdown: the summary of a job, and the section of a data-set card."""

from __future__ import annotations

from collections.abc import Iterator

from fingerprint.report import sentences
from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.encoding import JsonObject
from fingerprint.report.formatting import count, figure, probability, rate, with_interval
from fingerprint.report.gate import Judgement
from fingerprint.report.markdown import code, plain, table

_FEATURES = 5  # rows of the summary's table: to see what kind of thing differs
_NAME = 60  # characters of a name from the data
_DIGEST = 16  # hexadecimal digits that tell corpora apart for a reader; the whole stands in the JSON


def summary(report: DetectionResult, judgement: Judgement) -> str:
    """A report for the summary of a job: what the gate says, the figures, where the signal lives, filters, warnings.

    Parameters
    ----------
    report : DetectionResult
        What to show. Rows are not quoted.
    judgement : Judgement
        What the gate says of it.

    Returns
    -------
    str
        Markdown, ending in a newline.
    """
    headline = {"passed": "passed", "failed": "**failed**", "unknown": "**could not find out**"}[judgement.outcome]
    lines = [
        f"### Hidden traits: {headline}", "",
        plain(f"{report.title}: {judgement.reason}."), "",
        plain(report.verdict), "",
        *_figures(report), "",
    ]  # fmt: skip
    for part in (_ladder(report), _features(report), _filters(report), _warnings(report)):
        lines += [*part, ""] if part else []
    return "\n".join([*lines, plain(sentences.LIMITS)]) + "\n"


def card(report: DetectionResult) -> str:
    """A section for the card of the suspect data set, which says what was checked, against what, and what that means.

    Parameters
    ----------
    report : DetectionResult
        What to show. Rows are not quoted.

    Returns
    -------
    str
        Markdown, ending in a newline.
    """
    found = "A signal was detected." if report.detected else "No signal was detected."
    lines = [
        "## Check for hidden traits", "",
        f"These rows were compared with rows of a reference by an exact permutation test. **{found}**", "",
        f"> {plain(report.verdict)}", "",
        *_figures(report), "",
        " ".join(sentences.design(report.design)), "",
        *([plain(f"Prompt control: {sentences.control(report)}"), ""]),
        *_warned(report),
        plain(sentences.LIMITS), "",
        *_provenance(report.settings),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _figures(report: DetectionResult) -> list[str]:
    """The figures that a verdict stands on, as a table."""
    rows = [
        ("p-value", f"{probability(report.pvalue)} (alpha {report.alpha:g})"),
        ("row AUROC", with_interval(report.auc)),
    ]
    if report.auc_paired.value is not None:
        rows.append(("AUROC within prompts", with_interval(report.auc_paired)))
    rows += [
        (f"AUROC of bags of {bag.k}", with_interval(bag.auc))
        for bag in report.bag_results
        if bag.k == 16 and bag.auc.value is not None
    ]
    rows += [(f"power against a row AUROC of {p.auc:g}", with_interval(p.power, 2)) for p in report.planted]
    design = report.design
    rows.append(("rows", f"{count(design.rows_suspect)} suspect, {count(design.rows_reference)} reference"))
    return table(("figure", "value"), rows)


def _ladder(report: DetectionResult) -> list[str]:
    rows = [
        (plain(rung.rung, _NAME), probability(rung.pvalue), with_interval(rung.auc, 2), figure(rung.bag16_auc.value, 2))
        for rung in report.rungs
    ]
    return table(("ladder", "p", "row AUROC", "bags of 16"), rows) if rows else []


def _features(report: DetectionResult) -> list[str]:
    shown = sentences.first_features(report, _FEATURES)
    rows = [
        (
            code(item.feature, _NAME), plain(item.family, _NAME), plain(sentences.direction(item)),
            rate(item.rate_suspect), rate(item.rate_reference), probability(item.pvalue_adjusted),
        )
        for item in shown
    ]  # fmt: skip
    return table(("feature", "family", "in the suspect", "suspect", "reference", "p adjusted"), rows) if rows else []


def _filters(report: DetectionResult) -> list[str]:
    rows = [
        (
            plain(result.filter, _NAME), sentences.removed(result), with_interval(result.residual.auc, 2),
            probability(result.residual.pvalue),
        )
        for result in report.filter_results
    ]  # fmt: skip
    return table(("semantic filter", "removed %", "row AUROC left", "p left"), rows) if rows else []


def _warnings(report: DetectionResult) -> list[str]:
    return [
        f"* **{plain(w.code, _NAME)}** ({rate(w.value)}, threshold {rate(w.threshold)}): {plain(w.message)}"
        for w in report.warnings
    ]


def _warned(report: DetectionResult) -> list[str]:
    lines = _warnings(report)
    return ["Warnings:", "", *lines, ""] if lines else []


def _provenance(settings: JsonObject) -> Iterator[str]:
    """What it takes to get the same result again, as far as the settings of a report say."""
    yield "To get the same result again:"
    yield ""
    version = settings.get("versions", {}).get("fingerprint", "unknown")
    yield f"* subliminal-fingerprint {plain(str(version), _NAME)}, seed {plain(str(settings.get('seed')), _NAME)}"
    for side, known in settings.get("inputs", {}).items():
        digest = known.get("digest", "") if isinstance(known, dict) else known
        if isinstance(digest, str) and digest:
            yield f"* {plain(side, _NAME)}: digest {code(digest[:_DIGEST])}{_columns(known)}"


def _columns(known: object) -> str:
    """From which columns rows were read."""
    columns = known.get("columns") if isinstance(known, dict) else None
    found = [f", {what} {code(str(name))}" for what, name in (columns or {}).items() if name is not None]
    return "".join(found)
