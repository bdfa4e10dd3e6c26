"""All rows of corpora that are not held: the exact test of every row's counts, and a score for each of them.

The rest of a report stands on a sample of whole prompts. Here all rows are read once more. Columns of the families are
linear in counts that hang on a row alone, so that the test needs no more of the rows than the sums of these counts over
each block; the blocks are those of the design of all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from fingerprint.data.arrays import Floats, Ints
from fingerprint.data.batches import Batch
from fingerprint.data.progress import Progress, Step
from fingerprint.detection.analysis import Analysis, omnibus_weights, permute
from fingerprint.detection.block_sums import BlockSums, FamilySums, count_weights
from fingerprint.detection.case import Case
from fingerprint.detection.prompt_control import stands_alone
from fingerprint.detection.records import design_record, null_record
from fingerprint.detection.row_scores import SIDES, Ends, write_scores
from fingerprint.detection.section import Addition, Prepared, Section
from fingerprint.detection.streamed import AllRows, Told
from fingerprint.features.counted import CountedFamily
from fingerprint.report.report import Report
from fingerprint.report.results import SampleResult
from fingerprint.statistics import designs
from fingerprint.statistics.permutation import PermutationTest, Relabellings
from fingerprint.statistics.streams import Stream
from fingerprint.statistics.summed import signed_blocks
from fingerprint.statistics.trained import fit_stack

# Rows that are read, added up and scored in the time that 2,000 + 2,000 rows take for a second's work: for progress.
ROWS_A_SECOND = 40_000
PASS, WRITING = "all rows", "scores"


def check_scores(prepared: Prepared) -> None:
    """Whether the scores of all rows can be written, where they were asked for.

    Raises
    ------
    ValueError
        If some rows will have none.
    """
    case = prepared.case
    if case.options.scores is None:
        return
    if case.whole is None:
        return
    reason = why_not_all(prepared)
    if reason is None and case.options.classifier is not None:
        reason = "a classifier scores the sample alone"
    if reason is not None:
        raise ValueError(f"scores must be of all rows, but {reason}; leave scores out, or compare fewer rows")


def _steps(prepared: Prepared) -> list[Step]:
    case = prepared.case
    if case.whole is None:
        return [] if case.options.scores is None else [Step(WRITING, 0.1)]
    return [Step(PASS, case.whole.n_rows / ROWS_A_SECOND)]


def _find(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Addition:
    case, whole = prepared.case, prepared.case.whole
    if whole is None:
        if case.options.scores is not None:
            tell(WRITING)
            write_scores(case.options.scores, [rows.spans for rows in case.sides], _scores(case, main))
        return lambda others: others
    tell(PASS)
    reason = why_not_all(prepared)
    sample = SampleResult(
        rows_suspect=len(case.corpora[0]),
        rows_reference=len(case.corpora[1]),
        pvalue=report.pvalue,
        covers_all=reason is None,
        share=whole.pooled.share if reason is None else 1.0,
        reason=reason,
    )
    settings = {**report.settings, "inputs": _inputs(whole)}
    if reason is not None:
        return lambda others: replace(others, sample=sample, settings=settings)
    found = _gone_through(prepared, main, whole, tell)
    if prepared.case.options.scores is not None:
        write_scores(prepared.case.options.scores, [rows.spans for rows in whole.sides], found.scores)
    adjusted = found.test.adjusted()
    design = design_record(
        found.design, whole.pooled.suspect, (whole.keys[0].rows, whole.keys[1].rows), whole.pooled.prompts()
    )
    families = tuple(
        replace(
            result,
            columns=found.columns[result.family],
            statistic=float(found.test.parts[result.family][0]) if result.family in found.test.parts else None,
            pvalue_adjusted=adjusted.get(result.family),
        )
        for result in report.family_results
    )
    return lambda others: replace(
        others,
        sample=sample,
        settings=settings,
        pvalue=found.test.pvalue,
        detected=prepared.is_detected(found.test.pvalue, report.auc, found.design),
        design=design,
        family_results=families,
        null=null_record(found.test),
        rows=_with_ends(others.rows, found.ends),
    )


SECTION = Section(_steps, _find)


def _scores(case: Case, main: Analysis) -> tuple[Floats, Floats]:
    """Scores of all usable rows of either side [rows], in their order; nan for rows that have none."""
    rows = [len(corpus) for corpus in case.given] if case.whole is None else [keys.rows for keys in case.whole.keys]
    scores = np.full(rows[0], np.nan), np.full(rows[1], np.nan)
    for side, numbers, values in zip(main.comparison.sides, case.numbers, scores, strict=True):
        values[numbers[main.comparison.origin[side]]] = main.scores.stacked[side]
    return scores


def why_not_all(prepared: Prepared) -> str | None:
    """Why the p-value cannot be of all rows: something of it is no sum over rows; None where all is."""
    case = prepared.case
    if case.priors:
        return "what a prior says is of the sample alone"
    if case.model is not None:
        return "a model reads the rows of the sample alone"
    others = [name for name, family in prepared.families.items() if not isinstance(family, CountedFamily)]
    return f"these families are no sums of counts: {', '.join(others)}" if others else None


@dataclass(frozen=True)
class _Found:
    """What all rows give."""

    design: designs.Design
    test: PermutationTest
    columns: dict[str, int]
    scores: tuple[Floats, Floats]
    ends: Ends


def _gone_through(prepared: Prepared, main: Analysis, whole: AllRows, tell: Callable[[str], None]) -> _Found:
    """Add up and score all rows, and test them with the relabellings of their own design."""
    case = prepared.case
    design = whole.design(case.seed, paired_alone=False)
    if stands_alone(design, prepared.control, case.alpha):
        design = whole.design(case.seed, paired_alone=True)
    scorer = _Scorer.of(case, main) if case.options.classifier is None else None
    families = {
        name: FamilySums.of(family, design.n_blocks, None if scorer is None else scorer.weights.get(name))
        for name, family in prepared.families.items()
        if isinstance(family, CountedFamily)
    }
    sums = BlockSums(families, signed_blocks(design))
    told = Told(tell.within if isinstance(tell, Progress) else lambda note, share: None, whole.n_rows)
    ends = Ends()
    try:
        _add_all(case, whole, design, sums, scorer, ends, told)
    finally:
        sums.close()
    units, columns = {}, {}
    for name, family in families.items():
        units[name], columns[name] = family.units(design, sums.rows, sums.characters)
    relabellings = Relabellings.draw(design, case.options.n_permutations, case.rng(Stream.PERMUTATIONS))
    test = permute(units, relabellings, omnibus_weights(main.comparison, main.matrices, whole.kind))
    return _Found(design, test, columns, (np.zeros(0), np.zeros(0)) if scorer is None else scorer.scores, ends)


def _add_all(
    case: Case, whole: AllRows, design: designs.Design, sums: BlockSums, scorer: _Scorer | None, ends: Ends, told: Told
) -> None:
    """Add up and score the rows of both sides: in one go, or shard by shard where that is kept or done by others."""
    engine, journal, blocks = case.options.engine, case.journal, whole.blocks(design)
    if engine == "local" and journal is None:
        for number, block in enumerate(blocks):
            sums.begin()
            _add_here(sums, whole.sides[number], number, 0, block, scorer, ends, told)
            sums.end()
        return
    from fingerprint.detection.kept_results import Workers  # few need it
    from fingerprint.detection.kept_sums import KeptSums, sums_digest
    from fingerprint.detection.shard_passes import SideShards, add_by_workers
    from fingerprint.detection.shard_work import Scoring

    shards = SideShards.of_side(whole.sides[0]), SideShards.of_side(whole.sides[1])
    spans = [{shard: (first, last) for shard, first, last in side.spans()} for side in shards]
    scores = (np.zeros(0), np.zeros(0)) if scorer is None else scorer.scores
    scoring = None if scorer is None else Scoring(scorer.weights, scorer.shift)
    weights = [] if scorer is None else [*scorer.weights.values(), np.array([scorer.shift])]
    digest = sums_digest({name: sums.families[name].family for name in sums.families}, blocks, scores, weights)
    kept = KeptSums(journal, sums, ends, scores, (spans[0], spans[1]), digest)
    kept.find()
    told.passed(sums.rows)
    with Workers.of(engine, journal) as workers:
        for number, block in enumerate(blocks):
            if not kept.begins(number):
                continue
            if workers.cpus:
                add_by_workers(
                    sums, number, shards[number], block, scoring, scores[number], ends, told, workers, kept
                )
            else:
                for shard, first, last in shards[number].spans():
                    if shard not in kept.done:
                        rows = shards[number].rows_of(shard, last - first)
                        _add_here(sums, rows, number, first, block, scorer, ends, told)
                        kept.note([shard])
            kept.write()
            sums.end()


def _add_here(
    sums: BlockSums,
    rows: Iterable[Batch],
    number: int,
    first: int,
    block: Ints,
    scorer: _Scorer | None,
    ends: Ends,
    told: Told,
) -> None:
    """Add up and score rows of a side, of which the first has this index among all of the side."""
    for at, batch, parts in _added(sums, rows, first, block):
        if scorer is not None:
            ends.add(batch, at, SIDES[number], scorer.score(number, at, parts))
        told(sums.rows)


def _added(
    sums: BlockSums, rows: Iterable[Batch], first: int, block: Ints
) -> Iterator[tuple[int, Batch, list[Floats | None]]]:
    """Batches of a side once their rows are added up, while the next is read: first row, batch, parts of its scores."""
    waiting: tuple[int, Batch, list[Future[Floats | None]]] | None = None
    for batch in rows:
        done = None if waiting is None else (waiting[0], waiting[1], [part.result() for part in waiting[2]])
        waiting = (first, batch, sums.start(batch, block[first : first + len(batch)]))
        first += len(batch)
        if done is not None:
            yield done
    if waiting is not None:
        yield waiting[0], waiting[1], [part.result() for part in waiting[2]]


@dataclass(frozen=True)
class _Scorer:
    """Scores of all rows: those of the sample as they were cross-fitted, others by a stack fitted on the sample.

    Attributes
    ----------
    weights : dict of float arrays [counts]
    shift : float
        What is added to the sum of a row's counts times their weights.
    scores : pair of float arrays [rows]
    """

    weights: dict[str, Floats]
    shift: float
    scores: tuple[Floats, Floats]

    @classmethod
    def of(cls, case: Case, main: Analysis) -> _Scorer:
        scores, comparison = _scores(case, main), main.comparison
        if not main.varying:
            return cls({}, 0.0, scores)
        trained = fit_stack(comparison, main.varying)
        weights = {
            name: count_weights(main.matrices[name], coefficients) * weight
            for (name, coefficients), weight in zip(trained.coefficients.items(), trained.weights, strict=True)
        }
        return cls(weights, -float(trained.centre @ trained.weights), scores)

    def score(self, number: int, first: int, parts: list[Floats | None]) -> Floats:
        """Scores of some rows of a side, from what each family adds; nan for rows of the sample, which have theirs."""
        known = [part for part in parts if part is not None]
        mine = self.scores[number][first : first + len(known[0])] if known else np.zeros(0)
        fresh = np.where(np.isnan(mine), np.sum(known, axis=0) + self.shift, np.nan)
        mine[:] = np.where(np.isnan(mine), fresh, mine)
        return fresh


def _inputs(whole: AllRows) -> dict[str, object]:
    return {
        side: {"digest": keys.digest, "rows": keys.rows, "skipped": rows.skipped}
        for side, keys, rows in zip(SIDES, whole.keys, whole.sides, strict=True)
    }


def _with_ends(rows: pl.DataFrame, ends: Ends) -> pl.DataFrame:
    """The sample's rows, and those of all others that score highest and lowest."""
    more = pl.DataFrame([row._asdict() for row in ends.rows()], schema={name: rows.schema[name] for name in _COLUMNS})
    both = pl.concat([rows, more.select(_COLUMNS)], how="diagonal")
    return both.sort(["score", "corpus", "row"], descending=[True, True, False])


_COLUMNS = ("corpus", "row", "text", "prompt", "score")
