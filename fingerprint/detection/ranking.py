"""Rows with their scores, most suspect first: a ranking, never a verdict on a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from fingerprint.data.arrays import Bools, Floats
from fingerprint.data.corpus import Corpus
from fingerprint.detection.analysis import Analysis


def ranked_rows(
    corpora: Sequence[Corpus], main: Analysis, more: Mapping[str, Floats | Bools] | None = None
) -> pl.DataFrame:
    """Every row with its out-of-fold score.

    Parameters
    ----------
    more : mapping of name to arrays [rows], optional
        Further columns, in the order of the comparison.
    """
    comparison = main.comparison
    sides = zip(comparison.suspect, comparison.origin, strict=True)
    frame = pl.DataFrame(
        {
            "corpus": np.where(comparison.suspect, "suspect", "reference"),
            "row": comparison.origin,
            "text": comparison.texts,
            "prompt": [corpora[0 if suspect else 1].prompts[row] for suspect, row in sides],
            "score": main.scores.stacked,
        },
        schema_overrides={"prompt": pl.String},
    )
    frame = frame.with_columns(**{name: pl.Series(values) for name, values in (more or {}).items()})
    return frame.sort(["score", "corpus", "row"], descending=[True, True, False])
