"""`compare`: two fingerprints in, one calibrated result out, without any row. Read top to bottom."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.data.progress import Listener, Progress, Step
from fingerprint.features import FAMILIES
from fingerprint.features.compiled import meanwhile, own_threads, side_by_side
from fingerprint.features.ngrams import NGrams
from fingerprint.features.tokens import Tokens
from fingerprint.fingerprints.fingerprint import Fingerprint
from fingerprint.fingerprints.layout import CellFamily, Cells
from fingerprint.fingerprints.planted import planted_powers
from fingerprint.fingerprints.result import FingerprintComparison, SumDifference, SumFamily
from fingerprint.fingerprints.separation import Products, auc_of_sums, d_prime_of_sums
from fingerprint.report.provenance import provenance
from fingerprint.report.results import PlantedPower, RowsNeeded
from fingerprint.report.title import title_of
from fingerprint.statistics.permutation import (
    PermutationTest,
    Relabellings,
    feature_pvalues,
    gram,
    permutation_test,
)
from fingerprint.statistics.planning import Detected, scaling
from fingerprint.statistics.streams import FingerprintStream, generator

NEEDED_POWERS = (0.5, 0.8, 0.95)
# Features looked at one by one, of each family those that vary most over both sides together.
MAX_FEATURES = 2000
SHOWN_FEATURES = 12
LOADING, TEST, POWER, FEATURES = "loading", "exact test", "power", "features"
# Seconds of a core for two fingerprints of all families and 256 cells.
STEPS = (Step(LOADING, 1.0), Step(TEST, 1.5), Step(POWER, 1.5), Step(FEATURES, 1.5))
RIVALS = (
    "temperature, model version, language, length limit, filtering of one side, other prompts, or merely that a system "
    "prompt was there"
)
SHARED = "The p-value is exact if under the null the two rows of a prompt are exchangeable."
ALIKE = (
    "The p-value holds if the prompts of both sides (rows, without prompts) are drawn alike, as far as sums over cells "
    "are as likely as their negatives: nearly so where cells hold several rows."
)
LIMITS = (
    "Detectable is not harmful, and not detected is not clean.",
    "Tokens and n-grams are hashed: names are those of common ones in their column, and may be another's.",
)
# What columns of hashed pieces of text may be: without rows, common ones are looked up.
COMMON = (
    *(f"{number}, {number}; {number} {number}\n" for number in range(1000)),
    "the a an of to in and or but is are was were be it its this that with for on as by at from I you we they not ",
    "The A It This In They There You We . , ; : ! ? ( ) [ ] - * \n\n",
)


def compare(
    suspect: Fingerprint | str | os.PathLike[str],
    reference: Fingerprint | str | os.PathLike[str],
    *,
    alpha: float = 0.05,
    n_permutations: int = 9999,
    rng: int = 0,
    progress: bool | Listener = False,
    title: str | None = None,
) -> FingerprintComparison:
    """Are two fingerprints of rows that were drawn alike?

    Parameters
    ----------
    suspect, reference : Fingerprint, or path of one
    alpha : float
        Level of the test, in (0, 1).
    n_permutations : int
        Random signs of cells; the smallest possible p-value is 1 / (n_permutations + 1).
    rng : int
        Seed.
    progress : bool or callable (step, fraction done)
        True prints steps and the time left on standard error.
    title : str, optional
        What to call the comparison on the screen and in JSON; by default the names of the files.

    Returns
    -------
    FingerprintComparison

    Raises
    ------
    ValueError, TypeError
        For bad arguments; for fingerprints of other features, or of too few prompts.

    Notes
    -----
    A cell holds the sums of all rows whose prompts hash to it. Under the null a cell's difference, the suspect's mean
    less the reference's, is as likely as its negative: exactly where both sides answer the same prompts, each as often.
    Otherwise, prompts being drawn alike, this is an approximation: both sides are taken less the pooled mean, and signs
    hold as far as sums over a cell's rows are symmetric, whichever prompts are shared. Cells are then put together
    until the smaller side has eight rows in each, and neither may have fewer than 60 rows. Figures:
    ``benchmarks/README.md``.

    Examples
    --------
    >>> import fingerprint
    >>> suspect = fingerprint.Fingerprint.of("suspect.jsonl")
    >>> fingerprint.compare(suspect, fingerprint.Fingerprint.of("reference.jsonl")).detected
    True
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha}; .05 is usual")
    if (n_permutations + 1) * alpha < 1 or n_permutations < 99:
        raise ValueError(f"n_permutations must be at least 99 and 1 / alpha, got {n_permutations}; 9999 is usual")
    named = title_of(title, suspect, reference)
    tell = Progress(progress, LOADING)
    tell.plan(STEPS)
    with meanwhile(lambda: _loaded(reference, "reference")) as other:
        sides = _loaded(suspect, "suspect"), other()
        cells = Cells.of(*sides, alpha)
    tell(TEST)
    found = compared(cells, alpha, n_permutations, rng, named, tell)[0]
    inputs = {name: side.record() for name, side in zip(("suspect", "reference"), sides, strict=True)}
    return replace(found, settings=provenance(rng, inputs, {"alpha": alpha, "n_permutations": n_permutations}))


@own_threads()
def compared(
    cells: Cells,
    alpha: float,
    n_permutations: int,
    rng: int,
    title: str,
    tell: Callable[[str], None] = lambda step: None,
) -> tuple[FingerprintComparison, PermutationTest, Mapping[str, CellFamily]]:
    """The result, with the test and the families it stands on."""
    families = cells.families()
    test = tested(cells, families, n_permutations, generator(rng, FingerprintStream.SIGNS))
    detected = test.pvalue <= alpha
    tell(POWER)
    with (
        meanwhile(lambda: _differences(families, test, alpha)) as features,
        meanwhile(lambda: d_prime_of_sums(cells, Products.of(families, scales(test)))) as distance,
    ):
        planted = planted_powers(cells, families, test, alpha, generator(rng, FingerprintStream.PLANTED_SHIFTS))
        tell(FEATURES)
        differences, d_prime = features(), distance()
    found = FingerprintComparison(
        title=title,
        verdict=_verdict(test.pvalue, alpha, auc_of_sums(d_prime).value, planted),
        detected=detected,
        pvalue=test.pvalue,
        alpha=alpha,
        auc=auc_of_sums(d_prime),
        d_prime=d_prime,
        families=tuple(_families(families, test)),
        features=differences,
        planted=planted,
        needed=_needed(cells, test, alpha) if detected else (),
        cells=len(cells.same_prompts),
        cells_alike=int(cells.same_prompts.sum()),
        rows_suspect=cells.suspect.n_rows,
        rows_reference=cells.reference.n_rows,
        assumption=SHARED if cells.is_shared else ALIKE,
        limits=LIMITS,
        settings={},
    )
    return found, test, families


def tested(
    cells: Cells, families: Mapping[str, CellFamily], n_permutations: int, rng: np.random.Generator
) -> PermutationTest:
    """The test of two fingerprints by random signs of cells."""
    drawn = Relabellings.draw(cells.design(), n_permutations, rng)
    weights = {name: found.family.weight_on(cells.kind) for name, found in families.items()}
    products = side_by_side(lambda found: gram(found.units), list(families.values()))
    kernels = {name: done() for name, done in zip(families, products, strict=True)}
    return permutation_test(kernels, drawn, None, weights)


def _loaded(given: object, argument: str) -> Fingerprint:
    if isinstance(given, Fingerprint):
        return given
    if isinstance(given, str | os.PathLike):
        return Fingerprint.load(given)
    raise TypeError(
        f"{argument} must be a Fingerprint or the path of one, got {type(given).__name__}; make one with Fingerprint.of"
    )


def scales(test: PermutationTest) -> dict[str, float]:
    """What each family counts in the direction: as in the omnibus, in units of its statistic's standard deviation."""
    return {name: test.weight(name) / family.sd for name, family in test.families.items()}


def _verdict(pvalue: float, alpha: float, auc: float | None, planted: tuple[PlantedPower, ...]) -> str:
    area = "" if auc is None else f", row AUROC about {auc:.3f}"
    figures = f"p = {pvalue:.2g} at alpha {alpha:g}{area}"
    if pvalue <= alpha:
        return (
            f"detected: the suspect's rows are distinguishable from the reference's ({figures}). "
            f"Rival explanations: {RIVALS}."
        )
    if not planted:
        return f"not detected: nothing that was measured varies between the sides: are they the same rows? ({figures})"
    areas, powers = (
        " / ".join(f"{figure:.2f}" for figure in figures_)
        for figures_ in ([p.auc for p in planted], [p.power.value or 0.0 for p in planted])
    )
    return (
        f"not detected: had it been there, a row AUROC of {areas} would have been found with probability {powers} "
        f"({figures})."
    )


def _families(families: Mapping[str, CellFamily], test: PermutationTest) -> Iterator[SumFamily]:
    adjusted = test.adjusted()
    for name, found in families.items():
        statistics = test.parts.get(name)
        observed = None if statistics is None else float(statistics[0])
        columns = len(found.columns)
        yield SumFamily(name, str(found.family.definition), columns, observed, adjusted.get(name))


def _differences(
    families: Mapping[str, CellFamily], test: PermutationTest, alpha: float
) -> tuple[SumDifference, ...]:
    """Features whose means differ; the names of hashed ones are looked up among common pieces of text."""
    chosen: dict[str, Floats] = {}
    for name, found in families.items():
        if name in test.families and len(found.columns):
            spread = (found.units.astype(np.float64) ** 2).sum(axis=0)
            chosen[name] = np.sort(np.argsort(-spread, kind="stable")[:MAX_FEATURES])
    if not chosen:
        return ()
    units = np.hstack([families[name].units[:, at] for name, at in chosen.items()])
    pvalues = np.split(
        feature_pvalues(units, test.relabellings), np.cumsum([len(at) for at in chosen.values()])[:-1]
    )
    found_all: list[SumDifference] = []
    for (name, at), p in zip(chosen.items(), pvalues, strict=True):
        found = families[name]
        sure = np.flatnonzero(p <= alpha)
        if not len(sure):
            continue
        is_hashed = isinstance(found.family, Tokens | NGrams)
        family = FAMILIES[name]().fit(list(COMMON)) if is_hashed else found.family
        described = family.describe(found.columns[at[sure]])
        for column, place, value in zip(described, at[sure], p[sure], strict=True):
            if column.name.startswith(("token column", "n-gram column", "syntax column", "templates column")):
                continue
            first, second = (float(rate[place]) for rate in found.rates)
            effect = (first - second) / max(float(found.sd[place]), 1e-300)
            found_all.append(SumDifference(column.name, name, first, second, effect, column.measure, float(value)))
    found_all.sort(key=lambda d: (d.pvalue_adjusted, -abs(d.effect), d.feature))
    return tuple(found_all[:SHOWN_FEATURES])


def _needed(cells: Cells, test: PermutationTest, alpha: float) -> tuple[RowsNeeded, ...]:
    """Rows a side of a new comparison like this one, corrected for having been detected."""
    detected = Detected.of(scaling(test, alpha))
    ends = (detected.quantile(0.975), detected.quantile(0.025))
    found = []
    for power in NEEDED_POWERS:
        times = [planner.times_needed(power) for planner in (detected, *ends)]
        rows = [None if t is None else int(np.ceil(t * cells.suspect.n_rows)) for t in times]
        found.append(RowsNeeded("this design", power, alpha, *rows))
    return tuple(found)
