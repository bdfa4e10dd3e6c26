"""The sections of a report, in their order: a new one is a file of its own and a line here."""

from __future__ import annotations

from fingerprint.detection import (
    all_rows,
    attribution,
    bags,
    ceiling,
    copies,
    feature_differences,
    filter_comparison,
    ladder,
    model_gain,
    panel_gain,
    power,
    self_test,
)
from fingerprint.detection.section import Section

# Those that run beside others begin in this order, the one that takes longest first; warnings stand in this order.
SECTIONS: tuple[Section, ...] = (
    ladder.SECTION,
    power.SECTION,
    feature_differences.SECTION,
    bags.SECTION,
    copies.SECTION,
    filter_comparison.SECTION,
    self_test.SECTION,
    attribution.SECTION,
    model_gain.SECTION,
    panel_gain.SECTION,
    ceiling.SECTION,
    all_rows.SECTION,
)
