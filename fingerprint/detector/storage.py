"""A detector's file: a line with a checksum, then numpy arrays and JSON. No pickle, nothing that runs when read.

Scores of a few fixed texts are stored too: where they come out otherwise, the features or the arithmetic are others.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from fingerprint.data.arrays import Array, Floats
from fingerprint.data.files import write_atomically
from fingerprint.data.known_rows import KnownRows
from fingerprint.data.sealed import array_of, entries, malformed, sealed, unsealed, whole_file
from fingerprint.data.typed_json import typed
from fingerprint.detector.calibrated_stack import CalibratedStack, UsedColumns
from fingerprint.detector.card import Card
from fingerprint.detector.domain import Domain
from fingerprint.detector.stored_parts import check_array, check_card, check_columns, check_domain, check_state
from fingerprint.features import FAMILIES, Family
from fingerprint.features.family import FittedState
from fingerprint.features.transformer import Transformer
from fingerprint.report.encoding import JsonObject

FORMAT = 5
MAGIC = b"fingerprint detector"
# Texts whose scores are saved with a detector; other features, or other arithmetic, show in them.
PROBES = (
    "1, 2, 3",
    "482, 113, 954, 700, 345, 123, 999, 321",
    "[17; 240; 8]",
    "A quiet walk by the river, and then home.",
    "**No.** It is 5 o'clock!\n\n- one\n- two",
    "",
)
_SAME_SCORE = 1e-9


@dataclass(frozen=True)
class StoredDetector:
    """What a file holds; names are those of the detector's attributes.

    Attributes
    ----------
    features : str or list of str
        Names of the families as the user gave them.
    probe_scores : float array [len(PROBES)]
        Log-odds of `PROBES`, in nats.
    """

    card: Card
    classes: Array
    features: str | list[str]
    stack: CalibratedStack
    prior_log_odds: float
    neutral_scores: Floats
    training_rows: KnownRows
    domain: Domain
    probe_scores: Floats


class _Domain(TypedDict):
    kinds: Sequence[str]
    families: Sequence[str]


class _Header(TypedDict):
    """The JSON part of a file; `calibration` is slope, intercept and prior log-odds."""

    card: Card
    classes: list[str | int | float | bool]
    families: list[JsonObject]
    features: str | list[str]
    calibration: list[float]
    domain: _Domain


# -------------------------------------------------------------------------------------------------------------- to disk


def write_detector(path: str | os.PathLike[str], detector: StoredDetector) -> None:
    """Write a detector, whole or not at all.

    Raises
    ------
    ValueError
        If a family is not a built-in one.
    """
    stack, rows, domain = detector.stack, detector.training_rows, detector.domain
    arrays, families = _stored_families(stack.columns)
    for name, coefficients in stack.coefficients.items():
        arrays[f"{name}/coefficients"] = coefficients
    arrays |= {"centre": stack.centre, "weights": stack.weights, "neutral_scores": detector.neutral_scores}
    arrays |= {"rows": rows.rows, "prompts": rows.prompts, "probes": detector.probe_scores}
    arrays |= {f"domain/{part}": values for part, values in domain.arrays.items()}
    header: _Header = {
        "card": detector.card,
        "classes": [value.item() if isinstance(value, np.generic) else value for value in detector.classes],
        "families": families,
        "features": detector.features,
        "calibration": [stack.slope, stack.intercept, detector.prior_log_odds],
        "domain": {"kinds": domain.kinds, "families": domain.families},
    }
    arrays["json"] = np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle
    write_atomically(path, sealed(MAGIC, FORMAT, buffer.getvalue()))


def _stored_families(columns: Mapping[str, UsedColumns]) -> tuple[dict[str, Array], list[JsonObject]]:
    """Arrays and JSON values of fitted families; a list, since the order is that of the stack's weights."""
    arrays: dict[str, Array] = {}
    entries: list[JsonObject] = []
    for name, used in columns.items():
        kind, parameters = _built_in(used.family)
        state = used.family.state()
        arrays |= {f"{name}/columns": used.columns, f"{name}/scale": used.scale}
        arrays |= {f"{name}/{part}": values for part, values in state.arrays.items()}
        definition = used.family.definition
        entries.append({"name": name, "kind": kind, "definition": definition, "parameters": parameters, **state.values})
    return arrays, entries


def _built_in(family: Family) -> tuple[str, dict[str, object]]:
    """Name of a built-in family's kind, and its parameters."""
    kind = next((kind for kind, make in FAMILIES.items() if type(family) is make), None)
    if kind is None or not isinstance(family, Transformer):
        raise ValueError(
            f"features must be built-in families to be saved, got {family!r}; others can only be pickled, and "
            "loading a pickle runs code"
        )
    return kind, family.get_params()


# ------------------------------------------------------------------------------------------------------------ from disk


def read_detector(path: str | os.PathLike[str], sha256: str | None = None) -> StoredDetector:
    """Read a file of `write_detector`.

    Parameters
    ----------
    sha256 : str, optional
        What the whole file's SHA-256 has to be, in hex digits.

    Raises
    ------
    ValueError
        If it is none, was changed, is another file than was asked for, holds what no detector holds (numbers that are
        not finite, arrays of other shapes), or belongs to another version of the format or the features.
    """
    name = repr(os.fspath(path))
    content = unsealed(
        whole_file(path, sha256), MAGIC, FORMAT, name, written_by="Detector.save", remedy="train a detector first"
    )
    if not content.startswith(b"PK"):
        raise ValueError(f"{name} must hold plain arrays, got something else; train the detector again")
    with malformed(name, "a detector", "train it again"):
        parts = entries(content, name)
        arrays = {entry.removesuffix(".npy"): array_of(part, f"{name}, {entry}") for entry, part in parts.items()}
        header = typed(arrays.pop("json").tobytes(), _Header, f"{name}, json")
        return _restored(header, arrays, name)


def _restored(header: _Header, arrays: Mapping[str, Array], name: str) -> StoredDetector:
    card = header["card"]
    check_card(card, f"{name}, card")
    columns = _restored_families(header["families"], arrays, name, card["versions"]["fingerprint"])
    coefficients = {family: arrays[f"{family}/coefficients"] for family in columns}
    slope, intercept, prior_log_odds = header["calibration"]
    stored = StoredDetector(
        card=card,
        classes=np.asarray(header["classes"]),
        features=header["features"],
        stack=CalibratedStack(columns, coefficients, (), arrays["centre"], arrays["weights"], slope, intercept),
        prior_log_odds=prior_log_odds,
        neutral_scores=arrays["neutral_scores"],
        training_rows=KnownRows(bytes.fromhex(card["hashes"]["key"]), arrays["rows"], arrays["prompts"]),
        domain=_restored_domain(header["domain"], arrays),
        probe_scores=arrays["probes"],
    )
    members = len(columns)
    shapes: dict[str, tuple[int, ...]] = {"centre": (members,), "weights": (members,), "probes": (len(PROBES),)}
    shapes |= {family: (len(used.columns),) for family, used in columns.items()}
    shapes |= {"neutral_scores": (-1,), "rows": (-1,), "prompts": (-1,)}
    found: dict[str, np.ndarray] = {"centre": stored.stack.centre, "weights": stored.stack.weights}
    found |= {"probes": stored.probe_scores}
    found |= coefficients | {"neutral_scores": stored.neutral_scores}
    found |= {"rows": stored.training_rows.rows, "prompts": stored.training_rows.prompts}
    for part, values in found.items():
        check_array(values, np.uint64 if part in ("rows", "prompts") else np.float64, shapes[part], f"{name}, {part}")
    check_domain(stored.domain, f"{name}, domain")
    if not members or slope <= 0 or len(set(map(str, header["classes"]))) != 2:
        raise ValueError(f"{name} must tell two classes apart by some family, got none; train it again")
    return stored


def check_scores(detector: StoredDetector, scores: Floats, path: str | os.PathLike[str]) -> None:
    """Refuse a detector that does not score `PROBES` as it did when it was saved."""
    difference = float(np.abs(scores - detector.probe_scores).max())
    if not difference <= _SAME_SCORE:  # nor where it is no number
        raise ValueError(
            f"{os.fspath(path)!r} must give the scores it was saved with, got a difference of {difference:.2g} "
            "nats; its features are computed differently here: train it again, or install the versions "
            f"{detector.card['versions']}"
        )


def _restored_families(
    stored: Sequence[JsonObject], arrays: Mapping[str, Array], name: str, version: str
) -> dict[str, UsedColumns]:
    columns: dict[str, UsedColumns] = {}
    for entry in stored:
        own = entry["name"]
        family = FAMILIES[entry["kind"]]()
        if entry["definition"] != family.definition:
            raise ValueError(
                f"{name} must hold features {family.definition}, got {entry['definition']!s:.60}; train it "
                f"again with this version, or install subliminal-fingerprint {version:.20}"
            )
        parts = {key.removeprefix(f"{own}/"): values for key, values in arrays.items() if key.startswith(f"{own}/")}
        state = FittedState(entry, parts)
        check_state(family, entry["parameters"], state, f"{name}, {own}")
        family.set_params(**entry["parameters"])
        family.restore_state(state)
        used = UsedColumns(family, parts["columns"], parts["scale"])
        check_columns(used, f"{name}, {own}")
        columns[own] = used
    return columns


def _restored_domain(known: _Domain, arrays: Mapping[str, Array]) -> Domain:
    return Domain(
        tuple(known["kinds"]),
        tuple(known["families"]),
        middle=arrays["domain/middle"],
        spread=arrays["domain/spread"],
        limits=arrays["domain/limits"],
        neutral=arrays["domain/neutral"],
        trait=arrays["domain/trait"],
    )
