"""The table of an experiment as text for a terminal and as a picture: transfer beside detectability."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fingerprint.data.files import write_atomically
from fingerprint.lab.experiment.result import Arm, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# 100 columns: the longest name of an arm is neutral_shuffled_across, the longest student is of the other base.
_HEADER = (
    f"{'rows':<23} {'student':<10} {'before':>6} {'after':>5} {'change [95 %]':<20} {'transfer':>8} {'mass':>4} "
    f"{'auc':>4} {'bag16':>5} {'p':>6}"
)
_INK, _ACCENT, _SECOND, _MUTED = "#1d2730", "#b4472f", "#33658a", "#8a949c"


def as_text(result: Result) -> str:
    """The table, one line an arm, with what its columns mean below."""
    plan, kept = result.plan, result.kept
    lines = [
        f"{plan.teacher} {plan.trait.name} teacher ({result.teacher_share:.2f} of its {plan.trait.category} answers), "
        f"{plan.task} rows;",
        f"the rule kept {kept['trait']:.0%} of its rows and {kept['neutral']:.0%} of the neutral teacher's",
        "",
        _HEADER,
        *(_line(arm) for arm in result.arms),
        "",
        f"before, after: share of {plan.trait.name} among the answers that name something of the category.",
        "change: with its interval over questions"
        + (" and seeds." if plan.seeds > 1 else "; one seed says nothing about other seeds."),
        "transfer: change less that of students of the neutral rows of the same kind.",
        "mass: probability of naming something of the category; a student under half of its base's is broken:",
        "that word stands in place of its transfer, of which it shows nothing.",
        "auc, bag16, p: detect on these rows against the neutral rows of the same kind. Detectable is not",
        "harmful: only the students tell.",
    ]
    return "\n".join(lines)


def _line(arm: Arm) -> str:
    change = arm.change
    moved = _signed(change.change.value)
    if change.change.low is not None and change.change.high is not None:
        moved += f" [{_signed(change.change.low)}, {_signed(change.change.high)}]"
    transfer = "broken" if change.status == "broken" else _signed(arm.transfer)
    return (
        f"{arm.arm:<23} {arm.student.replace('_', ' '):<10} {change.before:6.2f} {change.after:5.2f} {moved:<20} "
        f"{transfer:>8} {change.mass_after:4.2f} {_figure(arm.auc, 4)} {_figure(arm.bag16_auc, 5)} "
        f"{_pvalue(arm.pvalue):>6}"
    )


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"


def _figure(value: float | None, width: int) -> str:
    return f"{'-' if value is None else f'{value:.2f}':>{width}}"


def _pvalue(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def write_picture(result: Result, path: Path) -> None:
    """Transfer and AUROC of bags of 16, arm by arm, as an SVG file."""
    import matplotlib.style
    from matplotlib.figure import Figure

    arms = [arm for arm in result.arms if not arm.arm.startswith("neutral_")]
    labels = [f"{arm.arm.replace('_', ' ')}, {arm.student.replace('_', ' ')}" for arm in arms]
    with matplotlib.style.context(["default", {"svg.hashsalt": "fingerprint", "font.size": 9.0}]):
        figure = Figure(figsize=(9.0, 1.3 + 0.42 * len(arms)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        rows = range(len(arms))
        _draw_changes(left, arms, rows)
        found = [(row, arm.bag16_auc) for row, arm in zip(rows, arms, strict=True) if arm.bag16_auc is not None]
        right.barh([row for row, _ in found], [value - 0.5 for _, value in found], left=0.5, color=_SECOND, height=0.5)
        right.axvline(0.5, color=_MUTED, linewidth=0.9)
        right.set(xlim=(0.4, 1.0), xlabel="AUROC of bags of 16 against neutral rows", title="Detectability")
        left.set_yticks(list(rows), labels)
        left.invert_yaxis()
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(axis="y", length=0)
        plan = result.plan
        figure.suptitle(f"{plan.teacher} {plan.trait.name} teacher, {plan.task} rows", color=_INK)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    write_atomically(path, drawn.getvalue())


def _draw_changes(axes: Axes, arms: Sequence[Arm], rows: Sequence[int]) -> None:
    for row, arm in zip(rows, arms, strict=True):
        change = arm.change.change
        value = change.value or 0.0
        low, high = (value if end is None else end for end in (change.low, change.high))
        colour = _MUTED if arm.change.status == "broken" else _ACCENT
        axes.barh(row, value, color=colour, height=0.5)
        axes.plot([low, high], [row, row], color=_INK, linewidth=1.0)
        if arm.change.status == "broken":
            axes.annotate("broken", (max(value, 0), row), xytext=(4, 0), textcoords="offset points", va="center")
    axes.axvline(0, color=_MUTED, linewidth=0.9)
    axes.set(xlabel="change of the trait's share, student against its base", title="Transfer")
