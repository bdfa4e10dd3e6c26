"""Exact permutation tests on block inner products.

A relabelling is a contrast over blocks; the design says which are as likely as the observed one under the null
(`fingerprint.statistics.designs`). A family's statistic is the quadratic form
sum over a != b of c_a c_b K_ab, standardised by its exact mean and standard deviation over all relabellings, which no
relabelling changes. A score whose direction was fixed beforehand (a trained detector's) enters as the contrast itself,
sum of c_a u_a over its exact sd, high where suspect rows score higher. The omnibus is a
weighted sum over families and scores, its weights fixed beforehand.
Its p-value is (1 + #{null >= observed}) / (1 + B): it is never 0, and P(p <= alpha) <= alpha under the null at any
sample size.

References
----------
Phipson and Smyth (2010), doi 10.2202/1544-6115.1585: why 1 is added. Gretton et al. (2012), JMLR 13: the quadratic
form as a two-sample statistic. Westfall and Young (1993): min-P and max-T.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from fingerprint.data.arrays import Floats, Floats32, Ints
from fingerprint.features.compiled import side_by_side
from fingerprint.statistics.designs import Design, FormSums

# Statistics closer than this (in standard deviations) count as tied: single-precision sums are good to about 1e-5.
TIE = 1e-4
# Relabellings and blocks whose forms are summed together: what they need fits the caches.
CONTRASTS_AT_ONCE, BLOCKS_AT_ONCE = 512, 128
# A family whose permutation sd is below this share of the size of its inner products does not vary.
NO_VARIANCE = 1e-10
# Enough for an adjusted p-value of .0005; the observed statistics come first, then these permutations.
FEATURE_PERMUTATIONS = 1999


@dataclass(frozen=True)
class Relabellings:
    """Relabellings of the blocks of a design.

    Attributes
    ----------
    design : Design
    contrasts : float array [1 + permutations, blocks]
        The first is the observed labelling.
    """

    design: Design
    contrasts: Floats32

    @classmethod
    def draw(cls, design: Design, n_permutations: int, rng: np.random.Generator) -> Relabellings:
        """The observed labelling and `n_permutations` random ones."""
        return cls(design, design.contrasts(n_permutations, rng))

    @property
    def observed(self) -> Floats:
        """The observed contrast [blocks]."""
        return np.asarray(self.contrasts[0], dtype=np.float64)

    def moments(self, sums: FormSums) -> tuple[Floats, Floats]:
        """Exact mean and sd [...] of the quadratic form over all relabellings; see `Design.form_moments`."""
        return self.design.form_moments(sums, self.observed)

    def quadratic(self, off_diagonal: Floats) -> Floats:
        """The quadratic form for every contrast [1 + permutations], of a symmetric matrix [blocks, blocks].

        Of two equal products only one is made: the upper triangle counts twice.
        """
        n_contrasts, n_blocks = self.contrasts.shape
        upper = np.triu(2 * off_diagonal, 1).astype(np.float32)
        forms = np.zeros(n_contrasts)
        for first in range(0, n_contrasts, CONTRASTS_AT_ONCE):
            some = self.contrasts[first : first + CONTRASTS_AT_ONCE]
            for start in range(0, n_blocks, BLOCKS_AT_ONCE):
                at, above = slice(start, start + BLOCKS_AT_ONCE), slice(start + BLOCKS_AT_ONCE)
                products = some[:, above] @ upper[above, at]
                forms[first : first + len(some)] += np.einsum("pb,pb->p", products, some[:, at], dtype=np.float64)
        return forms


@dataclass(frozen=True)
class FamilyTest:
    """One family under all relabellings.

    Attributes
    ----------
    kernel : float array [blocks, blocks]
        Inner products of the blocks, the diagonal included. The statistic leaves the diagonal out.
    sums : FormSums
        Of the kernel without its diagonal.
    mean, sd : float
        Exact moments of the quadratic form over all relabellings.
    statistics : float array [1 + permutations]
        The form, standardised by these; the observed one first.
    """

    kernel: Floats
    sums: FormSums
    mean: float
    sd: float
    statistics: Floats

    @cached_property
    def off_diagonal(self) -> Floats:
        return without_diagonal(self.kernel)


def without_diagonal(kernel: Floats) -> Floats:
    """A copy with zeros on the diagonal."""
    out = kernel.copy()
    np.fill_diagonal(out, 0.0)
    return out


@dataclass(frozen=True)
class SignedTest:
    """One score with a direction under all relabellings.

    Attributes
    ----------
    units : float array [blocks]
    sd : float
        Exact, of their contrasts over all relabellings; their mean is 0.
    statistics : float array [1 + permutations]
        Contrasts of the units over their sd, high for the suspect; the observed one first.
    """

    units: Floats
    sd: float
    statistics: Floats


def signed_statistics(units: Floats, contrasts: Floats, design: Design) -> Floats | None:
    """Contrasts of the units over their exact permutation sd (mean 0), None where nothing varies."""
    sd = contrast_sd(units, contrasts[0], design)
    return None if sd is None else contrasts @ units / sd


def contrast_sd(units: Floats, contrast: Floats, design: Design) -> float | None:
    """Exact sd over all relabellings of sum of c_a u_a, None where nothing varies; of the observed contrast."""
    variance = float(design.sum_variance(units, contrast))
    size = float((contrast**2 * units**2).sum())
    return float(np.sqrt(variance)) if variance > NO_VARIANCE * max(size, 1e-300) else None


@dataclass(frozen=True)
class PermutationTest:
    """The omnibus test; families without variance are left out and named.

    Attributes
    ----------
    relabellings : Relabellings
    families : dict of FamilyTest
    constant : tuple of str
        Names of what was left out.
    signed : dict of SignedTest
    weights : mapping of name to float
        What the statistics of a family or signed score count in the omnibus, fixed beforehand; 1 where not named.
    """

    relabellings: Relabellings
    families: dict[str, FamilyTest]
    constant: tuple[str, ...]
    signed: dict[str, SignedTest] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)

    def weight(self, name: str) -> float:
        """What a family or signed score counts in the omnibus."""
        return self.weights.get(name, 1.0)

    @cached_property
    def parts(self) -> dict[str, Floats]:
        """Standardised statistics of every family and signed score, observed first."""
        return {name: part.statistics for name, part in (self.families | self.signed).items()}

    @cached_property
    def statistics(self) -> Floats:
        """Weighted sum over families of their standardised statistics, observed first; zeros when none is left."""
        total = np.zeros(len(self.relabellings.contrasts))
        for name, part in self.parts.items():
            total += self.weight(name) * part
        return total

    @property
    def pvalue(self) -> float:
        return pvalue(self.statistics)

    def adjusted(self) -> dict[str, float]:
        """p-value of each family, adjusted over families by the least p-value (min-P).

        Under every relabelling each statistic is replaced by how many relabellings give one as high, and a family is
        compared with the lowest of these numbers: quadratic forms, whose tails are heavier, would otherwise keep signed
        scores from being named. Of equal numbers the higher statistic counts, so that p-values go as low as those of
        the omnibus. As exact as that: what is compared is the same function of every relabelling.
        """
        if not self.parts:
            return {}
        statistics = np.stack(list(self.parts.values()))
        as_high = np.stack([_as_high(each) for each in statistics])
        lowest = as_high.min(axis=0)
        highest = np.where(as_high == lowest, statistics, -np.inf).max(axis=0)
        found: dict[str, float] = {}
        for name, own, number in zip(self.parts, statistics[:, 0], as_high[:, 0], strict=True):
            beyond = (lowest < number) | ((lowest == number) & (highest >= own - TIE))
            found[name] = max(1 + int(np.count_nonzero(beyond[1:])), int(number)) / len(beyond)
        return found


def _as_high(statistics: Floats) -> Ints:
    """How many of the statistics are as high as each, near ties counted [1 + permutations]."""
    below = np.searchsorted(np.sort(statistics), statistics - TIE, side="left")
    return np.asarray(len(statistics) - below, dtype=np.int64)


def permutation_test(
    kernels: Mapping[str, Floats],
    relabellings: Relabellings,
    signed: Mapping[str, Floats] | None = None,
    weights: Mapping[str, float] | None = None,
) -> PermutationTest:
    """Test every family and their sum with the same relabellings.

    Parameters
    ----------
    kernels : mapping of name to float array [blocks, blocks]
        Inner products of the blocks, the diagonal included.
    signed : mapping of name to float array [blocks], optional
        Units of scores whose direction was fixed before the rows were seen.
    weights : mapping of name to float, optional
        What each counts in the sum, fixed without a look at the labels; 1 where not named.
    """
    families: dict[str, FamilyTest] = {}
    directed: dict[str, SignedTest] = {}
    constant: list[str] = []
    tested = partial(_family_test, relabellings=relabellings)
    for name, done in zip(kernels, side_by_side(tested, list(kernels.values())), strict=True):
        family = done()
        if family is None:
            constant.append(name)
        else:
            families[name] = family
    for name, units in (signed or {}).items():
        exact, contrasts = units.astype(np.float64), relabellings.contrasts.astype(np.float64)
        sd = contrast_sd(exact, contrasts[0], relabellings.design)
        if sd is None:
            constant.append(name)
        else:
            directed[name] = SignedTest(exact, sd, contrasts @ exact / sd)
    return PermutationTest(relabellings, families, tuple(constant), directed, dict(weights or {}))


def _family_test(kernel: Floats, relabellings: Relabellings) -> FamilyTest | None:
    """A family under all relabellings; None where nothing varies."""
    form = _standardised(kernel, relabellings)
    if form is None:
        return None
    statistics = (relabellings.quadratic(form.off_diagonal) - form.mean) / form.sd
    return FamilyTest(kernel, form.sums, form.mean, form.sd, statistics)


def omnibus_pvalue(
    kernels: Mapping[str, Floats],
    relabellings: Relabellings,
    signed: Mapping[str, Floats] | None = None,
    weights: Mapping[str, float] | None = None,
) -> float:
    """The p-value that `permutation_test` gives, without the families' own: one form, of their weighted sum."""
    weights = weights or {}
    whole = np.zeros((relabellings.design.n_blocks,) * 2)
    for name, kernel in kernels.items():
        form = _standardised(kernel, relabellings)
        if form is not None:
            whole += weights.get(name, 1.0) / form.sd * form.off_diagonal
    statistics = relabellings.quadratic(whole)  # less their common mean, which no comparison needs
    for name, units in (signed or {}).items():
        contrasts = relabellings.contrasts.astype(np.float64)
        found = signed_statistics(units.astype(np.float64), contrasts, relabellings.design)
        statistics += 0.0 if found is None else weights.get(name, 1.0) * found
    return pvalue(statistics)


@dataclass(frozen=True)
class _Form:
    """Inner products without their diagonal, and the exact moments of their form."""

    off_diagonal: Floats
    sums: FormSums
    mean: float
    sd: float


def _standardised(kernel: Floats, relabellings: Relabellings) -> _Form | None:
    """The form of inner products [blocks, blocks]; None where nothing varies."""
    off = without_diagonal(kernel)
    sums = relabellings.design.form_sums(off)
    mean, sd = relabellings.moments(sums)
    scale = float((relabellings.observed**2 * np.abs(np.diag(kernel))).sum())
    return _Form(off, sums, float(mean), float(sd)) if sd > NO_VARIANCE * max(scale, 1e-300) else None


def pvalue(statistics: Floats) -> float:
    """(1 + #{null >= observed}) / (1 + B), with near ties counted as ties; the first statistic is the observed one."""
    null = statistics[1:]
    return float((1 + np.count_nonzero(null >= statistics[0] - TIE)) / (1 + len(null)))


def feature_pvalues(units: Floats32, relabellings: Relabellings) -> Floats:
    """Two-sided p-value of each column, adjusted over the columns by max-T.

    Each column's contrast is standardised by its exact permutation sd.
    """
    contrasts = relabellings.contrasts[: FEATURE_PERMUTATIONS + 1]
    sd = np.sqrt(relabellings.design.sum_variance(units, relabellings.observed))
    size = np.abs(contrasts @ units) / np.where(sd > 0, sd, np.inf)
    highest = size[1:].max(axis=1)
    exceeding = len(highest) - np.searchsorted(np.sort(highest), size[0] - TIE, side="left")
    return np.asarray((1 + exceeding) / (1 + len(highest)), dtype=np.float64)


def gram(units: Floats32) -> Floats:
    """Inner products of all blocks [blocks, blocks], of their units [blocks, columns]."""
    return np.asarray(units @ units.T, dtype=np.float64)
