"""What rows a detector knows: whether a row looks like those it was trained on, and whether a corpus does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Bools, Floats
from fingerprint.features import Layout, Numbers, Prose
from fingerprint.features.code import Code
from fingerprint.features.quantiles import QuantileFamily
from fingerprint.features.reasoning import Reasoning
from fingerprint.features.row_kinds import ROW_KINDS, kinds_of_rows

# A row is inside the domain up to this quantile of the training rows' distances, in every family.
INSIDE = 0.999
# A measurement counts for at most this many standard deviations: one odd number must not decide about a row, nor about
# a corpus.
FAR = 5.0
# A kind of row (`ROW_KINDS`) is known when at least this share of the training rows is of it.
KNOWN_KIND = 0.001
# Rows of either side that are kept, one a prompt, to compare new corpora with: a saved detector takes about a megabyte.
KEPT_ROWS = 1000
# Neutral rows at hand count as another corpus at this p-value: a false alarm in one clean comparison in 1,000.
SHIFT_LEVEL = 0.001
SHIFT_PERMUTATIONS = 1999

# What measures rows of a kind, and all rows.
FAMILIES: Mapping[str, type[QuantileFamily]] = {
    "layout": Layout,
    "numbers": Numbers,
    "prose": Prose,
    "code": Code,
    "reasoning": Reasoning,
}


@dataclass(frozen=True)
class Domain:
    """Format and family profile of training rows.

    Attributes
    ----------
    kinds : tuple of str
        Kinds of rows that were there, of `ROW_KINDS`.
    families : tuple of str
        Families whose measurements make up the profile.
    middle, spread : float arrays [measurements]
        Median and standard deviation of each measurement, over the rows of both sides.
    limits : float array [families]
        Quantile `INSIDE` of the rows' distances in each family.
    neutral, trait : float arrays [at most `KEPT_ROWS`, measurements]
        Profiles of some training rows, one a prompt.
    """

    kinds: tuple[str, ...]
    families: tuple[str, ...]
    middle: Floats
    spread: Floats
    limits: Floats
    neutral: Floats
    trait: Floats

    @classmethod
    def of(cls, texts: Sequence[str], trait: Bools, one_a_group: Bools) -> Domain:
        """Profile of training rows; `one_a_group` marks one row of every prompt."""
        shares = np.bincount(kinds_of_rows(texts), minlength=len(ROW_KINDS)) / len(texts)
        known = tuple(kind for kind, share in zip(ROW_KINDS, shares.tolist(), strict=True) if share >= KNOWN_KIND)
        families = ("layout", *(kind for kind in known if kind in FAMILIES))
        table = _measure(texts, families)
        middle = np.nan_to_num(np.nanmedian(np.where(np.isnan(table).all(axis=0), 0.0, table), axis=0))
        spread = np.nan_to_num(np.nanstd(np.where(np.isnan(table).all(axis=0), 0.0, table), axis=0))
        profile = _profile(table, middle, spread)
        distances = _distances(profile, _sizes(families))
        limits = np.quantile(distances, INSIDE, axis=0, method="higher")
        kept = [profile[arm & one_a_group][:KEPT_ROWS] for arm in (~trait, trait)]
        return cls(known, families, middle, spread, limits, kept[0], kept[1])

    @property
    def arrays(self) -> dict[str, Floats]:
        """All arrays, by name."""
        return {
            "middle": self.middle,
            "spread": self.spread,
            "limits": self.limits,
            "neutral": self.neutral,
            "trait": self.trait,
        }

    def profile(self, texts: Sequence[str]) -> Floats:
        """Measurements [rows, measurements] in standard deviations from the training median, at most `FAR`."""
        return _profile(_measure(texts, self.families), self.middle, self.spread)

    def inside(self, texts: Sequence[str]) -> Bools:
        """Which rows are of a known kind, and no farther from the middle than `INSIDE` of the training rows."""
        distances = _distances(self.profile(texts), _sizes(self.families))
        known = np.isin(kinds_of_rows(texts), [ROW_KINDS.index(kind) for kind in self.kinds])
        return np.asarray(known & (distances <= self.limits + 1e-9).all(axis=1))

    def neutral_pvalue(self, texts: Sequence[str], rng: np.random.Generator) -> float:
        """Do these neutral rows differ from those trained on? A permutation test of the mean profiles.

        The statistic is the sum over measurements of the squared difference of means, each over its exact permutation
        variance; valid if the rows are independent, so pass one row a prompt.
        """
        new = self.profile(texts)[:KEPT_ROWS]
        pooled = np.vstack([new, self.neutral])
        pooled = pooled - pooled.mean(axis=0)
        scale = pooled.std(axis=0)
        pooled = (pooled / np.where(scale > 1e-9, scale, np.inf)).astype(np.float32)
        contrast = np.where(np.arange(len(pooled)) < len(new), 1 / len(new), -1 / len(self.neutral))
        contrasts = rng.permuted(np.tile(contrast.astype(np.float32), (SHIFT_PERMUTATIONS + 1, 1)), axis=1)
        contrasts[0] = contrast
        statistics = ((contrasts @ pooled).astype(np.float64) ** 2).sum(axis=1)
        return float((1 + np.count_nonzero(statistics[1:] >= statistics[0] * (1 - 1e-5))) / (1 + SHIFT_PERMUTATIONS))

    def is_far(self, texts: Sequence[str]) -> bool:
        """Is a corpus of unknown origin farther from trait and neutral than they are from one another?

        Squared distance of its mean profile from the nearest mixture of the two, less what sampling alone gives,
        against the squared distance of the two, and at least twice what sampling gives.
        """
        new = self.profile(texts)[: 4 * KEPT_ROWS]
        means = [rows.mean(axis=0) for rows in (self.neutral, self.trait, new)]
        noise = [float(rows.var(axis=0).sum()) / len(rows) for rows in (self.neutral, self.trait, new)]
        along = means[1] - means[0]
        apart = max(float(along @ along) - noise[0] - noise[1], 0.0)
        share = min(max(float((means[2] - means[0]) @ along) / max(float(along @ along), 1e-12), 0.0), 1.0)
        rest = means[2] - means[0] - share * along
        by_chance = noise[2] + (1 - share) ** 2 * noise[0] + share**2 * noise[1]
        squared = float(rest @ rest)
        return squared > 2 * by_chance and squared - by_chance > apart


def _measure(texts: Sequence[str], families: Sequence[str]) -> Floats:
    return np.hstack([FAMILIES[name]().measured(texts) for name in families])


def _sizes(families: Sequence[str]) -> list[int]:
    return [len(FAMILIES[name]().measurements()) for name in families]


def _profile(table: Floats, middle: Floats, spread: Floats) -> Floats:
    varying = spread > 0
    away = table - middle
    scaled = np.where(varying, away / np.where(varying, spread, 1.0), np.sign(away) * FAR)
    return np.asarray(np.clip(np.nan_to_num(scaled, nan=0.0), -FAR, FAR))


def _distances(profile: Floats, sizes: Sequence[int]) -> Floats:
    """Mean size of the measurements of each family [rows, families]."""
    parts = np.split(np.abs(profile), np.cumsum(sizes)[:-1], axis=1)
    return np.stack([part.mean(axis=1) for part in parts], axis=1)
