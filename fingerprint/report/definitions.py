"""Words of a report and what they mean, for those who read its page: the glossary's, in a sentence each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Definition:
    """A word as the page writes it, and what it means."""

    word: str
    meaning: str


def _table(*entries: tuple[str, str, str]) -> Mapping[str, Definition]:
    return MappingProxyType({key: Definition(word, meaning) for key, word, meaning in entries})


DEFINITIONS = _table(
    ("suspect", "suspect", "The rows that are judged."),
    ("reference", "reference", "Rows of the same model without a trait, which the suspect is compared with."),
    (
        "pvalue",
        "p-value",
        "How seldom relabelled rows differ as much as the observed ones: (1 + relabellings at least as extreme) / "
        "(1 + relabellings). Exact at any sample size, and never 0.",
    ),
    ("alpha", "alpha", "The share of honest comparisons that may be called detected."),
    ("auc", "AUROC", "The chance that a suspect row scores above a reference row: .5 is chance, 1 no overlap."),
    (
        "auc_paired",
        "AUROC within prompts",
        "The chance that a suspect row scores above a reference row that answers the same prompt.",
    ),
    ("interval", "95 % interval", "What stands in brackets behind a figure: it covers the truth in 95 % of cases."),
    ("bags", "bag of k", "k texts judged together by the mean of their scores."),
    (
        "d_prime",
        "d′",
        "The distance between the scores of the two sides, in standard deviations: sqrt(2) times the normal quantile "
        "of the AUROC.",
    ),
    ("block", "block", "Rows or prompts that change sides together when the test relabels them."),
    (
        "omnibus",
        "omnibus statistic",
        "The one number that is tested: a sum over feature families with weights that were fixed beforehand.",
    ),
    ("null", "null", "What the statistic is like if both sides were written alike: its values under relabellings."),
    (
        "adjusted",
        "p adjusted",
        "A p-value that allows for how many features or families were looked at: one false alarm among all is as rare "
        "as alpha.",
    ),
    ("family", "feature family", "Columns that texts are turned into: tokens, n-grams, numbers, layout."),
    (
        "effect",
        "effect",
        "How far the rates of a feature are apart, in about standard deviations of one row; above 0 for more in the "
        "suspect. Cohen's h for shares of rows.",
    ),
    ("ladder", "ladder", "The same test on rows from which information is taken out step by step."),
    ("rung", "rung", "A step of the ladder; on the floor, nothing is left that could differ."),
    ("score", "score", "One number a row, from models fitted on other prompts: it ranks rows and judges none."),
    ("filter", "semantic filter", "What looks at what a row says, one row at a time, and keeps or drops it."),
    ("residual", "left", "What is still detectable on the rows that a filter keeps."),
    ("random", "random removal", "As many rows removed at random: what removal by itself does to the figures."),
    ("power", "power", "The chance of a detection where a signal of a stated size is there."),
    ("planted", "planted", "Said of a signal that was put into relabelled rows on purpose, to measure the power."),
    (
        "needed",
        "rows needed",
        "How many rows a trained detector, or this test on new corpora, needs for a power, with a 95 % interval.",
    ),
    (
        "fdr",
        "false discovery rate",
        "The expected share of false ones among the reports that are called discoveries.",
    ),
    ("qvalue", "q", "The false discovery rate at which a report would just be called a discovery; not below its p."),
    ("control", "prompt control", "The same test on the prompts: where they differ, no teacher can be blamed."),
)
"""By a key that pages link to."""
