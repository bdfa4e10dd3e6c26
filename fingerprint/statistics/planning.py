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
    """How the omnibus grows with the sample: at s times the sample, mean s * shift + sqrt(s) * signed and variance
    1 + s * linear: quadratic forms grow with the sample, the contrast of a signed score with its root."""

    shift: float
    linear: float
    critical: float
    signed: float = 0.0

    @property
    def observed(self) -> float:
        """The omnibus statistic, in sd of its null."""
        return self.shift + self.signed

    @property
    def points(self) -> bool:
        """Whether anything grows with the sample."""
        return self.shift > 0 or self.signed > 0

    def power(self, times: float) -> float:
        """Probability of a rejection at a multiple of this sample."""
        return float(self.powers(times, np.ones(1))[0])

    def powers(self, times: float, factors: Floats) -> Floats:
        """The same with squared shifts that are these many times as large [factors]."""
        from scipy.special import ndtr

        mean = times * factors * self.shift + np.sqrt(times * factors) * self.signed
        return np.asarray(ndtr((mean - self.critical) / np.sqrt(1 + times * factors * self.linear)), dtype=np.float64)

    def times_needed(self, power: float) -> float | None:
        """Multiple of this sample at which the power is reached, None when nothing points that way."""
        return _least_times(self.power, power) if self.points else None

    def scaled(self, factor: float) -> Scaling:
        """The same with a squared shift this many times as large."""
        return Scaling(
            self.shift * factor, self.linear * factor, self.critical, self.signed * float(np.sqrt(factor))
        )


@dataclass(frozen=True)
class Detected:
    """What the squared shift may really be, given that the test rejected: factors of the observed one, and weights.

    A comparison that was detected was more often lucky than not: planned with the shift as observed, a power of .8 was
    really .53 to .68. The squared shift is taken as g times the observed one, with a flat prior for g > 0 and the
    likelihood of the observed statistic among those that reject, N(mean(g), 1 + g * linear) above the critical value.

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
        width = 8 * np.sqrt(1 + scaling.linear) / scaling.observed
        most = 1 + width + 64 * scaling.linear / scaling.observed**2
        # Evenly about the observed shift, and by ratios below it, down to what no plan tells from nothing.
        factors = np.union1d(np.linspace(max(0.0, 1 - width), most, 1001)[1:], np.geomspace(1e-4, most, 1001))
        mean = factors * scaling.shift + np.sqrt(factors) * scaling.signed
        sd = np.sqrt(1 + factors * scaling.linear)
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
        return float(self.weights @ self.scaling.powers(times, self.factors))

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
    """Mean, extra variance and critical value of the omnibus, from the observed inner products.

    The statistic is a U-statistic: without signal it is degenerate (variance 1 after standardising, at any sample
    size); a signal adds its mean, which grows with the sample, and a linear part. The linear part's variance is
    estimated by the jackknife, less the 2 that the jackknife gives for the degenerate part alone.
    """
    total = test.statistics
    c = test.relabellings.observed
    kernel = np.zeros((len(c), len(c)))
    for name, family in test.families.items():
        kernel += test.weight(name) * family.off_diagonal / family.sd
    influence = 2 * c * (kernel @ c)
    strata = test.relabellings.design.strata(c)
    spread = sum(float(((influence[a] - influence[a].mean()) ** 2).sum()) for a in strata)
    null_sd = float(total[1:].std())
    linear = max(spread / null_sd**2 - 2.0, 0.0)
    signed = float(sum(test.weight(name) * score.statistics[0] for name, score in test.signed.items()))
    critical = float(np.quantile(total[1:], 1 - alpha))
    return Scaling((float(total[0]) - signed) / null_sd, linear, critical / null_sd, signed / null_sd)
