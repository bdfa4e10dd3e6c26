"""Error rates, coverage, efficiency and sample sizes on simulated teachers.

    python benchmarks/calibration.py type-i      [--runs 1000]
    python benchmarks/calibration.py coverage    [--scale 1.0]
    python benchmarks/calibration.py efficiency
    python benchmarks/calibration.py rows-needed [--runs 200]
    python benchmarks/calibration.py suite       [--runs 2000]

Each command prints one table and exits with 1 when a figure leaves its band. Bands are exact binomial intervals; the
level of 1e-3 is shared by all cells of a table (Bonferroni). Two-sided where the test is exact.

`suite` changes one factor at a time from a default: design, family, rung, filter, classifier, prior; at .001 on the
level of the statistics; the probabilities of a trained detector on fresh rows; and the power that a report states for
shifts planted along random directions.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # one thread a worker: the workers fill the cores

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from multiprocessing import get_context
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import ndtr, ndtri
from scipy.stats import binom

import fingerprint
from fingerprint.data.corpus import Corpus
from fingerprint.detection import ladder
from fingerprint.detection.detect import PLANTED_AUCS, PRIOR, bag_intervals, permute
from fingerprint.detector.detector import Detector
from fingerprint.features import choose
from fingerprint.features.scaling import family_matrix, scaled
from fingerprint.filters import BannedNumbers, Filter
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.auc import N_FOLDS, fold_auc, roc_auc
from fingerprint.statistics.comparison import Comparison, pair, survivors
from fingerprint.statistics.crossfit import Scores, cross_fit, folds
from fingerprint.statistics.effect_size import rows_for_trained_detector
from fingerprint.statistics.intervals import Estimate, auc_interval, paired_interval
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test, pvalue

JOINT_LEVEL = 1e-3


def band(trials: int, probability: float, cells: int) -> tuple[float, float]:
    """Rates that a correct procedure leaves with probability at most `JOINT_LEVEL` / cells."""
    tail = JOINT_LEVEL / cells / 2
    low, high = binom.ppf(tail, trials, probability), binom.isf(tail, trials, probability)
    return float(low) / trials, float(high) / trials


def parallel(function: Callable[..., Any], jobs: Iterable[Any]) -> list[Any]:
    """Map over all cores, in order."""
    with get_context("spawn").Pool(os.cpu_count()) as pool:
        return list(pool.imap(function, list(jobs), chunksize=4))


# -------------------------------------------------------------------------------------------------------------- type I


@dataclass(frozen=True)
class Cell:
    """One way of making a null. `withhold` drops the prompts before testing."""

    name: str
    n_prompts: int
    options: dict[str, Any] = field(default_factory=dict)
    withhold: bool = False
    extra_share: float | None = None  # suspect prompts keeping their second row; reference prompts keep only the first


NULLS = (
    Cell("shared, 200 prompts", 200),
    Cell("shared, prose, 100 prompts", 100, {"kind": "prose"}),
    Cell("disjoint, 200 prompts", 200, {"design": "disjoint"}),
    Cell("independent, 200 rows", 200, {"design": "independent"}),
    Cell("independent, 2,000 and 200 rows", 2000, {"design": "independent", "n_reference": 200}),
    Cell("disjoint, 2,000 and 200 prompts", 2000, {"design": "disjoint", "n_reference": 200}),
    Cell("shared, 4 rows a prompt, prompt effects", 80, {"rows_per_prompt": 4, "prompt_effect": 1.0}),
    Cell("shared, 3 and 1 rows a prompt, effects", 120, {"rows_per_prompt": (3, 1), "prompt_effect": 1.0}),
    Cell(
        "disjoint, 4 rows a prompt, prompt effects",
        60,
        {"design": "disjoint", "rows_per_prompt": 4, "prompt_effect": 1.0},
    ),
    Cell(
        "disjoint, 4 and 1 rows a prompt, effects",
        60,
        {"design": "disjoint", "rows_per_prompt": (4, 1), "prompt_effect": 1.0},
    ),
    Cell(
        "disjoint, 1 or 2 rows against 1 row",
        600,
        {"design": "disjoint", "n_reference": 60, "rows_per_prompt": 2},
        extra_share=0.24,
    ),
    Cell("shared, duplicates", 200, {"stock_share": 0.6}),
    Cell("independent, duplicates", 200, {"design": "independent", "stock_share": 0.6}),
)
# Not a null the library claims to handle: the same rows as "disjoint, 4 rows a prompt" with their prompts withheld.
WITHHELD = Cell(
    "disjoint, effects, prompts withheld",
    60,
    {"design": "disjoint", "rows_per_prompt": 4, "prompt_effect": 1.0},
    withhold=True,
)


def pvalue_of(suspect: Corpus, reference: Corpus, seed: int, n_permutations: int = 199) -> float:
    """The p-value that `detect` reports, without the rest of the report."""
    comparison = pair(suspect, reference, seed=seed)
    families = choose("auto", comparison.texts)
    kernels = {
        name: gram(comparison.units(family_matrix(family, comparison.texts, name).values))
        for name, family in families.items()
    }
    relabellings = Relabellings.draw(comparison.design, n_permutations, np.random.default_rng([seed, 1]))
    return permutation_test(kernels, relabellings).pvalue


def null_pvalue(job: tuple[Cell, int]) -> float:
    cell, seed = job
    drawn = simulated_pair(cell.n_prompts, tilt="none", rng=seed, **cell.options)
    corpora = (drawn.suspect, drawn.reference)
    if cell.extra_share is not None:
        corpora = (_fewer(drawn.suspect, cell.extra_share, seed), _fewer(drawn.reference, 0.0, seed))
    if cell.withhold:
        corpora = (Corpus(drawn.suspect.texts, name="suspect"), Corpus(drawn.reference.texts, name="reference"))
    return pvalue_of(*corpora, seed=seed)


def _fewer(corpus: Corpus, share: float, seed: int) -> Corpus:
    """Keep the first row of every prompt, and a further one with this probability."""
    extra = np.random.default_rng([seed, 7]).random(len(corpus)) < share
    seen: set[str | None] = set()
    keep = []
    for i, prompt in enumerate(corpus.prompts):
        if prompt not in seen or extra[i]:
            keep.append(i)
        seen.add(prompt)
    return Corpus(tuple(corpus.texts[i] for i in keep), tuple(corpus.prompts[i] for i in keep), name=corpus.name)


def type_i(runs: int) -> bool:
    """False-positive rates at .05 and .01; True when all are inside their band."""
    cells = 2 * len(NULLS)
    print(f"False-positive rates over {runs:,} nulls a cell, 199 permutations; joint level {JOINT_LEVEL:g}, two-sided")
    bands = {alpha: band(runs, alpha, cells) for alpha in (0.05, 0.01)}
    for alpha, (low, high) in bands.items():
        print(f"  band at {alpha:g}: {low:.4f} to {high:.4f}")
    good = True
    for cell in (*NULLS, WITHHELD):
        pvalues = np.array(parallel(null_pvalue, [(cell, seed) for seed in range(runs)]))
        rates = {alpha: float((pvalues <= alpha).mean()) for alpha in bands}
        inside = all(bands[alpha][0] <= rate <= bands[alpha][1] for alpha, rate in rates.items())
        if cell is WITHHELD:
            inside = rates[0.05] > bands[0.05][1]  # this one has to leave the band: it shows what is at stake
            note = "inflated, as it must be" if inside else "NOT INFLATED: the simulation shows nothing"
        else:
            note = "" if inside else "OUTSIDE"
        good &= inside
        print(f"  {cell.name:44s} {rates[0.05]:.4f}  {rates[0.01]:.4f}  {note}", flush=True)
    return good


# --------------------------------------------------------------------------------------------------------------- suite


@dataclass(frozen=True)
class Setting:
    """One null; what differs from the default is its only change.

    Attributes
    ----------
    alone : str or None
        Family whose own statistic is tested in place of the omnibus.
    rung : str or None
        Rung of the ladder that the rows are rewritten to.
    prior : str or None
        "trained" or "useless": a detector of other rows joins the test; "half": a classifier fitted on half of the
        prompts is the only score, tested on the other half.
    filter : callable or None
        A semantic filter; the rows it keeps are tested, in a design made anew from them.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    alone: str | None = None
    rung: str | None = None
    prior: str | None = None
    filter: Filter | None = None


SUITE_RUNS, SUITE_PROMPTS = 2000, 100
SETTINGS = (
    Setting("default: shared prompts, omnibus, raw"),
    Setting("design: disjoint prompts", {"design": "disjoint"}),
    Setting("design: independent rows", {"design": "independent"}),
    Setting("design: prompt effects", {"prompt_effect": 1.0}),
    Setting("text: prose", {"kind": "prose"}),
    *(Setting(f"family: {name} alone", alone=name) for name in ("tokens", "ngrams", "numbers", "layout")),
    *(Setting(f"rung: {step.rung}", rung=step.rung) for step in ladder.NUMBER_STEPS[1:]),
    Setting("filter: banned numbers, shared prompts", filter=BannedNumbers()),
    Setting("filter: banned numbers, disjoint prompts", {"design": "disjoint"}, filter=BannedNumbers()),
    Setting("classifier: fitted on half of the prompts", prior="half"),
    Setting("prior: trained detector", prior="trained"),
    Setting("prior: trained on shuffled labels", prior="useless"),
)
STATISTIC_BASES = 20
STATISTIC_PERMUTATIONS = 999
PROBABILITY_SETS = 10
PROBABILITY_ROWS = 400
POWER_DESIGNS = ("shared", "independent")
POWER_ROWS, POWER_CHOICES = 200, 20
# Planting works from a few hundred rows and moves means alone: what it states is an approximation, good to this much.
POWER_TOLERANCE = 0.05


def suite_pvalue(job: tuple[Setting, int]) -> float:
    """p-value of one null."""
    setting, seed = job
    drawn = simulated_pair(SUITE_PROMPTS, tilt="none", rng=3_000_000 + seed, **setting.options)
    if setting.prior == "half":
        return half_pvalue(drawn.suspect, drawn.reference, seed)
    comparison = pair(drawn.suspect, drawn.reference, seed=seed)
    if setting.filter is not None:
        comparison = survivors(comparison, setting.filter(comparison.texts).kept, seed)
    families = choose("auto", comparison.texts)
    if setting.rung is not None:
        step = next(s for s in ladder.steps("numbers", comparison.texts) if s.rung == setting.rung)
        rewritten = step.rewrite(comparison.texts, np.random.default_rng([seed, 8]))
        comparison = replace(comparison, texts=rewritten)
        families = {name: make() for name, make in step.families.items()} or families
    return null_pvalue_of(comparison, families, setting, seed)


def null_pvalue_of(comparison: Comparison, families: dict[str, Any], setting: Setting, seed: int) -> float:
    """The library's own test of these families, and of the prior where there is one."""
    matrices = {name: family_matrix(family, comparison.texts, name) for name, family in families.items()}
    units = {name: comparison.units(matrix.values) for name, matrix in matrices.items()}
    if setting.prior is not None:
        score = prior_detector(setting.prior).decision_function(comparison.texts)
        units[PRIOR] = comparison.units(sp.csr_matrix(score[:, None].astype(np.float32)))
    test = permute(units, Relabellings.draw(comparison.design, 199, np.random.default_rng([seed, 1])))
    if setting.alone is None:
        return test.pvalue
    # A family that does not vary between these rows is left out by the test, and rejects nothing.
    return pvalue(test.parts[setting.alone]) if setting.alone in test.parts else 1.0


@lru_cache
def prior_detector(kind: str) -> Detector:
    drawn = simulated_pair(400, tilt="sparse", d_prime=1.0, rng=9_999_999)
    labels = np.repeat([1, 0], [len(drawn.suspect), len(drawn.reference)])
    if kind == "useless":
        labels = np.random.default_rng(0).permutation(labels)
    texts = Corpus(drawn.suspect.texts + drawn.reference.texts, drawn.suspect.prompts + drawn.reference.prompts)
    return Detector().fit(texts, labels)


def half_pvalue(suspect: Corpus, reference: Corpus, seed: int) -> float:
    """A classifier fitted on half of the prompts, its score tested on the other half."""
    order = np.random.default_rng([seed, 9]).permutation(sorted(set(suspect.prompts), key=str))
    first = set(order[: len(order) // 2].tolist())
    arms = [[_of_prompts(corpus, first, inside) for corpus in (suspect, reference)] for inside in (True, False)]
    fitting, testing = arms
    joined = Corpus(fitting[0].texts + fitting[1].texts, fitting[0].prompts + fitting[1].prompts)
    labels = np.repeat([1, 0], [len(corpus) for corpus in fitting])
    fitted = Detector(["numbers"], fast=True, holdout=0.0).fit(joined, labels)
    comparison = pair(testing[0], testing[1], seed=seed)
    score = fitted.decision_function(comparison.texts)
    units = {PRIOR: comparison.units(sp.csr_matrix(score[:, None].astype(np.float32)))}
    return permute(units, Relabellings.draw(comparison.design, 199, np.random.default_rng([seed, 1]))).pvalue


def _of_prompts(corpus: Corpus, prompts: set[str], inside: bool) -> Corpus:
    at = [i for i, prompt in enumerate(corpus.prompts) if (prompt in prompts) == inside]
    return Corpus(tuple(corpus.texts[i] for i in at), tuple(corpus.prompts[i] for i in at), name=corpus.name)


def statistic_rejections(job: tuple[int, int]) -> int:
    """Of `runs` labellings of the same rows, each with relabellings of its own, how many have p <= .001.

    Any labelling of null rows is as good as the real one: what varies from null to null at this level is the labelling.
    """
    base, runs = job
    drawn = simulated_pair(SUITE_PROMPTS, tilt="none", rng=4_000_000 + base)
    comparison = pair(drawn.suspect, drawn.reference)
    units = {
        name: comparison.units(family_matrix(family, comparison.texts, name).values)
        for name, family in choose("auto", comparison.texts).items()
    }
    rejected = 0
    for run in range(runs):
        drawn_labels = Relabellings.draw(
            comparison, STATISTIC_PERMUTATIONS + 1, np.random.default_rng([base, run])
        )
        anew = Relabellings(drawn_labels.design, drawn_labels.contrasts[1:])  # a random labelling comes first
        rejected += permute(units, anew).pvalue <= 0.001
    return rejected


def probability_gaps(job: int) -> tuple[float, float]:
    """Trait rows less their predicted number in the upper half of fresh rows, and the variance of that difference."""
    drawn = [simulated_pair(PROBABILITY_ROWS, tilt="sparse", d_prime=1.0, rng=5_000_000 + 2 * job + i) for i in (0, 1)]
    corpora = [Corpus(d.suspect.texts + d.reference.texts, d.suspect.prompts + d.reference.prompts) for d in drawn]
    labels = np.repeat([1, 0], PROBABILITY_ROWS)
    probability = Detector().fit(corpora[0], labels).predict_proba(corpora[1])[:, 1]
    upper = probability >= np.median(probability)
    p = probability[upper]
    return float(labels[upper].sum() - p.sum()), float((p * (1 - p)).sum())


def stated_power(job: tuple[str, int]) -> list[float]:
    """Power against each of `PLANTED_AUCS` that a report on a null pair states."""
    design, seed = job
    drawn = simulated_pair(POWER_ROWS, tilt="none", design=design, rng=6_000_000 + seed)
    report = fingerprint.detect(drawn.suspect, drawn.reference, ladder=False, n_permutations=999, progress=False)
    return [float(planted.power.value or 0) for planted in report.planted]


def planted_rejections(job: tuple[str, int]) -> list[bool]:
    """Whether the test rejects when suspect rows really are tilted along a random direction, for each planted AUROC.

    The suspect's row is one of `POWER_CHOICES` for the same prompt, drawn with weights exp(t * score): that separates
    it from the reference row with d_prime t. The score is what the report means by a random direction.
    """
    design, seed = job
    shared = design == "shared"
    drawn = simulated_pair(
        POWER_ROWS if shared else POWER_ROWS * POWER_CHOICES,
        design=design,
        rng=7_000_000 + seed,
        **({"rows_per_prompt": (POWER_CHOICES, 1)} if shared else {"n_reference": POWER_ROWS}),
    )
    rng = np.random.default_rng([7_000_000, seed])
    first = np.arange(POWER_ROWS) * POWER_CHOICES
    score = random_score(drawn.suspect.texts, (*(drawn.suspect.texts[i] for i in first), *drawn.reference.texts), rng)
    found = []
    for area in PLANTED_AUCS:
        # The largest of score * t plus Gumbel noise is a draw with weights exp(t * score).
        noisy = np.sqrt(2) * ndtri(area) * score + rng.gumbel(size=score.shape)
        at = first + noisy.argmax(axis=1)
        prompts = tuple(drawn.suspect.prompts[i] for i in at) if shared else ()
        suspect = Corpus(tuple(drawn.suspect.texts[i] for i in at), prompts, name="suspect")
        found.append(pvalue_of(suspect, drawn.reference, seed) <= 0.05)
    return found


def random_score(texts: Sequence[str], observed: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """A random score over the columns of the observed rows, each family with the same variance among a row's choices.

    Returns
    -------
    float array [rows, choices]
        With unit variance among the choices.
    """
    total = np.zeros((len(texts) // POWER_CHOICES, POWER_CHOICES))
    for name, family in choose("auto", observed).items():
        fitted = family_matrix(family, list(observed), name)
        values = scaled(fitted.family.transform(list(texts)), fitted.columns, fitted.scale)
        score = (values @ rng.standard_normal(values.shape[1])).reshape(total.shape)
        total += score / within_sd(score)
    return total / within_sd(total)


def within_sd(score: np.ndarray) -> float:
    """Standard deviation among the choices of one row."""
    return float(np.sqrt(score.var(axis=1, ddof=1).mean()))


def suite(runs: int, *, nulls_only: bool = False) -> bool:
    """One table of everything that can leave a band; True when nothing does."""
    statistic_runs, probability_sets, power_draws = (
        (0, 0, 0) if nulls_only else (10 * runs, PROBABILITY_SETS, runs // 10)
    )
    power_cells = len(POWER_DESIGNS) * len(PLANTED_AUCS) if power_draws else 0
    cells = 2 * len(SETTINGS) + (statistic_runs > 0) + (probability_sets > 0) + power_cells
    print(f"One factor at a time; joint level {JOINT_LEVEL:g} over {cells} cells; 199 permutations but where stated")
    good = True
    for setting in SETTINGS:
        pvalues = np.array(parallel(suite_pvalue, [(setting, seed) for seed in range(runs)]))
        line = f"  {setting.name:44s} {runs:6d}"
        for alpha in (0.05, 0.01):
            # A family that cannot vary on some draws is conservative there; so is a rung whose rows repeat.
            exact = setting.alone != "layout" and setting.rung is None
            low, high = band(runs, alpha, cells)
            rate = float((pvalues <= alpha).mean())
            inside = rate <= high and (rate >= low or not exact)
            good &= inside
            line += f"  {rate:.4f} [{low if exact else 0:.4f}, {high:.4f}]{'' if inside else ' OUTSIDE'}"
        print(line, flush=True)
    if statistic_runs:
        jobs = [(base, statistic_runs // STATISTIC_BASES) for base in range(STATISTIC_BASES)]
        trials = sum(count for _, count in jobs)
        rate = sum(parallel(statistic_rejections, jobs)) / trials
        low, high = band(trials, 0.001, cells)
        good &= (inside := low <= rate <= high)
        name = f"at .001, {STATISTIC_PERMUTATIONS} permutations"
        print(f"  {name:44s} {trials:6d}  {rate:.5f} [{low:.5f}, {high:.5f}]{'' if inside else ' OUTSIDE'}", flush=True)
    if probability_sets:
        found = np.array(parallel(probability_gaps, list(range(probability_sets))))
        # The calibration curve's own error is about as large as the fresh rows': hence twice the variance.
        z = float(found[:, 0].sum() / np.sqrt(2 * found[:, 1].sum()))
        limit = float(-ndtri(JOINT_LEVEL / cells / 2))
        good &= (inside := abs(z) <= limit)
        print(
            f"  {'probabilities on fresh rows, z':44s} {probability_sets:6d}  {z:+.2f} [{-limit:.2f}, {limit:.2f}]"
            f"{'' if inside else ' OUTSIDE'}",
            flush=True,
        )
    for design in POWER_DESIGNS if power_draws else ():
        reports = np.array(parallel(stated_power, [(design, seed) for seed in range(max(power_draws // 10, 4))]))
        draws = np.array(parallel(planted_rejections, [(design, seed) for seed in range(power_draws)]))
        for area, stated, real in zip(PLANTED_AUCS, reports.T, draws.T, strict=True):
            error = float(np.hypot(stated.std() / np.sqrt(len(stated)), real.std() / np.sqrt(len(real))))
            limit = POWER_TOLERANCE - float(ndtri(JOINT_LEVEL / cells / 2)) * error
            difference = float(stated.mean() - real.mean())
            good &= (inside := abs(difference) <= limit)
            name = f"power against AUROC {area}, {design}"
            print(
                f"  {name:44s} {power_draws:6d}  stated {stated.mean():.3f}, real {real.mean():.3f}, difference "
                f"{difference:+.3f} [{-limit:.3f}, {limit:.3f}]{'' if inside else ' OUTSIDE'}",
                flush=True,
            )
    return good


# ------------------------------------------------------------------------------------------------------------ coverage


BAG = 16


@dataclass(frozen=True)
class CoverageCell:
    """Simulated sets of one kind; bags need more rows than the small ones have."""

    n_pairs: int
    sets: int
    options: dict[str, Any]

    @property
    def estimates(self) -> range:
        """Which of `ESTIMATES` a report on so many pairs holds."""
        return range(len(ESTIMATES) if self.n_pairs >= 30 * BAG else len(ESTIMATES) - 1)


COVERAGE = (
    CoverageCell(200, 1000, {"tilt": "none"}),
    CoverageCell(200, 1000, {"tilt": "dense", "d_prime": 1.0}),
    CoverageCell(2000, 300, {"tilt": "none"}),
    CoverageCell(2000, 300, {"tilt": "dense", "d_prime": 1.0}),
)
FRESH_PAIRS = 1000  # fresh rows on which the models' expected auc is taken, a fold's models at a time
FRESH_SETS = 120


def cross_fitted(comparison: Comparison, fold: np.ndarray | None = None) -> Scores:
    matrices = {
        name: family_matrix(family, comparison.texts, name).values
        for name, family in choose("auto", comparison.texts).items()
    }
    return cross_fit(comparison, {name: m for name, m in matrices.items() if m.shape[1]}, fold=fold)


FIXED_ROWS, FIXED_SETS, FIXED_D_PRIME = 1000, 300, 0.3
ESTIMATES = ("auc", "auc paired", "auc of numbers", "bags of 16")
# The paired interval borrows its factor for the reuse of rows in training from the AUROC. It covers more than it says
# (.980 at 200 pairs without a signal, .963 to .967 elsewhere): conservative, so bounded from below only.
CONSERVATIVE = ("auc paired",)


def intervals_of(job: tuple[CoverageCell, int]) -> list[tuple[float, float]]:
    """Lower and upper end of each of `ESTIMATES`; not a number where the report leaves it out."""
    cell, seed = job
    drawn = simulated_pair(cell.n_pairs, rng=seed, **cell.options)
    scores = cross_fitted(pair(drawn.suspect, drawn.reference))
    bags = {bag.k: bag.auc for bag in bag_intervals(scores, np.random.default_rng([seed, 2]))}
    return ends(auc_interval(scores), paired_interval(scores), auc_interval(scores, "numbers"), bags[BAG])


def ends(*estimates: Estimate) -> list[tuple[float, float]]:
    return [(np.nan, np.nan) if e.value is None else (float(e.low or 0), float(e.high or 0)) for e in estimates]


def fresh_values(job: tuple[CoverageCell, int]) -> list[float]:
    """What `ESTIMATES` estimate: on fresh rows, for models fitted on as many rows (four folds of them).

    Fresh pairs come from one law without prompt effects: a pair's rows are as any two rows.
    """
    cell, seed = job
    n_train = cell.n_pairs * (N_FOLDS - 1) // N_FOLDS
    drawn = simulated_pair(n_train + FRESH_PAIRS, rng=10_000_000 + seed, **cell.options)
    comparison = pair(drawn.suspect, drawn.reference)
    n_groups = int(comparison.group.max()) + 1
    of_group = np.zeros(n_groups, dtype=np.int64)  # fold 0 holds the fresh rows
    train = np.random.default_rng(seed).permutation(n_groups)[:n_train]
    of_group[train] = 1 + np.arange(n_train) % (N_FOLDS - 1)
    scores = cross_fitted(comparison, of_group[comparison.group])
    fresh, suspect = scores.arms.fold == 0, comparison.suspect
    arms = [[v[fresh & arm] for arm in (suspect, ~suspect)] for v in (scores.stacked, scores.families["numbers"])]
    bags = [np.mean(rows[: len(rows) // BAG * BAG].reshape(-1, BAG), axis=1) for rows in arms[0]]
    area = roc_auc(*arms[0])
    return [area, area, roc_auc(*arms[1]), roc_auc(*bags)]


def fixed_intervals(seed: int) -> list[tuple[float, float]]:
    """The same for a score that is not fitted, such as a filter's: normal, of known separation."""
    rng = np.random.default_rng([8_000_000, seed])
    names = [str(i) for i in range(FIXED_ROWS)]
    comparison = pair(Corpus(tuple(f"s{i}" for i in names), name="suspect"), Corpus(tuple(names), name="reference"))
    values = rng.standard_normal(2 * FIXED_ROWS) + FIXED_D_PRIME * comparison.suspect
    scores = Scores.fixed(comparison.arms(folds(comparison)), values)
    bags = {bag.k: bag.auc for bag in bag_intervals(scores, np.random.default_rng([seed, 2]))}
    return ends(auc_interval(scores), bags[BAG])


def coverage(scale: float) -> bool:
    """Share of 95 % intervals that hold what they estimate: for models of this size, its expectation on fresh rows."""
    print("Coverage of 95 % intervals, of what models of this size reach on fresh rows; then for a score not fitted")
    n_cells = sum(len(cell.estimates) for cell in COVERAGE) + 2
    good = True
    for cell in COVERAGE:
        sets = max(int(cell.sets * scale), 20)
        started = time.perf_counter()
        truth, error = np.full(len(ESTIMATES), 0.5), np.zeros(len(ESTIMATES))
        if cell.options["tilt"] != "none":
            fresh = np.array(parallel(fresh_values, [(cell, seed) for seed in range(max(int(FRESH_SETS * scale), 20))]))
            truth, error = fresh.mean(axis=0), fresh.std(axis=0) / np.sqrt(len(fresh))
        found = np.array(parallel(intervals_of, [(cell, seed) for seed in range(sets)]))
        print(f"  {cell.n_pairs:,} pairs, {cell.options['tilt']}, {sets:,} sets, {time.perf_counter() - started:.0f} s")
        for i in cell.estimates:
            name, is_exact = ESTIMATES[i], ESTIMATES[i] not in CONSERVATIVE
            good &= covers(f"{name}, {truth[i]:.4f} (se {error[i]:.4f})", found[:, i], truth[i], n_cells, is_exact)
    sets = max(int(FIXED_SETS * scale), 20)
    found = np.array(parallel(fixed_intervals, list(range(sets))))
    print(f"  a fixed score, {FIXED_ROWS:,} rows a side, {sets:,} sets")
    for i, (name, d_prime) in enumerate((("auc", FIXED_D_PRIME), ("bags of 16", FIXED_D_PRIME * BAG**0.5))):
        truth_here = float(ndtr(d_prime / np.sqrt(2)))
        good &= covers(f"{name}, {truth_here:.4f}", found[:, i], truth_here, n_cells)
    return good


def covers(name: str, found: np.ndarray, truth: float, n_cells: int, is_exact: bool = True) -> bool:
    """Print how many of the intervals [sets, 2] hold the truth; True when the share is inside its band.

    The band of an interval that is not exact but conservative has no upper end.
    """
    low, high = band(len(found), 0.95, n_cells)
    high = high if is_exact else 1.0
    rate = float(((found[:, 0] <= truth) & (truth <= found[:, 1])).mean())
    inside = low <= rate <= high
    width = float(np.mean(found[:, 1] - found[:, 0]))
    print(
        f"    {name:36s} covered {rate:.3f} [{low:.3f}, {high:.3f}], mean width {width:.3f}"
        f"{'' if inside else ' OUTSIDE'}",
        flush=True,
    )
    return inside


# ---------------------------------------------------------------------------------------------------------- efficiency

SIZES = (500, 2000, 8000)
ASKED = {"dense": 0.85, "sparse": 0.7, "order": 0.5}


def reached(job: tuple[str, int, int]) -> dict[str, float]:
    """d_prime of every family and of the stack, over the exact d_prime of the same rows."""
    tilt, n_rows, seed = job
    drawn = simulated_pair(n_rows, tilt=tilt, d_prime=1.0, rng=seed)
    scores = cross_fitted(pair(drawn.suspect, drawn.reference))
    values = {**scores.families, "stack": scores.stacked}
    return {
        name: float(np.sqrt(2) * ndtri(fold_auc(scores.arms, v).value)) / drawn.d_prime for name, v in values.items()
    }


def efficiency() -> bool:
    """Share of the best possible d_prime that is reached; the stack has to reach `ASKED` at the largest size."""
    print("d_prime reached over exact d_prime (exact 1.0 a row; rows a side; mean of 3 simulations)")
    good = True
    for tilt, asked in ASKED.items():
        for n_rows in SIZES:
            found = parallel(reached, [(tilt, n_rows, seed) for seed in range(3)])
            mean = {name: float(np.mean([f[name] for f in found])) for name in found[0]}
            best = max(mean.values()) if tilt == "order" else mean["stack"]
            inside = n_rows < max(SIZES) or best >= asked
            good &= inside
            figures = "  ".join(f"{name} {value:.2f}" for name, value in mean.items())
            note = f"asked {asked} {'reached' if inside else 'MISSED'}" if n_rows == max(SIZES) else ""
            print(f"  {tilt:6s} {n_rows:5d}  {figures}  {note}", flush=True)
    return good


# --------------------------------------------------------------------------------------------------------- rows needed

PLANS = (("dense", 1.5), ("sparse", 0.8))


def predicted(job: tuple[str, float, int]) -> tuple[int | None, float]:
    """Pairs for power .8 as a report on 600 pairs states them, and its d_prime."""
    tilt, d_prime, seed = job
    drawn = simulated_pair(600, tilt=tilt, d_prime=d_prime, rng=seed)
    report = fingerprint.detect(drawn.suspect, drawn.reference, ladder=False, n_permutations=999)
    return report.rows_needed(0.8, "this design"), float(report.d_prime.value or 0)


def rejects(job: tuple[str, float, int, int]) -> bool:
    tilt, d_prime, n_pairs, seed = job
    drawn = simulated_pair(n_pairs, tilt=tilt, d_prime=d_prime, rng=1_000_000 + seed)
    return pvalue_of(drawn.suspect, drawn.reference, seed) <= 0.05


def trained_detector_detects(job: tuple[str, float, int]) -> bool:
    """A model fitted on 600 pairs judges as many fresh rows as its d_prime asks for."""
    tilt, d_prime, seed = job
    n_train, n_fresh = 600, 1500
    drawn = simulated_pair(n_train + n_fresh, tilt=tilt, d_prime=d_prime, rng=2_000_000 + seed)
    comparison = pair(drawn.suspect, drawn.reference)
    n_groups = int(comparison.group.max()) + 1
    of_group = np.zeros(n_groups, dtype=np.int64)
    train = np.random.default_rng(seed).permutation(n_groups)[:n_train]
    of_group[train] = 1 + np.arange(n_train) % (N_FOLDS - 1)
    scores = cross_fitted(comparison, of_group[comparison.group])
    fresh = scores.arms.fold == 0
    suspect = scores.stacked[fresh & comparison.suspect]
    reference = scores.stacked[fresh & ~comparison.suspect]
    d = float(np.sqrt(2) * ndtri(roc_auc(suspect, reference)))
    rows = rows_for_trained_detector(d, 0.8, 0.05)
    if rows is None:
        return False
    rng = np.random.default_rng(seed)
    calibration, judged = reference, rng.choice(suspect, size=rows, replace=False)
    z = (judged.mean() - calibration.mean()) / (calibration.std() / np.sqrt(rows))
    return bool(z >= ndtri(0.95))


def rows_needed(runs: int) -> bool:
    """Power at the stated number of pairs and rows; asked: .8, within .1 of it on average over reports."""
    print("rows_needed for power .8, checked against the tests themselves")
    good = True
    for tilt, d_prime in PLANS:
        plans = [p for p, _ in parallel(predicted, [(tilt, d_prime, seed) for seed in range(20)]) if p]
        pairs = int(np.median(plans))
        power = float(np.mean(parallel(rejects, [(tilt, d_prime, pairs, seed) for seed in range(runs)])))
        trained = float(np.mean(parallel(trained_detector_detects, [(tilt, d_prime, s) for s in range(runs // 2)])))
        inside = abs(power - 0.8) <= 0.1 and abs(trained - 0.8) <= 0.1
        good &= inside
        print(
            f"  {tilt:6s} exact d' {d_prime}: this design, median of {len(plans)} reports {pairs} pairs (range "
            f"{min(plans)} to {max(plans)}): power {power:.3f}; trained detector: power {trained:.3f}"
            f"{'' if inside else '  OUTSIDE .7 to .9'}",
            flush=True,
        )
    return good


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["type-i", "coverage", "efficiency", "rows-needed", "suite"])
    parser.add_argument("--runs", type=int, default=None, help="nulls a cell, or replicates")
    parser.add_argument("--scale", type=float, default=1.0, help="coverage: share of the full number of sets")
    options = parser.parse_args(arguments)
    print(f"numpy {np.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    started = time.perf_counter()
    good = {
        "type-i": lambda: type_i(options.runs or 1000),
        "coverage": lambda: coverage(options.scale),
        "efficiency": efficiency,
        "rows-needed": lambda: rows_needed(options.runs or 200),
        "suite": lambda: suite(options.runs or SUITE_RUNS),
    }[options.what]()
    print(f"{time.perf_counter() - started:.0f} s; {'all inside' if good else 'NOT ALL INSIDE'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
