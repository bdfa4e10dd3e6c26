"""What a panel adds to the test, and which of its members the difference of the sides is like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.data.progress import Step
from fingerprint.detection.analysis import Analysis
from fingerprint.detection.prior import PANEL, PANEL_DIRECTION, PanelFamily
from fingerprint.detection.section import Addition, Prepared, Section
from fingerprint.panels.directions import Directions
from fingerprint.report.panel_result import PanelMember, PanelResult
from fingerprint.report.report import Report
from fingerprint.statistics.intervals import Estimate
from fingerprint.statistics.permutation import pvalue

_WIDTH = 1.959963984540054  # standard errors to either side of 95 % of a normal law


def _steps(prepared: Prepared) -> Sequence[Step]:
    return () if prepared.case.priors.panel is None else [Step("what the panel adds", 0.1)]


def _find(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Addition:
    tell("what the panel adds")
    panel = prepared.case.priors.panel
    family = main.matrices[PANEL].family
    if panel is None or not isinstance(family, PanelFamily):
        raise RuntimeError("a panel must have joined the families before the section on it is written")
    others = [main.test.weight(n) * part for n, part in main.test.parts.items() if n not in (PANEL, PANEL_DIRECTION)]
    without = pvalue(np.sum(others, axis=0)) if others else 1.0
    directions = family.directions
    cosines = _cosines(main, family)
    members = tuple(
        PanelMember(
            member.name,
            member.bases,
            *member.rows,
            float(directions.reliability[i]),
            float(directions.likeness[i]),
            float(directions.shares[i]),
            _clipped(cosines[i]),
        )
        for i, member in enumerate(directions.members)
    )
    known = [(cosine.value, i) for i, cosine in enumerate(cosines) if cosine.value is not None]
    closest = members[max(known)[1]].name if known and report.detected else None
    found = PanelResult(members, directions.worth, report.pvalue, without, closest, panel.without_rows)
    return lambda others: replace(others, panel=found)


SECTION = Section(_steps, _find)


def _cosines(main: Analysis, family: PanelFamily) -> list[Estimate]:
    """Cosine of the sides' difference with every member's shift, the noise of both taken out, with 95 % intervals.

    The noise of the difference is told by blocks that are alike but for it, that of a shift by cells of its prompts.
    The interval allows for the noise of the product alone: lengths are taken as known. Not clipped to 1.
    """
    directions: Directions = family.directions
    observed, design = main.test.relabellings.observed, main.comparison.design
    difference = 0.0  # squared length, without noise
    product, variance = np.zeros((2, len(directions.members)))
    for name, shifts in directions.shifts.items():
        columns = family.columns[name]
        units = main.comparison.units(columns.values).astype(np.float64)
        mean = observed @ units
        noise, spread = _noise(units, shifts, observed, design.strata(observed))
        difference += float(mean @ mean) - noise
        product += mean @ shifts
        variance += spread
        apart = (directions.cells[name] - directions.cells[name].mean(axis=1, keepdims=True)) @ mean  # [members, cells]
        cells = apart.shape[1]
        variance += (apart**2).sum(axis=1) * cells / (cells - 1)
    lengths = np.sqrt(np.maximum(difference, 0.0) * directions.reliability) * directions.lengths
    found = []
    for length, middle, error in zip(lengths, product, np.sqrt(variance), strict=True):
        if length <= 0:
            found.append(Estimate(None))
            continue
        ends = (middle / length, (middle - _WIDTH * error) / length, (middle + _WIDTH * error) / length)
        found.append(Estimate(*(float(end) for end in ends)))
    return found


def _clipped(cosine: Estimate) -> Estimate:
    """Within what a cosine can be."""
    ends = (cosine.value, cosine.low, cosine.high)
    return Estimate(*(None if end is None else min(max(end, -1.0), 1.0) for end in ends))


def _noise(units: Floats, shifts: Floats, contrast: Floats, strata: Sequence[np.ndarray]) -> tuple[float, Floats]:
    """Noise in the squared length of the difference, and variance of its products with shifts [members]."""
    length, products = 0.0, np.zeros(shifts.shape[1])
    for blocks in strata:
        n = len(blocks)
        if n < 2:
            continue
        apart = (units[blocks] - units[blocks].mean(axis=0)) * contrast[blocks, None] * np.sqrt(n / (n - 1))
        length += float((apart**2).sum())
        products += ((apart @ shifts) ** 2).sum(axis=0)
    return length, products
