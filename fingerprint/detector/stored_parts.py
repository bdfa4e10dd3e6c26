"""What the parts of a detector's file have to be, for scores to be scores: each is checked before it is used."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fingerprint.data.arrays import Array
from fingerprint.data.quoting import short
from fingerprint.detector.calibrated_stack import UsedColumns
from fingerprint.detector.card import Card
from fingerprint.detector.domain import FAMILIES, KEPT_ROWS, Domain
from fingerprint.features.family import FittedState
from fingerprint.features.ngrams import NGrams
from fingerprint.features.quantiles import QuantileFamily
from fingerprint.features.row_kinds import ROW_KINDS
from fingerprint.features.transformer import Transformer
from fingerprint.report.encoding import decode_record
from fingerprint.report.results import Bag
from fingerprint.statistics.intervals import Estimate

# Sums of counts stay exact in double precision below this.
_MOST_ROWS = 2**53


def check_array(values: Array, dtype: type[np.generic], shape: tuple[int, ...], place: str) -> None:
    """Refuse an array of another type or shape; -1 stands for any length."""
    fits = len(shape) == values.ndim and all(n in (-1, m) for n, m in zip(shape, values.shape, strict=True))
    if values.dtype != dtype or not fits:
        wanted = str(shape).replace("-1", "any")
        raise ValueError(
            f"{place} must be {np.dtype(dtype)} of shape {wanted}, got {values.dtype} of {values.shape}; train it again"
        )


def check_card(card: Card, place: str) -> None:
    """Refuse a card whose figures are none."""
    for auc in (card["auc"], *(trait["auc"] for trait in card["traits"])):
        _check_estimate(decode_record(Estimate, auc, place), place)
    for bag in card["bags"]:
        _check_estimate(decode_record(Bag, bag, place).auc, place)
    options = card["options"]
    if not 0 <= options["holdout"] < 1 or options["rng"] < 0 or "fingerprint" not in card["versions"]:
        raise ValueError(f"{place} must have the options of a detector, got {short(options)}; train it again")
    if not {"trait", "neutral"} <= card["rows"].keys():
        raise ValueError(f"{place} must count trait and neutral rows, got {short(card['rows'])}; train it again")


def _check_estimate(found: Estimate, place: str) -> None:
    for figure in (found.value, found.low, found.high):
        if figure is not None and not 0 <= figure <= 1:
            raise ValueError(f"{place} must have an AUROC from 0 to 1, got {figure}; train it again")


def check_state(family: Transformer, parameters: Mapping[str, object], state: FittedState, place: str) -> None:
    """Refuse what a built-in family could not have been fitted to."""
    usual = family.get_params()
    if {name: type(value) for name, value in parameters.items()} != {n: type(value) for n, value in usual.items()}:
        raise ValueError(f"{place} must have the parameters {short(usual)}, got {short(parameters)}; train it again")
    if isinstance(family, NGrams):
        length = state.values["mean_length"]
        if isinstance(length, bool) or not isinstance(length, float | int) or not 0 <= length < _MOST_ROWS:
            raise ValueError(f"{place} must have a mean length from 0 on, got {short(length)}; train it again")
    if isinstance(family, QuantileFamily):
        measured = type(family)(**parameters)
        if state.values["names"] != list(measured.measurements()):
            raise ValueError(f"{place} must have the measurements of {family.definition}, got others; train it again")
        counts = state.arrays["counts"]
        check_array(counts, np.int64, (measured.n_counts,), f"{place}/counts")
        if counts.min() < 0 or counts.max() >= _MOST_ROWS // max(len(counts), 1):
            raise ValueError(f"{place}/counts must count rows, got {counts.min()} to {counts.max()}; train it again")


def check_columns(used: UsedColumns, place: str) -> None:
    """Refuse columns that the fitted family does not have."""
    check_array(used.columns, np.int64, (-1,), f"{place}/columns")
    check_array(used.scale, np.float64, used.columns.shape, f"{place}/scale")
    width, columns = used.family.transform([""]).shape[1], used.columns
    if not len(columns) or columns[0] < 0 or columns[-1] >= width or (np.diff(columns) <= 0).any():
        raise ValueError(f"{place}/columns must be some of {width} columns in rising order, got others; train it again")


def check_domain(domain: Domain, place: str) -> None:
    """Refuse a profile of other measurements than its families make."""
    if not set(domain.kinds) <= set(ROW_KINDS) or not domain.families or not set(domain.families) <= FAMILIES.keys():
        raise ValueError(
            f"{place} must be of known kinds and families, got {short(domain.kinds + domain.families)}; train it again"
        )
    width = sum(len(FAMILIES[name]().measurements()) for name in domain.families)
    rows = (-1, width)
    shapes = {"middle": (width,), "spread": (width,), "limits": (len(domain.families),), "neutral": rows, "trait": rows}
    for part, values in domain.arrays.items():
        check_array(values, np.float64, shapes[part], f"{place}/{part}")
    for part in ("neutral", "trait"):
        if not 0 < len(domain.arrays[part]) <= KEPT_ROWS:
            raise ValueError(
                f"{place}/{part} must have 1 to {KEPT_ROWS} rows, got {len(domain.arrays[part])}; train it again"
            )
