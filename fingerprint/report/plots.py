"""Pictures of a report: the same for papers and notebooks (`Report.plot`, `Report.plot_null` ...) and for its page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from fingerprint.report import formatting, plot_axes, sentences
from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.plot_style import (
    COLUMN,
    DARK,
    LIGHT,
    PAGE,
    TEXT,
    Palette,
    bare_figure,
    drawing,
    dress,
    element,
    own_style,
    page_colors,
    plain,
    shown_figure,
)
from fingerprint.report.results import Bag, FamilyResult, FilterResult, Rung

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Rows of a picture: more do not fit a column of a paper, and the table has them all.
_FEATURES, _FILTERS = 12, 10
_LINE = 0.235  # inches of a row of a picture: 8 points, and room for two markers


@dataclass(frozen=True)
class Picture:
    """A picture of a report.

    Attributes
    ----------
    title : str
    missing : callable
        Why a report has nothing to draw; None where it has.
    rows : callable
        How many rows it has one below the other; 0 for a picture of fixed height.
    draw : callable
        Onto axes, in a palette.
    describe : callable
        What it shows, in words.
    """

    title: str
    missing: Callable[[DetectionResult], str | None]
    rows: Callable[[DetectionResult], int]
    draw: Callable[[Axes, DetectionResult, Palette], None]
    describe: Callable[[DetectionResult], str]

    def height(self, report: DetectionResult) -> float:
        """Of a picture as wide as a column, in inches."""
        return 0.75 + _LINE * max(self.rows(report), 1) if self.rows(report) else 2.3


# ------------------------------------------------------------------------------------------------------------- to use


def plot(name: str, report: DetectionResult, ax: Axes | None = None, *, dark: bool = False) -> Axes:
    """Draw a picture of a report.

    Parameters
    ----------
    name : str
        A key of `PICTURES`.
    report : DetectionResult
        What to show.
    ax : matplotlib.axes.Axes, optional
        Where to draw, with the caller's sizes and fonts; without one a new figure of `matplotlib.pyplot`, as wide as a
        column of a paper (8.5 cm, 8 points).
    dark : bool
        Whether the paper is dark.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the report has nothing to draw, saying why.
    """
    picture, palette = PICTURES[name], DARK if dark else LIGHT
    missing = picture.missing(report)
    if missing is not None:
        raise ValueError(f"report must have something to draw, got none of it: {missing}")
    if ax is not None:
        _draw(picture, ax, report, palette)
        return ax
    figure = shown_figure(COLUMN, picture.height(report), palette)
    with own_style():
        axes = figure.add_subplot()
        _draw(picture, axes, report, palette)
    return axes


def overview(report: DetectionResult, *, dark: bool = False) -> dict[str, Axes]:
    """All pictures that a report has, in one figure as wide as two columns of a paper.

    Parameters
    ----------
    report : DetectionResult
        What to show.
    dark : bool
        Whether the paper is dark.

    Returns
    -------
    dict of str to matplotlib.axes.Axes
        By the name of the picture, in the order of the page.
    """
    palette = DARK if dark else LIGHT
    there = [(name, picture) for name, picture in PICTURES.items() if picture.missing(report) is None]
    lines = [there[i : i + 2] for i in range(0, len(there), 2)]
    heights = [max(picture.height(report) for _, picture in line) for line in lines] or [1.0]
    found: dict[str, Axes] = {}
    figure = shown_figure(2 * COLUMN + 0.4, sum(heights) + 0.35 * len(heights) + 0.3, palette)
    with own_style():
        head = f"{plain(report.title, 60)}: p = {formatting.probability(report.pvalue)}, row AUROC "
        told = head + formatting.with_interval(report.auc)
        figure.suptitle(told, color=palette.ink, fontsize=TEXT + 1, weight="bold")
        grid = figure.add_gridspec(max(len(lines), 1), 2, height_ratios=heights)
        for number, (name, picture) in enumerate(there):
            # A grid of its own: margins for long labels are not shared with the pictures above and below.
            found[name] = figure.add_subplot(grid[divmod(number, 2)].subgridspec(1, 1)[0])
            _draw(picture, found[name], report, palette)
            found[name].set_title(picture.title, loc="left", weight="bold", color=palette.ink, pad=16)
    return found


def alt_text(name: str, report: DetectionResult) -> str:
    """What a picture shows, in words: for the page, and for whoever puts the picture into a page of their own.

    Parameters
    ----------
    name : str
        A key of `PICTURES`.
    report : DetectionResult
        What is shown.
    """
    return PICTURES[name].describe(report)


def svg(name: str, report: DetectionResult, prefix: str = "") -> Markup | None:
    """A picture as an `svg` element for the page, in the page's font and colours; None where there is nothing to draw.

    Parameters
    ----------
    name : str
        A key of `PICTURES`.
    report : DetectionResult
        What to show.
    prefix : str
        Begins all ids.
    """
    picture = PICTURES[name]
    if picture.missing(report) is not None:
        return None
    with own_style():
        figure = bare_figure(COLUMN, picture.height(report))
        _draw(picture, figure.add_subplot(), report, PAGE)
        drawn = drawing(figure)
    return element(drawn, f"{prefix}{name}", picture.describe(report), page_colors())


def _draw(picture: Picture, ax: Axes, report: DetectionResult, palette: Palette) -> None:
    picture.draw(ax, report, palette)
    dress(ax, palette, "x" if picture.rows(report) else "y")


# ----------------------------------------------------------------------------------------------- what there is to draw


def _bags(report: DetectionResult) -> list[Bag]:
    return [bag for bag in report.bag_results if bag.auc.value is not None]


def _bags_missing(report: DetectionResult) -> str | None:
    return None if len(_bags(report)) > 1 else "fewer than two sizes of bags could be computed"


def _describe_bags(report: DetectionResult) -> str:
    sizes = "; ".join(f"k = {bag.k}: {formatting.with_interval(bag.auc)}" for bag in _bags(report))
    return f"AUROC of bags of k texts with 95 % intervals. {sizes}."


def _rungs(report: DetectionResult) -> list[Rung]:
    return [rung for rung in report.rungs if rung.auc.value is not None]


def _describe_ladder(report: DetectionResult) -> str:
    parts = "; ".join(
        f"{plain(rung.rung)}: {formatting.with_interval(rung.auc)}, p = {formatting.probability(rung.pvalue)}"
        for rung in _rungs(report)
    )
    return f"Row AUROC with 95 % interval on each rung of the ladder. {parts}."


def _null_missing(report: DetectionResult) -> str | None:
    return None if sum(report.null.counts) else "there was no permutation"


def _describe_null(report: DetectionResult) -> str:
    edges, observed = report.null.edges, report.null.observed
    found = "not available" if observed is None else f"{observed:.3g}"
    return (
        f"Histogram of {formatting.count(sum(report.null.counts))} permuted statistics, from {edges[0]:.3g} to "
        f"{edges[-1]:.3g}; observed: {found}{_away(report)}."
    )


def _away(report: DetectionResult) -> str:
    told = sentences.away(report.null)
    return f", {told}" if told else ""


def _filters(report: DetectionResult) -> list[FilterResult]:
    return [r for r in report.filter_results if r.auc.value is not None or r.residual.auc.value is not None][:_FILTERS]


def _describe_filters(report: DetectionResult) -> str:
    parts = []
    for result in _filters(report):
        random = result.controls.random
        drawn = "" if random is None else f", after random removal {formatting.figure(random.auc.value)}"
        parts.append(
            f"{plain(result.filter)}: its own {formatting.with_interval(result.auc)}, left on the rows it keeps "
            f"{formatting.with_interval(result.residual.auc)}{drawn}"
        )
    return f"Row AUROC of each filter and of what it leaves, with 95 % intervals. {'; '.join(parts)}."


def _families(report: DetectionResult) -> list[FamilyResult]:
    return [family for family in report.family_results if family.auc.value is not None]


def _describe_families(report: DetectionResult) -> str:
    parts = "; ".join(
        f"{plain(family.family)}: {formatting.with_interval(family.auc)}, adjusted p = "
        f"{formatting.probability(family.pvalue_adjusted)}"
        for family in _families(report)
    )
    return f"Row AUROC with 95 % interval of each feature family alone. {parts}."


def _features_missing(report: DetectionResult) -> str | None:
    return None if sentences.differing(report) else sentences.nothing_differs(report)


def _describe_features(report: DetectionResult) -> str:
    shown = sentences.first_features(report, _FEATURES)[:_FEATURES]
    parts = "; ".join(f"{plain(item.feature)}: {item.effect:+.2f}" for item in shown)
    return f"Standardised differences of single features, above 0 for more in the suspect. {parts}."


PICTURES: Mapping[str, Picture] = {
    "bags": Picture(
        "Texts judged together",
        _bags_missing,
        lambda report: 0,
        lambda ax, report, palette: plot_axes.bags(ax, _bags(report), report.d_prime.value, palette),
        _describe_bags,
    ),
    "null": Picture(
        "The permutation test",
        _null_missing,
        lambda report: 0,
        lambda ax, report, palette: plot_axes.null(ax, report.null, palette),
        _describe_null,
    ),
    "ladder": Picture(
        "Where the signal lives",
        lambda report: None if _rungs(report) else "it was made without the ladder",
        lambda report: len(_rungs(report)),
        lambda ax, report, palette: plot_axes.ladder(ax, _rungs(report), report.alpha, palette),
        _describe_ladder,
    ),
    "families": Picture(
        "Feature families",
        lambda report: None if _families(report) else "no family has an AUROC",
        lambda report: len(_families(report)),
        lambda ax, report, palette: plot_axes.families(ax, _families(report), report.alpha, palette),
        _describe_families,
    ),
    "filters": Picture(
        "Semantic filters",
        lambda report: None if _filters(report) else "it was made without filters",
        lambda report: math.ceil(1.3 * len(_filters(report))),
        lambda ax, report, palette: plot_axes.filters(ax, _filters(report), palette),
        _describe_filters,
    ),
    "features": Picture(
        "Features that differ",
        _features_missing,
        lambda report: len(sentences.first_features(report, _FEATURES)[:_FEATURES]),
        lambda ax, report, palette: plot_axes.features(
            ax, sentences.first_features(report, _FEATURES)[:_FEATURES], palette
        ),
        _describe_features,
    ),
}
"""Pictures by name, in the order of the page: bags, null, ladder, families, filters, features."""
