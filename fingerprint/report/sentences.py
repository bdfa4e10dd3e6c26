"""What a comparison found, in sentences: shared by the terminal text and the HTML page."""

from __future__ import annotations

import math

from fingerprint.lm.noise_floor import NoiseFloor
from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.formatting import (
    UNKNOWN,
    count,
    figure,
    interval,
    name,
    probability,
    rate,
    visible,
    with_interval,
)
from fingerprint.report.results import Design, FeatureDifference, FilterResult, Null, RowsNeeded, Rung
from fingerprint.statistics.intervals import Estimate
from fingerprint.statistics.permutation import FEATURE_PERMUTATIONS

LIMITS = (
    "What this result does not say: detectable is not harmful, and not detected is not clean. Scores rank rows and "
    "never judge a single one. Where rows differ, the rival explanations stand in the verdict."
)


def permutations(report: DetectionResult) -> int:
    """How many permutations the null holds."""
    return sum(report.null.counts)


def away(null: Null) -> str:
    """How far the observed statistic is from the null's mean, in the null's standard deviations; empty if unknown."""
    found = null.deviations
    if found is None or not math.isfinite(found):
        return ""
    return f"{abs(found):.1f} null sd {'above' if found >= 0 else 'below'} the mean"


def design(design: Design) -> list[str]:
    """The design in plain words: what was compared, in which units, and what the p-value left out."""
    sizes = f"{count(design.rows_suspect)} suspect rows, {count(design.rows_reference)} reference rows."
    return [sizes, _units(design), *_unused(design)]


def _units(design: Design) -> str:
    blocks = f"{count(design.blocks)} blocks"
    if design.is_paired:
        together = " (some hold several pairs, which swap together)" if (design.pairs or 0) > design.blocks else ""
        return (
            f"{count(design.prompts_shared)} prompts answered by both sides; {count(design.pairs)} pairs of rows in "
            f"{blocks}{together}, sides swapped within a block."
        )
    if design.kind == "cells":
        return f"{count(design.blocks)} cells of prompts, sides swapped within a cell: the reference is known by sums."
    if design.kind == "mixed":
        shared, separate = design.parts
        return (
            f"{count(design.pairs)} pairs of rows that answer the same prompts, sides swapped within "
            f"{count(shared.blocks)} blocks, and {count(separate.rows_suspect)} against "
            f"{count(separate.rows_reference)} rows of other prompts, sides of {count(separate.blocks)} blocks "
            f"permuted; weights {shared.share:.2f} and {separate.share:.2f}."
        )
    if design.has_prompts and (design.prompts_suspect is None or design.prompts_reference is None):
        is_suspects = design.prompts_reference is None
        known = design.prompts_suspect if is_suspects else design.prompts_reference
        unknown = "reference" if is_suspects else "suspect"
        return (
            f"{count(known)} prompts on one side and none known of the {unknown}, whose rows count as a prompt each; "
            f"{blocks}, sides permuted; valid only if these rows are independent and the prompts of both sides alike."
        )
    if design.has_prompts:
        return (
            f"{count(design.prompts_suspect)} suspect prompts against {count(design.prompts_reference)} reference "
            f"prompts, {count(design.prompts_shared or 0)} of them shared; {blocks} of whole prompts, sides permuted."
        )
    return f"No prompts: {blocks} of rows, sides permuted; valid only if rows are independent of each other."


def _unused(design: Design) -> list[str]:
    if not design.unused_suspect and not design.unused_reference:
        return ["Every row takes part in the p-value."]
    return [
        f"Left out of the p-value: {count(design.unused_suspect)} suspect rows, {count(design.unused_reference)} "
        "reference rows (all rows enter AUROC, bags and scores)."
    ]


def rows_compared(report: DetectionResult) -> list[str]:
    """Which rows were compared in which units, and what was left out."""
    return [*design(report.design), *_sample(report), *_trained_rows(report)]


def _trained_rows(report: DetectionResult) -> list[str]:
    """How many rows were left out because a prior was learnt from them; empty for none."""
    priors = report.settings.get("prior")
    prior = priors[0] if isinstance(priors, list) else priors
    left_out = prior.get("left_out") if isinstance(prior, dict) else None
    if not isinstance(left_out, dict) or not any(left_out.values()):
        return []
    rows = " and ".join(f"{left_out[side]} {side} rows" for side in ("suspect", "reference"))
    where = "" if report.sample is None else " of the sample"
    return [f"Left out{where} before any of this: {rows} that the prior was learnt from, or that answer its prompts."]


def _sample(report: DetectionResult) -> list[str]:
    """What is of all rows and what of a sample; empty where all rows were held."""
    found = report.sample
    if found is None:
        return []
    rows = f"{count(found.rows_suspect)} suspect and {count(found.rows_reference)} reference rows of whole prompts"
    if not found.covers_all:
        reason = visible(found.reason or "no reason is known")
        return [f"Too many rows to hold, and {reason}: everything here is of {rows}, chosen by a hash."]
    share = "" if found.share == 1 else f" ({rate(100 * found.share)} % of the prompts, by their hash)"
    return [
        f"Too many rows to hold: p-value, families and design are of all of them{share}; AUROC, ladder, power, "
        f"features, filters and warnings are of {rows}, chosen by a hash (these alone: p = "
        f"{probability(found.pvalue)})."
    ]


def needed_unit(report: DetectionResult, target: str) -> str:
    """What `RowsNeeded.rows` counts."""
    return "rows" if target == "trained detector" else report.design.unit


NOT_COMPUTED = "not computed: nothing was detected"


def not_computed(report: DetectionResult, target: str) -> bool:
    """Whether nothing was found that rows could be planned from, rather than no number of rows that is enough."""
    return not report.detected and all(item.rows is None for item in report.needed if item.target == target)


def needed(item: RowsNeeded) -> str:
    """How many reach a power, as far as that is known, and how few or many it may really take."""
    if item.rows is None:
        return "none found"
    if item.low is None:
        return count(item.rows)
    end = "no known end" if item.high is None else count(item.high)
    return f"{count(item.rows)} ({count(item.low)} to {end})"


def differing(report: DetectionResult) -> list[FeatureDifference]:
    """Features that differ at the report's alpha, after adjustment."""
    return [item for item in report.differences if item.pvalue_adjusted <= report.alpha]


def least_adjusted(report: DetectionResult) -> str:
    """The floor of adjusted p-values of single features."""
    return f"p adj. is 1/{count(min(permutations(report), FEATURE_PERMUTATIONS) + 1)} at least"


def first_features(report: DetectionResult, limit: int) -> list[FeatureDifference]:
    """The first of the features that differ, in their order: `limit` of them, the strongest of every family included.

    More where more families than that differ.
    """
    found = differing(report)
    seen: set[str] = set()
    leading = []
    for item in found:
        if not seen.issuperset(item.families):
            leading.append(item)
            seen.update(item.families)
    others = [item for item in found if item not in leading][: max(0, limit - len(leading))]
    return [item for item in found if item in leading or item in others]


def differing_families(report: DetectionResult) -> str | None:
    """Families that differ at the report's alpha, after adjustment, the strongest first, each by what differs most."""
    found = [r for r in report.family_results if r.pvalue_adjusted is not None and r.pvalue_adjusted <= report.alpha]
    found.sort(key=lambda result: -(result.statistic or 0.0))
    named = [f"{name(result.family, 34)} ({_strongest(report, result.family)})" for result in found]
    return f"Families that differ, the strongest first: {', '.join(named)}." if named else None


def _strongest(report: DetectionResult, family: str) -> str:
    item = next((item for item in report.differences if family in item.families), None)
    if item is None:
        return "its columns have no names"
    closest = "" if item.pvalue_adjusted <= report.alpha else "no feature by itself, the closest "
    return f"{closest}{name(item.feature, 40)}, {item.direction}"


def direction(item: FeatureDifference) -> str:
    """Where a feature is more, and what its rates are: "more: share of rows"."""
    return f"{item.direction}: {visible(item.measure, 14)}"


def spellings(item: FeatureDifference, limit: int) -> str:
    """The first `limit` other spellings of a feature, and how many more there are; empty where there are none."""
    more = len(item.spellings) - limit
    shown = [name(spelling, 60) for spelling in item.spellings[:limit]]
    return ", ".join([*shown, f"{count(more)} more"] if more > 0 else shown)


def nothing_differs(report: DetectionResult) -> str:
    """What to say where no feature does: the one that came closest."""
    if not report.differences:
        return "No single feature differs after adjustment."
    closest = min(report.differences, key=lambda item: item.pvalue_adjusted)
    return (
        f"No single feature differs after adjustment; the closest is {name(closest.feature, 60)} "
        f"(p adjusted {probability(closest.pvalue_adjusted)})."
    )


def order_adds(report: DetectionResult) -> str | None:
    """What the order of the numbers adds, where the ladder has both rungs: canonical minus sorted."""
    rungs = {rung.rung: rung for rung in report.rungs}
    if "canonical" not in rungs or "sorted" not in rungs:
        return None
    full, unordered = rungs["canonical"], rungs["sorted"]
    rows = _difference(full.auc, unordered.auc)
    return None if rows is None else f"Order adds (canonical minus sorted): {rows} AUROC{_bags(full, unordered)}."


def _bags(full: Rung, unordered: Rung) -> str:
    bags = _difference(full.bag16_auc, unordered.bag16_auc)
    return "" if bags is None else f" on rows, {bags} on bags of 16"


def _difference(first: Estimate, second: Estimate) -> str | None:
    if first.value is None or second.value is None:
        return None
    return f"{first.value - second.value:+.3f}"


def removed(result: FilterResult) -> str:
    """Shares of the rows that a filter removes, suspect / reference, in per cent."""
    shares = (result.removed_suspect.value, result.removed_reference.value)
    return " / ".join(figure(None if share is None else 100 * share, 1) for share in shares)


def random_bag(result: FilterResult) -> str:
    """AUROC of bags of 16 after random removal of the same size, mean of its draws."""
    control = result.controls.random
    return UNKNOWN if control is None else figure(control.bag16_auc.value, 2)


def filters(report: DetectionResult) -> list[str]:
    """What the table of filters leaves out: rows that were not judged, why figures are missing, the detector's half."""
    sentences = []
    for result in report.filter_results:
        unjudged = result.unjudged_suspect + result.unjudged_reference
        if unjudged:
            sentences.append(
                f"{name(result.filter, 40)} could not judge {count(result.unjudged_suspect)} suspect and "
                f"{count(result.unjudged_reference)} reference rows; they count as neither kept nor removed."
            )
        if result.residual.reason is not None:
            sentences.append(f"After {name(result.filter, 40)}: {visible(result.residual.reason, 160)}.")
        if result.removed_reference.value == 0 and result.removed_suspect.value:
            sentences.append(
                f"{name(result.filter, 40)} removes no reference row, as a filter for the trait should: neutral rows "
                "give it nothing to find."
            )
        sentences += _halves(result)
    return sentences


def _halves(result: FilterResult) -> list[str]:
    half = result.controls.detector
    if half is None or half.filter.auc.value is None:
        return []
    random = UNKNOWN if half.random is None else figure(half.random.auc.value)
    by_detector = figure(half.detector.auc.value)
    return [
        f"Row AUROC left on the half a detector was not fitted on: {name(result.filter, 40)} "
        f"{figure(half.filter.auc.value)}, random {random}, as many rows removed by the detector {by_detector}."
    ]


# Members that count less than this are not named.
_SMALL_SHARE = 0.05
# Likeness of base models from which they are said to be one.
_ALIKE = 0.5
_READ = "Log-probabilities and gradients under"


def model(report: DetectionResult) -> list[str]:
    """What the model's families add to the others, under which model, and how noisy its scores are."""
    found = report.model
    if found is None:
        return []
    preamble = f"said before a prompt: {visible(repr(found.preamble), 160)}"
    read = "Log-probabilities, gradients and students of" if "student" in report.settings else _READ
    sentences = [
        f"{read} {visible(found.model, 60)} ({preamble}) take the row AUROC of the stack from "
        f"{with_interval(found.auc_without)} to {with_interval(found.auc)}: {_signed(found.difference)}.",
        f"How hard rows are for it alone: {with_interval(found.hardness.alone)}; the scores beyond that: "
        f"{with_interval(found.hardness.beyond)}.",
        f"{_floor(found.floor)}.",
    ]
    if found.system_prompts:
        listed = "; ".join(f"{i + 1}: {visible(text, 60)}" for i, text in enumerate(found.system_prompts))
        sentences.append(f"Candidate system prompts: {listed}.")
    return sentences


def panel(report: DetectionResult) -> list[str]:
    """What the panel adds, from which members, and what the difference is like."""
    found = report.panel
    if found is None:
        return []
    used = [member for member in found.members if member.share >= _SMALL_SHARE]
    listed = ", ".join(f"{visible(member.name, 40)} ({figure(member.share, 2)})" for member in used)
    alike = sum(member.likeness * member.share for member in found.members)
    base = "the base model that wrote these rows" if alike > _ALIKE else "another base model than these rows"
    sentences = [
        f"Panel of known conditioning, members by share: {listed}; by their tokens, of {base}. It counts "
        f"{figure(found.worth, 2)} of the most it can. p without it {probability(found.pvalue_without)}, with it "
        f"{probability(found.pvalue)}. It speaks of presence (conditioned like these), never of which trait."
    ]
    closest = next((member for member in found.members if member.name == found.closest), None)
    if closest is not None:
        sentences.append(
            f"The difference is most like that of {visible(closest.name, 40)}: cosine {with_interval(closest.cosine)}. "
            "That is a likeness, not an attribution."
        )
    if found.unchecked:
        names = ", ".join(visible(name, 40) for name in found.unchecked)
        sentences.append(f"Not checked, for they came without rows: whether rows of {names} are among those judged.")
    return sentences


def teacher(report: DetectionResult) -> list[str]:
    """The ceiling that known teachers set, and which rows' ratios mean nothing."""
    found = report.teacher
    if found is None:
        return []
    names = f"{visible(found.teacher, 60)} against {visible(found.reference, 60)}"
    sentences = [
        f"Ceiling, the exact log-likelihood ratio of {names}: row AUROC {with_interval(found.auc)}, "
        f"d' {with_interval(found.d_prime)}."
    ]
    if found.floor is not None:
        within = found.within_floor_suspect + found.within_floor_reference
        sentences.append(
            f"{_floor(found.floor)}; rows whose ratio is within it, marked in report.rows: {count(within)}."
        )
    return sentences


def attribution(report: DetectionResult) -> list[str]:
    """Presence and attribution in words."""
    found = report.attribution
    if found is None:
        return []
    return [
        f"Presence: p = {probability(found.presence_pvalue)}, row AUROC {with_interval(found.presence_auc)}. "
        f"Against every placebo: largest p = {probability(found.pvalue)}.",
        visible(found.claim, 600),
    ]


def _floor(floor: NoiseFloor) -> str:
    return (
        f"Noise floor, from {count(floor.n_rows)} rows scored twice: {rate(floor.row_nats)} nats a row, "
        f"{rate(floor.token_nats)} a token"
    )


def _signed(difference: Estimate) -> str:
    value = UNKNOWN if difference.value is None else f"{difference.value:+.3f}"
    return f"{value} {interval(difference)}".rstrip()


def copies(report: DetectionResult) -> str | None:
    """What frequent texts do to the result; None where no text is frequent."""
    found = report.copies
    if found is None:
        return None
    shares = f"{rate(100 * found.share_suspect)} % of the suspect's rows and {rate(100 * found.share_reference)} %"
    rows = f"{count(found.rows_suspect)} suspect and {count(found.rows_reference)} reference rows are left"
    once = "too few rows for a test" if found.pvalue_once is None else f"p = {probability(found.pvalue_once)}"
    text = visible(repr(found.text), 60)
    return f"{text} is {shares} of the reference's. With every text counted once {rows}: {once}."


def warned(report: DetectionResult) -> str:
    """How many warnings there are; empty where there are none."""
    n = len(report.warnings)
    return f"{n} warning{'s' if n > 1 else ''} above." if n else ""


def self_test(report: DetectionResult) -> str | None:
    """The self-test's rejection rate beside what it should be; None where it was not run."""
    test = report.self_test
    if test is None:
        return None
    return (
        f"Nothing differs in {count(test.runs)} relabelled runs; rejected at alpha {test.alpha:g}: "
        f"{count(test.rejections)}, rate {with_interval(test.rate)}."
    )


def control(report: DetectionResult) -> str:
    """The prompt control: whether the prompts alone tell the sides apart."""
    control = report.prompt_control
    found = "prompts differ" if control.differs else "no difference found"
    tested = "nothing to test" if control.pvalue is None else f"p = {probability(control.pvalue)}, {found}"
    sentence = f"{tested}: {visible(control.note)}" if control.note else tested
    return sentence if sentence.endswith(".") else sentence + "."
