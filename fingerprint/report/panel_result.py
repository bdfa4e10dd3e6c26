"""What a panel of known conditioning adds to a comparison."""

from __future__ import annotations

from dataclasses import dataclass

from fingerprint.statistics.intervals import Estimate


@dataclass(frozen=True)
class PanelMember:
    """A member of a panel beside the rows judged.

    `reliability` is the share of its squared shift that is no noise, `likeness` how alike its base model is to that of
    the rows (from which tokens they hold, whatever their side), `share` what it counts among the members; all from 0
    to 1. `cosine` is between its shift and the difference of the sides, with the noise of both taken out.
    """

    name: str
    base_model: tuple[str, ...]
    rows_conditioned: int
    rows_neutral: int
    reliability: float
    likeness: float
    share: float
    cosine: Estimate


@dataclass(frozen=True)
class PanelResult:
    """What a panel of known conditioning adds to the test.

    `worth` is how much it counts, from 0 (its shifts are noise, or have nothing in common) to 1 (well-known shifts of
    the same base model, all along one line); it hangs on the pooled rows alone. `pvalue_without` is the p-value without
    it. `closest` names the member whose shift the difference is most like: a likeness, no attribution; None where
    nothing was detected. `unchecked` names members of which no rows are known, so that whether they are among the rows
    judged could not be told.
    """

    members: tuple[PanelMember, ...]
    worth: float
    pvalue: float
    pvalue_without: float
    closest: str | None
    unchecked: tuple[str, ...]
