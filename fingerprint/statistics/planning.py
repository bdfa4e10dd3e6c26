"""How many rows another comparison needs: the power of the test at other sample sizes, as a detected one tells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.statistics.permutation import PermutationTest

MOST_TIMES = 1e6  # of the sample at hand


@dataclass(frozen=True)
class Scaling:
    """How the omnibus grows with the sample: at s times the sample its mean is s * shift + sqrt(s) * signed and its
    variance 1 + s * linear + sqrt(s) * crossed, in sd of its null: quadratic forms grow with the sample, contrasts of
    signed scores with its root. See `scaling` for the derivation.

    Attributes
    ----------
    shift : float
        Mean of the quadratic forms at this sample.
    linear : float
        Variance that a signal adds to the quadratic forms.
    critical : float
        What the omnibus must exceed.
    signed : float
        Mean of the signed scores.
    crossed : float
        Twice the covariance of the quadratic forms with the signed scores.
    """

    shift: float
    linear: float
    critical: float
    signed: float = 0.0
    crossed: float = 0.0

    @property
    def observed(self) -> float:
        """The omnibus statistic, in sd of its null."""
        return self.shift + self.signed

    @property
    def points(self) -> bool:
        """Whether anything grows with the sample."""
        return self.shift > 0 or self.signed > 0

    def mean(self, times: Floats) -> Floats:
        """Mean at multiples of this sample, or of its squared shift: both count alike."""
        return np.asarray(times * self.shift + np.sqrt(times) * self.signed)

    def sd(self, times: Floats) -> Floats:
        """Standard deviation there."""
        return np.asarray(np.sqrt(1 + times * self.linear + np.sqrt(times) * self.crossed))

    def power(self, times: float) -> float:
        """Probability of a rejection at a multiple of this sample."""
        return float(self.powers(np.array([times]))[0])

    def powers(self, times: Floats) -> Floats:
        """The same at several multiples."""
        from scipy.special import ndtr

        return np.asarray(ndtr((self.mean(times) - self.critical) / self.sd(times)), dtype=np.float64)

    def times_needed(self, power: float) -> float | None:
        """Multiple of this sample at which the power is reached, None when nothing points that way."""
        return _least_times(self.power, power) if self.points else None

    def scaled(self, factor: float) -> Scaling:
        """The same with a squared shift this many times as large."""
        root = float(np.sqrt(factor))
        return Scaling(
            self.shift * factor, self.linear * factor, self.critical, self.signed * root, self.crossed * root
        )


@dataclass(frozen=True)
class Detected:
    """What the squared shift may really be, given that the test rejected: factors of the observed one, and weights.

    A comparison that was detected was more often lucky than not: planned with the shift as observed, a power of .8 was
    really .53 to .68. The squared shift is taken as g times the observed one, with a flat prior for g > 0 and the
    likelihood of the observed statistic among those that reject: normal with the mean and variance of `Scaling` at g,
    above the critical value.

    Attributes
    ----------
    scaling : Scaling
        With the shift as it was observed.
    factors : float array [factors]
        Rising.
    weights : float array [factors]
        With sum 1.

    Notes
    -----
    The flat prior is there because it plans well (`benchmarks/calibration.py rows-needed`), not because it is believed.
    On effects that are reported because they were significant see Zöllner and Pritchard (2007), "Overcoming the
    winner's curse: estimating penetrance parameters from case-control data", American Journal of Human Genetics 80,
    605-615; on power averaged over what an effect may be, O'Hagan, Stevens and Campbell (2005), "Assurance in clinical
    trial design", Pharmaceutical Statistics 4, 187-201.
    """

    scaling: Scaling
    factors: Floats
    weights: Floats

    @classmethod
    def of(cls, scaling: Scaling) -> Detected:
        from scipy.special import log_ndtr

        if scaling.observed <= 0:  # nothing points anywhere, and nothing is made of that
            return cls(scaling, np.ones(1), np.ones(1))
        # Eight standard errors on either side, wider where the variance grows with the shift.
        width = 8 * float(scaling.sd(np.ones(1))[0]) / scaling.observed
        most = 1 + width + 64 * scaling.linear / scaling.observed**2
        most += (width / 2) ** 2 if scaling.signed > 0 else 0.0  # the mean of a signed score grows with the root alone
        # Evenly about the observed shift, and by ratios below it, down to what no plan tells from nothing.
        factors = np.union1d(np.linspace(max(0.0, 1 - width), most, 1001)[1:], np.geomspace(1e-4, most, 1001))
        mean, sd = scaling.mean(factors), scaling.sd(factors)
        log_weight = -(((scaling.observed - mean) / sd) ** 2) / 2 - np.log(sd)
        log_weight -= log_ndtr((mean - scaling.critical) / sd)
        weights = np.exp(log_weight - log_weight.max()) * np.gradient(factors)
        return cls(scaling, factors, weights / weights.sum())

    def quantile(self, probability: float) -> Scaling:
        """The scaling with this quantile of the squared shift; .025 and .975 make a 95 % interval."""
        below = np.searchsorted(np.cumsum(self.weights), probability)
        return self.scaling.scaled(float(self.factors[min(int(below), len(self.factors) - 1)]))

    def power(self, times: float) -> float:
        """Probability of a rejection at a multiple of this sample, averaged over what the shift may be."""
        return float(self.weights @ self.scaling.powers(times * self.factors))

    def times_needed(self, power: float) -> float | None:
        """Multiple of this sample at which the averaged power is reached, None when nothing points that way."""
        return _least_times(self.power, power) if self.scaling.points else None


def _least_times(power_at: Callable[[float], float], power: float) -> float | None:
    """Where a power that rises with the sample is reached; None up to `MOST_TIMES`."""
    low, high = 1e-4, MOST_TIMES
    if power_at(high) < power:
        return None
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if power_at(middle) >= power else (middle, high)
    return high


def scaling(test: PermutationTest, alpha: float) -> Scaling:
    """Mean, variance and critical value of the omnibus at other sample sizes, from the observed inner products.

    Notes
    -----
    With c_a the contrast of block a and u_a its unit, let x_a = c_a u_a. The omnibus is Q + L: Q the weighted sum over
    families of sums over a != b of <x_a, x_b> over their sd, and L that over signed scores of sums of c_a u_a over
    their sd. Blocks of one side are taken as independent and of one law, and the sd as known. With m the mean of x_a
    over n blocks, Hoeffding's decomposition of the U-statistic Q is

        Q = E Q + sum_a 2 (n - 1) <m, x_a - m> + sum over a != b of <x_a - m, x_b - m>,

    whose two sums are uncorrelated, and the second of which is uncorrelated with L too. Hence

        Var(Q + L) = Var Q0 + Var L0 + sum_a Var h_a + 2 sum_a Cov(h_a, l_a),  h_a = 2 (n - 1) <m, x_a>,

    with l_a the part of block a in L, and Q0 and L0 these under the null, which relabelling shows. At s times the
    sample, or with a squared shift s times as large, the first two stay, the third grows as s, the fourth as sqrt(s).

    h_a is estimated by the jackknife, 2 sum over b != a of <x_a, x_b>. Its squared deviations, over the blocks of one
    part and side, add up to the third sum and to the noise in m, which is 2 Var Q0: n (n - 1) terms of 4 <., .>^2, and
    Var Q0 is 2 n (n - 1) of <., .>^2. That is taken off. Their products with l_a need no such correction. Estimated
    apart, the two sums may contradict one another: the covariance is not let below -2 sqrt(linear * Var L0), beyond
    which the variance would be negative somewhere.
    """
    c = test.relabellings.observed
    kernel, units = np.zeros((len(c), len(c))), np.zeros(len(c))
    quadratic, directed = np.zeros((2, len(test.relabellings.contrasts)))
    for name, family in test.families.items():
        kernel += test.weight(name) * family.off_diagonal / family.sd
        quadratic += test.weight(name) * family.statistics
    for name, score in test.signed.items():
        units += test.weight(name) * score.units / score.sd
        directed += test.weight(name) * score.statistics
    of_quadratic, of_signed = 2 * c * (kernel @ c), c * units
    variance = float(test.statistics[1:].var())
    linear, crossed = -2.0 * float(quadratic[1:].var()), 0.0
    for a in test.relabellings.design.strata(c):
        apart = of_quadratic[a] - of_quadratic[a].mean()
        linear += float(apart @ apart)
        crossed += 2 * float(apart @ of_signed[a])
    linear = max(linear / variance, 0.0)
    share = float(directed[1:].var()) / variance
    crossed = max(crossed / variance, -2 * float(np.sqrt(linear * min(share, 1.0))))
    sd = float(np.sqrt(variance))
    critical = float(np.quantile(test.statistics[1:], 1 - alpha)) / sd
    return Scaling(float(quadratic[0]) / sd, linear, critical, float(directed[0]) / sd, crossed)
