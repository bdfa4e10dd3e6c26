"""A detector's card: what it was trained on, how well it does, and what it cannot do."""

from __future__ import annotations

from typing import TypedDict

from fingerprint.report.encoding import JsonObject
from fingerprint.report.formatting import visible

_ONE_TRAIT = (
    "It knows one trait of one model against one neutral teacher: on other models and traits its error rates still "
    "hold against neutral rows of the same source, its power does not."
)
_SEVERAL_TRAITS = (
    "It knows what some traits have in common against neutral teachers: a row that scores high speaks of conditioning, "
    "not of one of them. Its AUROC is that of a trait left out, of these models; on other models its error rates still "
    "hold against neutral rows of the same source, its power may not."
)
_OF_ALL = (
    "A score says how much a row looks like the trait teacher's rows. It does not say that a student would learn it.",
    "Other temperatures, length limits, filters or prompts move the scores as a trait does: scan with neutral rows of "
    "the same source.",
)


def limits(left_out: int) -> tuple[str, ...]:
    """What a detector cannot do, by how many traits were left out in turn (none for a single trait)."""
    return (_SEVERAL_TRAITS if left_out else _ONE_TRAIT, *_OF_ALL)


class Options(TypedDict):
    """Settings of the detector that its features and classifiers do not show."""

    fast: bool
    holdout: float
    rng: int


class HashCounts(TypedDict):
    """The key of the training rows' hashes, in hex digits, and how many hashes of rows and prompts there are."""

    key: str
    rows: int
    prompts: int


class TrainedTrait(TypedDict):
    """A trait, its rows and the neutral rows beside it, and the AUROC of its rows: of several traits, with it left out.

    Neutral rows that several traits are compared with count for each of them.
    """

    name: str
    rows: int
    neutral_rows: int
    auc: JsonObject


class Card(TypedDict):
    """JSON values that go with a detector.

    Attributes
    ----------
    definitions : dict of str
        Definition by family, such as "numbers-2"; None for a transformer of the user's.
    rows : dict of int
        Training rows by side, "trait" and "neutral", those held out included.
    prompts : int
        Prompts that are known.
    traits : list of TrainedTrait
        Sorted by name.
    design : str
        As in a report: "shared", "disjoint" or "independent"; of several traits, all that occur.
    held_out_neutral_rows : int
        One a prompt.
    families : dict of int
        Columns used, by family.
    auc : JSON of an `Estimate`
        Of out-of-fold scores of single rows; of several traits, of rows scored by the other traits.
    bags : list of JSON of a `Bag`
    """

    format: int
    definitions: dict[str, str | None]
    versions: dict[str, str]
    classes: list[str]
    rows: dict[str, int]
    prompts: int
    traits: list[TrainedTrait]
    design: str
    held_out_neutral_rows: int
    families: dict[str, int]
    options: Options
    auc: JsonObject
    bags: list[JsonObject]
    hashes: HashCounts
    limits: list[str]


def described(card: Card) -> str:
    """A card in a few lines."""
    rows, known = card["rows"], [bag for bag in card["bags"] if bag["auc"]["value"] is not None]
    several = len(card["traits"]) > 1
    what = f"what {len(card['traits'])} traits have in common"
    counts = f"{rows['trait']:,} trait and {rows['neutral']:,} neutral rows, {card['prompts']:,} prompts"
    lines = [
        f"Detector of {what}: {counts}" if several else f"Detector of {counts}",
        *(_of_trait(trait) for trait in card["traits"] if several),
        f"row AUROC {_shown(card['auc'])}, " + ("with the row's trait left out" if several else "out of fold"),
        "bags of k: " + ", ".join(f"{bag['k']}: {bag['auc']['value']:.2f}" for bag in known),
        f"{card['held_out_neutral_rows']:,} neutral rows held out for its error rates",
        *card["limits"],
    ]
    return "\n".join(map(visible, lines))


def _of_trait(trait: TrainedTrait) -> str:
    rows = f"{trait['rows']:,} rows beside {trait['neutral_rows']:,} neutral ones"
    return f"  {trait['name']}: {rows}; left out, its row AUROC is {_shown(trait['auc'])}"


def _shown(auc: JsonObject) -> str:
    return f"{auc['value']:.3f} [{auc['low']:.3f}, {auc['high']:.3f}]"
