"""Exact permutation tests on block inner products, their power, and what they need.

A relabelling is a contrast over blocks. Shared design: a sign a block, because under the null the two sides of a
prompt are exchangeable. Otherwise: 1/G_suspect on the suspect blocks and -1/G_reference on the others, permuted,
because under the null blocks of the same number of prompts are exchangeable. A family's statistic is the quadratic form
sum over a != b of c_a c_b K_ab, standardised by its exact mean and standard deviation over all relabellings, which no
relabelling changes. A score whose direction was fixed beforehand (a trained detector's) enters as the contrast itself,
sum of c_a u_a over its exact sd, high where suspect rows score higher. The omnibus is the sum over families and scores.
Its p-value is (1 + #{null >= observed}) / (1 + B): it is never 0, and P(p <= alpha) <= alpha under the null at any
sample size.

References
----------
Phipson and Smyth (2010), doi 10.2202/1544-6115.1585: why 1 is added. Gretton et al. (2012), JMLR 13: the quadratic
form as a two-sample statistic. Westfall and Young (1993): max-T.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.special import betaincinv, ndtr, ndtri

from fingerprint.data.arrays import Bools, Floats, Floats32
from fingerprint.data.corpus import Comparison

# Statistics closer than this (in standard deviations) count as tied: single-precision sums are good to about 1e-5.
TIE = 1e-4
# A family whose permutation sd is below this share of the size of its inner products does not vary.
NO_VARIANCE = 1e-10


@dataclass(frozen=True)
class Relabellings:
    """Contrasts [1 + permutations, blocks]; the first is the observed labelling."""

    kind: str
    contrasts: Floats32

    @classmethod
    def draw(cls, comparison: Comparison, n_permutations: int, rng: np.random.Generator) -> Relabellings:
        """The observed labelling and `n_permutations` random ones."""
        n = comparison.n_blocks
        if comparison.kind == "shared":
            signs = rng.integers(0, 2, size=(n_permutations + 1, n), dtype=np.int8).astype(np.float32) * 2 - 1
            signs[0] = 1.0
            return cls("signs", signs)
        observed = two_arm_contrast(comparison.block_suspect).astype(np.float32)
        drawn = rng.permuted(np.tile(observed, (n_permutations + 1, 1)), axis=1)
        drawn[0] = observed
        return cls("labels", drawn)

    def moments(self, squares: float, row_sums: Floats) -> tuple[float, float]:
        """Exact mean and sd of the quadratic form over all relabellings.

        Parameters
        ----------
        squares : float
            Sum of the squared off-diagonal inner products.
        row_sums : float array [blocks]
            Sums of the rows, the diagonal left out.
        """
        if self.kind == "signs":
            return 0.0, float(np.sqrt(2.0 * squares))
        return _label_moments(squares, row_sums, self.contrasts[0].astype(np.float64))

    def quadratic(self, off_diagonal: Floats) -> Floats:
        """The quadratic form for every contrast."""
        kernel = off_diagonal.astype(np.float32)
        chunks = np.array_split(self.contrasts, max(1, len(self.contrasts) // 2048))
        return np.concatenate([np.einsum("pb,pb->p", c @ kernel, c, dtype=np.float64) for c in chunks])


def two_arm_contrast(suspect: Bools) -> Floats:
    """1/G on the suspect blocks, -1/G on the reference blocks."""
    return np.asarray(np.where(suspect, 1.0 / suspect.sum(), -1.0 / (~suspect).sum()), dtype=np.float64)


def _label_moments(squares: float, row_sums: Floats, c: Floats) -> tuple[float, float]:
    """Mean and sd of sum K_ij c_i c_j over all orders of c, from the means over distinct indices of products of c."""
    n = len(c)
    s1, s2, s3, s4 = (float((c**k).sum()) for k in (1, 2, 3, 4))
    falling = np.cumprod([n - k for k in range(4)], dtype=np.float64)
    pair = (s1**2 - s2) / falling[1]
    m22 = (s2**2 - s4) / falling[1]
    m211 = (s2 * s1**2 - s2**2 - 2 * s3 * s1 + 2 * s4) / falling[2]
    m1111 = (s1**4 - 6 * s1**2 * s2 + 8 * s1 * s3 + 3 * s2**2 - 6 * s4) / falling[3]
    total = float(row_sums.sum())
    shared_one = float((row_sums**2).sum()) - squares  # pairs of pairs that have exactly one index in common
    second = 2 * squares * m22 + 4 * shared_one * m211 + (total**2 - 2 * squares - 4 * shared_one) * m1111
    mean = total * pair
    return mean, float(np.sqrt(max(second - mean**2, 0.0)))


@dataclass(frozen=True)
class FamilyTest:
    """One family: inner products without the diagonal, exact moments, standardised statistics (observed first)."""

    kernel: Floats  # with the diagonal
    mean: float
    sd: float
    statistics: Floats

    @cached_property
    def off_diagonal(self) -> Floats:
        return without_diagonal(self.kernel)

    @cached_property
    def squares(self) -> float:
        return float((self.off_diagonal**2).sum())

    @cached_property
    def row_sums(self) -> Floats:
        return np.asarray(self.off_diagonal.sum(axis=1), dtype=np.float64)


def without_diagonal(kernel: Floats) -> Floats:
    """A copy with zeros on the diagonal."""
    out = kernel.copy()
    np.fill_diagonal(out, 0.0)
    return out


@dataclass(frozen=True)
class SignedTest:
    """One score with a direction: its units and standardised contrasts (observed first), high for the suspect."""

    units: Floats
    statistics: Floats


def _signed_statistics(units: Floats, contrasts: Floats, kind: str) -> Floats | None:
    """Contrasts of the units over their exact permutation sd (mean 0), None where nothing varies."""
    if kind == "signs":
        variance = float((units**2).sum())
    else:
        spread = float(((units - units.mean()) ** 2).sum()) / (len(units) - 1)
        variance = float((contrasts[0] ** 2).sum()) * spread
    size = float((contrasts[0] ** 2 * units**2).sum())
    return contrasts @ units / np.sqrt(variance) if variance > NO_VARIANCE * max(size, 1e-300) else None


@dataclass(frozen=True)
class PermutationTest:
    """The omnibus test; families without variance are left out and named."""

    relabellings: Relabellings
    families: dict[str, FamilyTest]
    constant: tuple[str, ...]
    signed: dict[str, SignedTest] = field(default_factory=dict)

    @cached_property
    def parts(self) -> dict[str, Floats]:
        """Standardised statistics of every family and signed score, observed first."""
        return {name: part.statistics for name, part in (self.families | self.signed).items()}

    @cached_property
    def statistics(self) -> Floats:
        """Sum over families of their standardised statistics, observed first; zeros when no family is left."""
        empty = np.zeros(len(self.relabellings.contrasts))
        return np.sum(list(self.parts.values()), axis=0) if self.parts else empty

    @property
    def pvalue(self) -> float:
        return pvalue(self.statistics)

    def adjusted(self) -> dict[str, float]:
        """p-value of each family, adjusted over families by the maximum (max-T)."""
        if not self.parts:
            return {}
        highest = np.max(list(self.parts.values()), axis=0)
        return {name: pvalue(np.concatenate([part[:1], highest[1:]])) for name, part in self.parts.items()}


def permutation_test(
    kernels: Mapping[str, Floats], relabellings: Relabellings, signed: Mapping[str, Floats] | None = None
) -> PermutationTest:
    """Test every family and their sum with the same relabellings.

    Parameters
    ----------
    kernels : mapping of name to float array [blocks, blocks]
        Inner products of the blocks, the diagonal included.
    signed : mapping of name to float array [blocks], optional
        Units of scores whose direction was fixed before the rows were seen.
    """
    families: dict[str, FamilyTest] = {}
    constant: list[str] = []
    for name, kernel in kernels.items():
        off = without_diagonal(kernel)
        mean, sd = relabellings.moments(float((off**2).sum()), off.sum(axis=1))
        scale = float((relabellings.contrasts[0].astype(np.float64) ** 2 * np.abs(np.diag(kernel))).sum())
        if not sd > NO_VARIANCE * max(scale, 1e-300):
            constant.append(name)
            continue
        families[name] = FamilyTest(kernel, mean, sd, (relabellings.quadratic(off) - mean) / sd)
    directed: dict[str, SignedTest] = {}
    for name, units in (signed or {}).items():
        exact = units.astype(np.float64)
        statistics = _signed_statistics(exact, relabellings.contrasts.astype(np.float64), relabellings.kind)
        if statistics is None:
            constant.append(name)
        else:
            directed[name] = SignedTest(exact, statistics)
    return PermutationTest(relabellings, families, tuple(constant), directed)


def pvalue(statistics: Floats) -> float:
    """(1 + #{null >= observed}) / (1 + B), with near ties counted as ties; the first statistic is the observed one."""
    null = statistics[1:]
    return float((1 + np.count_nonzero(null >= statistics[0] - TIE)) / (1 + len(null)))


def feature_pvalues(units: Floats32, relabellings: Relabellings) -> Floats:
    """Two-sided p-value of each column, adjusted over the columns by max-T.

    Each column's contrast is standardised by its exact permutation sd.
    """
    contrasts = relabellings.contrasts[: FEATURE_PERMUTATIONS + 1]
    if relabellings.kind == "signs":
        sd = np.sqrt((units.astype(np.float64) ** 2).sum(axis=0))
    else:
        centred = units - units.mean(axis=0)
        sum_of_squares = float((contrasts[0].astype(np.float64) ** 2).sum())
        sd = np.sqrt(sum_of_squares * (centred.astype(np.float64) ** 2).sum(axis=0) / (len(units) - 1))
    size = np.abs(contrasts @ units) / np.where(sd > 0, sd, np.inf)
    highest = size[1:].max(axis=1)
    exceeding = len(highest) - np.searchsorted(np.sort(highest), size[0] - TIE, side="left")
    return np.asarray((1 + exceeding) / (1 + len(highest)), dtype=np.float64)


# Enough for an adjusted p-value of .0005; the observed statistics come first, then these permutations.
FEATURE_PERMUTATIONS = 1999


def exact_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a binomial proportion."""
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - tail))
    return low, high


# ---------------------------------------------------------------------------------------------------------------- power


@dataclass(frozen=True)
class Shift:
    """A shift of the suspect rows, as the test sees it: per family, its products with the units and its square."""

    along: dict[str, Floats]  # family -> [blocks], inner products of units and shift
    square: dict[str, float]  # family -> squared length of the shift
    signed: dict[str, float] = field(default_factory=dict)  # signed score -> shift of its mean over suspect rows


def planted_rejection(
    test: PermutationTest, sizes: Floats, shift: Shift, strength: float, true: int, n_null: int, alpha: float
) -> bool:
    """Would the test reject, had relabelling number `true` been the real one and its suspect rows been shifted?

    The units keep their real noise: relabelling `true` of real rows is a draw of the null, to which the shift is added.
    Everything follows from inner products in O(blocks^2), without touching the rows again.

    Parameters
    ----------
    sizes : float array [blocks]
        Row pairs in each block (shared design); ones otherwise.
    n_null : int
        How many relabellings (other than the observed and the true one) make up the null.
    """
    chosen = np.array([true, *[i for i in range(1, n_null + 2) if i != true][:n_null]])
    f = test.relabellings.contrasts[chosen].astype(np.float64)
    if test.relabellings.kind == "signs":
        pattern = f[0] * sizes
    else:
        pattern = (f[0] > 0).astype(np.float64)
        pattern -= pattern.mean()  # units are centred, so a shift of one arm moves the common mean too
    total = np.zeros(len(f))
    for name, family in test.families.items():
        along, square = shift.along[name] * strength, shift.square[name] * strength**2
        squares, row_sums = _shifted_moments(family, pattern, along, square)
        mean, sd = test.relabellings.moments(squares, row_sums)
        form = family.statistics[chosen] * family.sd + family.mean
        at_pattern, at_along = f @ pattern, f @ along
        form += 2 * at_pattern * at_along + square * at_pattern**2
        form -= (f * f) @ (2 * pattern * along + square * pattern**2)
        total += (form - mean) / sd
    for name, score in test.signed.items():
        units = score.units + pattern * shift.signed[name] * strength
        statistics = _signed_statistics(units, f, test.relabellings.kind)
        total += 0.0 if statistics is None else statistics
    return pvalue(total) <= alpha


def _shifted_moments(family: FamilyTest, p: Floats, a: Floats, s: float) -> tuple[float, Floats]:
    """Sum of squares and row sums, diagonals left out, of the inner products + p a' + a p' + s p p'."""
    at_p = family.off_diagonal @ p
    pp, pa, aa = float(p @ p), float(p @ a), float(a @ a)
    added_diagonal = 2 * p * a + s * p**2
    added = 2 * pp * aa + 2 * pa**2 + s**2 * pp**2 + 4 * s * pp * pa - float((added_diagonal**2).sum())
    squares = family.squares + 2 * (2 * float(at_p @ a) + s * float(at_p @ p)) + added
    row_sums = family.row_sums + p * a.sum() + a * p.sum() + s * p * p.sum() - added_diagonal
    return squares, row_sums


def observed_shift(test: PermutationTest, sizes: Floats) -> tuple[PermutationTest, Shift]:
    """Split the units into the mean difference between the arms and the rest, for planting mixtures.

    The shift's length is taken without the noise in it: from products of different blocks only. The rest are the units
    less the mean difference, so that a share f of the shift, planted back, acts like a share f of suspect rows.
    """
    kind = test.relabellings.kind
    c = test.relabellings.contrasts[0].astype(np.float64)
    pattern = sizes if kind == "signs" else (c > 0) - float((c > 0).mean())
    average = c / sizes.sum() if kind == "signs" else c
    kernels: dict[str, Floats] = {}
    along: dict[str, Floats] = {}
    square: dict[str, float] = {}
    for name, family in test.families.items():
        toward = family.kernel @ average
        length = float(average @ toward)
        diagonal = float((average**2) @ np.diag(family.kernel))
        ratio = max(length - diagonal, 0.0) / length if length > 0 else 0.0
        cross = np.outer(pattern, toward)
        kernels[name] = family.kernel - cross - cross.T + length * np.outer(pattern, pattern)
        along[name] = (toward - pattern * length) * np.sqrt(ratio)
        square[name] = length * ratio
    moved = {name: float(average @ score.units) for name, score in test.signed.items()}
    rest = {name: score.units - pattern * moved[name] for name, score in test.signed.items()}
    return permutation_test(kernels, test.relabellings, rest), Shift(along, square, moved)


@dataclass(frozen=True)
class Scaling:
    """How the omnibus grows with the sample: at s times the sample, mean s * shift + sqrt(s) * signed and variance
    1 + s * linear: quadratic forms grow with the sample, the contrast of a signed score with its root."""

    shift: float
    linear: float
    critical: float
    signed: float = 0.0

    def power(self, times: float) -> float:
        mean = times * self.shift + np.sqrt(times) * self.signed
        return float(ndtr((mean - self.critical) / np.sqrt(1 + times * self.linear)))

    def times_needed(self, power: float) -> float | None:
        """Multiple of this sample at which the power is reached, None when nothing points that way."""
        if self.shift <= 0 and self.signed <= 0:
            return None
        low, high = 1e-4, 1e6
        if self.power(high) < power:
            return None
        for _ in range(100):
            middle = float(np.sqrt(low * high))
            low, high = (low, middle) if self.power(middle) >= power else (middle, high)
        return high


def scaling(test: PermutationTest, alpha: float) -> Scaling:
    """Mean, extra variance and critical value of the omnibus, from the observed inner products.

    The statistic is a U-statistic: without signal it is degenerate (variance 1 after standardising, at any sample
    size); a signal adds its mean, which grows with the sample, and a linear part. The linear part's variance is
    estimated by the jackknife, less the 2 that the jackknife gives for the degenerate part alone.
    """
    total = test.statistics
    c = test.relabellings.contrasts[0].astype(np.float64)
    kernel = np.zeros((len(c), len(c)))
    for family in test.families.values():
        kernel += family.off_diagonal / family.sd
    influence = 2 * c * (kernel @ c)
    arms = [c > 0, c <= 0]
    spread = sum(float(((influence[a] - influence[a].mean()) ** 2).sum()) for a in arms if a.any())
    null_sd = float(total[1:].std())
    linear = max(spread / null_sd**2 - 2.0, 0.0)
    signed = float(sum(score.statistics[0] for score in test.signed.values()))
    critical = float(np.quantile(total[1:], 1 - alpha))
    return Scaling((float(total[0]) - signed) / null_sd, linear, critical / null_sd, signed / null_sd)


def rows_for_trained_detector(d_prime: float, power: float, alpha: float) -> int | None:
    """Fresh rows that a detector of this d_prime needs, judged together: ((z_(1-alpha) + z_power) / d_prime)^2."""
    if not d_prime > 0:
        return None
    return int(np.ceil(((ndtri(1 - alpha) + ndtri(power)) / d_prime) ** 2))
