"""What it takes to get the same report again: versions, seed, input hashes and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass

from fingerprint.detection.case import Case
from fingerprint.report.encoding import JsonObject
from fingerprint.report.provenance import provenance, record_of

# Parts of a card.
_TOLD = ("rows", "families", "definitions", "members")


def settings_of(case: Case, families: Sequence[str]) -> JsonObject:
    """The settings of a report, as JSON values."""
    options = case.options
    inputs = {
        side: record_of(corpus, rows.read_as)
        for side, corpus, rows in zip(("suspect", "reference"), case.corpora, case.sides, strict=True)
    }
    asked = {
        "alpha": case.alpha,
        "min_auc": options.min_auc,
        **({} if options.min_effect is None else {"min_effect": options.min_effect}),
        "n_permutations": options.n_permutations,
        "features": list(families),
        "filters": [repr(found) if is_dataclass(found) else found.name for found in case.filters],
        "classifier": None if options.classifier is None else repr(options.classifier),
        "bad_rows": options.bad_rows,
        "text": list(case.text) if isinstance(case.text, tuple) else case.text,
        "prompt": list(case.prompt) if isinstance(case.prompt, tuple) else case.prompt,
        **({"turn": options.turn} if options.turn is not None else {}),
    }
    return {
        **provenance(case.seed, inputs, asked),
        **_priors(case),
        **({"placebos": [{"name": c.name, **record_of(c, c.read_as)} for c in case.placebos]} if case.placebos else {}),
        **({"student": True} if options.student else {}),
    }


def trained_on(card: Mapping[str, object]) -> JsonObject:
    """What is told of a detector or a panel, of what its card says."""
    return {part: card[part] for part in _TOLD if part in card}


def _priors(case: Case) -> JsonObject:
    """What the prior was, or a list of them, and how many rows were left out for all of them."""
    if not case.priors:
        return {}
    sides = zip(("suspect", "reference"), case.given, case.corpora, strict=True)
    left_out = {side: len(given) - len(kept) for side, given, kept in sides}
    found: list[JsonObject] = [
        {
            "trained_on": trained_on(prior.card_),
            "trained_rows": case.options.trained_rows,
            "left_out": left_out,
        }
        for prior in case.priors
    ]
    return {"prior": found[0] if len(found) == 1 else found}
