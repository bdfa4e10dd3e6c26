"""Rows with their scores, most suspect first: a ranking, never a verdict on a row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from fingerprint.data.arrays import Bools, Floats
from fingerprint.detection.analysis import Analysis
from fingerprint.detection.case import Case


def ranked_rows(case: Case, main: Analysis, more: Mapping[str, Floats | Bools] | None = None) -> pl.DataFrame:
    """Every row with its out-of-fold score, and its index among all usable rows of its side.

    Parameters
    ----------
    more : mapping of name to arrays [rows], optional
        Further columns, in the order of the comparison.
    """
    comparison = main.comparison
    numbers, prompts = np.empty(len(comparison.texts), dtype=np.int64), np.empty(len(comparison.texts), dtype=object)
    for side, corpus, of_side in zip(comparison.sides, case.corpora, case.numbers, strict=True):
        rows = comparison.origin[side]
        numbers[side] = of_side[rows]
        prompts[side] = [corpus.prompts[row] for row in rows.tolist()]
    frame = pl.DataFrame(
        {
            "corpus": np.where(comparison.suspect, "suspect", "reference"),
            "row": numbers,
            "text": comparison.texts,
            "prompt": prompts.tolist(),
            "score": main.scores.stacked,
        },
        schema_overrides={"prompt": pl.String},
    )
    frame = frame.with_columns(**{name: pl.Series(values) for name, values in (more or {}).items()})
    return frame.sort(["score", "corpus", "row"], descending=[True, True, False])
