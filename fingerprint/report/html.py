"""The HTML page of a report: one file, no scripts, no requests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from fingerprint.report import formatting, methods, plot_style, plots, sentences
from fingerprint.report.definitions import DEFINITIONS
from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.highlights import Piece, Speaking, pieces, speaking
from fingerprint.report.results import RowsNeeded
from fingerprint.report.warning_words import by_weight, weight, words

_FEATURES = 40  # rows of the feature table; a page to read, the rest is in the JSON
_FIRST_FEATURES = 12  # of them, before the others are folded
_SPELLINGS = 6  # of a feature, quoted under it
_ROWS = 10  # quoted from either end of the ranking
_FIRST_ROWS = 5  # of them, before the others are folded
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
    title = f"{formatting.visible(report.title, 80)}: {_headline(report).lower()}, p = "
    title += f"{formatting.probability(report.pvalue)} (fingerprint)"
    return rendered("page.html.j2", content="report.html.j2", page_title=title, at="", **_context(report, ""))


def fragment(report: DetectionResult) -> str:
    """The same content as one element with its own styles, for the output cell of a notebook.

    Its ids begin with a digest of the report, so that two reports can stand in one notebook.
    """
    at = f"fp-{hashlib.sha256(report.to_json().encode()).hexdigest()[:8]}-"
    return rendered("fragment.html.j2", content="report.html.j2", at=at, **_context(report, at))


def rendered(template: str, **context: object) -> str:
    """A template of this package, with the colours and the definitions that all pages have."""
    colors = {"light": plot_style.LIGHT, "dark": plot_style.DARK, "print": plot_style.PRINT}
    return _environment().get_template(template).render(**colors, definitions=DEFINITIONS, **context)


def _context(report: DetectionResult, at: str) -> dict[str, object]:
    headline, features = _headline(report), sentences.first_features(report, _FEATURES)
    ranking = _ranking(report)
    return {
        "report": report,
        "headline": headline,
        "is_alarming": headline == "Detected",
        "sections": _sections(report, ranking),
        "warnings": by_weight(report.warnings),
        "limits": sentences.LIMITS,
        "design": sentences.rows_compared(report),
        "permutations": sentences.permutations(report),
        "null_caption": _null_caption(report),
        "control": sentences.control(report),
        "copies": sentences.copies(report),
        "self_test": sentences.self_test(report),
        "order_adds": sentences.order_adds(report),
        "panel_sentences": sentences.panel(report),
        "model_sentences": sentences.model(report),
        "teacher_sentences": sentences.teacher(report),
        "attribution_sentences": sentences.attribution(report),
        "filters": [(result, sentences.removed(result)) for result in report.filter_results],
        "filter_sentences": sentences.filters(report),
        "needed": _needed(report),
        "not_computed": sentences.NOT_COMPUTED,
        "families_differ": sentences.differing_families(report),
        "features": [(item, sentences.direction(item), sentences.spellings(item, _SPELLINGS)) for item in features],
        "first_features": _FIRST_FEATURES,
        "more_features": len(sentences.differing(report)) - len(features),
        "nothing_differs": sentences.nothing_differs(report),
        "pictures": {name: plots.svg(name, report, at) for name in plots.PICTURES},
        "methods": methods.methods(report),
        "references": methods.REFERENCES,
        "command": methods.command(report),
        "settings": Markup(escape(json.dumps(report.to_dict()["settings"], indent=2))),
        "ranking": ranking,
        "first_rows": _FIRST_ROWS,
    }


def _sections(report: DetectionResult, ranking: _Ranking) -> dict[str, str]:
    """Headings by their anchor, in the order of the page: those that there is something to say under."""
    sections = (
        ("warnings", "Warnings", bool(report.warnings)),
        ("design", "Design", True),
        ("strength", "How strong the signal is", True),
        ("ladder", "Where the signal lives", bool(report.rungs)),
        ("filters", "Semantic filters beside the detector", bool(report.filter_results)),
        ("families", "Feature families", bool(report.family_results)),
        ("panel", "What known conditioning adds", report.panel is not None),
        ("model", "What a base model adds", report.model is not None),
        ("teacher", "Share of the best possible", report.teacher is not None),
        ("attribution", "Presence and attribution", report.attribution is not None),
        ("power", "Sample size and power", bool(_needed(report) or report.planted or report.mixtures)),
        ("features", "Features that differ", True),
        ("rows", "Both ends of the scores", bool(ranking.highest or ranking.lowest)),
        ("methods", "Methods and settings", True),
        ("glossary", "Glossary", True),
    )
    return {key: title for key, title, is_there in sections if is_there}


def _null_caption(report: DetectionResult) -> str:
    away = sentences.away(report.null)
    told = f"The omnibus statistic against {formatting.count(sentences.permutations(report))} permutations of the sides"
    far = f", observed {away}" if away else ""
    note = " The null is skewed, so that the p-value, not the distance, is what counts." if away else ""
    return f"{told}: p = {formatting.probability(report.pvalue)}{far}.{note}"


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
    environment.filters.update({name: getattr(formatting, name) for name in names}, words=words, weight=weight)
    return environment


def _finalize(value: object) -> object:
    """Every string that a template prints goes through `visible`, so that no place can forget it."""
    return formatting.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@dataclass(frozen=True)
class _Quote:
    """A row as the page quotes it."""

    row: int
    score: float
    pieces: list[Piece]
    prompt: str | None


@dataclass(frozen=True)
class _Ranking:
    """Both ends of the ranking, and how many of the `head` highest scores are suspect rows."""

    highest: list[_Quote]
    lowest: list[_Quote]
    head: int
    head_suspect: int
    share_suspect: float

    @property
    def is_coloured(self) -> bool:
        return any(piece.level for quote in (*self.highest, *self.lowest) for piece in quote.pieces)


def _ranking(report: DetectionResult) -> _Ranking:
    rows, features = report.rows, speaking(report.differences, report.alpha)
    suspect = rows.filter(pl.col("corpus") == "suspect")
    reference = rows.filter(pl.col("corpus") == "reference")
    head = rows.head(_HEAD)
    return _Ranking(
        highest=_quotes(suspect.head(_ROWS), features),
        lowest=_quotes(reference.tail(_ROWS).reverse(), features),
        head=head.height,
        head_suspect=head.filter(pl.col("corpus") == "suspect").height,
        share_suspect=suspect.height / rows.height if rows.height else 0.0,
    )


def _quotes(rows: pl.DataFrame, features: list[Speaking]) -> list[_Quote]:
    return [
        _Quote(
            row=row,
            score=score,
            pieces=pieces(text, features, _QUOTE),
            prompt=None if prompt is None else formatting.visible(prompt, _QUOTE // 2),
        )
        for row, score, text, prompt in rows.select("row", "score", "text", "prompt").iter_rows()
    ]
