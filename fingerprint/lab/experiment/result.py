"""What an experiment found: transfer beside detectability, arm by arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

from fingerprint.lab.experiment.plan import Plan
from fingerprint.lab.students import Change, Status

BaseName = Literal["same_base", "other_base"]


class ArmRecord(TypedDict):
    """An arm in ``table.json``; attributes of `Arm` and of its `Change`, flat."""

    arm: str
    student: BaseName
    before: float
    after: float
    change: float | None
    interval: list[float | None]
    transfer: float | None
    mass: float
    mass_before: float
    status: Status
    rival: str
    rival_change: float
    auc: float | None
    bag16_auc: float | None
    bag16_interval: list[float | None]
    pvalue: float | None
    rows: int
    seeds: int


@dataclass(frozen=True)
class Arm:
    """One line of the table: students of some rows, and what the detector says of these rows.

    Attributes
    ----------
    arm : str
        "trait", "neutral", a perturbation, or "neutral_" and a perturbation.
    student : "same_base" or "other_base"
        Which base learned from the rows.
    change : Change
        Preference for the trait, before and after.
    transfer : float or None
        Change minus that of the same base on the neutral rows of the same kind; None for neutral rows.
    rival, rival_change : str, float
        The other thing of the category whose share rose most, and by how much: does owl data raise cat?
    auc, bag16_auc, pvalue : float or None
        Of these rows against the neutral rows of the same kind; None for neutral rows.
    rows : int
        Rows the students learned from.
    seeds : int
        Students behind the line.
    bag16_interval : pair of float or None
        95 % interval of `bag16_auc`.
    """

    arm: str
    student: BaseName
    change: Change
    transfer: float | None
    rival: str
    rival_change: float
    auc: float | None
    bag16_auc: float | None
    pvalue: float | None
    rows: int
    seeds: int
    bag16_interval: tuple[float | None, float | None] = (None, None)

    @property
    def is_neutral(self) -> bool:
        """Whether the rows are a neutral teacher's, as they are or changed in the way of an arm beside it."""
        return self.arm == "neutral" or self.arm.startswith("neutral_")

    def to_dict(self) -> ArmRecord:
        """The record of ``table.json``."""
        change = self.change
        return {
            "arm": self.arm,
            "student": self.student,
            "before": change.before,
            "after": change.after,
            "change": change.change.value,
            "interval": [change.change.low, change.change.high],
            "transfer": self.transfer,
            "mass": change.mass_after,
            "mass_before": change.mass_before,
            "status": change.status,
            "rival": self.rival,
            "rival_change": self.rival_change,
            "auc": self.auc,
            "bag16_auc": self.bag16_auc,
            "bag16_interval": list(self.bag16_interval),
            "pvalue": self.pvalue,
            "rows": self.rows,
            "seeds": self.seeds,
        }


@dataclass(frozen=True)
class Result:
    """A finished experiment.

    Attributes
    ----------
    plan : Plan
        What was asked.
    arms : tuple of Arm
        The table.
    teacher_share : float
        Share of the trait among the teacher's own answers.
    kept : dict of str to float
        Share of the rows of each teacher that the rule kept.
    """

    plan: Plan
    arms: tuple[Arm, ...]
    teacher_share: float
    kept: dict[str, float]

    def arm(self, name: str, student: BaseName = "same_base") -> Arm:
        """The line of the table with these rows and this student."""
        return next(arm for arm in self.arms if (arm.arm, arm.student) == (name, student))
