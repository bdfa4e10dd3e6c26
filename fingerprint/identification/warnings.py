"""What to know before believing an identification: whether the rows have passed a filter that nobody named."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import betaln

from fingerprint.data.arrays import Bools
from fingerprint.data.corpus import Corpus
from fingerprint.filters import NumberRule, Parses
from fingerprint.filters.verdicts import Filter
from fingerprint.identification.samples import Samples
from fingerprint.report.results import Warning

# How probable it may be that rows which nobody filtered all pass a rule: that share of honest calls is warned.
LEAST_PROBABLE = 0.01
# Rules that published data sets are filtered by, with their words on the command line and in Python.
KNOWN_RULES: tuple[tuple[Filter, str, str], ...] = (
    (NumberRule(), "numbers", "NumberRule()"),
    (Parses(), "parses", "Parses()"),
)


def unnamed_rules(suspect: Corpus, samples: Samples) -> Iterator[Warning]:
    """A warning for the first known rule that all rows of a suspect pass, though no writer's answers would by chance.

    Writers' answers are not filtered when no rule is named, so that rows of the right writer look as if somebody else
    wrote them. Labels take no part: it is the suspect's rows and what writers answer to its prompts. The figure is the
    probability that all rows pass by chance, for the writer whose answers pass most often: Beta-binomial with Jeffreys'
    prior, so that a rate learnt from few answers is not taken for sure.
    """
    texts, writers = samples.pool.rows.corpus, samples.pool.writer
    for rule, word, name in KNOWN_RULES:
        if any(rule(suspect.texts, suspect.prompts).reasons):
            continue
        passes = np.array([not why for why in rule(texts.texts, texts.prompts).reasons], dtype=bool)
        chance = max(_chance(passes[writers == one], len(suspect)) for one in np.unique(writers))
        if chance < LEAST_PROBABLE:
            share = passes.mean()
            yield Warning(
                "rule_not_named",
                chance,
                LEAST_PROBABLE,
                f"all {len(suspect):,} rows pass the {rule.name}, as {share:.0%} of the candidates' answers do: rows "
                "that were filtered do not look like answers that were not, and the right candidate may seem not to "
                f"fit. Name the filter they have passed: --filter {word}, in Python rule=filters.{name}",
            )
            return


def _chance(passes: Bools, n: int) -> float:
    """How probable it is that n more answers of a writer all pass."""
    above, below = passes.sum() + 0.5, (~passes).sum() + 0.5
    return float(np.exp(betaln(above + n, below) - betaln(above, below)))
