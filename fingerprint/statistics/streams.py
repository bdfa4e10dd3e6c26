"""Names of random streams: each purpose draws from a generator of its own, so that adding a step changes no other.

A stream is seeded by the user's seed and the number here: ``np.random.default_rng([seed, Stream.PERMUTATIONS])``. The
numbers belong to the results: another number gives other figures for the same seed. Numbers are unique within a verb.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What random numbers of `detect` are drawn for."""

    PERMUTATIONS = 1
    BAGS = 2
    PLANTED_SHIFTS = 3
    PROMPT_CONTROL = 4
    SELF_TEST = 5
    COPIES = 6
    LADDER = 10
    MATCHED_REMOVALS = 21
    MATCHED_REMOVALS_OF_HALF = 22


class DetectorStream(IntEnum):
    """What random numbers of a detector's training are drawn for."""

    BAGS = 2
    NEUTRAL_ORDER = 4


class ScanStream(IntEnum):
    """What random numbers of `scan` are drawn for."""

    CORPUS_SHIFT = 1
    PERMUTATIONS = 2
    BAGS = 3
    ROW_ORDER = 4


class MonitorStream(IntEnum):
    """What random numbers of a monitor are drawn for."""

    REFERENCE_ORDER = 1
    DRIFT_TIES = 2


class IdentificationStream(IntEnum):
    """What random numbers of `identify` are drawn for."""

    CALIBRATION_HALVES = 11
    SAMPLED_ANSWERS = 12
    CALIBRATION_DRAWS = 13
    PERMUTATIONS = 14
    PASS_RATES = 15


class SimulationStream(IntEnum):
    """What random numbers of simulated teachers are drawn for."""

    STRENGTH = 1
    STOCK_ROWS = 2
    TILT = 3
    CHOICES = 4


class FingerprintStream(IntEnum):
    """What random numbers of a comparison of fingerprints are drawn for."""

    SIGNS = 1
    PLANTED_SHIFTS = 2


class LabelsStream(IntEnum):
    """What random numbers of `detect_labels` are drawn for."""

    PERMUTATIONS = 1
    OTHER_PAIRS = 2
    PLANTED = 3


class DigitsStream(IntEnum):
    """What random numbers of the digits experiment are drawn for."""

    STUDENT_BATCHES = 1


class MicroModelStream(IntEnum):
    """What random numbers of a micro model's training are drawn for."""

    CHATS = 0


def generator(seed: int, stream: IntEnum, *more: int) -> np.random.Generator:
    """The generator of a stream; `more` numbers tell its runs apart."""
    return np.random.default_rng([seed, int(stream), *more])
