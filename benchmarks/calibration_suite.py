"""One factor at a time: design, family, rung, filter, classifier and prior; at .001; probabilities; stated power."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.sparse as sp
from calibration_cells import JOINT_LEVEL, Table, band, error_rates, parallel, print_error_rates
from calibration_type_i import pvalue_of
from scipy.special import ndtri

import fingerprint
from fingerprint.data.corpus import Corpus
from fingerprint.detection import rungs
from fingerprint.detection.analysis import family_matrices, omnibus_weights, permute
from fingerprint.detection.power import PLANTED_AUCS
from fingerprint.detection.prior import PRIOR
from fingerprint.detector.detector import Detector
from fingerprint.features import choose
from fingerprint.features.scaling import family_matrix, scaled
from fingerprint.filters import BannedNumbers, Filter
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.comparison import Comparison, pair, survivors
from fingerprint.statistics.permutation import Relabellings, pvalue

Figure = dict[str, Any]


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
    *(Setting(f"rung: {step.rung}", rung=step.rung) for step in rungs.NUMBER_STEPS[1:]),
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
        comparison = survivors(comparison, setting.filter(comparison.texts).kept, 0.05, seed)
    families = choose("auto", comparison.texts)
    if setting.rung is not None:
        step = next(s for s in rungs.rung_steps("numbers", comparison.texts) if s.rung == setting.rung)
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
    relabellings = Relabellings.draw(comparison.design, 199, np.random.default_rng([seed, 1]))
    test = permute(units, relabellings, omnibus_weights(comparison, matrices))
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
    return permute(units, Relabellings.draw(comparison.design, 199, np.random.default_rng([seed, 1])), {}).pvalue


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
    matrices = family_matrices(comparison, choose("auto", comparison.texts))
    units = {name: comparison.units(matrix.values) for name, matrix in matrices.items()}
    weights = omnibus_weights(comparison, matrices)
    rejected = 0
    for run in range(runs):
        drawn_labels = Relabellings.draw(
            comparison.design, STATISTIC_PERMUTATIONS + 1, np.random.default_rng([base, run])
        )
        anew = Relabellings(drawn_labels.design, drawn_labels.contrasts[1:])  # a random labelling comes first
        rejected += permute(units, anew, weights).pvalue <= 0.001
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


def suite(runs: int | None = None, *, nulls_only: bool = False) -> Table:
    """One table of everything that can leave a band; with so many nulls a setting, or two looks as they are needed."""
    power_draws = 0 if nulls_only else (runs or SUITE_RUNS) // 10
    cells = 2 * len(SETTINGS) + (0 if nulls_only else 2)
    cells += len(POWER_DESIGNS) * len(PLANTED_AUCS) if power_draws else 0
    print(f"One factor at a time; joint level {JOINT_LEVEL:g} over {cells} cells; 199 permutations but where stated")
    figures = [_null_figure(setting, runs, cells) for setting in SETTINGS]
    if not nulls_only:
        figures += [_figure_at_one_in_a_thousand(10 * (runs or SUITE_RUNS), cells), _probability_figure(cells)]
    for design in POWER_DESIGNS if power_draws else ():
        figures += _power_figures(design, power_draws, cells)
    return Table.of(figures)


def _null_figure(setting: Setting, runs: int | None, cells: int) -> Figure:
    """False-positive rates of one setting at .05 and .01."""
    # A family that cannot vary on some draws is conservative there; so is a rung whose rows repeat.
    is_exact = setting.alone != "layout" and setting.rung is None

    def pvalues_of(seeds: range) -> np.ndarray:
        return np.array(parallel(suite_pvalue, [(setting, seed) for seed in seeds]))

    figure = {"setting": setting.name, **error_rates(pvalues_of, cells, runs=runs, is_exact=is_exact)}
    print_error_rates(setting.name, figure)
    return figure


def _figure_at_one_in_a_thousand(runs: int, cells: int) -> Figure:
    """False-positive rate at .001, over labellings of the same rows."""
    jobs = [(base, runs // STATISTIC_BASES) for base in range(STATISTIC_BASES)]
    trials = sum(count for _, count in jobs)
    rate = sum(parallel(statistic_rejections, jobs)) / trials
    low, high = band(trials, 0.001, cells)
    inside = low <= rate <= high
    name = f"at .001, {STATISTIC_PERMUTATIONS} permutations"
    print(f"  {name:44s} {trials:6d}  {rate:.5f} [{low:.5f}, {high:.5f}]{'' if inside else ' OUTSIDE'}", flush=True)
    return {"setting": name, "runs": trials, "rate": rate, "low": low, "high": high, "inside": inside}


def _probability_figure(cells: int) -> Figure:
    """Probabilities of trained detectors on fresh rows, as a normal score."""
    found = np.array(parallel(probability_gaps, list(range(PROBABILITY_SETS))))
    # The calibration curve's own error is about as large as the fresh rows': hence twice the variance.
    z = float(found[:, 0].sum() / np.sqrt(2 * found[:, 1].sum()))
    limit = float(-ndtri(JOINT_LEVEL / cells / 2))
    inside = abs(z) <= limit
    name = "probabilities on fresh rows, z"
    print(
        f"  {name:44s} {PROBABILITY_SETS:6d}  {z:+.2f} [{-limit:.2f}, {limit:.2f}]{'' if inside else ' OUTSIDE'}",
        flush=True,
    )
    return {"setting": name, "sets": PROBABILITY_SETS, "z": z, "limit": limit, "inside": inside}


def _power_figures(design: str, n_draws: int, cells: int) -> list[Figure]:
    """Power that reports state against planted rows, and what the test really has, for each planted AUROC."""
    reports = np.array(parallel(stated_power, [(design, seed) for seed in range(max(n_draws // 10, 4))]))
    draws = np.array(parallel(planted_rejections, [(design, seed) for seed in range(n_draws)]))
    figures: list[Figure] = []
    for area, stated, real in zip(PLANTED_AUCS, reports.T, draws.T, strict=True):
        error = float(np.hypot(stated.std() / np.sqrt(len(stated)), real.std() / np.sqrt(len(real))))
        limit = POWER_TOLERANCE - float(ndtri(JOINT_LEVEL / cells / 2)) * error
        difference = float(stated.mean() - real.mean())
        inside = abs(difference) <= limit
        name = f"power against AUROC {area}, {design}"
        print(
            f"  {name:44s} {n_draws:6d}  stated {stated.mean():.3f}, real {real.mean():.3f}, difference "
            f"{difference:+.3f} [{-limit:.3f}, {limit:.3f}]{'' if inside else ' OUTSIDE'}",
            flush=True,
        )
        powers = {"stated": float(stated.mean()), "real": float(real.mean()), "limit": limit}
        figures.append({"setting": name, "draws": n_draws, **powers, "inside": inside})
    return figures
