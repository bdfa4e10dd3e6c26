"""Warnings in words: a heading for each code, and how much it weighs for a reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from fingerprint.report.results import Warning

GRAVE, LIMITING, PASSING = "grave", "limiting", "passing"
WEIGHTS: Mapping[str, str] = MappingProxyType(
    {
        GRAVE: "May explain the result without a hidden trait, or make it wrong",
        LIMITING: "Limits what the figures mean",
        PASSING: "For the record",
    }
)
"""What each weight means, the gravest first."""

# By what a reader who ignores the warning would believe wrongly: the verdict, a figure, or nothing.
_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "prompts_differ": (GRAVE, "The prompts of the two sides differ"),
        "floor_rejects": (GRAVE, "The test rejects where nothing can differ"),
        "same_texts": (GRAVE, "Both sides hold the same texts"),
        "frequent_text": (GRAVE, "One text stands very often on one side"),
        "kinds_differ": (GRAVE, "The sides hold different kinds of rows"),
        "format_alone": (GRAVE, "Layout alone tells the sides apart"),
        "lengths_differ": (GRAVE, "Rows of one side are longer"),
        "lengths_cut": (GRAVE, "Long rows of one side are missing"),
        "scripts_differ": (GRAVE, "The sides are written in different scripts"),
        "letters_differ": (GRAVE, "The sides may be written in different languages"),
        "row_order": (GRAVE, "Scores depend on the place in the file"),
        "hardness_alone": (GRAVE, "Only how hard the rows are for the model differs"),
        "placebo_prompts": (GRAVE, "Prompts of a placebo differ"),
        "filter_one_side": (GRAVE, "A filter may have been run on one side only"),
        "rule_not_named": (GRAVE, "All rows pass a filter that was not named"),
        "own_preference": (GRAVE, "The judge prefers a side by itself"),
        "prompts_missing": (LIMITING, "Some rows have no prompt"),
        "prompts_partly_shared": (LIMITING, "Only some prompts are answered by both sides"),
        "prompts_uneven": (LIMITING, "Prompts may have been asked unevenly often"),
        "prompts_differ_in_form": (LIMITING, "The same prompts are written in several ways"),
        "single_prompt": (LIMITING, "All rows answer one prompt"),
        "few_rows": (LIMITING, "Too few rows to find much"),
        "rows_unused": (LIMITING, "Many rows take no part in the p-value"),
        "arm_sizes": (LIMITING, "One side is much larger"),
        "duplicates": (LIMITING, "Many rows repeat others of their side"),
        "empty_rows": (LIMITING, "Some rows are empty"),
        "system_messages": (LIMITING, "System messages differ"),
        "filter_separates": (LIMITING, "What a filter removes tells the sides apart"),
        "noise_floor": (LIMITING, "Some scores are within the model's noise"),
        "level_out_of_reach": (LIMITING, "There are too few relabellings for this level"),
        "texts_in_many_pairs": (LIMITING, "Some texts stand in many pairs"),
        "filters_identical": (PASSING, "Two filters keep the same rows"),
        "reference_is_sums": (PASSING, "The reference is known by its sums alone"),
        "rows_skipped": (PASSING, "Bad rows were left out"),
        "shards_skipped": (PASSING, "Files were left out"),
        "constant_family": (PASSING, "A feature family does not vary"),
    }
)


def words(code: str) -> str:
    """A warning in a few words; the code itself, made readable, where it is not known."""
    known = _WORDS.get(code)
    return known[1] if known is not None else code.replace("_", " ").capitalize()


def weight(code: str) -> str:
    """How much a warning weighs: a key of `WEIGHTS`; in the middle where the code is not known."""
    return _WORDS[code][0] if code in _WORDS else LIMITING


def by_weight(warnings: Sequence[Warning]) -> dict[str, list[Warning]]:
    """Warnings by what their weight means, the gravest first; within a weight in their own order."""
    found = {WEIGHTS[name]: [w for w in warnings if weight(w.code) == name] for name in WEIGHTS}
    return {meaning: some for meaning, some in found.items() if some}
