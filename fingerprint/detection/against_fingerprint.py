"""`detect` against a stored fingerprint: the test of `compare`, and scores of the rows that are at hand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import polars as pl

from fingerprint.data.arrays import Floats, Floats32
from fingerprint.data.columns import Sided, of_sides
from fingerprint.data.corpus import Corpus
from fingerprint.data.files import check_output
from fingerprint.detection.case import rows_of_side
from fingerprint.detection.options import Options
from fingerprint.detection.records import null_record
from fingerprint.detection.row_scores import write_scores
from fingerprint.features.scaling import scaled
from fingerprint.fingerprints.cells import cells_of, row_keys
from fingerprint.fingerprints.compare import compared, scales
from fingerprint.fingerprints.fingerprint import Fingerprint
from fingerprint.fingerprints.layout import CellFamily, Cells
from fingerprint.fingerprints.result import FingerprintComparison, SumDifference
from fingerprint.fingerprints.summed_rows import SummedRows
from fingerprint.report.encoding import JsonObject
from fingerprint.report.provenance import provenance, record_of
from fingerprint.report.report import Report
from fingerprint.report.results import Design, FamilyResult, FeatureDifference, PromptControl, Warning
from fingerprint.report.title import title_of
from fingerprint.statistics.auc import N_FOLDS
from fingerprint.statistics.intervals import Estimate
from fingerprint.statistics.permutation import PermutationTest
from fingerprint.statistics.stack import standardise

# What needs rows of both sides, and has to be left out.
NEEDS_ROWS = ("filters", "prior", "model", "placebos")


def against_fingerprint(
    suspect: object,
    reference: SummedRows | str | os.PathLike[str],
    *,
    text: Sided,
    prompt: Sided | Literal[False],
    alpha: float,
    rng: int,
    options: Options,
    given: Mapping[str, object],
) -> Report:
    """The report of a comparison with a fingerprint.

    Parameters
    ----------
    given : mapping of name to object
        Arguments of `detect` that a fingerprint allows no use of.

    Raises
    ------
    ValueError
        If one of these is given.
    """
    asked = [name for name in NEEDS_ROWS if given.get(name)]
    if asked:
        raise ValueError(
            f"{asked[0]} must be left out when the reference is a fingerprint, got {given[asked[0]]!r:.80}; it needs "
            "the reference's rows"
        )
    if options.resume is not None:
        raise ValueError(
            f"resume must be left out when the reference is a fingerprint, got {str(options.resume)!r}: the suspect is "
            "read once; sketch it with resume, and compare the fingerprints"
        )
    options.check_level(alpha)
    known = reference if isinstance(reference, SummedRows) else Fingerprint.load(reference)
    if options.scores is not None:
        check_output(options.scores, "scores")
    columns = of_sides(text, "text")[0], of_sides(prompt or None, "prompt")[0]
    rows = rows_of_side(suspect, "suspect", *columns, options)
    corpus = rows.corpus()
    prompts = (None,) * len(corpus) if prompt is False else corpus.prompts
    mine = Fingerprint.of(Corpus(corpus.texts, prompts), features=list(known.families), cells=known.cells)
    cells = Cells.of(mine, known, alpha)
    title = title_of(options.title, suspect, reference)
    found, test, families = compared(cells, alpha, options.n_permutations, rng, title)
    scores = row_scores(corpus, prompts, cells, families, test)
    if options.scores is not None:
        write_scores(options.scores, [rows.spans], [scores])
    corpus = replace(corpus, read_as=rows.read_as)
    return _report(found, test, corpus, known, scores, options, rng)


def row_scores(
    corpus: Corpus,
    prompts: tuple[str | None, ...],
    cells: Cells,
    families: Mapping[str, CellFamily],
    test: PermutationTest,
) -> Floats:
    """Score of each row [rows], by the difference of the sides in cells of other folds than its own."""
    number = np.cumsum(cells.filled) - 1
    fold = number[cells_of(row_keys(corpus.texts, prompts), len(cells.filled))] % N_FOLDS
    scores = np.zeros(len(corpus))
    for name, weight in scales(test).items():
        found = families[name]
        units = found.units
        of_unit = np.arange(len(units)) % N_FOLDS
        directions: Floats32 = np.stack([units[of_unit != k].sum(axis=0) for k in range(N_FOLDS)], axis=1)
        values = scaled(found.family.transform(list(corpus.texts)), found.columns, found.scale)
        scores += weight * (values @ directions)[np.arange(len(corpus)), fold]
    for k in range(N_FOLDS):
        scores[fold == k] = standardise(scores[fold == k][:, None])[:, 0] if (fold == k).any() else 0.0
    return scores


def _report(
    found: FingerprintComparison,
    test: PermutationTest,
    corpus: Corpus,
    known: SummedRows,
    scores: Floats,
    options: Options,
    seed: int,
) -> Report:
    return Report(
        title=found.title,
        verdict=f"{found.verdict} {found.assumption}",
        detected=found.detected and (found.auc.value or 0.0) > options.min_auc,
        pvalue=found.pvalue,
        alpha=found.alpha,
        auc=found.auc,
        auc_paired=Estimate(None),
        d_prime=found.d_prime,
        bag_results=(),
        needed=found.needed,
        planted=found.planted,
        mixtures=(),
        design=_design(found),
        family_results=tuple(
            FamilyResult(f.family, f.columns, f.statistic, f.pvalue_adjusted, Estimate(None)) for f in found.families
        ),
        rungs=(),
        filter_results=(),
        differences=tuple(map(_difference, found.features)),
        prompt_control=PromptControl(None, False, _prompts(found)),
        copies=None,
        self_test=None,
        panel=None,
        model=None,
        teacher=None,
        attribution=None,
        null=null_record(test),
        sample=None,
        warnings=(_warning(len(corpus), known),),
        settings=_settings(found, corpus, known, options, seed),
        rows=_rows(corpus, scores),
    )


def _rows(corpus: Corpus, scores: Floats) -> pl.DataFrame:
    """The suspect's rows, most suspect first."""
    columns = {
        "corpus": ["suspect"] * len(corpus),
        "row": np.arange(len(corpus)),
        "text": corpus.texts,
        "prompt": corpus.prompts,
        "score": scores,
    }
    frame = pl.DataFrame(columns, schema_overrides={"prompt": pl.String})
    return frame.sort(["score", "row"], descending=[True, False])


def _difference(d: SumDifference) -> FeatureDifference:
    return FeatureDifference(
        feature=d.feature,
        family=d.family,
        rate_suspect=d.rate_suspect,
        rate_reference=d.rate_reference,
        pvalue_adjusted=d.pvalue_adjusted,
        measure=d.measure,
        direction="more" if d.effect > 0 else "less",
        effect=d.effect,
        spellings=(),
        families=(d.family,),
    )


def _warning(rows: int, known: SummedRows) -> Warning:
    return Warning(
        "reference_is_sums",
        rows / (rows + known.n_rows),
        1.0,
        "only this share of the rows is at hand, the suspect's: the reference is a fingerprint. Ladder, filters, bags, "
        "copies and the warnings that look at rows are left out, and AUROC is reckoned from sums as if scores were "
        "normal; compare with rows to have them",
    )


def _settings(
    found: FingerprintComparison, corpus: Corpus, known: SummedRows, options: Options, seed: int
) -> JsonObject:
    inputs = {"suspect": record_of(corpus, corpus.read_as), "reference": known.record()}
    asked = {"alpha": found.alpha, "min_auc": options.min_auc, "n_permutations": options.n_permutations}
    return provenance(seed, inputs, asked)


def _design(found: FingerprintComparison) -> Design:
    return Design(
        kind="cells",
        rows_suspect=found.rows_suspect,
        rows_reference=found.rows_reference,
        prompts_suspect=None,
        prompts_reference=None,
        prompts_shared=None,
        pairs=None,
        blocks=found.cells,
        unused_suspect=0,
        unused_reference=0,
    )


def _prompts(found: FingerprintComparison) -> str:
    if found.cells_alike == found.cells:
        return "both sides answer the same prompts, each as often"
    alike = f"in {found.cells_alike} of {found.cells} cells both sides answer the same prompts"
    return f"{alike}; a difference between the others would go unseen"
