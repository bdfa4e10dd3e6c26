"""The HTML page of a report: one file, no scripts, no requests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from fingerprint.report import formatting as wording
from fingerprint.report import plots as pictures

if TYPE_CHECKING:
    from fingerprint.report.report import Report

_FEATURES = 40  # rows of the feature table; a page to read, the rest is in the JSON
_ROWS = 10  # quoted from either end of the ranking
_QUOTE = 280  # characters of a quoted text
_HEAD = 100  # scores at the top of which the share of suspect rows is told


def page(report: Report) -> str:
    """A complete, self-contained HTML document.

    Parameters
    ----------
    report : Report
        What to show.

    Returns
    -------
    str
        The same for equal reports with equal rows: it holds no date, path or duration.
    """
    return _render("page.html.j2", report)


def fragment(report: Report) -> str:
    """The same content as one element with its own styles, for the output cell of a notebook."""
    return _render("fragment.html.j2", report)


def _render(template: str, report: Report) -> str:
    headline, differing = _headline(report), wording.differing(report)
    return _environment().get_template(template).render(
        report=report,
        headline=headline,
        is_alarming=headline == "Detected",
        limits=wording.LIMITS,
        design=wording.design_sentences(report.design),
        permutations=wording.permutations(report),
        control=wording.control_sentence(report),
        self_test=wording.self_test_sentence(report),
        order_adds=wording.order_adds(report),
        model_sentences=wording.model_sentences(report),
        teacher_sentences=wording.teacher_sentences(report),
        attribution_sentences=wording.attribution_sentences(report),
        filters=[(result, wording.removed(result)) for result in report.filter_results],
        filter_sentences=wording.filter_sentences(report),
        needed=[(item, wording.needed(item), wording.needed_unit(report, item.target)) for item in report.needed],
        features=differing[:_FEATURES],
        more_features=max(0, len(differing) - _FEATURES),
        nothing_differs=wording.nothing_differs(report),
        bag_curve=pictures.bag_curve(report),
        ladder=pictures.ladder(report),
        null=pictures.null(report),
        settings=Markup(escape(json.dumps(report.to_dict()["settings"], indent=2))),
        **_ranking(report.rows),
    )  # fmt: skip


def _headline(report: Report) -> str:
    if report.prompt_control.differs and report.design.kind != "shared":  # shared prompts cannot explain a difference
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
    environment.filters.update({name: getattr(wording, name) for name in names})
    return environment


def _finalize(value: Any) -> Any:
    """Every string that a template prints goes through `visible`, so that no place can forget it."""
    return wording.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _ranking(rows: pl.DataFrame) -> dict[str, Any]:
    """Both ends of the ranking, and how many of the highest scores are suspect rows."""
    suspect = rows.filter(pl.col("corpus") == "suspect")
    reference = rows.filter(pl.col("corpus") == "reference")
    head = rows.head(_HEAD)
    return {
        "highest": _quotes(suspect.head(_ROWS).iter_rows(named=True)),
        "lowest": _quotes(reference.tail(_ROWS).reverse().iter_rows(named=True)),
        "head": head.height,
        "head_suspect": head.filter(pl.col("corpus") == "suspect").height,
        "share_suspect": suspect.height / rows.height if rows.height else 0.0,
    }


def _quotes(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "row": row["row"],
            "score": row["score"],
            "text": wording.visible(row["text"], _QUOTE),
            "prompt": None if row["prompt"] is None else wording.visible(row["prompt"], _QUOTE // 2),
        }
        for row in rows
    ]
