"""Pictures of a report as inline SVG: the bag curve, the ladder and the permutation null.

Text stays text (the page's own font, selectable), colours are the page's CSS variables, so that pictures follow its
light or dark scheme. Nothing is shared with the caller's matplotlib: no pyplot, and its settings are left alone.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from statistics import NormalDist

import matplotlib.style
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fingerprint.report import formatting
from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.results import Bag, Rung
from fingerprint.statistics.intervals import Estimate

# Stand-ins that matplotlib can draw with, each replaced by a CSS variable of the page.
_INK, _MUTED, _RULE, _ACCENT, _SECOND, _FILL, _PAPER = (f"#01020{i}" for i in range(7))
_VARIABLES = {
    _INK: "--fp-ink",
    _MUTED: "--fp-muted",
    _RULE: "--fp-rule",
    _ACCENT: "--fp-accent",
    _SECOND: "--fp-second",
    _FILL: "--fp-fill",
    _PAPER: "--fp-paper",
}
_STYLE: dict[str, object] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "fingerprint",  # ids depend on what is drawn alone, so pages are reproducible
    "font.family": "DejaVu Sans",  # shipped with matplotlib: text is measured alike everywhere
    "font.size": 9.0,
    "axes.axisbelow": True,
    "axes.edgecolor": _RULE,
    "axes.labelcolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": _RULE,
    "ytick.color": _RULE,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _MUTED,
    "text.color": _INK,
    "text.parse_math": False,  # a "$" from the data is a dollar sign
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_DASHED = (0, (4, 3))
_SPECK = 0.02  # smallest width of a figure's axis in AUROC, so that a flat curve is not blown up


def bag_curve(report: DetectionResult) -> Markup | None:
    """AUROC against bag size with 95 % intervals; None where fewer than two sizes are known."""
    bags = [bag for bag in report.bag_results if bag.auc.value is not None]
    if len(bags) < 2:
        return None
    sizes = "; ".join(f"k = {bag.k}: {formatting.with_interval(bag.auc)}" for bag in bags)
    with _canvas(5.0, 3.3) as canvas:
        _draw_bags(canvas.axes, bags, report.d_prime.value)
    return canvas.svg(f"AUROC of bags of k texts with 95 % intervals. {sizes}.")


def _draw_bags(axes: Axes, bags: list[Bag], d_prime: float | None) -> None:
    axes.axhline(0.5, color=_MUTED, linewidth=0.9, linestyle=_DASHED)
    _expected_curve(axes, d_prime, [bag.k for bag in bags])
    _bag_points(axes, bags)
    axes.set(xlabel="texts judged together (k)", ylabel="AUROC", ylim=_curve_limits(bags))
    axes.grid(axis="y", color=_RULE, linewidth=0.6)


def _bag_points(axes: Axes, bags: list[Bag]) -> None:
    sizes, values = [bag.k for bag in bags], [_number(bag.auc) for bag in bags]
    axes.errorbar(
        sizes, values, yerr=_errors([bag.auc for bag in bags]), color=_ACCENT, linewidth=1.6, elinewidth=1.2,
        marker="o", markersize=4.5, capsize=2.5,
    )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_xlim(min(sizes) / 1.3, max(sizes) * 1.3)
    axes.set_xticks(sizes, [str(k) for k in sizes])
    axes.minorticks_off()


def _expected_curve(axes: Axes, d_prime: float | None, sizes: list[int]) -> None:
    """Phi(d_prime sqrt(k / 2)): what independent rows with normal scores would give."""
    if d_prime is None or not math.isfinite(d_prime):
        return
    steps = [min(sizes) * (max(sizes) / min(sizes)) ** (i / 60) for i in range(61)]
    expected = [NormalDist().cdf(d_prime * math.sqrt(k / 2)) for k in steps]
    axes.plot(steps, expected, color=_SECOND, linewidth=1.1, linestyle=(0, (1, 1.5)))


def _curve_limits(bags: list[Bag]) -> tuple[float, float]:
    ends = [v for bag in bags for v in (bag.auc.value, bag.auc.low, bag.auc.high) if v is not None]
    low, high = min(0.5, *ends), max(0.5, *ends)
    margin = max(_SPECK, 0.06 * (high - low))
    return max(-0.02, low - margin), min(1.02, high + margin)


def ladder(report: DetectionResult) -> Markup | None:
    """AUROC of rows and of bags of 16 on each rung, its p-value beside it; None where there is no ladder."""
    rungs = [rung for rung in report.rungs if rung.auc.value is not None]
    if not rungs:
        return None
    parts = "; ".join(
        f"{_plain(rung.rung)}: {formatting.with_interval(rung.auc)}, p = {formatting.probability(rung.pvalue)}"
        for rung in rungs
    )
    with _canvas(5.6, 0.7 + 0.34 * len(rungs)) as canvas:
        _draw_ladder(canvas.axes, rungs, report.alpha)
    return canvas.svg(f"Row AUROC with 95 % interval on each rung of the ladder. {parts}.")


def _draw_ladder(axes: Axes, rungs: list[Rung], alpha: float) -> None:
    axes.axvline(0.5, color=_MUTED, linewidth=0.9, linestyle=_DASHED)
    _rung_points(axes, [rung.bag16_auc for rung in rungs], -0.17, marker="s", color=_SECOND)
    _rung_points(axes, [rung.auc for rung in rungs], 0.13, marker="o", color=_ACCENT)
    _rung_labels(axes, rungs, alpha)
    axes.set(xlabel="AUROC")
    axes.xaxis.set_major_locator(MaxNLocator(6))  # labels of a narrow range have three digits
    axes.grid(axis="x", color=_RULE, linewidth=0.6)


def _rung_points(axes: Axes, estimates: list[Estimate], lift: float, *, marker: str, color: str) -> None:
    axes.errorbar(
        [_number(estimate) for estimate in estimates], [-i + lift for i in range(len(estimates))],
        xerr=_errors(estimates), color=color, linestyle="none", marker=marker, markersize=4.5, elinewidth=1.4,
    )  # fmt: skip


def _rung_labels(axes: Axes, rungs: list[Rung], alpha: float) -> None:
    axes.set_yticks([-i for i in range(len(rungs))], [_plain(rung.rung) for rung in rungs], color=_INK)
    axes.set_ylim(-len(rungs) + 0.45, 0.55)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for i, rung in enumerate(rungs):
        color, weight = (_INK, "bold") if rung.pvalue <= alpha else (_MUTED, "normal")
        axes.annotate(
            f"p = {formatting.probability(rung.pvalue)}", (1.02, -i), xycoords=("axes fraction", "data"),
            color=color, weight=weight, verticalalignment="center", annotation_clip=False,
        )  # fmt: skip


def null(report: DetectionResult) -> Markup | None:
    """Histogram of the permutation null with the observed statistic; None where there was no permutation."""
    edges, counts = report.null.edges, report.null.counts
    if not counts or not sum(counts):
        return None
    observed = report.null.observed
    with _canvas(5.0, 3.3) as canvas:
        _draw_null(canvas.axes, edges, counts, observed)
    found = "not available" if observed is None else f"{observed:.3g}"
    return canvas.svg(
        f"Histogram of {formatting.count(sum(counts))} permuted statistics, from {edges[0]:.3g} to {edges[-1]:.3g}; "
        f"observed: {found}."
    )


def _draw_null(axes: Axes, edges: tuple[float, ...], counts: tuple[int, ...], observed: float | None) -> None:
    axes.stairs(counts, edges, fill=True, color=_FILL)
    axes.stairs(counts, edges, color=_MUTED, linewidth=0.9)
    axes.set(
        xlabel="omnibus statistic (weighted sum over standardised families)",
        ylabel="permutations",
        ylim=(0, 1.16 * max(counts)),
    )
    if observed is not None and math.isfinite(observed):
        _observed(axes, observed, edges)


def _observed(axes: Axes, observed: float, edges: tuple[float, ...]) -> None:
    axes.axvline(observed, color=_ACCENT, linewidth=1.8)
    low, high = min(observed, edges[0]), max(observed, edges[-1])
    margin = 0.04 * (high - low) or 1.0
    axes.set_xlim(low - margin, high + margin)
    is_right = observed > (low + high) / 2
    axes.annotate(
        f"observed {observed:.3g}", (observed, 0.97), xycoords=("data", "axes fraction"), color=_ACCENT, weight="bold",
        xytext=(-5 if is_right else 5, 0), textcoords="offset points", verticalalignment="top",
        horizontalalignment="right" if is_right else "left",
    )  # fmt: skip


def _number(estimate: Estimate) -> float:
    return math.nan if estimate.value is None else estimate.value  # matplotlib leaves out what is not a number


def _errors(estimates: list[Estimate]) -> list[list[float]]:
    """Lengths of the error bars below and above; nothing where an end is unknown or on the wrong side."""
    pairs = [
        (max(0.0, e.value - e.low), max(0.0, e.high - e.value))
        if e.value is not None and e.low is not None and e.high is not None
        else (0.0, 0.0)
        for e in estimates
    ]
    return [[below for below, _ in pairs], [above for _, above in pairs]]


def _plain(text: str) -> str:
    """A short label in ASCII: matplotlib warns about every character its font lacks."""
    return formatting.visible(text, 24).encode("ascii", "backslashreplace").decode().replace("\\u2026", "...")


@dataclass
class _Canvas:
    figure: Figure
    axes: Axes
    drawn: str = ""

    def svg(self, description: str) -> Markup:
        """The drawing as an `svg` element that scales with the page and says what it shows."""
        found = re.search(r'<svg [^>]*(viewBox="[^"]*")[^>]*>(.*)', self.drawn, flags=re.S)
        if found is None:  # pragma: no cover
            raise RuntimeError("matplotlib wrote no svg element")
        head = f'<svg {found[1]} role="img" aria-label="{escape(description)}">'
        return Markup(head + _for_the_page(found[2]).strip())


@contextmanager
def _canvas(width: float, height: float) -> Iterator[_Canvas]:
    """Axes to draw on, `width` by `height` inches; what was drawn is an SVG document afterwards."""
    with matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=(width, height), layout="constrained")
        canvas = _Canvas(figure, figure.add_subplot())
        yield canvas
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg")
        canvas.drawn = buffer.getvalue()


def _for_the_page(body: str) -> str:
    """SVG content without comments, metadata, global styles and ids of groups, in the page's font and colours."""
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.S)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"'DejaVu Sans'[^;\"<]*", "var(--fp-font)", body)
    for color, variable in _VARIABLES.items():
        body = body.replace(color, f"var({variable})")
    return body
