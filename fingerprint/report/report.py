"""The result of `detect`, and the ways to show it: text, HTML and pictures."""

from __future__ import annotations

import os

from fingerprint.data.files import write_atomically
from fingerprint.report.gate import Judgement, judge
from fingerprint.report.layout import Page
from fingerprint.report.metrics import Metric, metrics
from fingerprint.report.pictured import Pictured
from fingerprint.report.short_text import dozen_lines
from fingerprint.report.shown import Warned
from fingerprint.report.summary import card
from fingerprint.report.text import everything


class Report(Warned, Pictured):
    """What `detect` found: the verdict, the figures behind it, and everything a reader needs to doubt it.

    Fields, tables and derived figures are those of `DetectionResult`, pictures those of `Pictured`; the ways to JSON
    and back are those of every `Result`. Row texts never enter JSON.
    """

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write one self-contained HTML page to `path`: no scripts, no requests, everything from the data escaped.

        The page quotes the twenty rows at the ends of the ranking; everything else in it is an aggregate.
        """
        from fingerprint.report.html import page  # jinja2 and matplotlib

        write_atomically(path, page(self))

    def text(self, page: Page, *, full: bool = False) -> str:
        """About a dozen lines, or everything, the verdict last either way."""
        return everything(self, page) if full else dozen_lines(self, page)

    def gate(self, *, min_effect: float | None = None, require_power: float | None = None) -> Judgement:
        """May a pipeline go on? Failed where something was detected, unknown where it could not have been.

        Parameters
        ----------
        min_effect : float, optional
            Row AUROC, above .5 and below 1. A detection passes where the whole 95 % interval of the AUROC that a score
            learnt from these rows reaches on other rows lies below. A floor on what can be learnt from this data set,
            not on harm: the trait's own effect can be larger, above all where rows are few, and more rows teach more of
            it. Where nothing is detected, the effect that `require_power` asks about.
        require_power : float, optional
            Least power, in (0, 1), against a row AUROC of `min_effect` (.55 without one) for a non-detection to pass;
            below it the outcome is "unknown". In a design of shared prompts that is an AUROC within prompts.

        Returns
        -------
        Judgement
            ``passed``, ``outcome`` and ``reason``.

        Raises
        ------
        ValueError
            For an effect or a power out of range, or where `require_power` is asked for an effect that is not above the
            `min_auc` of the report.

        Notes
        -----
        The power is that against the largest effect that the report states and that is no larger than `min_effect`: a
        bound from below. ``detect(..., min_effect=...)`` states it for that very effect. It is that of the p-value,
        against signals planted with that AUROC along their own direction, not along one that is learnt. Where the
        prompts of the sides differ nothing can be blamed on the teacher, and with `require_power` the outcome is
        "unknown"; so it is where the rows differ but the row AUROC is not above `min_auc`, unless its whole interval
        lies below `min_effect`.

        Examples
        --------
        >>> import fingerprint
        >>> report = fingerprint.detect("suspect.jsonl", "reference.jsonl", ladder=False)
        >>> report.gate(min_effect=0.55, require_power=0.8).outcome
        'failed'
        """
        return judge(self, min_effect, require_power)

    def metrics(self, prefix: str = "") -> dict[str, Metric]:
        """The figures as a flat dict, for any tracker: ``wandb.log(report.metrics("fingerprint/"))``.

        Parameters
        ----------
        prefix : str
            What every name begins with.

        Returns
        -------
        dict of str to float, int or bool
            ``detected``, ``pvalue``, ``auc``, ``auc_low``, ``power/0.55``, ``families/numbers/auc``,
            ``ladder/sorted/auc``, ``filters/banned_numbers/residual_auc`` and so on. What is not known is left out.
            Names hold letters, digits, ``_``, ``.``, ``-`` and ``/`` only.
        """
        return metrics(self, prefix)

    def card(self) -> str:
        """A section in Markdown for the card of the suspect data set: what was checked, against what, what was found.

        Rows are not quoted; what comes from the data is escaped.
        """
        return card(self)

    def __repr__(self) -> str:
        return f"Report(detected={self.detected}, pvalue={self.pvalue:.4g}, auc={self.auc})"

    def _repr_html_(self) -> str:
        from fingerprint.report.html import fragment

        return fragment(self)
