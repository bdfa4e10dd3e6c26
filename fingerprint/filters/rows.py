"""Filters over one corpus: every row with what each filter says about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl

from fingerprint.data.corpus import Corpus
from fingerprint.data.progress import Listener, listener_of
from fingerprint.filters.verdicts import Filter, check_filters


def apply(corpus: Corpus, filters: Sequence[Filter], *, progress: bool | Listener = False) -> pl.DataFrame:
    """Every row of a corpus with the verdict of all filters.

    Parameters
    ----------
    corpus : Corpus
    filters : sequence of filters
        At least one.
    progress : bool or callable (step, fraction done)
        True prints filters and the time left on standard error.

    Returns
    -------
    polars.DataFrame
        Columns row (its index, from 0), prompt, completion, system, kept (no filter objects), undecided (some filter
        could not judge the row, and none drops it), reasons (a list, each with the filter's name), and `score: NAME` of
        filters that score.

    Raises
    ------
    TypeError, ValueError
        If there is no filter, or something among them is none.

    Examples
    --------
    >>> from fingerprint.filters import NumberRule
    >>> apply(Corpus(("1, 2", "owl")), [NumberRule()])["reasons"].to_list()
    [[], ['number rule: invalid format']]
    """
    checked = check_filters(filters)
    if not checked:
        raise ValueError("filters must hold at least one filter, got none; for example [NumberRule()]")
    tell, verdicts = listener_of(progress), {}
    for done, found in enumerate(checked):
        tell(found.name, done / len(checked))
        verdicts[found.name] = found(corpus.texts, corpus.prompts)
    kept = np.all([given.kept for given in verdicts.values()], axis=0)
    dropped = np.any([given.dropped for given in verdicts.values()], axis=0)
    reasons = [
        [f"{name}: {reason}" for name, given in verdicts.items() for reason in given.reasons[row]]
        for row in range(len(corpus))
    ]
    columns = {
        "row": range(len(corpus)),
        "prompt": pl.Series(corpus.prompts, dtype=pl.String),
        "completion": pl.Series(corpus.texts, dtype=pl.String),
        "system": pl.Series(corpus.systems, dtype=pl.String),
        "kept": kept,
        "undecided": ~kept & ~dropped,
        "reasons": pl.Series(reasons, dtype=pl.List(pl.String)),
    }
    scores = {f"score: {name}": given.scores for name, given in verdicts.items() if given.scores is not None}
    return pl.DataFrame(columns | scores)


def tally(rows: pl.DataFrame) -> str:
    """How many rows were kept, and how often each reason was given, the commonest first.

    Parameters
    ----------
    rows : polars.DataFrame
        What `apply` gave.

    Returns
    -------
    str
        A line for the rows, then one a reason.
    """
    undecided = int(rows["undecided"].sum())
    total = f"{int(rows['kept'].sum()):,} of {rows.height:,} rows kept"
    lines = [total + (f", {undecided:,} undecided" if undecided else "")]
    counted = Counter(reason for reasons in rows["reasons"].to_list() for reason in reasons)
    common = sorted(counted, key=lambda reason: (-counted[reason], reason))
    return "\n".join([*lines, *(f"{counted[reason]:>9,}  {reason}" for reason in common)])
