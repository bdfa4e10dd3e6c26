"""What `scan` says about a corpus."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from fingerprint.report import formatting
from fingerprint.report.contract import Result
from fingerprint.report.results import Bag


@dataclass(frozen=True)
class TopRow:
    """A row with its index among all usable rows, from 0, and calibrated log-odds, in nats.

    A ranking, never a verdict on a row.
    """

    row: int
    log_odds: float
    text: str
    prompt: str | None


@dataclass(frozen=True, eq=False)
class Scan(Result):
    """What a detector says about a corpus.

    Attributes
    ----------
    verdict : str
    detected : bool
        Whether there is a p-value, and it is at most alpha.
    pvalue : float or None
        One-sided: neutral rows as high as these, by relabelling rows or prompts. None after a corpus shift.
    corpus_shift : bool
        Whether the neutral rows at hand differ from those trained on, or, without neutral rows, the corpus is farther
        from both sides of the training rows than they are from one another.
    shift_pvalue : float or None
        p-value of that comparison of neutral rows.
    inside : float
        Share of rows whose format and profile lie within the training rows' 99.9 % range.
    score, evidence : float
        Mean log-odds, and sum of log-likelihood ratios, in nats.
    power : float or None
        Power of this scan against rows of the trait that the detector was trained on.
    bags : tuple of Bag
        AUROC of bags of k rows of the corpus against bags of neutral rows; empty where there is nothing to compare.
    top : tuple of TopRow
        The rows that look most like the trait's.
    """

    schema_name = "scan"

    verdict: str
    detected: bool
    pvalue: float | None
    alpha: float
    corpus_shift: bool
    shift_pvalue: float | None
    inside: float
    rows: int
    neutral_rows: int
    left_out: int
    score: float
    evidence: float
    power: float | None
    bags: tuple[Bag, ...]
    top: tuple[TopRow, ...]
    limits: tuple[str, ...]

    def __str__(self) -> str:
        lines = textwrap.wrap(self.verdict, formatting.WIDTH)
        lines += ["", f"rows {self.rows:,}, {self.inside:.1%} like the training rows; neutral {self.neutral_rows:,}"]
        lines += [f"mean log-odds {self.score:.4f}, evidence {self.evidence:.2f} nats"]
        known = [bag for bag in self.bags if bag.auc.value is not None]
        if known:
            lines += ["", "Bags of k rows against neutral bags"]
            lines += [f"  k {bag.k:<4d} AUROC {formatting.with_interval(bag.auc)}" for bag in known]
        lines += ["", "Rows most like the trait's (a ranking, not a verdict on a row)"]
        lines += [f"  {row.log_odds:+.3f}  row {row.row + 1}: {formatting.visible(row.text, 70)}" for row in self.top]
        limits = [line for limit in self.limits for line in textwrap.wrap(limit, formatting.WIDTH)]
        return "\n".join([*lines, "", *limits])
