"""The table of an experiment as text for a terminal: transfer beside detectability."""

from __future__ import annotations

from fingerprint.lab.experiment.result import Arm, Result

# 100 columns: the longest name of an arm is neutral_shuffled_across, the longest student is of the other base.
_HEADER = (
    f"{'rows':<23} {'student':<10} {'before':>6} {'after':>5} {'change [95 %]':<20} {'transfer':>8} {'mass':>4} "
    f"{'auc':>4} {'bag16':>5} {'p':>6}"
)


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
