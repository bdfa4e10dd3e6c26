"""Filter from someone else's scores: a column that a judge, a classifier or a person filled in earlier."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl

from fingerprint.data.reading import as_corpus
from fingerprint.data.table_process import columns_of
from fingerprint.filters.arguments import check_threshold
from fingerprint.filters.verdicts import Verdicts, check_rows

_ENDINGS = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")
MISSING = "no score"


class Precomputed:
    """Scores by row, looked up by prompt and text; rows without a score are undecided.

    Parameters
    ----------
    column : str
        Column of the scores, numbers or booleans; higher = more of what was looked for, true = drop.
    *sources : path, polars or pandas frame, or list of dicts
        Where the scored rows are, usually the two corpora themselves: JSONL, JSON, CSV or Parquet.
    drop_from : float, optional
        Rows with at least this score are dropped; None scores rows without dropping any. Booleans have .5.
    text, prompt : str, optional
        Column names, where they are not among the usual ones.
    name : str, optional
        What tables call the filter; the column by default.

    Raises
    ------
    ValueError
        If a source has no such column, or a score is no number.

    Notes
    -----
    Rows with the same prompt and text get the mean of their scores, whichever source each came from: a score that
    depended on the corpus would be the label itself.

    Examples
    --------
    >>> rows = [{"text": "1, 2", "judge": 0.1}, {"text": "an owl", "judge": 0.9}]
    >>> Precomputed("judge", rows, drop_from=0.5)(["1, 2", "an owl", "3"]).reasons
    ((), ('judge at least 0.5',), ('no score',))
    """

    def __init__(
        self,
        column: str,
        *sources: object,
        drop_from: float | None = None,
        text: str | None = None,
        prompt: str | None = None,
        name: str | None = None,
    ) -> None:
        if not sources:
            raise ValueError(f"sources must hold at least one table with the column {column!r}, got none; name a file")
        check_threshold(drop_from)
        self.column, self.sources, self.drop_from = column, sources, drop_from
        self.text, self.prompt = text, prompt
        self.name = name or column

    def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
        """Verdicts on rows, by their prompt and text."""
        check_rows(texts, prompts)
        keys = zip(prompts or (None,) * len(texts), texts, strict=True)
        scores = np.array([self._scores.get(key, math.nan) for key in keys], dtype=np.float64)
        missing = np.isnan(scores)
        known = Verdicts.of_scores(scores, self._threshold, self.column).reasons
        reasons = tuple((MISSING,) if lost else found for found, lost in zip(known, missing, strict=True))
        return Verdicts(reasons, scores, missing)

    @cached_property
    def _tables(self) -> list[pl.DataFrame]:
        return [_table(source, self.column) for source in self.sources]

    @cached_property
    def _threshold(self) -> float | None:
        flags = all(table[self.column].dtype == pl.Boolean for table in self._tables)
        return 0.5 if self.drop_from is None and flags else self.drop_from

    @cached_property
    def _scores(self) -> dict[tuple[str | None, str], float]:
        found: dict[tuple[str | None, str], list[float]] = defaultdict(list)
        for table in self._tables:
            corpus = as_corpus(table.to_dicts(), text=self.text, prompt=self.prompt, argument="sources")
            values = table[self.column].cast(pl.Float64).to_list()
            for prompt, text, value in zip(corpus.prompts, corpus.texts, values, strict=True):
                if value is not None and not math.isnan(value):
                    found[prompt, text].append(value)
        return {key: float(np.mean(values)) for key, values in found.items()}


def _table(source: object, column: str) -> pl.DataFrame:
    table = _frame(source)
    if column not in table.columns:
        raise ValueError(f"column must be in every source, got {column!r} among {table.columns}; check the spelling")
    if not (table[column].dtype.is_numeric() or table[column].dtype in (pl.Boolean, pl.Null)):
        raise ValueError(f"column must hold numbers, got {table[column].dtype} in {column!r}; convert it to numbers")
    return table


def _frame(source: object) -> pl.DataFrame:
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, str | os.PathLike):
        file = os.fspath(source)
        ending = os.path.splitext(file)[1]
        if ending not in _ENDINGS:
            raise ValueError(f"sources must be {', '.join(_ENDINGS)} files, got {file!r}; convert it")
        return columns_of("a table of scores", file, {"kind": "scores", "ending": ending}, place=file)[1]
    if type(source).__module__.partition(".")[0] == "pandas":
        converted: pl.DataFrame = pl.from_pandas(source)
        return converted
    return pl.DataFrame(source, infer_schema_length=None)  # type: ignore[arg-type]
