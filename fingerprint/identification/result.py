"""The result of `identify`: frozen records, as text, JSON and a table."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from fingerprint.report import formatting
from fingerprint.report.contract import Result
from fingerprint.report.encoding import JsonObject, frame
from fingerprint.report.layout import Page
from fingerprint.report.results import Warning
from fingerprint.report.shown import MORE_OF_RESULT, Warned
from fingerprint.report.terminal import Style

_SHOWN = 5  # candidates in the short text


@dataclass(frozen=True)
class Ranked:
    """A candidate, or one of its forms.

    Attributes
    ----------
    candidate, form : str
        Who; in `Identification.ranking` the form with the largest posterior.
    posterior : float
        Probability that the candidate wrote the suspect; in `Identification.ranking` summed over its forms.
    score : float
        Mean share of the candidate in the likelihood of itself and the base, suspect minus reference, in standard
        deviations over relabellings. What candidates have in common raises the scores of all of them.
    pvalue : float
        Of such a score if suspect and reference had one writer; adjusted over all candidates by min-P.
    fit_pvalue : float
        Of rows like the suspect's if the candidate wrote them: of being so little, or so far, ahead of the other
        writers, and, where the candidate is a model, of tokens so likely or unlikely under it; the smaller of the two,
        doubled. Two-sided, and approximate: the mean of many prompts is close to normal.
    """

    candidate: str
    form: str
    posterior: float
    score: float
    pvalue: float
    fit_pvalue: float


@dataclass(frozen=True)
class NoneOf:
    """One way to be none of the candidates: "base", "placebo: ..." or "unlisted"."""

    name: str
    posterior: float


@dataclass(frozen=True)
class Anchor:
    """The reference, and what has to hold for it."""

    rows: int
    sampled: bool
    model: str | None
    seed: int
    assumption: str


@dataclass(frozen=True, eq=False)
class Identification(Warned, Result):
    """What `identify` found.

    Attributes
    ----------
    title : str
        What the result is called: the names of the files, or the caller's own.
    verdict : str
    answer : str or None
        The candidate named, None for none of them.
    form : str or None
        The form of the candidate named that fits best.
    alpha : float
        A candidate is named if its p-value is at most alpha, its posterior at least one half, its fit p at least .01,
        and it is so far ahead of every placebo as placebos' rows put a candidate with probability alpha at most.
    none : float
        Posterior of all that is none of the candidates.
    ranking : tuple of Ranked
        One record a candidate, likeliest first.
    forms : tuple of Ranked
        One record for every form of every candidate.
    nones : tuple of NoneOf
        The parts of `none`. "base" also stands for a conditioning that no candidate resembles, and whose rows these
        therefore do not tell from the base's: the p-value and another list of candidates may.
    temperature : float
        What log-likelihoods of candidates were divided by.
    rows, prompts : int
        Of the suspect.
    reference : Anchor
    warnings : tuple of Warning
        What to know before believing the answer.
    settings : dict
        Provenance: versions, seed, options, and of each input its hash and sizes, and how it was read.
    """

    schema_name = "identification"

    title: str
    verdict: str
    answer: str | None
    form: str | None
    alpha: float
    none: float
    ranking: tuple[Ranked, ...]
    forms: tuple[Ranked, ...]
    nones: tuple[NoneOf, ...]
    temperature: float
    rows: int
    prompts: int
    reference: Anchor
    warnings: tuple[Warning, ...]
    settings: JsonObject

    @property
    def table(self) -> pl.DataFrame:
        """`ranking` as a table."""
        return frame(Ranked, self.ranking)

    def text(self, page: Page, *, full: bool = False) -> str:
        """About a dozen lines, or everything, the verdict last either way."""
        shown = self.ranking if full else self.ranking[:_SHOWN]
        rows = [
            (
                formatting.name(r.candidate, 40),
                r.form,
                f"{r.posterior:.3f}",
                f"{r.score:.2f}",
                formatting.probability(r.pvalue),
                f"{r.fit_pvalue:.3f}",
            )
            for r in (self.forms if full and len(self.forms) > len(self.ranking) else shown)
        ]
        header = ("candidate", "form", "posterior", "score", "p", "p of fit")
        lines = [*page.titled(self.title), *page.table(header, rows, left=(0, 1), optional=(3, 1))]
        if len(shown) < len(self.ranking):
            lines.append(f"  and {len(self.ranking) - len(shown)} more, less likely")
        parts = ", ".join(f"{formatting.name(part.name, 40)} {part.posterior:.3f}" for part in self.nones)
        lines += page.wrap(f"none of these {self.none:.3f}: {parts}", "  ")
        how = f"sampled, seed {self.reference.seed}" if self.reference.sampled else "given"
        sizes = f"{self.rows:,} rows, {self.prompts:,} prompts; reference {self.reference.rows:,} rows, {how}"
        if full:
            sizes += f"; temperature {self.temperature:.2f}. {self.reference.assumption}"
        lines += page.wrap(sizes, "  ")
        for warning in self.warnings:
            figures = f"{formatting.rate(warning.value)}, threshold {formatting.rate(warning.threshold)}"
            told = f"Warning {warning.code} ({figures}): {formatting.visible(warning.message)}"
            lines += page.headed(page.wrap(told, "  "), "caution")
        lines += [] if full else [MORE_OF_RESULT]
        style: Style = "alarm" if self.answer is not None else "bold"
        return "\n".join([*lines, "", *page.headed(page.wrap(formatting.visible(self.verdict)), style)])
