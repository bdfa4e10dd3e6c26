"""What pictures draw onto matplotlib's axes; which pictures there are is said in `fingerprint.report.plots`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

from fingerprint.report import formatting, sentences
from fingerprint.report.plot_style import Palette, plain
from fingerprint.report.results import Bag, FamilyResult, FeatureDifference, FilterResult, Null, Rung
from fingerprint.statistics.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHED = (0, (4, 3))
_DOTTED = (0, (1, 1.5))
_STEPS = (1, 2, 2.5, 5, 10)  # between ticks: numbers that people count in
_SPECK = 0.02  # smallest width of an axis in AUROC, so that a flat curve is not blown up
# An observed statistic farther from the null than this share of the null's width would squeeze it: the axis is broken.
_FAR = 0.6
# Of the null's width: where a broken axis breaks beyond the null, and how much is left for all beyond the break.
_BREAK, _BEYOND = 0.1, 0.4


# ---------------------------------------------------------------------------------------------------------------- bags


def bags(ax: Axes, found: Sequence[Bag], d_prime: float | None, palette: Palette) -> None:
    """AUROC against the size of bags, with 95 % intervals, beside what independent rows would give."""
    sizes, values = [bag.k for bag in found], [_number(bag.auc) for bag in found]
    ax.axhline(0.5, color=palette.muted, linewidth=0.9, linestyle=_DASHED)
    _expected_curve(ax, d_prime, sizes, palette)
    ax.errorbar(
        sizes, values, yerr=_errors([bag.auc for bag in found]), color=palette.accent, linewidth=1.5, elinewidth=1.1,
        marker="o", markersize=4, capsize=2, label="observed",
    )  # fmt: skip
    ax.set_xscale("log", base=2)
    ax.set_xlim(min(sizes) / 1.3, max(sizes) * 1.3)
    ax.set_xticks(sizes, [str(k) for k in sizes])
    ax.minorticks_off()
    ax.set(xlabel="texts judged together (k)", ylabel="AUROC", ylim=_curve_limits(found))
    _legend(ax, palette)


def _expected_curve(ax: Axes, d_prime: float | None, sizes: list[int], palette: Palette) -> None:
    """Phi(d_prime sqrt(k / 2)): what independent rows with normal scores would give."""
    if d_prime is None or not math.isfinite(d_prime):
        return
    steps = [min(sizes) * (max(sizes) / min(sizes)) ** (i / 60) for i in range(61)]
    expected = [NormalDist().cdf(d_prime * math.sqrt(k / 2)) for k in steps]
    ax.plot(steps, expected, color=palette.second, linewidth=1.2, linestyle=_DOTTED, label="of independent rows")


def _curve_limits(found: Sequence[Bag]) -> tuple[float, float]:
    ends = [v for bag in found for v in (bag.auc.value, bag.auc.low, bag.auc.high) if v is not None]
    low, high = min(0.5, *ends), max(0.5, *ends)
    margin = max(_SPECK, 0.06 * (high - low))
    return max(-0.02, low - margin), min(1.02, high + margin)


# ---------------------------------------------------------------------------------------------------------------- null


def null(ax: Axes, found: Null, palette: Palette) -> None:
    """Histogram of the permutation null with the observed statistic, far beyond it behind a break of the axis."""
    ax.stairs(found.counts, found.edges, fill=True, color=palette.fill)
    ax.stairs(found.counts, found.edges, color=palette.muted, linewidth=0.9)
    ax.set(xlabel="omnibus statistic", ylabel="permutations", ylim=(0, 1.3 * max(found.counts)))
    observed = found.observed
    if observed is None or not math.isfinite(observed):
        return
    low, high = found.edges[0], found.edges[-1]
    is_far = observed - high > _FAR * (high - low)
    if is_far:
        _break_axis(ax, low, high, observed, palette)
    else:
        low, high = min(observed, low), max(observed, high)
        margin = 0.06 * (high - low) or 1.0
        ax.set_xlim(low - margin, high + margin)
    is_right = is_far or observed > (low + high) / 2
    away = sentences.away(found)
    ax.axvline(observed, color=palette.accent, linewidth=1.8, ymax=0.98)
    ax.annotate(
        f"observed {observed:.3g}" + (f",\n{away}" if away else ""), (observed, 0.98),
        xycoords=("data", "axes fraction"), color=palette.accent, weight="bold", xytext=(-4 if is_right else 4, 0),
        textcoords="offset points", verticalalignment="top", horizontalalignment="right" if is_right else "left",
        fontsize="small" if is_far else None,
    )  # fmt: skip


def _break_axis(ax: Axes, low: float, high: float, observed: float, palette: Palette) -> None:
    """All beyond the null on a scale of its own, so that both the null's width and the observed value can be read."""
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    width = high - low
    at = high + _BREAK * width
    slope = _BEYOND * width / (observed - at)

    def forward(x: np.ndarray) -> np.ndarray:
        return np.where(x <= at, x, at + (x - at) * slope)

    def backward(x: np.ndarray) -> np.ndarray:
        return np.where(x <= at, x, at + (x - at) / slope)

    ax.set_xscale("function", functions=(forward, backward))
    ax.set_xlim(low - 0.06 * width, observed + 0.1 * width / slope)
    ticks = [tick for tick in MaxNLocator(4, steps=_STEPS).tick_values(low, high) if low - 0.06 * width <= tick <= at]
    ax.set_xticks([*ticks, observed], [*(f"{tick:g}".replace("-", "−") for tick in ticks), f"{observed:.3g}"])
    ax.minorticks_off()
    for place in (at, at + 0.03 * width / slope):
        ax.plot(
            [place], [0], transform=ax.get_xaxis_transform(), marker=[(-1, -2), (1, 2)], markersize=7,
            markeredgecolor=palette.ink, linestyle="none", clip_on=False, zorder=5,
        )  # fmt: skip


# ------------------------------------------------------------------------------------------------ one below the other


def ladder(ax: Axes, rungs: Sequence[Rung], alpha: float, palette: Palette) -> None:
    """AUROC of rows and of bags of 16 on each rung, with 95 % intervals, its p-value beside it."""
    ax.axvline(0.5, color=palette.muted, linewidth=0.9, linestyle=_DASHED)
    points(ax, [rung.auc for rung in rungs], 0.13, marker="o", color=palette.accent, label="one row")
    points(ax, [rung.bag16_auc for rung in rungs], -0.17, marker="s", color=palette.second, label="bags of 16")
    rows_below(ax, [rung.rung for rung in rungs])
    _pvalues(ax, "p", [rung.pvalue for rung in rungs], alpha, palette)
    _of_auroc(ax, "AUROC", palette)


def families(ax: Axes, found: Sequence[FamilyResult], alpha: float, palette: Palette) -> None:
    """AUROC of rows by each family alone, with 95 % intervals, its adjusted p-value beside it."""
    ax.axvline(0.5, color=palette.muted, linewidth=0.9, linestyle=_DASHED)
    points(ax, [family.auc for family in found], 0.0, marker="o", color=palette.accent, label="")
    rows_below(ax, [family.family for family in found])
    _pvalues(ax, "p adj.", [family.pvalue_adjusted for family in found], alpha, palette)
    _of_auroc(ax, "row AUROC", palette)


def filters(ax: Axes, found: Sequence[FilterResult], palette: Palette) -> None:
    """Row AUROC of each filter as a detector, of the rows it keeps, and after random removals of the same size."""
    random = [r.controls.random.auc if r.controls.random is not None else Estimate(None) for r in found]
    ax.axvline(0.5, color=palette.muted, linewidth=0.9, linestyle=_DASHED)
    points(ax, [r.auc for r in found], 0.24, marker="D", color=palette.muted, label="itself")
    points(ax, [r.residual.auc for r in found], 0.0, marker="o", color=palette.accent, label="after it")
    points(ax, random, -0.24, marker="s", color=palette.second, label="random")
    rows_below(ax, [result.filter for result in found])
    _of_auroc(ax, "row AUROC", palette)


def reports(
    ax: Axes, names: Sequence[str], aucs: Sequence[Estimate], qvalues: Sequence[float], fdr: float, palette: Palette
) -> None:
    """Row AUROC of many reports with 95 % intervals, discoveries as circles, the q-value of each beside it."""
    pairs = list(zip(aucs, qvalues, strict=True))
    ax.axvline(0.5, color=palette.muted, linewidth=0.9, linestyle=_DASHED)
    for is_found, marker, color, label in (
        (True, "o", palette.accent, "discovery"),
        (False, "s", palette.second, "no discovery"),
    ):
        mine = [auc if (q <= fdr) == is_found else Estimate(None) for auc, q in pairs]
        points(ax, mine, 0.0, marker=marker, color=color, label=label)
    rows_below(ax, names)
    _pvalues(ax, "q", qvalues, fdr, palette)
    _of_auroc(ax, "row AUROC", palette)


def features(ax: Axes, found: Sequence[FeatureDifference], palette: Palette) -> None:
    """Effects of single features, to the right for more in the suspect, the strongest above."""
    from matplotlib.ticker import MaxNLocator

    places = [-i for i in range(len(found))]
    colors = [palette.accent if item.effect > 0 else palette.second for item in found]
    ax.axvline(0.0, color=palette.muted, linewidth=0.9)
    ax.barh(places, [item.effect for item in found], color=colors, height=0.55)
    rows_below(ax, [item.feature for item in found])
    widest = 1.08 * max(abs(item.effect) for item in found) or 1.0
    ax.set_xlabel("effect (less ← in suspect → more)", loc="right")
    ax.set_xlim(-widest, widest)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))


def points(ax: Axes, estimates: Sequence[Estimate], lift: float, *, marker: str, color: str, label: str) -> None:
    """Estimates with their intervals, one below the other from 0 on, `lift` above their lines."""
    if all(estimate.value is None for estimate in estimates):
        return
    ax.errorbar(
        [_number(estimate) for estimate in estimates], [lift - i for i in range(len(estimates))],
        xerr=_errors(estimates), color=color, linestyle="none", marker=marker, markersize=4, elinewidth=1.3,
        label=label,
    )  # fmt: skip


def rows_below(ax: Axes, names: Sequence[str], limit: int = 24) -> None:
    """Names at the left of lines one below the other, at most `limit` characters of each."""
    ax.set_yticks([-i for i in range(len(names))], [plain(name, limit) for name in names])
    ax.set_ylim(0.45 - len(names), 0.55)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _of_auroc(ax: Axes, label: str, palette: Palette) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.set(xlabel=label)
    low, high = ax.get_xlim()
    if high - low < 2 * _SPECK:
        ax.set_xlim((low + high) / 2 - _SPECK, (low + high) / 2 + _SPECK)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))  # labels of a narrow range have three digits
    if ax.get_legend_handles_labels()[1]:
        _legend(ax, palette)


def _legend(ax: Axes, palette: Palette) -> None:
    """Above the axes, where it hides nothing."""
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, frameon=False, borderpad=0.1, borderaxespad=0.1,
        handletextpad=0.4, columnspacing=1.2, handlelength=1.4, labelcolor=palette.ink, fontsize="small",
    )  # fmt: skip


def _pvalues(
    ax: Axes, head: str, pvalues: Sequence[float | None], alpha: float, palette: Palette
) -> None:
    """A column of p-values at the right, those at most alpha in bold."""
    annotate: Callable[..., object] = ax.annotate
    place = {"xycoords": ("axes fraction", "data"), "verticalalignment": "center", "annotation_clip": False}
    annotate(head, (1.03, 0.62), color=palette.muted, **(place | {"verticalalignment": "bottom"}))
    for i, pvalue in enumerate(pvalues):
        is_small = pvalue is not None and pvalue <= alpha
        color, weight = (palette.ink, "bold") if is_small else (palette.muted, "normal")
        annotate(formatting.probability(pvalue), (1.03, -i), color=color, weight=weight, **place)


def _number(estimate: Estimate) -> float:
    return math.nan if estimate.value is None else estimate.value  # matplotlib leaves out what is not a number


def _errors(estimates: Sequence[Estimate]) -> list[list[float]]:
    """Lengths of the error bars below and above; nothing where an end is unknown or on the wrong side."""
    pairs = [
        (max(0.0, e.value - e.low), max(0.0, e.high - e.value))
        if e.value is not None and e.low is not None and e.high is not None
        else (0.0, 0.0)
        for e in estimates
    ]
    return [[below for below, _ in pairs], [above for _, above in pairs]]
