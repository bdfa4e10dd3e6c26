"""The table of an experiment as a picture: transfer beside detectability, arm by arm, the neutral ones too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fingerprint.data.files import write_atomically
from fingerprint.lab.experiment.result import Arm, Result
from fingerprint.report.formatting import figure
from fingerprint.report.plot_axes import points, rows_below
from fingerprint.report.plot_style import (
    DARK,
    LIGHT,
    Palette,
    bare_figure,
    document,
    drawing,
    dress,
    own_style,
    plain,
    shown_figure,
)
from fingerprint.statistics.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 17.5 / 2.54  # inches: both columns of a paper
_LINE = 0.26  # inches of an arm
_TRAIT, _NEUTRAL, _BROKEN = "rows of the trait's teacher", "neutral rows", "student broken: shows nothing"
_NAME = 40  # characters of the longest arm and student


def plot(result: Result, *, dark: bool = False) -> tuple[Axes, Axes]:
    """Transfer and AUROC of bags of 16, arm by arm, with 95 % intervals, as a figure of `matplotlib.pyplot`.

    Parameters
    ----------
    result : Result
        What to show.
    dark : bool
        Whether the paper is dark.

    Returns
    -------
    pair of matplotlib.axes.Axes
        Of transfer, and of detectability.
    """
    palette = DARK if dark else LIGHT
    with own_style():
        return _draw(shown_figure(_WIDTH, _height(result), palette), result, palette)


def write_picture(result: Result, path: Path) -> None:
    """The same as an SVG file with a title and a description, light or dark as the reader's screen is."""
    with own_style():
        canvas = bare_figure(_WIDTH, _height(result))
        canvas.set_facecolor(LIGHT.paper)
        _draw(canvas, result, LIGHT)
        drawn = drawing(canvas)
    write_atomically(path, document(drawn, _title(result), alt_text(result)))


def alt_text(result: Result) -> str:
    """What the picture shows, in words."""
    arms = "; ".join(
        f"{_label(arm)}: {_change(arm)}"
        + ("" if arm.bag16_auc is None else f", bags of 16 {figure(arm.bag16_auc, 2)} {_brackets(*arm.bag16_interval)}")
        for arm in result.arms
    )
    return (
        f"Change of the share of {result.plan.trait.name} from base to student, and AUROC of bags of 16 rows against "
        f"the neutral rows of the same kind, with 95 % intervals. {arms}."
    )


def _change(arm: Arm) -> str:
    change = arm.change.change
    moved = f"changes by {figure(change.value, 2)} {_brackets(change.low, change.high)}".rstrip()
    return f"{moved}, student broken" if arm.change.status == "broken" else moved


def _brackets(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{figure(low, 2)}, {figure(high, 2)}]"


def _title(result: Result) -> str:
    plan = result.plan
    return f"{plan.teacher} {plan.trait.name} teacher, {plan.task} rows: transfer and detectability"


def _label(arm: Arm) -> str:
    student = "" if arm.student == "same_base" else ", other base"
    return plain(f"{arm.arm.replace('_', ' ')}{student}", _NAME)


def _height(result: Result) -> float:
    return 1.25 + _LINE * max(len(result.arms), 1)


def _draw(canvas: Figure, result: Result, palette: Palette) -> tuple[Axes, Axes]:
    left, right = canvas.subplots(1, 2, sharey=True)
    arms = result.arms
    left.axvline(0, color=palette.muted, linewidth=0.9)
    _arms(left, arms, [arm.change.change for arm in arms], [arm.change.status == "broken" for arm in arms], palette)
    right.axvline(0.5, color=palette.muted, linewidth=0.9, linestyle=(0, (4, 3)))
    _arms(right, arms, [Estimate(arm.bag16_auc, *arm.bag16_interval) for arm in arms], [False] * len(arms), palette)
    rows_below(left, [_label(arm) for arm in arms], _NAME)
    rows_below(right, [_label(arm) for arm in arms], _NAME)
    left.set(xlabel="change of the trait's share")
    right.set(xlabel="AUROC of bags of 16 against neutral rows", xlim=(min(0.4, right.get_xlim()[0]), 1.02))
    for axes, title in ((left, "Transfer to students"), (right, "Detectability of the rows")):
        axes.set_title(title, loc="left", weight="bold", color=palette.ink)
        dress(axes, palette, "x")
        axes.tick_params(axis="y", length=0)
    canvas.suptitle(_title(result).partition(":")[0], color=palette.ink, x=0.01, horizontalalignment="left")
    canvas.legend(
        *left.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, labelcolor=palette.ink
    )
    return left, right


def _arms(
    ax: Axes, arms: Sequence[Arm], estimates: Sequence[Estimate], broken: Sequence[bool], palette: Palette
) -> None:
    """Points of the arms by kind: rows of the trait's teacher, neutral rows, and students that are broken."""
    kinds = [_BROKEN if bad else _NEUTRAL if arm.is_neutral else _TRAIT for arm, bad in zip(arms, broken, strict=True)]
    for label, marker, color in (
        (_TRAIT, "o", palette.accent),
        (_NEUTRAL, "s", palette.second),
        (_BROKEN, "X", palette.muted),
    ):
        mine = [e if kind == label else Estimate(None) for kind, e in zip(kinds, estimates, strict=True)]
        points(ax, mine, 0.0, marker=marker, color=color, label=label)
