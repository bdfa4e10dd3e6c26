"""The gate: may a pipeline go on after a comparison? Detected and large enough, not found out, or neither."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.formatting import figure, with_interval
from fingerprint.report.results import PlantedPower

# Row AUROC that power is asked for where none is named: the middle one of those that every report states the power
# for. It separates bags of 128 rows with an AUROC of .92, single rows hardly.
USUAL_EFFECT = 0.55


@dataclass(frozen=True)
class Judgement:
    """What the gate says of a report, and why.

    Parameters
    ----------
    outcome : {"passed", "failed", "unknown"}
        "failed": detected, and the effect may be as large as matters. "unknown": not detected, and the comparison could
        not have found what was asked for.
    reason : str
        In a sentence.
    """

    outcome: Literal["passed", "failed", "unknown"]
    reason: str

    @property
    def passed(self) -> bool:
        """Whether a pipeline may go on."""
        return self.outcome == "passed"


def check_gate(min_effect: float | None, require_power: float | None) -> None:
    """Whether what the gate is asked for can be.

    Raises
    ------
    ValueError
        For an effect that is no row AUROC above chance, or a power that is no probability.
    """
    if min_effect is not None and not 0.5 < min_effect < 1:
        raise ValueError(
            f"min_effect must be a row AUROC above .5 and below 1, got {min_effect}; .55 is a small effect, .6 a "
            "middling one"
        )
    if require_power is not None and not 0 < require_power < 1:
        raise ValueError(f"require_power must be between 0 and 1, got {require_power}; .8 and .95 are usual")


def judge(
    report: DetectionResult, min_effect: float | None = None, require_power: float | None = None
) -> Judgement:
    """Whether a pipeline may go on; see `Report.gate`.

    Raises
    ------
    ValueError
        See `check_gate`.
    """
    check_gate(min_effect, require_power)
    if report.detected:
        return _of_detected(report, min_effect)
    if require_power is None:
        return Judgement("passed", "nothing was detected; no power was required, so it may have gone unseen")
    if report.prompt_control.differs and not report.design.is_paired:
        return Judgement("unknown", "the prompts of the two sides differ, so that no difference could be told apart")
    effect = USUAL_EFFECT if min_effect is None else min_effect
    stated = power_at(report, effect)
    asked = f"a row AUROC of {effect:g}"
    if stated is None:
        return Judgement("unknown", f"nothing was detected, and no power is stated for {asked}")
    of = asked if math.isclose(stated.auc, effect) else f"{asked} (at least that of {stated.auc:g})"
    found = f"the power against {of} is {with_interval(stated.power, 2)}"
    if (stated.power.value or 0.0) < require_power:
        return Judgement("unknown", f"nothing was detected, but {found}, below the {require_power:g} required")
    return Judgement("passed", f"nothing was detected, and {found}, at least the {require_power:g} required")


def _of_detected(report: DetectionResult, min_effect: float | None) -> Judgement:
    """A detection passes only where its effect is shown to be smaller than what matters."""
    auc = f"row AUROC {with_interval(report.auc)}"
    if min_effect is None:
        return Judgement("failed", f"detected, {auc}")
    if report.auc.high is not None and report.auc.high < min_effect:
        return Judgement("passed", f"detected, but {auc} lies below the {min_effect:g} that matters")
    return Judgement("failed", f"detected, and {auc} reaches the {min_effect:g} that matters")


def power_at(report: DetectionResult, effect: float) -> PlantedPower | None:
    """The power against a row AUROC, or against the next smaller one that is stated: a bound from below.

    Power grows with the effect. None where nothing is stated for an effect as small.
    """
    known = [item for item in report.planted if item.auc < effect or math.isclose(item.auc, effect)]
    return max(known, key=lambda item: item.auc, default=None)


def power_sentence(report: DetectionResult, effect: float) -> str:
    """The power against a row AUROC in words."""
    stated = power_at(report, effect)
    if stated is None:
        return f"no power is stated for a row AUROC of {effect:g}"
    return f"power {figure(stated.power.value, 2)} against a row AUROC of {stated.auc:g}"
