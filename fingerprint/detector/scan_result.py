"""What `scan` says about a corpus."""

from __future__ import annotations

from dataclasses import dataclass

from fingerprint.report import formatting
from fingerprint.report.contract import Result
from fingerprint.report.encoding import JsonObject
from fingerprint.report.layout import Page
from fingerprint.report.results import Bag
from fingerprint.report.shown import MORE_OF_RESULT, Shown, verdict_style

_TOP = 3  # rows quoted in the short text


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
class Scan(Shown, Result):
    """What a detector says about a corpus.

    Attributes
    ----------
    title : str
        What the scan is called: the names of the files, or the caller's own.
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
    settings : dict
        Provenance: versions, seed, options, and of each input its hash and sizes, and how it was read.
    """

    schema_name = "scan"

    title: str
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
    settings: JsonObject

    def text(self, page: Page, *, full: bool = False) -> str:
        """About a dozen lines, or everything, the verdict last either way."""
        gone = f"; {self.left_out:,} left out, for the detector was trained on them" if self.left_out else ""
        told = [
            ("rows", f"{self.rows:,}, {self.inside:.1%} like the training rows; neutral {self.neutral_rows:,}{gone}"),
            ("scores", f"mean log-odds {self.score:.4f}, evidence {self.evidence:.2f} nats"),
        ]
        known = [bag for bag in self.bags if bag.auc.value is not None]
        if known and not full:
            told.append(("bags", "; ".join(_bag(bag, 2) for bag in known if bag.k in (1, 16, 64))))
        lines = [*page.titled(self.title), *page.labelled(told)]
        if known and full:
            lines += ["", *page.headed(["Bags of k rows against neutral bags"])]
            lines += [f"  k {bag.k:<4d} AUROC {formatting.with_interval(bag.auc)}" for bag in known]
        lines += ["", *page.headed(["Rows most like the trait's (a ranking, not a verdict on a row)"])]
        shown = self.top if full else self.top[:_TOP]
        heads = [f"  {row.log_odds:+.3f}  row {row.row + 1}: " for row in shown]
        rooms = [page.width - len(head) for head in heads]
        lines += [
            head + formatting.visible(row.text, room) for head, row, room in zip(heads, shown, rooms, strict=True)
        ]
        lines += ["", *(line for limit in self.limits for line in page.wrap(limit))] if full else [MORE_OF_RESULT]
        return "\n".join([*lines, "", *page.headed(page.wrap(formatting.visible(self.verdict)), verdict_style(self))])


def _bag(bag: Bag, digits: int) -> str:
    return f"k {bag.k} AUROC {formatting.with_interval(bag.auc, digits)}"
