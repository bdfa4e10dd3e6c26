"""`detect`: two corpora in, one calibrated report out. Read top to bottom."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, Protocol, Self

import numpy as np
import polars as pl
import scipy.sparse as sp
from scipy.special import ndtri

from fingerprint.data.arrays import Bools, Floats, Floats32, Ints
from fingerprint.data.corpus import Corpus
from fingerprint.data.reading import as_corpus
from fingerprint.detection import attribution, ladder
from fingerprint.detection import filter_comparison as filtering
from fingerprint.detection import known_teacher as ceilings
from fingerprint.detection.model_families import FAMILIES as MODEL_FAMILIES
from fingerprint.detection.model_families import STUDENT, ReadCorpora, checked_candidates, read_corpora
from fingerprint.detection.warnings import Findings, control_level, warnings_for
from fingerprint.features import Family, choose, data_kind
from fingerprint.features.scaling import FamilyMatrix, family_matrix, mean_zero
from fingerprint.filters.verdicts import Filter, check_filters
from fingerprint.report.report import Report
from fingerprint.report.results import (
    AttributionResult,
    Bag,
    Design,
    FamilyResult,
    FeatureDifference,
    MixturePower,
    ModelResult,
    Null,
    PlantedPower,
    PromptControl,
    Residual,
    RowsNeeded,
    Rung,
    SelfTest,
    Warning,
)
from fingerprint.statistics.auc import BAG_SIZES, bag_aucs, fold_auc
from fingerprint.statistics.comparison import Comparison, pair, survivors, thin
from fingerprint.statistics.crossfit import Scores, cross_fit, folds
from fingerprint.statistics.designs import MIN_GROUPS
from fingerprint.statistics.effect_size import rows_for_trained_detector
from fingerprint.statistics.intervals import (
    Estimate,
    auc_difference,
    auc_interval,
    d_prime_of,
    exact_interval,
    interval,
    paired_interval,
)
from fingerprint.statistics.permutation import PermutationTest, Relabellings, feature_pvalues, gram, permutation_test
from fingerprint.statistics.power import Shift, observed_shift, planted_rejection, scaling

Generator = np.random.Generator
Progress = Callable[[str, float], None]

# The ladder and the self-test run on at most this many rows a side: enough to place the signal, quick at any size.
LADDER_ROWS = 5000
SELF_TEST_ROWS = 2000
SELF_TEST_RUNS = 200
SELF_TEST_PERMUTATIONS = 199
PLANTED_AUCS = (0.52, 0.55, 0.60)
MIXTURE_SHARES = (0.05, 0.10, 0.25)
PLANTED_RUNS = 200
PLANTED_ROWS = 4000  # rows from which the covariances of random directions are taken
MAX_FEATURES = 2000  # features looked at one by one, chosen by pooled variance alone
SHOWN_FEATURES = 100
NEEDED_POWERS = (0.5, 0.8, 0.95)
MIN_CONTROL_PROMPTS = 20

RIVALS = (
    "Rival explanations: temperature, model version, length limit, filtering of one side, "
    "or merely that a system prompt was there."
)


def detect(
    suspect: object,
    reference: object,
    *,
    text: str | None = None,
    prompt: str | Literal[False] | None = None,
    features: object = "auto",
    filters: Sequence[Filter] = (),
    ladder: bool = True,
    classifier: Any = None,
    prior: Prior | None = None,
    model: Any = None,
    candidates: Sequence[str] = (),
    student: bool = False,
    teacher: Any = None,
    placebos: Sequence[object] = (),
    trained_rows: Literal["error", "drop"] = "error",
    alpha: float = 0.05,
    min_auc: float = 0.5,
    n_permutations: int = 9999,
    self_test: bool = False,
    bad_rows: Literal["error", "skip"] = "error",
    rng: int = 0,
    progress: bool | Progress = False,
) -> Report:
    """Is the suspect corpus distinguishable from the reference, how strongly, and where does the signal live?

    Parameters
    ----------
    suspect, reference : path, glob, Corpus, list of str or dict, polars or pandas frame, or Hugging Face Dataset
        The rows to judge, and rows of an unconditioned teacher (same base model, temperature, length limit and
        filters), best on the same prompts.
    text, prompt : str, optional
        Column names, where they are not among the usual ones. ``prompt=False`` ignores the prompts.
    features : "auto", family names, or scikit-learn transformers
        Feature families; see `fingerprint.features`.
    filters : sequence of filters
        Semantic filters to compare with; see `fingerprint.filters`. For each, and for all in sequence: what it removes,
        its own AUROC, and what is still detectable on what it keeps. About a minute a filter at 5,000 rows a side.
    ladder : bool
        Whether to run the same test with information taken out of the rows step by step.
    classifier : scikit-learn classifier, optional
        Used for the scores (auc, bags, rows) in place of the built-in stack. The p-value does not depend on it.
    prior : fingerprint.Detector, optional
        A detector trained on other rows. Its score joins the test as one more family with a direction: only suspect
        rows that look *more* like its trait count. Worth most below a few hundred prompts.
    model : name, folder, or loaded model, optional
        A base model to read the rows with their prompts (extra ``lm``): its log-probabilities and their gradients by
        its weights join the others as the families ``logprobs`` and ``gradients``, and the report says what they add.
        Best the base that the suspect's teacher was made from.
    candidates : sequence of str
        System prompts to try with the model: ``logprobs`` then also holds their log-likelihood ratios.
    student : bool
        Whether to train students of the model on the suspect's rows, twenty in all, and score every row by what those
        that have not seen its prompt say of it: the strongest scores against a fine-tuned teacher, and the slowest
        (minutes a thousand rows on two cores, with the smallest models). The p-value does not depend on it, and it
        takes no part in what is said of filters.
    teacher : teacher, name, folder, loaded model, or pair of them, optional
        The suspect's teacher, where it is known: a fine-tuned model, or anything whose ``logprobs(corpus)`` gives
        nats a row, such as a `fingerprint.lm.teachers.Teacher`. A pair names the reference's teacher too; otherwise
        that is `model` without a system prompt. The exact log-likelihood ratio is the ceiling of every detector.
    placebos : sequence of corpora
        Rows of teachers of the same base that were conditioned on something else, sampled as the suspect's were. The
        report then says whether the suspect differs from every one of them.
    trained_rows : "error" or "drop"
        What to do with rows that the prior was trained on, or that answer its prompts; dropped rows are counted in the
        settings.
    alpha : float
        Level of the test, in (0, 1).
    min_auc : float
        `detected` also asks for a row AUROC above this. Error rates are stated on `pvalue` alone. `detected` speaks of
        the rows: where the prompts differ too, the verdict says that the teacher cannot be blamed.
    n_permutations : int
        Relabellings; the smallest possible p-value is 1 / (n_permutations + 1).
    self_test : bool
        Run the test 200 times where nothing differs (pairs swapped, or the reference split in two).
    bad_rows : "error" or "skip"
        What to do with unreadable rows; skipped rows are counted in the settings.
    rng : int
        Seed. Same seed, machine and thread count: the same report, byte for byte (with a model: on a CPU).
    progress : bool or callable (step, fraction done)

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
    independent and drawn alike (no prompts). A prior changes nothing about that: fitted on other rows, its score is a
    fixed function of a row, blind to the side. So is what a model says of a row and the prompt it answers; system
    messages of the rows take no part in it. The ladder looks at the texts alone. The scores come from other rows than
    those they are fitted on, and their intervals allow for that reuse; see `fingerprint.statistics.crossfit.inflation`.

    Detectable is not harmful, and not detected is not clean: see the power beside the verdict.

    Examples
    --------
    >>> import fingerprint
    >>> report = fingerprint.detect("suspect.jsonl", "reference.jsonl")  # doctest: +SKIP
    >>> report.pvalue, report.auc.value  # doctest: +SKIP
    """
    options = _Options(alpha, min_auc, n_permutations, rng)
    filters = check_filters(filters)
    prompt_column = prompt if isinstance(prompt, str) else None
    corpora = tuple(
        as_corpus(data, text=text, prompt=prompt_column, bad_rows=bad_rows, argument=argument)
        for data, argument in ((suspect, "suspect"), (reference, "reference"))
    )
    if trained_rows not in ("error", "drop"):
        raise ValueError(f"trained_rows must be 'error' or 'drop', got {trained_rows!r}; choose one")
    given = corpora
    if prior is not None:
        corpora = tuple(without_trained(corpus, checked_prior(prior), trained_rows) for corpus in given)
    candidates = checked_candidates(candidates, model)
    _check_student(student, model, classifier, prompt)
    others = _placebo_corpora(placebos, text, prompt_column, bad_rows)
    if model is not None:
        for corpus in (*corpora, *others):
            corpus.every_prompt("model")
        from fingerprint.lm.loading import load

        model = load(model)  # once, for all that asks it
    teachers = None if teacher is None else ceilings.checked_teachers(teacher, model)
    tell = _teller(progress, ladder, self_test, len(filters), (model, student or None, teacher, others or None))

    tell("pairing prompts")
    comparison = _checked_pair(corpora[0], corpora[1], prompt is not False, options)
    if self_test:
        _check_self_test(comparison, corpora[1])
    families = choose(features, comparison.texts)
    reading = _read(model, candidates, (*corpora, *others), families, tell)
    fitted = _students(model, comparison, corpora, options, tell) if student else {}
    main = _analyse(
        comparison, families | _read_families(reading, comparison), options, classifier, tell, prior, fitted
    )
    ratios = _exact_ratios(teachers, corpora, tell)

    tell("effect size")
    auc, paired, bags = _effect_size(main, options)
    detected = main.test.pvalue <= alpha and (auc.value or 0.0) > min_auc

    tell("power")
    planted, mixtures, needed = _power(main, options, detected, auc)

    rungs = _ladder(main, families, options, classifier, tell) if ladder else ()
    filtered = _filters(main, filters, corpora, options, tell)
    control = _prompt_control(corpora, comparison, options)
    tested = _self_test(comparison, families, options, tell, prior, reading) if self_test else None
    attributed, prompts_of_placebos = _attribution(
        (*corpora, *others), families, prompt is not False, options, reading, tell
    )
    findings = Findings(corpora, comparison, main.scores, main.test, rungs, control, options.alpha)
    tell("report")
    return Report(
        verdict=_verdict(main, detected, auc, planted, control, options),
        detected=detected,
        pvalue=main.test.pvalue,
        alpha=alpha,
        auc=auc,
        auc_paired=paired,
        d_prime=d_prime_of(auc),
        bag_results=bags,
        needed=needed,
        planted=planted,
        mixtures=mixtures,
        design=_design(corpora, comparison),
        family_results=_family_results(main),
        rungs=rungs,
        filter_results=filtered.results,
        differences=_differences(main),
        prompt_control=control,
        self_test=tested,
        model=None if reading is None else _model_result(main, reading, classifier),
        teacher=None if ratios is None else ceilings.ceiling(ratios, comparison, main.scores),
        attribution=attributed,
        null=_null(main.test),
        warnings=warnings_for(findings) + filtered.warnings + prompts_of_placebos + _noise_warnings(reading, ratios),
        settings=_settings(corpora, list(families), filters, options, classifier, bad_rows, text, prompt)
        | _prior_settings(prior, trained_rows, given, corpora)
        | _placebo_settings(others)
        | ({"student": True} if student else {}),
        rows=_rows(corpora, comparison, main.scores, ratios),
    )


@dataclass(frozen=True)
class _Options:
    alpha: float
    min_auc: float
    n_permutations: int
    seed: int

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha must be between 0 and 1, got {self.alpha}; .05 is usual")
        if not 0 <= self.min_auc < 1:
            raise ValueError(f"min_auc must be in [0, 1), got {self.min_auc}; .5 asks for any separation")
        if isinstance(self.n_permutations, bool) or not isinstance(self.n_permutations, int):
            raise TypeError(f"n_permutations must be an integer, got {self.n_permutations!r}; 9999 is usual")
        if (self.n_permutations + 1) * self.alpha < 1 or self.n_permutations < 99:
            need = max(99, int(np.ceil(1 / self.alpha)) - 1)
            raise ValueError(
                f"n_permutations must be at least {need} for alpha {self.alpha}, got {self.n_permutations}; "
                "a smaller number could never detect anything"
            )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise TypeError(f"rng must be a whole number from 0, got {self.seed!r}; it seeds every random choice")

    def rng(self, purpose: int) -> Generator:
        """A generator of its own for each purpose, so that adding a step changes no other."""
        return np.random.default_rng([self.seed, purpose])


def _teller(
    progress: bool | Progress, ladder: bool, self_test: bool, n_filters: int, optional: Sequence[object] = ()
) -> Callable[[str], None]:
    """Tells the caller which step begins, and what fraction of all steps is done; `optional` steps run if not None."""
    steps = (
        7
        + 6 * ladder
        + self_test
        + sum(step is not None for step in optional)
        + (n_filters + 1 + (n_filters > 1) if n_filters else 0)
    )
    done = iter(range(steps + 1))
    if progress is False:
        return lambda step: None
    if callable(progress):
        return lambda step: progress(step, min(next(done, steps) / steps, 1.0))

    def printed(step: str) -> None:
        import sys

        print(f"fingerprint: {step}", file=sys.stderr)

    return printed


# -------------------------------------------------------------------------------------------------------------- design


def _checked_pair(suspect: Corpus, reference: Corpus, use_prompts: bool, options: _Options) -> Comparison:
    comparison = pair(suspect, reference, use_prompts=use_prompts, seed=options.seed)
    design = comparison.design
    if design.distinct_relabellings * options.alpha < 1:
        raise ValueError(
            f"{suspect.name} and {reference.name} must allow at least {1 / options.alpha:.0f} distinct relabellings "
            f"for alpha {options.alpha}, got {design.distinct_relabellings:.0f} ({design.n_blocks} blocks of "
            f"{design.kind} prompts); sample more prompts, or ignore the prompts (prompt=False, --no-prompt) if "
            "rows of one prompt are independent"
        )
    return comparison


def _design(corpora: Sequence[Corpus], comparison: Comparison) -> Design:
    used, suspect = comparison.design.used, comparison.suspect
    known = [len(prompts) or None for prompts in comparison.prompts]
    independent = not comparison.design.has_prompts
    return Design(
        kind=comparison.design.kind,
        rows_suspect=len(corpora[0]),
        rows_reference=len(corpora[1]),
        prompts_suspect=None if independent else known[0],
        prompts_reference=None if independent else known[1],
        prompts_shared=None if independent else len(comparison.prompts[0] & comparison.prompts[1]),
        pairs=comparison.design.n_pairs,
        blocks=comparison.design.n_blocks,
        unused_suspect=int((~used & suspect).sum()),
        unused_reference=int((~used & ~suspect).sum()),
    )


# ------------------------------------------------------------------------------------------------------------ analysis


class Prior(Protocol):
    """What a detector must do to serve as a prior: score rows, and know those it was trained on."""

    def decision_function(self, X: object) -> Floats: ...

    def trained_on(self, data: object) -> Bools: ...


PRIOR = "prior"


def checked_prior(prior: Any) -> Prior:
    if not (hasattr(prior, "decision_function") and hasattr(prior, "trained_on")):
        raise TypeError(f"prior must be a trained fingerprint.Detector, got {prior!r:.80}; read one with Detector.load")
    checked: Prior = prior
    return checked


def without_trained(corpus: Corpus, prior: Prior, trained_rows: str) -> Corpus:
    """The corpus without rows that the prior knows: its score on them is no fixed function of the row."""
    known = prior.trained_on(corpus)
    if not known.any():
        return corpus
    if trained_rows == "error":
        raise ValueError(
            f"{corpus.name} must hold no rows or prompts that the detector was trained on, got {int(known.sum())}; "
            "drop them (trained_rows='drop', --drop-trained-rows), or train the detector on others"
        )
    keep = np.flatnonzero(~known).tolist()
    if not keep:
        raise ValueError(f"{corpus.name} must hold rows that the detector was not trained on, got none; sample others")
    return Corpus(
        tuple(corpus.texts[i] for i in keep),
        tuple(corpus.prompts[i] for i in keep),
        tuple(corpus.systems[i] for i in keep),
        name=corpus.name,
        skipped=corpus.skipped,
    )


class _PriorScore(Family):
    """The prior as a feature family of one column."""

    ridge = 0.0

    def __init__(self, prior: Prior) -> None:
        self.prior = prior

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        return self

    def unfitted(self) -> Self:
        return type(self)(self.prior)

    def transform(self, texts: Sequence[str]) -> Floats:
        return self.prior.decision_function(list(texts))[:, None]


def _read(
    model: Any,
    candidates: tuple[str, ...],
    corpora: Sequence[Corpus],
    families: dict[str, Any],
    tell: Callable[[str], None],
) -> ReadCorpora | None:
    """What the model says of all rows, once; None without a model."""
    if model is None:
        return None
    taken = next((name for name in (*MODEL_FAMILIES, STUDENT) if name in families), None)
    if taken is not None:
        raise ValueError(f"features must not be named {taken!r} when there is a model, got {list(families)}; rename it")
    tell("reading rows with the model")
    return read_corpora(model, candidates, corpora)


def _read_families(
    reading: ReadCorpora | None, comparison: Comparison, sides: tuple[int, int] = (0, 1)
) -> dict[str, Any]:
    """The model's families for the rows of a comparison, where a model has read them."""
    return {} if reading is None else dict(reading.families(comparison, sides))


def _check_student(student: bool, model: Any, classifier: Any, prompt: str | Literal[False] | None) -> None:
    if student and model is None:
        raise ValueError("student must come with a model to train, got student=True without one; pass model=")
    if student and classifier is not None:
        raise ValueError(f"student must come without classifier, got {classifier!r:.80}; leave one of them out")
    if student and prompt is False:
        raise ValueError(
            "student must come with the rows' prompts, got prompt=False; a student must not judge rows whose prompts "
            "it was trained on"
        )


def _students(
    model: Any, comparison: Comparison, corpora: Sequence[Corpus], options: _Options, tell: Callable[[str], None]
) -> dict[str, Floats]:
    tell("training students")
    from fingerprint.detection.student_scores import student_scores

    return {STUDENT: student_scores(model, comparison, corpora, rng=options.seed)}


@dataclass(frozen=True)
class _Analysis:
    comparison: Comparison
    matrices: dict[str, FamilyMatrix]
    units: dict[str, Floats32]
    test: PermutationTest
    scores: Scores


def _analyse(
    comparison: Comparison,
    families: dict[str, Any],
    options: _Options,
    classifier: Any,
    tell: Callable[[str], None],
    prior: Prior | None = None,
    fitted: Mapping[str, Floats] | None = None,
) -> _Analysis:
    """Features, exact test and cross-fitted scores: what the main result and every rung of the ladder consist of."""
    tell("features")
    matrices = _matrices(comparison, families, prior)
    tell("permutation test")
    test, units = _tested(comparison, matrices, options)
    tell("cross-fitted scores")
    return _Analysis(comparison, matrices, units, test, _scored(comparison, matrices, classifier, fitted))


def _tested(
    comparison: Comparison, matrices: dict[str, FamilyMatrix], options: _Options
) -> tuple[PermutationTest, dict[str, Floats32]]:
    units = {name: comparison.units(matrix.values) for name, matrix in matrices.items()}
    relabellings = Relabellings.draw(comparison.design, options.n_permutations, options.rng(1))
    return permute(units, relabellings), units


def _scored(
    comparison: Comparison,
    matrices: dict[str, FamilyMatrix],
    classifier: Any,
    fitted: Mapping[str, Floats] | None = None,
) -> Scores:
    varying = {name: matrix.values for name, matrix in matrices.items() if matrix.n_columns}
    return cross_fit(comparison, varying, classifier, mean_zero=mean_zero(matrices), fitted=fitted)


def permute(
    units: Mapping[str, Floats32], relabellings: Relabellings
) -> PermutationTest:
    """The exact test of block units: a prior with its sign, every other family by its inner products."""
    signed = {name: u.sum(axis=1) for name, u in units.items() if name == PRIOR}
    return permutation_test({n: gram(u) for n, u in units.items() if n != PRIOR}, relabellings, signed)


def _matrices(comparison: Comparison, families: dict[str, Any], prior: Prior | None = None) -> dict[str, FamilyMatrix]:
    if prior is not None and PRIOR in families:
        raise ValueError(f"features must not be named {PRIOR!r} when there is a prior, got {list(families)}; rename it")
    given = families if prior is None else families | {PRIOR: _PriorScore(prior)}
    return {name: family_matrix(family, comparison.texts, name) for name, family in given.items()}


def _effect_size(main: _Analysis, options: _Options) -> tuple[Estimate, Estimate, tuple[Bag, ...]]:
    scores = main.scores
    return auc_interval(scores), paired_interval(scores), bag_intervals(scores, options.rng(2))


def bag_intervals(scores: Scores, rng: Generator) -> tuple[Bag, ...]:
    """AUROC of bags of every size, with 95 % intervals."""
    rows = scores.arms.smaller
    found = bag_aucs(scores.arms, scores.stacked, BAG_SIZES, rng)
    return tuple(Bag(k, interval(moments, scores.agreement, rows // k)) for k, moments in found.items())


def _family_results(main: _Analysis) -> tuple[FamilyResult, ...]:
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


def _differences(main: _Analysis) -> tuple[FeatureDifference, ...]:
    """Features whose rates differ, adjusted over at most `MAX_FEATURES`, chosen without the labels."""
    tested = [name for name in main.matrices if name in main.test.families]
    if not tested:
        return ()
    spread = {name: _pooled_variance(main.matrices[name].values) for name in tested}
    for name in tested:  # columns whose names would tell a reader nothing
        readable = main.matrices[name].family.n_readable
        spread[name][main.matrices[name].columns >= (np.inf if readable is None else readable)] = -1.0
    least = max(np.sort(np.concatenate(list(spread.values())))[-MAX_FEATURES:][0], 0.0)
    chosen = {name: np.flatnonzero(spread[name] >= least)[:MAX_FEATURES] for name in tested}
    units = np.hstack([main.units[name][:, chosen[name]] for name in tested])[:, :MAX_FEATURES]
    pvalues = feature_pvalues(units, main.test.relabellings)
    ends = np.cumsum([len(chosen[name]) for name in tested])
    best = np.argsort(pvalues, kind="stable")[:SHOWN_FEATURES]
    found: dict[int, FeatureDifference] = {}
    for name, end in zip(tested, ends, strict=True):
        mine = best[(best < end) & (best >= end - len(chosen[name]))]
        columns = chosen[name][mine - (end - len(chosen[name]))]
        for place, record in zip(mine, _described(main, name, columns, pvalues[mine]), strict=True):
            found[int(place)] = record
    return tuple(found[int(place)] for place in best)


def _pooled_variance(values: sp.csr_matrix) -> Floats:
    mean = np.asarray(values.mean(axis=0), dtype=np.float64).ravel()
    return np.asarray(values.multiply(values).mean(axis=0), dtype=np.float64).ravel() - mean**2


def _described(
    main: _Analysis, name: str, columns: Ints, pvalues: Floats
) -> list[FeatureDifference]:
    """Names of some columns of a family, and their mean values on either side, in the family's own units."""
    matrix, suspect = main.matrices[name], main.comparison.suspect
    labels = matrix.family.column_names(matrix.columns[columns])
    part = matrix.values[:, columns]
    rates = [np.asarray(part[arm].mean(axis=0)).ravel() / matrix.scale[columns] for arm in (suspect, ~suspect)]
    return [
        FeatureDifference(label, name, float(rates[0][i]), float(rates[1][i]), float(pvalues[i]))
        for i, label in enumerate(labels)
    ]


def _null(test: PermutationTest) -> Null:
    """Observed omnibus and a histogram of its permutation null."""
    if not test.parts:
        return Null(None, (), ())
    counts, edges = np.histogram(test.statistics[1:], bins=60)
    return Null(float(test.statistics[0]), tuple(map(float, edges)), tuple(map(int, counts)))


def _rows(
    corpora: Sequence[Corpus], comparison: Comparison, scores: Scores, ratios: ceilings.ExactRatios | None = None
) -> pl.DataFrame:
    """Every row with its out-of-fold score, most suspect first: a ranking, never a verdict on a row."""
    frame = pl.DataFrame(
        {
            "corpus": np.where(comparison.suspect, "suspect", "reference"),
            "row": comparison.origin,
            "text": comparison.texts,
            "prompt": [
                corpora[0 if s else 1].prompts[i] for s, i in zip(comparison.suspect, comparison.origin, strict=True)
            ],
            "score": scores.stacked,
        },
        schema_overrides={"prompt": pl.String},
    )
    if ratios is not None:
        llr = ceilings.pooled_ratios(ratios, comparison)
        frame = frame.with_columns(llr=pl.Series(llr), within_noise=pl.Series(np.abs(llr) <= ratios.limit))
    return frame.sort(["score", "corpus", "row"], descending=[True, True, False])


# --------------------------------------------------------------------------------------------------------------- power


def _power(
    main: _Analysis, options: _Options, detected: bool, auc: Estimate
) -> tuple[tuple[PlantedPower, ...], tuple[MixturePower, ...], tuple[RowsNeeded, ...]]:
    if not main.test.families:
        return (), (), _rows_needed(main, options, detected, auc)
    shifts = list(_random_shifts(main, options.rng(3)))
    runs = _Planting(main.test, options)
    planted = tuple(
        PlantedPower(area, runs.power(lambda r: shifts[r], float(np.sqrt(2) * ndtri(area)))) for area in PLANTED_AUCS
    )
    mixtures: tuple[MixturePower, ...] = ()
    if detected:
        rest, shift = observed_shift(main.test)
        runs = _Planting(rest, options)
        mixtures = tuple(MixturePower(share, runs.power(lambda r: shift, share)) for share in MIXTURE_SHARES)
    return planted, mixtures, _rows_needed(main, options, detected, auc)


@dataclass(frozen=True)
class _Planting:
    test: PermutationTest
    options: _Options

    def power(self, shift: Callable[[int], Shift], strength: float) -> Estimate:
        """Share of `PLANTED_RUNS` replicates rejected, with its exact interval."""
        available = self.options.n_permutations - 1
        n_null = min(available, max(199, 2 * int(np.ceil(1 / self.options.alpha)) - 1))
        rejected = sum(
            planted_rejection(
                self.test, shift(r), strength, 1 + r % available, n_null, self.options.alpha
            )
            for r in range(PLANTED_RUNS)
        )
        return Estimate(rejected / PLANTED_RUNS, *exact_interval(rejected, PLANTED_RUNS))


def _random_shifts(main: _Analysis, rng: Generator) -> Iterator[Shift]:
    """Shifts of the row means under an exponential tilt along random directions of the feature space.

    A direction is a random score over all columns of all families, each family with the same variance. Tilting rows by
    exp(t * score), the score having unit variance, moves the mean of column x by t * Cov(x, score) and separates the
    tilted from the untilted rows with d_prime t. In a shared design, variance and covariance are those within a prompt.
    """
    names = [name for name in main.matrices if name in main.test.families]
    rows, share = _row_differences(main, names)
    directed, _ = _row_differences(main, list(main.test.signed))
    n, batch = next(iter(rows.values())).shape[0], 50
    halves = np.array_split(rng.permutation(n), 2)
    for _ in range(PLANTED_RUNS // batch):
        scores = np.zeros((n, batch))
        for matrix in rows.values():
            family = matrix @ rng.standard_normal((matrix.shape[1], batch)).astype(np.float32)
            family -= family.mean(axis=0)
            scores += family / np.maximum(family.std(axis=0), 1e-12)
        scores /= np.maximum(scores.std(axis=0), 1e-12) * np.sqrt(share)
        shifts = {name: _shift(matrix, scores.astype(np.float32), share, halves) for name, matrix in rows.items()}
        along = {f: main.units[f] @ shifts[f].astype(np.float32) for f in names}
        moved = {f: np.asarray(column.T @ scores)[0] * share / n for f, column in directed.items()}
        for r in range(batch):
            yield Shift(
                {f: along[f][:, r].astype(np.float64) for f in names},
                {f: float((shifts[f][:, r] ** 2).sum()) for f in names},
                {f: float(moved[f][r]) for f in moved},
            )


def _shift(
    matrix: sp.csr_matrix, scores: Floats32, share: float, halves: list[Ints]
) -> Floats:
    """Covariances of the columns with each score, shortened to the length they have without sampling noise.

    At a few hundred rows, noise makes the covariance vector of thousands of columns several times too long, and the
    power it plants too high (.47 claimed where .15 was real); products of two halves of the rows are free of it.
    """
    whole = np.asarray(matrix.T @ scores, dtype=np.float64) * share / len(scores)
    parts = [np.asarray(matrix[h].T @ scores[h], dtype=np.float64) * share / len(h) for h in halves]
    squared = float((whole**2).sum(axis=0).mean())
    free_of_noise = max(float((parts[0] * parts[1]).sum(axis=0).mean()), 0.0)
    return whole * np.sqrt(min(free_of_noise / squared, 1.0)) if squared > 0 else whole


def _row_differences(main: _Analysis, names: list[str]) -> tuple[dict[str, sp.csr_matrix], float]:
    """Rows (or, in a shared design, differences within a prompt) that covariances are taken from, and 1 (or 1/2).

    The difference of two rows has twice the variance of one.
    """
    comparison = main.comparison
    first, second = comparison.design.differences(comparison.suspect, comparison.group)
    step = -(-len(first) // PLANTED_ROWS)
    values = {f: main.matrices[f].values for f in names}
    if second is None:
        return {f: v[first[::step]] for f, v in values.items()}, 1.0
    return {f: v[first[::step]] - v[second[::step]] for f, v in values.items()}, 0.5


def _rows_needed(main: _Analysis, options: _Options, detected: bool, auc: Estimate) -> tuple[RowsNeeded, ...]:
    d_prime = d_prime_of(auc).value if detected or (auc.low or 0) > 0.5 else None
    needed = [
        RowsNeeded(
            "trained detector",
            power,
            options.alpha,
            None if d_prime is None else rows_for_trained_detector(d_prime, power, options.alpha),
        )
        for power in NEEDED_POWERS
    ]
    used = int((main.comparison.design.used & main.comparison.suspect).sum())
    growth = scaling(main.test, options.alpha) if detected else None
    for power in NEEDED_POWERS:
        times = None if growth is None else growth.times_needed(power)
        rows = None if times is None else int(np.ceil(times * used))
        needed.append(RowsNeeded("this design", power, options.alpha, rows))
    return tuple(needed)


# -------------------------------------------------------------------------------------------------------------- ladder


def _ladder(
    main: _Analysis, families: dict[str, Any], options: _Options, classifier: Any, tell: Callable[[str], None]
) -> tuple[Rung, ...]:
    """All rungs on the same rows, with the built-in scores whatever classifier was asked for."""
    small = thin(main.comparison, LADDER_ROWS)
    return tuple(
        _rung(step, main, small, families, options, classifier, tell)
        for step in ladder.steps(data_kind(small.texts), small.texts)
    )


def _rung(
    step: ladder.Step,
    main: _Analysis,
    small: Comparison,
    families: dict[str, Any],
    options: _Options,
    classifier: Any,
    tell: Callable[[str], None],
) -> Rung:
    tell(f"ladder: {step.rung}")
    if (
        step.rung == "raw"
        and small is main.comparison
        and classifier is None
        and not {PRIOR, *MODEL_FAMILIES} & set(main.matrices)
    ):
        analysis = main
    else:
        rewritten = replace(small, texts=step.rewrite(small.texts, options.rng(10)))
        chosen = {name: make() for name, make in step.families.items()} or choose(families, small.texts)
        analysis = _analyse(rewritten, chosen, options, None, lambda _: None)
    scores = analysis.scores
    return Rung(step.rung, analysis.test.pvalue, auc_interval(scores), _bag16(scores, options), step.description)


# ------------------------------------------------------------------------------------------------------------- filters


def _filters(
    main: _Analysis,
    filters: Sequence[Filter],
    corpora: Sequence[Corpus],
    options: _Options,
    tell: Callable[[str], None],
) -> filtering.Compared:
    """Semantic filters beside the detector, on the rows, bags and relabellings of the main analysis."""
    if not filters:
        return filtering.Compared((), ())
    tell("judging rows")
    verdicts = filtering.judge(filters, main.comparison, corpora)
    measures = filtering.Measures(
        comparison=main.comparison,
        relabellings=main.test.relabellings,
        matrices={name: matrix.values for name, matrix in main.matrices.items() if matrix.n_columns},
        mean_zero=mean_zero(main.matrices),
        separation=lambda comparison, values: _fixed_separation(comparison, values, options),
        residual=lambda keep, with_power: _residual(main, keep, options, with_power),
        rng=options.rng,
        alpha=options.alpha,
    )
    return filtering.compare(verdicts, measures, tell)


def _fixed_separation(comparison: Comparison, values: Floats, options: _Options) -> dict[int, Estimate]:
    """AUROC of values that were not fitted to these rows, of rows (k = 1) and of the main analysis's bags."""
    scores = Scores.fixed(comparison.arms(folds(comparison)), values)
    rows = scores.arms.smaller
    sizes = BAG_SIZES[: BAG_SIZES.index(max(filtering.BAGS)) + 1]
    bags = bag_aucs(scores.arms, values, sizes, options.rng(2))
    found = {k: interval(bags[k], 1.0, rows // k) for k in filtering.BAGS}
    return {1: interval(fold_auc(scores.arms, values), 1.0, rows), **found}


def _residual(main: _Analysis, keep: Bools, options: _Options, with_power: bool) -> Residual:
    """What is detectable on some of the rows, whose design is made anew; built-in scores, features of all rows."""
    suspect = main.comparison.suspect
    kept = (int((keep & suspect).sum()), int((keep & ~suspect).sum()))
    try:
        comparison = survivors(main.comparison, keep, options.seed)
    except ValueError as error:  # too little is left: a result, and the message says how little
        return filtering.nothing_left(kept, str(error))
    matrices = {name: replace(matrix, values=matrix.values[keep]) for name, matrix in main.matrices.items()}
    test, units = _tested(comparison, matrices, options)
    left = _Analysis(comparison, matrices, units, test, _scored(comparison, matrices, None))
    auc, bag = auc_interval(left.scores), _bag16(left.scores, options)
    planted = _power(left, options, False, auc)[0] if with_power else ()
    return Residual(*kept, comparison.design.n_pairs, auc, bag, test.pvalue, planted)


def _bag16(scores: Scores, options: _Options) -> Estimate:
    found = bag_aucs(scores.arms, scores.stacked, (16,), options.rng(2))[16]
    return interval(found, scores.agreement, scores.arms.smaller // 16)


# ------------------------------------------------------------------------------------------------------------ controls


def _prompt_control(corpora: Sequence[Corpus], comparison: Comparison, options: _Options) -> PromptControl:
    """The same test on the prompts that only one side answers."""
    if not comparison.design.has_prompts:
        return PromptControl(None, False, "no prompts: a difference between them would go unseen")
    only = [sorted(comparison.prompts[a] - comparison.prompts[1 - a]) for a in (0, 1)]
    if min(map(len, only)) < MIN_CONTROL_PROMPTS:
        return PromptControl(None, False, "both sides answer the same prompts, or too few others to compare")
    sides = [Corpus(tuple(prompts), name=f"prompts of {c.name}") for prompts, c in zip(only, corpora, strict=True)]
    prompts = thin(pair(sides[0], sides[1], seed=options.seed), LADDER_ROWS)
    matrices = _matrices(prompts, choose("auto", prompts.texts))
    found = _test_only(prompts, matrices, options.n_permutations, options.rng(4))
    differs = found.pvalue <= control_level(options.alpha)
    scope = "the prompts that only one side answers" if comparison.design.is_paired else "the prompts"
    note = f"{scope} {'differ' if differs else 'were not found to differ'} between the sides"
    return PromptControl(found.pvalue, differs, note)


def _test_only(
    comparison: Comparison, matrices: dict[str, FamilyMatrix], n_permutations: int, rng: Generator
) -> PermutationTest:
    units = {name: comparison.units(matrix.values) for name, matrix in matrices.items()}
    return permute(units, Relabellings.draw(comparison.design, n_permutations, rng))


def _check_self_test(comparison: Comparison, reference: Corpus) -> None:
    groups = len(np.unique(comparison.group[~comparison.suspect]))
    if not comparison.design.is_paired and groups < 2 * MIN_GROUPS:
        raise ValueError(
            f"{reference.name} must hold at least {2 * MIN_GROUPS} independent rows or prompts for the self-test, "
            f"which splits it in two, got {groups}; sample more, or leave the self-test out"
        )


def _self_test(
    comparison: Comparison,
    families: dict[str, Any],
    options: _Options,
    tell: Callable[[str], None],
    prior: Prior | None = None,
    reading: ReadCorpora | None = None,
) -> SelfTest:
    """How often the test rejects where nothing differs: the sides of pairs swapped, or the reference split in two.

    It runs the code on this data with a null that is true by construction. Whether the two sides of *your* corpora
    would be exchangeable without a trait depends on how they were sampled; no computation on them answers that.
    """
    tell("self-test")
    small = thin(comparison, SELF_TEST_ROWS).null_source()
    matrices = _matrices(small, choose(families, small.texts) | _read_families(reading, small), prior)
    n_permutations = max(SELF_TEST_PERMUTATIONS, 2 * int(np.ceil(1 / options.alpha)) - 1)
    rejections = 0
    for run in range(SELF_TEST_RUNS):
        rng = np.random.default_rng([options.seed, 5, run])
        null = small.null(rng)
        rejections += _test_only(null, matrices, n_permutations, rng).pvalue <= options.alpha
    low, high = exact_interval(rejections, SELF_TEST_RUNS)
    return SelfTest(SELF_TEST_RUNS, rejections, options.alpha, Estimate(rejections / SELF_TEST_RUNS, low, high))


# ---------------------------------------------------------------------------------- models, known teachers, placebos


def _model_result(main: _Analysis, reading: ReadCorpora, classifier: Any) -> ModelResult:
    """What the model's families add: the stack with them and without, on the same rows and folds."""
    others = {name: matrix for name, matrix in main.matrices.items() if name not in MODEL_FAMILIES}
    without = _scored(main.comparison, others, classifier)
    return ModelResult(
        reading.model,
        reading.digest,
        reading.preamble,
        reading.candidates,
        reading.floor,
        auc_interval(main.scores),
        auc_interval(without),
        auc_difference(main.scores, without),
    )


def _exact_ratios(
    teachers: tuple[Any, Any] | None, corpora: Sequence[Corpus], tell: Callable[[str], None]
) -> ceilings.ExactRatios | None:
    if teachers is None:
        return None
    tell("exact likelihood ratios")
    return ceilings.exact_ratios(teachers, corpora)


def _noise_warnings(reading: ReadCorpora | None, ratios: ceilings.ExactRatios | None) -> tuple[Warning, ...]:
    of_model = () if reading is None else tuple(reading.warnings())
    return of_model + (() if ratios is None else ratios.warnings())


def _placebo_corpora(
    placebos: Sequence[object], text: str | None, prompt: str | None, bad_rows: Literal["error", "skip"]
) -> tuple[Corpus, ...]:
    if isinstance(placebos, str | Corpus):
        raise TypeError(f"placebos must be a sequence of corpora, got {placebos!r:.80}; put it in a list")
    return tuple(
        as_corpus(data, text=text, prompt=prompt, bad_rows=bad_rows, argument=f"placebo {number + 1}")
        for number, data in enumerate(placebos)
    )


def _placebo_settings(others: Sequence[Corpus]) -> dict[str, Any]:
    records = [{"name": c.name, "digest": c.digest, "rows": len(c), "skipped": c.skipped} for c in others]
    return {"placebos": records} if others else {}


def _attribution(
    corpora: Sequence[Corpus],
    families: dict[str, Any],
    use_prompts: bool,
    options: _Options,
    reading: ReadCorpora | None,
    tell: Callable[[str], None],
) -> tuple[AttributionResult | None, tuple[Warning, ...]]:
    """The suspect and the reference beside every placebo, and a warning for each placebo with other prompts."""
    if len(corpora) == 2:
        return None, ()
    tell("placebos")
    warnings: list[Warning] = []

    def paired(first: int, second: int) -> Comparison:
        return _checked_pair(corpora[first], corpora[second], use_prompts, options)

    def compare(comparison: Comparison, sides: tuple[int, int]) -> attribution.Found:
        chosen = choose(families, comparison.texts) | _read_families(reading, comparison, sides)
        analysis = _analyse(comparison, chosen, options, None, lambda _: None)
        control = _prompt_control([corpora[side] for side in sides], comparison, options)
        if control.differs and control.pvalue is not None and sides[0] == 0 < sides[1] - 1:
            message = f"prompts of {corpora[sides[1]].name} differ from the suspect's: compare rows on the same prompts"
            warnings.append(Warning("placebo_prompts", control.pvalue, control_level(options.alpha), message))
        return attribution.Found(analysis.test.pvalue, auc_interval(analysis.scores))

    return attribution.attribute(corpora, paired, compare, options.alpha), tuple(warnings)


# ------------------------------------------------------------------------------------------------------------- verdict


def _verdict(
    main: _Analysis,
    detected: bool,
    auc: Estimate,
    planted: tuple[PlantedPower, ...],
    control: PromptControl,
    options: _Options,
) -> str:
    figures = f"p = {main.test.pvalue:.2g} at alpha {options.alpha:g}, row AUROC {auc.value:.3f}"
    independent = not main.comparison.design.has_prompts
    assumption = " Without prompts the p-value holds only if rows are independent of each other." if independent else ""
    if control.differs and not main.comparison.design.is_paired:
        return (
            f"prompts differ: not attributable to the teacher ({figures}; prompts p = {control.pvalue:.2g}). Compare "
            "rows that answer the same prompts."
        )
    if detected:
        return f"detected: the suspect rows are distinguishable from the reference ({figures}). {RIVALS}{assumption}"
    if main.test.pvalue <= options.alpha:
        return (
            f"not detected: the rows differ ({figures}), but the row AUROC is not above min_auc {options.min_auc:g}. "
            f"{RIVALS}{assumption}"
        )
    what = "auc within prompts" if main.comparison.design.is_paired else "auc"
    words = "; ".join(f"power {p.power.value:.2f} against row {what} {p.auc:g}" for p in planted)
    found = {name: p for name, p in main.test.adjusted().items() if p <= options.alpha}
    alone = "".join(f" Of single families {name} has adjusted p = {p:.2g};" for name, p in found.items())
    told = f"{alone} the verdict is that of all together, fixed beforehand." if found else ""
    same = "nothing that was measured varies between the sides: are they the same rows?"
    return f"not detected; {words or same} ({figures}).{told}{assumption}"


def _settings(
    corpora: Sequence[Corpus],
    families: list[str],
    filters: Sequence[Filter],
    options: _Options,
    classifier: Any,
    bad_rows: str,
    text: str | None,
    prompt: str | Literal[False] | None,
) -> dict[str, Any]:
    """Versions, seed, input hashes and options: what it takes to get the same report again."""
    import sklearn

    return {
        "versions": {
            "fingerprint": own_version(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "polars": pl.__version__,
        },
        "seed": options.seed,
        "inputs": {
            side: {"digest": corpus.digest, "rows": len(corpus), "skipped": corpus.skipped}
            for side, corpus in zip(("suspect", "reference"), corpora, strict=True)
        },
        "options": {
            "alpha": options.alpha,
            "min_auc": options.min_auc,
            "n_permutations": options.n_permutations,
            "features": families,
            "filters": [repr(found) if is_dataclass(found) else found.name for found in filters],
            "classifier": None if classifier is None else repr(classifier),
            "bad_rows": bad_rows,
            "text": text,
            "prompt": prompt,
        },
    }


def _prior_settings(prior: Any, trained_rows: str, given: Sequence[Corpus], kept: Sequence[Corpus]) -> dict[str, Any]:
    """What the prior was, and how many rows were left out for it; nothing where there is none."""
    if prior is None:
        return {}
    left_out = {s: len(g) - len(k) for s, g, k in zip(("suspect", "reference"), given, kept, strict=True)}
    card = getattr(prior, "card_", {})
    trained = {part: card[part] for part in ("rows", "families", "feature_version") if part in card}
    return {"prior": {"trained_on": trained, "trained_rows": trained_rows, "left_out": left_out}}


def own_version() -> str:
    try:
        return version("subliminal-fingerprint")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "unknown"
