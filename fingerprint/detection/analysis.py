"""Features, exact test and cross-fitted scores of one comparison: what the result and every section consist of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats, Floats32
from fingerprint.detection.case import Case
from fingerprint.detection.prior import Priors
from fingerprint.features import Family, data_kind
from fingerprint.features.compiled import meanwhile, side_by_side
from fingerprint.features.counted import CountedFamily
from fingerprint.features.scaling import FamilyMatrix, family_matrix, mean_zero
from fingerprint.report.results import Bag
from fingerprint.statistics.auc import BAG_SIZES, bag_aucs
from fingerprint.statistics.classifier import Classifier
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.crossfit import Scores, cross_fit
from fingerprint.statistics.intervals import Estimate, interval
from fingerprint.statistics.permutation import PermutationTest, Relabellings, gram, omnibus_pvalue, permutation_test
from fingerprint.statistics.streams import Stream

FEATURES, TEST, SCORES = "features", "permutation test", "cross-fitted scores"


def silent(step: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Analysis:
    """One comparison, analysed.

    Attributes
    ----------
    comparison : Comparison
    matrices : dict of FamilyMatrix
        Scaled features of the rows, by family.
    units : dict of float arrays [blocks, columns]
        What relabelling permutes, by family.
    test : PermutationTest
    scores : Scores
        Cross-fitted.
    """

    comparison: Comparison
    matrices: dict[str, FamilyMatrix]
    units: dict[str, Floats32]
    test: PermutationTest
    scores: Scores

    @property
    def varying(self) -> dict[str, sp.csr_matrix]:
        """Features [rows, columns] of the families that have columns left."""
        return {name: matrix.values for name, matrix in self.matrices.items() if matrix.n_columns}

    @property
    def used_suspect(self) -> int:
        """Suspect rows that enter the p-value."""
        return int((self.comparison.design.used & self.comparison.suspect).sum())


def analyse(
    case: Case,
    comparison: Comparison,
    families: Mapping[str, Family],
    *,
    classifier: Classifier | None = None,
    priors: Priors | None = None,
    fitted: Mapping[str, Floats] | None = None,
    kind: str | None = None,
    tell: Callable[[str], None] = silent,
) -> Analysis:
    """Analyse a comparison.

    Parameters
    ----------
    families : mapping of name to Family
        Unfitted.
    classifier : scikit-learn classifier, optional
        In place of the built-in scores.
    priors : Priors, optional
        Join as further families.
    fitted : mapping of name to float array [rows, models], optional
        Scores of further members of the stack; see `fingerprint.statistics.crossfit.cross_fit`.
    kind : str, optional
        What the rows are, as `fingerprint.features.data_kind` says, where these are only some of them.
    """
    tell(FEATURES)
    with meanwhile(lambda: relabelled(case, comparison)) as relabellings:
        matrices = family_matrices(comparison, families, priors, kind)
        tell(TEST)
        with meanwhile(lambda: exact_test(comparison, matrices, relabellings(), kind)) as tested:
            tell(SCORES)
            scores = scored(comparison, matrices, classifier, fitted)
            test, units = tested()
    return Analysis(comparison, matrices, units, test, scores)


def family_matrices(
    comparison: Comparison, families: Mapping[str, Family], priors: Priors | None = None, kind: str | None = None
) -> dict[str, FamilyMatrix]:
    """Scaled features of the rows of a comparison, by family.

    Raises
    ------
    ValueError
        If a family has the name of a prior's, or gives matrices of another shape than it must.
    """

    def matrix(name: str) -> FamilyMatrix:
        return family_matrix(families[name], comparison.texts, name)

    counted = [name for name, family in families.items() if isinstance(family, CountedFamily)]
    made = {name: done() for name, done in zip(counted, side_by_side(matrix, counted), strict=True)}
    found = {n: made[n] if n in made else matrix(n) for n in families}  # those of a user may not bear threads
    if priors:
        found |= priors.matrices(comparison.texts, comparison.group, kind or data_kind(comparison.texts), found)
    return found


def relabelled(case: Case, comparison: Comparison) -> Relabellings:
    """The relabellings of the main result."""
    return Relabellings.draw(comparison.design, case.options.n_permutations, case.rng(Stream.PERMUTATIONS))


def exact_test(
    comparison: Comparison, matrices: Mapping[str, FamilyMatrix], relabellings: Relabellings, kind: str | None = None
) -> tuple[PermutationTest, dict[str, Floats32]]:
    """The exact test of some features, and what it permutes."""
    units = _units(comparison, matrices)
    weights = omnibus_weights(comparison, matrices, kind)
    return permute(units, relabellings, weights, signed_names(matrices)), units


def fresh_pvalue(
    comparison: Comparison, matrices: Mapping[str, FamilyMatrix], n_permutations: int, rng: np.random.Generator
) -> float:
    """p-value of the exact test with relabellings of its own."""
    return pvalue_among(comparison, matrices, Relabellings.draw(comparison.design, n_permutations, rng))


def pvalue_among(comparison: Comparison, matrices: Mapping[str, FamilyMatrix], relabellings: Relabellings) -> float:
    """p-value of the exact test of some features with these relabellings."""
    kernels, signed = _inner_products(_units(comparison, matrices), signed_names(matrices))
    return omnibus_pvalue(kernels, relabellings, signed, omnibus_weights(comparison, matrices))


def _units(comparison: Comparison, matrices: Mapping[str, FamilyMatrix]) -> dict[str, Floats32]:
    """What relabelling permutes, by family."""
    units = side_by_side(lambda name: comparison.units(matrices[name].values), list(matrices))
    return {name: done() for name, done in zip(matrices, units, strict=True)}


def omnibus_weights(
    comparison: Comparison, matrices: Mapping[str, FamilyMatrix], kind: str | None = None
) -> dict[str, float]:
    """What each family counts in the omnibus: fixed by the family and the kind of the pooled rows."""
    kind = kind or data_kind(comparison.texts)
    return {name: matrix.family.weight_on(kind) for name, matrix in matrices.items()}


def permute(
    units: Mapping[str, Floats32],
    relabellings: Relabellings,
    weights: Mapping[str, float],
    signed: frozenset[str] = frozenset(),
) -> PermutationTest:
    """The exact test of block units: of `signed` families with their sign, of every other by its inner products."""
    kernels, directed = _inner_products(units, signed)
    return permutation_test(kernels, relabellings, directed, weights)


def signed_names(matrices: Mapping[str, FamilyMatrix]) -> frozenset[str]:
    """Names of the families that are scores with a direction fixed beforehand."""
    return frozenset(name for name, matrix in matrices.items() if matrix.family.is_signed)


def _inner_products(
    units: Mapping[str, Floats32], signed: frozenset[str]
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """What is tested of block units: of signed families the units themselves."""
    directed = {name: u.sum(axis=1) for name, u in units.items() if name in signed}
    others = [name for name in units if name not in signed]
    products = side_by_side(lambda name: gram(units[name]), others)
    return {name: done() for name, done in zip(others, products, strict=True)}, directed


def scored(
    comparison: Comparison,
    matrices: Mapping[str, FamilyMatrix],
    classifier: Classifier | None = None,
    fitted: Mapping[str, Floats] | None = None,
) -> Scores:
    """Cross-fitted scores from the families that have columns."""
    varying = {name: matrix.values for name, matrix in matrices.items() if matrix.n_columns}
    return cross_fit(comparison, varying, classifier, mean_zero=mean_zero(matrices), fitted=fitted)


def bag_intervals(scores: Scores, rng: np.random.Generator) -> tuple[Bag, ...]:
    """AUROC of bags of every size, with 95 % intervals."""
    rows = scores.arms.smaller
    found = bag_aucs(scores.arms, scores.stacked, BAG_SIZES, rng)
    return tuple(Bag(k, interval(moments, scores.agreement, rows // k)) for k, moments in found.items())


def bag16_interval(scores: Scores, rng: np.random.Generator) -> Estimate:
    """AUROC of bags of 16 rows, with its 95 % interval."""
    found = bag_aucs(scores.arms, scores.stacked, (16,), rng)[16]
    return interval(found, scores.agreement, scores.arms.smaller // 16)
