"""The verdict on choices: what they differ by, in sentences that name the rivals and claim no more than the figures."""

from __future__ import annotations

from collections.abc import Sequence

from fingerprint.preferences.exact_test import LENGTH, POSITION
from fingerprint.preferences.result import ChoicePower

FEATURES = "features"
RIVALS = (
    "another judging prompt, temperature, model version or order of the texts, a filter on one side's labels, or "
    "merely that a system prompt was there"
)
SHARED = (
    "The p-value is exact if under the null the choices of the two judges are exchangeable, for all pairs of a prompt "
    "together."
)
ALONE = (
    "The p-value is exact if under the null the judge's choices are as likely as their opposites, for all pairs of a "
    "prompt together."
)
OTHERS = " Of pairs that one side alone judged: if they were drawn alike."
NO_PROMPTS = " Without prompts: if pairs are independent of each other."


def assumption(*, has_reference: bool, others: bool, has_prompts: bool) -> str:
    """What has to hold for the p-value."""
    return (SHARED if has_reference else ALONE) + OTHERS * others + ("" if has_prompts else NO_PROMPTS)


def verdict(
    *,
    differs_by: Sequence[str],
    pvalue: float,
    level: float,
    powers: Sequence[ChoicePower],
    has_reference: bool,
    disagreements: int,
    pairs_pvalue: float | None,
) -> str:
    """The verdict, from figures that are complete; `pairs_pvalue` is given where the pairs themselves differ."""
    figures = f"p = {pvalue:.2g} at level {level:g}, length and position taken out"
    biases = [name for name in differs_by if name != FEATURES]
    if not has_reference:
        return _alone(FEATURES in differs_by, biases, figures, powers)
    if disagreements == 0:
        return "not detected: the two judges chose alike wherever both saw a pair, so that nothing can be tested."
    if pairs_pvalue is not None:
        return (
            f"pairs differ: not attributable to the judge ({figures}; pairs p = {pairs_pvalue:.2g}). Have both judges "
            "label the same pairs."
        )
    by = " and ".join(biases)
    if FEATURES in differs_by:
        also = f" They differ by {by} too." if biases else ""
        return (
            f"detected: the judges' choices differ in what the texts say, beyond length and position ({figures})."
            f"{also} Rival explanations: {RIVALS}."
        )
    missed = _power(powers)
    if biases:
        which = {LENGTH: "how long the texts are", POSITION: "which text stands first"}
        return (
            f"differs by {by}: the judges weigh {' and '.join(which[name] for name in biases)} differently, and "
            f"nothing beyond that was detected ({figures}). {missed}"
        )
    return f"not detected: {missed[:1].lower()}{missed[1:]} ({figures}).".replace(". (", " (")


def _alone(is_found: bool, biases: Sequence[str], figures: str, powers: Sequence[ChoicePower]) -> str:
    """Of one judge: a preference, which every judge has, and never a trait."""
    told = "This is a preference, not a trait: every judge has some. Compare with the labels of a reference judge."
    by = " and ".join(biases)
    if is_found:
        also = f", and with {by}" if biases else ""
        what = f"the choices go with what the texts say beyond length and position{also}"
        return f"a preference: {what} ({figures}). {told}"
    if biases:
        return f"a preference by {by} alone: nothing beyond it was found ({figures}). {told}"
    return f"no preference found: {_power(powers)} ({figures}).".replace(". (", " (")


def _power(powers: Sequence[ChoicePower]) -> str:
    """How probably hidden preferences of several sizes would have been found."""
    if not powers:
        return "Nothing that was measured varies."
    shares, found = (
        " / ".join(figures)
        for figures in ([f"{p.share:.0%}" for p in powers], [f"{p.power.value or 0.0:.2f}" for p in powers])
    )
    return f"A hidden preference that decides {shares} of the choices would have been found with probability {found}."
