"""`detect`: two corpora in, one calibrated report out. Read top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

from fingerprint.data.arrays import Floats
from fingerprint.data.columns import Sided
from fingerprint.data.locks import locked
from fingerprint.data.progress import Listener, Progress, Step
from fingerprint.detection import all_rows
from fingerprint.detection.analysis import FEATURES, SCORES, TEST, Analysis, analyse
from fingerprint.detection.case import Case
from fingerprint.detection.findings import Findings
from fingerprint.detection.ladder import LADDER_READINGS
from fingerprint.detection.model_families import FAMILIES as MODEL_FAMILIES
from fingerprint.detection.model_families import STUDENT, ReadCorpora, read_corpora
from fingerprint.detection.options import Options, Settings, with_settings
from fingerprint.detection.prior import Prior
from fingerprint.detection.prompt_control import laid_out
from fingerprint.detection.provenance import settings_of
from fingerprint.detection.ranking import ranked_rows
from fingerprint.detection.records import design_record, null_record
from fingerprint.detection.section import Prepared, with_sections
from fingerprint.detection.sections import SECTIONS
from fingerprint.detection.self_test import check_self_test
from fingerprint.detection.verdict import verdict
from fingerprint.detection.warnings import warnings_for
from fingerprint.features import choose
from fingerprint.features.compiled import foresee, own_threads
from fingerprint.filters.verdicts import Filter
from fingerprint.fingerprints.signature import is_fingerprint
from fingerprint.fingerprints.summed_rows import SummedRows
from fingerprint.report.report import Report
from fingerprint.report.results import Design, FamilyResult
from fingerprint.statistics.intervals import Estimate, auc_interval, d_prime_of, paired_interval

if TYPE_CHECKING:
    from fingerprint.lm.loading import Spec

PAIRING, READING, STUDENTS, EFFECT, CLOSING = (
    "pairing prompts",
    "reading rows with the model",
    "training students",
    "effect size",
    "report",
)


def detect(
    suspect: object,
    reference: object,
    *,
    text: Sided = None,
    prompt: Sided | Literal[False] = None,
    features: object = "auto",
    filters: Sequence[Filter] = (),
    prior: Prior | Sequence[Prior] | None = None,
    model: Spec | None = None,
    placebos: Sequence[object] = (),
    alpha: float = 0.05,
    rng: int = 0,
    progress: bool | Listener = False,
    options: Options | None = None,
    **settings: Unpack[Settings],
) -> Report:
    """Is the suspect corpus distinguishable from the reference, how strongly, and where does the signal live?

    Parameters
    ----------
    suspect, reference : path, glob, paths, Corpus, list of str or dict, frame, Hugging Face Dataset, or batches
        The rows to judge, and rows of an unconditioned teacher (same base model, temperature, length limit and
        filters), best on the same prompts; see `fingerprint.data.batches.batches`. The reference may be a
        `fingerprint.Fingerprint`, or the path of one: the test is that of `fingerprint.compare`, the suspect's rows get
        scores, and what needs the reference's rows is left out.
    text, prompt : str or pair of str, optional
        Column names, where they are not among the usual ones; a pair is the suspect's and the reference's.
        ``prompt=False`` ignores the prompts.
    features : "auto", family names, or scikit-learn transformers
        Feature families; see `fingerprint.features`.
    filters : sequence of filters
        Semantic filters to compare with; see `fingerprint.filters`. For each, and for all in sequence: what it removes,
        its own AUROC, and what is still detectable on what it keeps. About a minute a filter at 5,000 rows a side.
    prior : fingerprint.Panel, fingerprint.Detector, or a list of them, optional
        What is known from other rows. A panel adds the directions in which known conditioning moved rows of the same
        base model: fifty prompts can be enough, whatever the trait. A detector's score joins as one more family with a
        direction: only suspect rows that look *more* like its trait count. Worth most below a few hundred prompts.
    model : name, folder, or loaded model, optional
        A base model to read the rows with their prompts (extra ``lm``): its log-probabilities and their gradients by
        its weights join the others as the families ``logprobs`` and ``gradients``, and the report says what they add.
        Best the base that the suspect's teacher was made from.
    placebos : sequence of corpora
        Rows of teachers of the same base that were conditioned on something else, sampled as the suspect's were. The
        report then says whether the suspect differs from every one of them, by the same test, a prior included.
    alpha : float
        Level of the test, in (0, 1).
    rng : int
        Seed. Same seed, machine and thread count: the same report, byte for byte (with a model: on a CPU).
    progress : bool or callable (step, fraction done)
        Fractions are of the work, by what each step usually costs.
    options : Options, optional
        Settings that are rarely changed; see `fingerprint.detection.options.Options`.
    **settings
        Any field of `Options` by its name, in place of `options` or on top of it: ``detect(a, b, self_test=True)``.

    Returns
    -------
    Report

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        For bad input, naming the argument or the file and line, and the remedy; and when the design allows fewer
        distinct relabellings than alpha needs.

    Notes
    -----
    The p-value is exact: P(p <= alpha) <= alpha at any sample size, if under the null the two rows of a shared prompt
    are exchangeable (shared prompts), the prompts of the two sides are drawn alike (disjoint prompts), or the rows are
    independent and drawn alike (no prompts). Where some prompts are shared and the sides differ in size, the others
    are alike only if no prompt was likelier to be drawn than another: a prompt that the larger side missed is a rare
    one (warning ``prompts_uneven``). A prior changes nothing about that: fitted on other rows, its score is a
    fixed function of a row, blind to the side. So is what a model says of a row and the prompt it answers; system
    messages of the rows take no part in it. The ladder looks at the texts alone. The scores come from other rows than
    those they are fitted on, and their intervals allow for that reuse; see `fingerprint.statistics.auc.inflation`.

    Above 50,000 rows a side not all rows are held. The p-value, the families, the design and the prompt control are
    still of all rows: they need no more of them than sums of counts and 5,000 prompts a side, and the p-value is the
    one that all rows in memory would give, up to rounding. Everything else is of a sample of whole prompts; see
    `Report.sample`.

    Detectable is not harmful, and not detected is not clean: see the power beside the verdict.

    Examples
    --------
    >>> import fingerprint
    >>> report = fingerprint.detect("suspect.jsonl", "reference.jsonl")
    >>> report.detected, report.pvalue < 0.01, report.auc.value > 0.6
    (True, True, True)
    """
    chosen = with_settings(options or Options(), settings, detect)
    if isinstance(reference, SummedRows) or is_fingerprint(reference):
        from fingerprint.detection.against_fingerprint import against_fingerprint  # few comparisons need it

        given = {"filters": filters, "prior": prior, "model": model, "placebos": placebos}
        return against_fingerprint(
            suspect, reference, text=text, prompt=prompt, alpha=alpha, rng=rng, options=chosen, given=given
        )
    with nullcontext() if chosen.resume is None else locked(Path(chosen.resume), "resume"):
        tell = Progress(progress, PAIRING)
        case = Case.of(
            suspect,
            reference,
            text=text,
            prompt=prompt,
            features=features,
            filters=filters,
            prior=prior,
            model=model,
            placebos=placebos,
            alpha=alpha,
            rng=rng,
            options=chosen,
            within=tell.within,
        )
        prepared = _paired(case)
        tell.plan(_steps(prepared))

        prepared = replace(prepared, reading=_read(prepared, tell))
        with own_threads():
            return _analysed(prepared, tell)


def _analysed(prepared: Prepared, tell: Progress) -> Report:
    """The main result, then its sections, then the verdict."""
    case = prepared.case
    foresee(prepared.comparison.texts, len(prepared.families) * (1 + LADDER_READINGS * case.options.ladder))
    main = analyse(
        case,
        prepared.comparison,
        {**prepared.families, **prepared.model_families(prepared.comparison)},
        classifier=case.options.classifier,
        priors=case.priors,
        fitted=_students(prepared, tell),
        kind=None if case.whole is None else case.whole.kind,
        tell=tell,
    )
    tell(EFFECT)
    report = with_sections(SECTIONS, _main_result(prepared, main), prepared, main, tell)
    tell(CLOSING)
    return _closed(report, prepared, main)


def _steps(prepared: Prepared) -> list[Step]:
    """Every step of the work, in its order."""
    case = prepared.case
    reading = [] if case.model is None else [Step(READING, 5.0 * len(case.everybody))]
    students = [Step(STUDENTS, 25.0)] if case.options.student else []
    main = [Step(FEATURES, 0.4), Step(TEST, 0.3), Step(SCORES, 0.3), Step(EFFECT, 0.1)]
    sections = [step for section in SECTIONS for step in section.steps(prepared)]
    return [Step(PAIRING, 0.1), *reading, *students, *main, *sections, Step(CLOSING, 0.1)]


def _paired(case: Case) -> Prepared:
    """The rows laid out, the families chosen, and all that may still be refused."""
    whole = case.whole
    # Rows that a prior was learnt from, and so their prompts, are known of the sample alone: where there are some, what
    # is left of the sample is compared, and the control is of its prompts.
    laid = laid_out(case, *case.corpora, known=None if whole is None or case.drops_rows else whole.prompts)
    comparison = laid.comparison
    if case.options.self_test:
        check_self_test(comparison, case.corpora[1])
    families = choose(case.features, comparison.texts, None if whole is None else whole.kind)
    taken = next((name for name in (*MODEL_FAMILIES, STUDENT) if name in families), None)
    if case.model is not None and taken is not None:
        raise ValueError(f"features must not be named {taken!r} when there is a model, got {list(families)}; rename it")
    prepared = Prepared(case, comparison, laid.control, families)
    all_rows.check_scores(prepared)
    return prepared


def _read(prepared: Prepared, tell: Progress) -> ReadCorpora | None:
    """What the model says of all rows, once; None without a model."""
    case = prepared.case
    if case.model is None:
        return None
    tell(READING)
    return read_corpora(case.model, case.system_prompts, case.everybody)


def _students(prepared: Prepared, tell: Progress) -> dict[str, Floats]:
    """Scores by students of the model, where they were asked for."""
    case = prepared.case
    if case.model is None or not case.options.student:
        return {}
    tell(STUDENTS)
    from fingerprint.detection.student_scores import student_scores  # needs torch

    return {STUDENT: student_scores(case.model, prepared.comparison, case.everybody, rng=case.seed)}


# ---------------------------------------------------------------------------------------------------- the main result


def _main_result(prepared: Prepared, main: Analysis) -> Report:
    """The report without what its sections add."""
    case, auc = prepared.case, auc_interval(main.scores)
    return Report(
        title=case.title,
        verdict="",
        detected=prepared.is_detected(main.test.pvalue, auc, main.comparison.design),
        pvalue=main.test.pvalue,
        alpha=case.alpha,
        auc=auc,
        auc_paired=paired_interval(main.scores),
        d_prime=d_prime_of(auc),
        bag_results=(),
        needed=(),
        planted=(),
        mixtures=(),
        design=_design(prepared),
        family_results=_family_results(main),
        rungs=(),
        filter_results=(),
        differences=(),
        prompt_control=prepared.control,
        copies=None,
        self_test=None,
        panel=None,
        model=None,
        teacher=None,
        attribution=None,
        null=null_record(main.test),
        sample=None,
        warnings=(),
        settings=settings_of(case, list(prepared.families)),
        rows=ranked_rows(case, main),
    )


def _closed(report: Report, prepared: Prepared, main: Analysis) -> Report:
    """The report with its verdict and all warnings, the gravest first."""
    findings = Findings(
        corpora=prepared.case.corpora,
        comparison=main.comparison,
        scores=main.scores,
        test=main.test,
        rungs=report.rungs,
        control=report.prompt_control,
        alpha=report.alpha,
        copies=report.copies,
        is_paired=report.design.is_paired,
        skipped_shards=tuple(shard.shard for rows in prepared.case.sides for shard in rows.shards.skipped),
    )
    warned = replace(report, warnings=(*warnings_for(findings), *report.warnings))
    return replace(warned, verdict=verdict(warned, main, prepared.case.options.min_auc))


def _design(prepared: Prepared) -> Design:
    comparison, corpora = prepared.comparison, prepared.case.corpora
    known = comparison.prompts
    prompts = (len(known[0]), len(known[1]), len(known[0] & known[1]))
    return design_record(comparison.design, comparison.suspect, (len(corpora[0]), len(corpora[1])), prompts)


def _family_results(main: Analysis) -> tuple[FamilyResult, ...]:
    adjusted = main.test.adjusted()
    results = []
    for name, matrix in main.matrices.items():
        tested = main.test.parts.get(name)
        area = auc_interval(main.scores, name) if name in main.scores.families else Estimate(None)
        statistic = None if tested is None else float(tested[0])
        results.append(FamilyResult(name, matrix.n_columns, statistic, adjusted.get(name), area))
    if STUDENT in main.scores.families:
        results.append(FamilyResult(STUDENT, 0, None, None, auc_interval(main.scores, STUDENT)))
    return tuple(results)

