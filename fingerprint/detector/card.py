"""A detector's card: what it was trained on, how well it does, and what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIMITS = (
    "It knows one trait of one model against one neutral teacher: on other models and traits its error rates still "
    "hold against neutral rows of the same source, its power does not.",
    "A score says how much a row looks like the trait teacher's rows. It does not say that a student would learn it.",
    "Other temperatures, length limits, filters or prompts move the scores as a trait does: scan with neutral rows of "
    "the same source.",
)


def described(card: Mapping[str, Any]) -> str:
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
