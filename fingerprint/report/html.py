"""The HTML page of a report: one file, no scripts, no requests."""

from __future__ import annotations

import json
from dataclasses import dataclass

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from fingerprint.report import formatting, plots, sentences
from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.results import RowsNeeded

_FEATURES = 40  # rows of the feature table; a page to read, the rest is in the JSON
_SPELLINGS = 6  # of a feature, quoted under it
_ROWS = 10  # quoted from either end of the ranking
_QUOTE = 280  # characters of a quoted text
_HEAD = 100  # scores at the top of which the share of suspect rows is told


def page(report: DetectionResult) -> str:
    """A complete, self-contained HTML document.

    Parameters
    ----------
    report : DetectionResult
        What to show.

    Returns
    -------
    str
        The same for equal reports with equal rows: it holds no date, path or duration.
    """
    return _render("page.html.j2", report)


def fragment(report: DetectionResult) -> str:
    """The same content as one element with its own styles, for the output cell of a notebook."""
    return _render("fragment.html.j2", report)


def _render(template: str, report: DetectionResult) -> str:
    headline, features = _headline(report), sentences.first_features(report, _FEATURES)
    return _environment().get_template(template).render(
        report=report,
        headline=headline,
        is_alarming=headline == "Detected",
        limits=sentences.LIMITS,
        design=sentences.rows_compared(report),
        permutations=sentences.permutations(report),
        control=sentences.control(report),
        copies=sentences.copies(report),
        self_test=sentences.self_test(report),
        order_adds=sentences.order_adds(report),
        panel_sentences=sentences.panel(report),
        model_sentences=sentences.model(report),
        teacher_sentences=sentences.teacher(report),
        attribution_sentences=sentences.attribution(report),
        filters=[(result, sentences.removed(result)) for result in report.filter_results],
        filter_sentences=sentences.filters(report),
        needed=_needed(report),
        not_computed=sentences.NOT_COMPUTED,
        families_differ=sentences.differing_families(report),
        features=[(item, sentences.direction(item), sentences.spellings(item, _SPELLINGS)) for item in features],
        more_features=len(sentences.differing(report)) - len(features),
        nothing_differs=sentences.nothing_differs(report),
        bag_curve=plots.svg("bags", report),
        ladder=plots.svg("ladder", report),
        null=plots.svg("null", report),
        settings=Markup(escape(json.dumps(report.to_dict()["settings"], indent=2))),
        ranking=_ranking(report.rows),
    )  # fmt: skip


def _needed(report: DetectionResult) -> list[tuple[RowsNeeded, str | None, str]]:
    """Rows needed and their unit by target and power; a target that nothing is known of stands once, with None."""
    shown: list[tuple[RowsNeeded, str | None, str]] = []
    for item in report.needed:
        unit = sentences.needed_unit(report, item.target)
        if not sentences.not_computed(report, item.target):
            shown.append((item, sentences.needed(item), unit))
        elif all(item.target != other.target for other, _, _ in shown):
            shown.append((item, None, unit))
    return shown


def _headline(report: DetectionResult) -> str:
    if report.prompt_control.differs and not report.design.is_paired:
        return "Prompts differ"
    return "Detected" if report.detected else "Not detected"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("fingerprint.report"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = ("count", "figure", "interval", "name", "probability", "rate", "visible", "with_interval")
    environment.filters.update({name: getattr(formatting, name) for name in names})
    return environment


def _finalize(value: object) -> object:
    """Every string that a template prints goes through `visible`, so that no place can forget it."""
    return formatting.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@dataclass(frozen=True)
class _Quote:
    """A row as the page quotes it."""

    row: int
    score: float
    text: str
    prompt: str | None


@dataclass(frozen=True)
class _Ranking:
    """Both ends of the ranking, and how many of the `head` highest scores are suspect rows."""

    highest: list[_Quote]
    lowest: list[_Quote]
    head: int
    head_suspect: int
    share_suspect: float


def _ranking(rows: pl.DataFrame) -> _Ranking:
    suspect = rows.filter(pl.col("corpus") == "suspect")
    reference = rows.filter(pl.col("corpus") == "reference")
    head = rows.head(_HEAD)
    return _Ranking(
        highest=_quotes(suspect.head(_ROWS)),
        lowest=_quotes(reference.tail(_ROWS).reverse()),
        head=head.height,
        head_suspect=head.filter(pl.col("corpus") == "suspect").height,
        share_suspect=suspect.height / rows.height if rows.height else 0.0,
    )


def _quotes(rows: pl.DataFrame) -> list[_Quote]:
    return [
        _Quote(
            row=row,
            score=score,
            text=formatting.visible(text, _QUOTE),
            prompt=None if prompt is None else formatting.visible(prompt, _QUOTE // 2),
        )
        for row, score, text, prompt in rows.select("row", "score", "text", "prompt").iter_rows()
    ]
