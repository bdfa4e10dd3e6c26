"""Filters over shards of any number: what `apply` says of each, here or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fingerprint.data.batches import BadShards, Batch
from fingerprint.data.chats import Which
from fingerprint.data.cluster import Engine, cluster, done, groups, named_engine, value_or_error
from fingerprint.data.rereading import HowRead, corpus_of
from fingerprint.data.row_reader import BadRows
from fingerprint.data.settled_shards import SettledShards, Shards
from fingerprint.data.shards import shard_paths
from fingerprint.filters.rows import apply
from fingerprint.filters.verdicts import Filter, check_filters


def apply_by_shard(
    data: object,
    filters: Sequence[Filter],
    *,
    text: str | None = None,
    prompt: str | None = None,
    turn: Which | None = None,
    bad_rows: BadRows = "error",
    bad_shards: BadShards = "error",
    engine: Engine = "local",
) -> Iterator[pl.DataFrame]:
    """Every row with the verdict of all filters, some rows of one shard at a time, in their order.

    Parameters
    ----------
    data : path, glob, or list of paths
    filters : sequence of filters
        At least one. On a cluster every task is sent them, with all that they hold.
    text, prompt, turn, bad_rows, bad_shards
        As `fingerprint.data.batches.batches` takes them.
    engine : "local" or "ray"
        Where shards are read and judged: here, or on a Ray cluster (extra ``ray``).

    Yields
    ------
    polars.DataFrame
        Columns of `fingerprint.filters.apply`, and shard; row is the index among the usable rows of the shard.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        For bad input, naming the argument or the shard, and the remedy.

    Examples
    --------
    >>> from fingerprint.filters import NumberRule, apply_by_shard
    >>> sum(int(rows["kept"].sum()) for rows in apply_by_shard("reference.jsonl", [NumberRule()]))
    60
    """
    how = HowRead(text, prompt, bad_rows, bad_shards, "data", turn)
    checked = check_filters(filters)
    files = shard_paths(data)
    if named_engine(engine) == "ray":
        yield from _by_ray(SettledShards.of(files, how, type(data).__name__), checked)
    else:
        for batch in how.batches([Path(file) for file in files] if files else data):
            yield _judged(batch, checked)


def _judged(batch: Batch, filters: Sequence[Filter]) -> pl.DataFrame:
    found = apply(corpus_of([batch], batch.shard), filters)
    row = pl.col("row").cast(pl.Int64) + batch.first_row
    return found.select(pl.lit(batch.shard).alias("shard"), row, pl.exclude("row"))


@dataclass(frozen=True)
class _Task(Shards):
    filters: tuple[Filter, ...]


def _judged_shards(task: _Task) -> list[pl.DataFrame] | Exception:
    return value_or_error(task, lambda task: [_judged(batch, task.filters) for batch in task.batches()])


def _by_ray(settled: SettledShards, filters: tuple[Filter, ...]) -> Iterator[pl.DataFrame]:
    """Frames of the shards as they end, those that are early held back."""
    with cluster() as cpus:
        of_tasks = groups(list(settled.given), cpus)
        place = {group[0]: number for number, group in enumerate(of_tasks)}
        early: dict[int, list[pl.DataFrame]] = {}
        tasks, following = [_Task(group, settled.how, settled.columns, filters) for group in of_tasks], 0
        for task, frames in done(_judged_shards, tasks, cpus):
            early[place[task.shards[0]]] = frames
            while following in early:
                for frame in early.pop(following):
                    yield frame.with_columns(shard=pl.col("shard").replace_strict(settled.given))
                following += 1


def numbered_through(frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
    """All rows as `fingerprint.filters.apply` gives them of one corpus."""
    found = pl.concat(list(frames), how="diagonal").drop("shard", "row")
    return found.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64)).select("row", pl.exclude("row"))
