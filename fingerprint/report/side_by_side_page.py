"""The page of many reports side by side: one file, no scripts, no requests."""

from __future__ import annotations

from fingerprint.report import formatting, plot_axes
from fingerprint.report.html import rendered
from fingerprint.report.plot_style import (
    COLUMN,
    PAGE,
    bare_figure,
    drawing,
    dress,
    element,
    own_style,
    page_colors,
    plain,
)
from fingerprint.report.side_by_side_result import ReportLine, SideBySideResult
from fingerprint.report.warning_words import by_weight

_DRAWN = 40  # reports in the picture: as many names as a page has lines
_TOLD = 100  # reports whose verdicts and warnings the page quotes
_LINE = 0.2  # inches of a report in the picture
_CALLED = {"bh": "Benjamini-Hochberg", "by": "Benjamini-Yekutieli"}


def page(found: SideBySideResult) -> str:
    """A complete, self-contained HTML document.

    Parameters
    ----------
    found : SideBySideResult
        What to show.

    Returns
    -------
    str
        The same for equal results: it holds no date, path or duration.
    """
    title = f"{formatting.visible(found.title, 80)}: {sum(line.discovered for line in found.lines)} of "
    told = found.lines[:_TOLD]
    sections = {"reports": "Reports by their evidence", "each": "Each report", "glossary": "Glossary"}
    return rendered(
        "page.html.j2",
        content="side_by_side.html.j2",
        page_title=f"{title}{len(found.lines)} reports are discoveries (fingerprint)",
        at="",
        found=found,
        sections={"warnings": "Warnings", **sections} if found.warnings else sections,
        warnings=by_weight(found.warnings),
        called=_CALLED.get(found.correction, found.correction),
        discoveries=sum(line.discovered for line in found.lines),
        picture_of_all=_picture(found.lines[:_DRAWN], found.fdr),
        told=[(line, by_weight(line.warnings)) for line in told],
        untold=len(found.lines) - len(told),
    )


def _picture(lines: tuple[ReportLine, ...], fdr: float) -> str | None:
    known = [line for line in lines if line.auc.value is not None]
    if not known:
        return None
    with own_style():
        figure = bare_figure(1.25 * COLUMN, 0.75 + _LINE * len(known))
        ax = figure.add_subplot()
        plot_axes.reports(
            ax,
            [line.name for line in known],
            [line.auc for line in known],
            [line.qvalue for line in known],
            fdr,
            PAGE,
        )
        dress(ax, PAGE, "x")
        drawn = drawing(figure)
    parts = "; ".join(
        f"{plain(line.name)}: {formatting.with_interval(line.auc)}, q = {formatting.probability(line.qvalue)}"
        for line in known
    )
    return element(drawn, "reports", f"Row AUROC with 95 % interval of each report. {parts}.", page_colors())
