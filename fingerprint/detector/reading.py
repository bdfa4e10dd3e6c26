"""What a `Monitor` says after a row, and on what that rests."""

from __future__ import annotations

import textwrap
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from fingerprint.detector.drift import DRIFT_LEVEL
from fingerprint.report import formatting
from fingerprint.report.contract import Result
from fingerprint.report.terminal import columns


class Pairing(StrEnum):
    """How a suspect row came by the reference row it is compared with."""

    PROMPT = "prompt"
    ARRIVAL = "arrival"
    SAMPLE = "sample"


_ASSUMPTIONS = {
    Pairing.PROMPT: (
        "Rows paired by prompt: valid if, without a trait, the two answers to a prompt are exchangeable given all rows "
        "before. Which prompts come when does not matter."
    ),
    Pairing.ARRIVAL: (
        "Rows paired in the order of arrival: valid if, without a trait, the two rows that arrive together are "
        "exchangeable given all rows before. Drift common to both streams does no harm; streams that were each sorted "
        "for themselves do."
    ),
    Pairing.SAMPLE: (
        "Rows paired with a fixed sample, without prompts: valid if, without a trait, the rows of the stream and of "
        "the sample are all exchangeable, so that the stream does not drift. Only its lengths and alphabetical order "
        "are checked for that, and an alarm may come before drift shows."
    ),
}
_DRIFT = (
    "The stream drifts (p = {pvalue}, threshold {level:g}): that may be what differs from the sample, so no alarm "
    "stands and pvalue is 1. Give prompts that both sides answer, or the reference rows that arrive with the rows."
)


def assumption(pairings: Collection[Pairing]) -> str:
    """What has to hold for a reading to be valid, where rows were paired in these ways."""
    return " ".join(text for pairing, text in _ASSUMPTIONS.items() if pairing in pairings) or "No rows yet."


@dataclass(frozen=True, eq=False)
class Reading(Result):
    """The state after a row.

    Attributes
    ----------
    rows : int
        Suspect rows seen.
    evalue : float
        Capital: its mean is at most 1 under the null, at any time, if the assumption holds.
    pvalue : float
        1 over the largest capital so far, at most 1: valid at any time, if the assumption holds. 1 after drift.
    alarm : bool
        Whether the capital has ever passed 1/alpha, and no drift was found. Drift found later takes an alarm back.
    assumption : str
        What has to hold for that; it depends on how rows were paired.
    drift : bool
        Whether the rows that were paired with a fixed sample, without prompts, were seen to change as they came: they
        break the assumption. Where they do not change, the probability that this is ever true is at most .01.
    drift_pvalue : float
        p-value of that check, valid at any time; 1 where no row was paired so.
    """

    schema_name = "reading"

    rows: int
    evalue: float
    pvalue: float
    alarm: bool
    assumption: str
    drift: bool
    drift_pvalue: float

    def __str__(self) -> str:
        state = "Alarm" if self.alarm else "No alarm"
        found = f"{state} after {self.rows:,} rows: p = {formatting.probability(self.pvalue)}, valid at any time."
        drift = _DRIFT.format(pvalue=formatting.probability(self.drift_pvalue), level=DRIFT_LEVEL)
        said = [found, *([drift] if self.drift else []), self.assumption]
        return "\n".join(textwrap.fill(text, columns()) for text in said)
