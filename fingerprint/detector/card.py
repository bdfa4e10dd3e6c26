"""A detector's card: what it was trained on, how well it does, and what it cannot do."""

from __future__ import annotations

from typing import TypedDict

from fingerprint.report.encoding import JsonObject

LIMITS = (
    "It knows one trait of one model against one neutral teacher: on other models and traits its error rates still "
    "hold against neutral rows of the same source, its power does not.",
    "A score says how much a row looks like the trait teacher's rows. It does not say that a student would learn it.",
    "Other temperatures, length limits, filters or prompts move the scores as a trait does: scan with neutral rows of "
    "the same source.",
)


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
    design : str
        As in a report: "shared", "disjoint" or "independent".
    held_out_neutral_rows : int
        One a prompt.
    families : dict of int
        Columns used, by family.
    auc : JSON of an `Estimate`
        Of out-of-fold scores of single rows.
    bags : list of JSON of a `Bag`
    """

    format: int
    definitions: dict[str, str | None]
    versions: dict[str, str]
    classes: list[str]
    rows: dict[str, int]
    prompts: int
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
    auc = card["auc"]
    rows, known = card["rows"], [bag for bag in card["bags"] if bag["auc"]["value"] is not None]
    lines = [
        f"Detector of {rows['trait']:,} trait and {rows['neutral']:,} neutral rows, {card['prompts']:,} prompts",
        f"row AUROC {auc['value']:.3f} [{auc['low']:.3f}, {auc['high']:.3f}], out of fold",
        "bags of k: " + ", ".join(f"{bag['k']}: {bag['auc']['value']:.2f}" for bag in known),
        f"{card['held_out_neutral_rows']:,} neutral rows held out for its error rates",
        *card["limits"],
    ]
    return "\n".join(lines)
