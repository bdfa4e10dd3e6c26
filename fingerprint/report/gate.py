"""The gate: may a pipeline go on after a comparison? Detected and not shown to be small, not found out, or neither.

Two things are called a row AUROC here. The power is against planted signals of a stated AUROC along their own
direction. The AUROC of a report is that of a score that was learnt from some of its rows and tried on others: at most
that of the trait, and far below where a trait is spread over many features and rows are few. So a detection below
`min_effect` says what can be learnt from this data set, and does not say that the trait, or its harm, is small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.formatting import figure, probability, with_interval
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
        "failed": detected, and the row AUROC of the learnt score is not shown to lie below what was asked for.
        "unknown": not detected, and that says too little: the power is below what was required, or the rows differ
        in a way that is not called detected.
    reason : str
        In a sentence.
    """

    outcome: Literal["passed", "failed", "unknown"]
    reason: str

    @property
    def passed(self) -> bool:
        """Whether a pipeline may go on."""
        return self.outcome == "passed"


def check_gate(min_effect: float | None, require_power: float | None, min_auc: float = 0.0) -> None:
    """Whether what the gate is asked for can be.

    Raises
    ------
    ValueError
        For an effect that is no row AUROC above chance, a power that is no probability, or a power against an effect
        that `min_auc` would never call detected.
    """
    if min_effect is not None and not 0.5 < min_effect < 1:
        raise ValueError(
            f"min_effect must be a row AUROC above .5 and below 1, got {min_effect}; .55 is a small effect, .6 a "
            "middling one"
        )
    if require_power is not None and not 0 < require_power < 1:
        raise ValueError(f"require_power must be between 0 and 1, got {require_power}; .8 and .95 are usual")
    effect = USUAL_EFFECT if min_effect is None else min_effect
    if require_power is not None and min_auc >= effect:
        raise ValueError(
            f"min_auc must be below the row AUROC of {effect:g} that power is required against, got {min_auc:g}: the "
            "power is that of the p-value, and such an effect would not be called detected; lower the one or raise the "
            "other"
        )


def judge(
    report: DetectionResult, min_effect: float | None = None, require_power: float | None = None
) -> Judgement:
    """Whether a pipeline may go on; see `Report.gate`.

    Raises
    ------
    ValueError
        See `check_gate`.
    """
    check_gate(min_effect, require_power, _min_auc(report))
    if report.detected:
        return _of_detected(report, min_effect)
    if report.pvalue <= report.alpha:
        return _of_difference(report, min_effect, require_power)
    are_confounded = report.prompt_control.differs and not report.design.is_paired
    if require_power is None:
        prompts = "; the prompts of the two sides differ" if are_confounded else ""
        return Judgement("passed", f"nothing was detected; no power was required, so it may have gone unseen{prompts}")
    if are_confounded:
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
    """A detection passes only where what these rows teach of it is shown to be less than what was asked for."""
    if min_effect is None:
        return Judgement("failed", f"detected, row AUROC {with_interval(report.auc)}")
    learnt = f"the row AUROC that a score learnt from these rows reaches, {with_interval(report.auc)},"
    if _is_below(report, min_effect):
        return Judgement("passed", f"detected, but {learnt} lies below {min_effect:g}; {_MORE_ROWS}")
    return Judgement("failed", f"detected, and {learnt} is not shown to lie below {min_effect:g}")


# Why a small AUROC is no proof of a small trait: along one direction of 1,000 independent normal features, 2,000 rows a
# side and a trait of .60 leave a learnt score (difference of means, five folds) at .54 (.537 in ten draws, standard
# error .004).
_MORE_ROWS = "the trait's own effect can be larger, and more rows teach more of it"


def _of_difference(report: DetectionResult, min_effect: float | None, require_power: float | None) -> Judgement:
    """The p-value rejects, and yet it is no detection: nothing that the power of a non-detection speaks of.

    Below `min_effect` it passes as a detection would.
    """
    found = f"not called detected, but the rows differ (p = {probability(report.pvalue)})"
    least = _min_auc(report)
    if report.prompt_control.differs and not report.design.is_paired:
        reason = f"{found}, and so do the prompts of the two sides: either can be why"
        return Judgement("passed" if require_power is None else "unknown", reason)
    if (report.auc.value or 0.0) <= least:
        learnt = f"the row AUROC that a score learnt from them reaches, {with_interval(report.auc)},"
        found += f": {learnt} is not above the least that was asked for (min_auc {least:g})"
    if require_power is None or (min_effect is not None and _is_below(report, min_effect)):
        return Judgement("passed", f"{found}; {_MORE_ROWS}")
    return Judgement("unknown", f"{found}, and no power speaks for a difference that was found")


def _is_below(report: DetectionResult, effect: float) -> bool:
    return report.auc.high is not None and report.auc.high < effect


def _min_auc(report: DetectionResult) -> float:
    """The row AUROC that `detected` asked for."""
    return float(report.settings.get("options", {}).get("min_auc", 0.0))


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
