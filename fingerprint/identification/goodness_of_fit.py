"""Who may have written a suspect, and how well its rows fit what each writes.

The fit of a writer is the mean over rows of the log of its share in the likelihood of all writers together, against
what that is on the writer's own rows. Beside it stands the surprise, how likely tokens are under the writer, which
tells one that no comparison of the listed ones tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import logsumexp, ndtr

from fingerprint.data.arrays import Floats
from fingerprint.data.pairing import n_prompts
from fingerprint.identification.candidates import BASE
from fingerprint.identification.scoring import Rows
from fingerprint.statistics.designs import MIN_GROUPS

PLACEBO = "placebo"
# Share of a writer's own rows whose log shares are cut off from below when fits are compared.
_FEW = 0.01
# Variance of log shares below this is rounding.
_LEAST_SPREAD = 1e-12
# Simulated corpora of each writer.
_SIMULATED = 16


@dataclass(frozen=True)
class Writer:
    """Somebody who may have written the suspect.

    Attributes
    ----------
    name, form : str
    is_candidate : bool
        Otherwise it is the base or a placebo.
    column : int
        In `Rows.evidence`.
    is_model : bool
        Whether its ratios are likelihoods; otherwise they are those of a detector.
    rows, weight : Rows, float array [rows]
        Rows that stand for what it writes; weights add up to 1.
    """

    name: str
    form: str
    is_candidate: bool
    column: int
    is_model: bool
    rows: Rows
    weight: Floats

    @cached_property
    def effective_sample_size(self) -> float:
        """How many rows of its own the weighted ones are worth (Kish 1965)."""
        return float(1 / (self.weight**2).sum())


@dataclass(frozen=True)
class Moments:
    """Mean of a log share over a writer's rows, its variance, and the squared standard error of the mean."""

    mean: float
    variance: float
    error: float

    @classmethod
    def of(cls, writer: Writer, values: Floats) -> Moments:
        mean = float(writer.weight @ values)
        squares = (values - mean) ** 2
        return cls(mean, max(float(writer.weight @ squares), _LEAST_SPREAD), float(writer.weight**2 @ squares))

    def spread(self, n: int) -> float:
        """Squared standard error of the mean of n rows, less this mean."""
        return self.variance / n + self.error


@dataclass(frozen=True)
class Typical:
    """What a figure of rows is on a writer's own rows.

    Attributes
    ----------
    low, high : float
        Values beyond these, which few of its rows reach, count as these.
    moments : Moments
        Of the values so cut.
    """

    low: float
    high: float
    moments: Moments

    def cut(self, values: Floats) -> Floats:
        """The same figure of other rows, cut alike."""
        return np.asarray(np.clip(values, self.low, self.high))

    def distance(self, mean: float, n: int) -> float:
        """How far a mean of n rows is from that of the writer's own, in standard errors."""
        return (mean - self.moments.mean) / float(np.sqrt(self.moments.spread(n)))


def log_share(rows: Rows, column: int, left_out: int | None = None) -> Floats:
    """Log of a writer's share [rows] in the likelihood of all writers together, each as likely; at most 0."""
    evidence = rows.evidence
    if left_out is not None:
        evidence = np.delete(evidence, left_out, axis=1)
        column -= column > left_out
    return np.asarray(evidence[:, column] - logsumexp(evidence, axis=1))


@dataclass(frozen=True)
class Fit:
    """How rows of one corpus stand to every writer.

    Attributes
    ----------
    evidence : float array [writers]
        Sum of log-likelihood ratios against the base, in nats.
    shares : float array [writers]
        How far the mean log share of a writer is from what its own rows give, in standard errors; low is a bad fit.
        The error is that of the mean, prompt by prompt, had the rows the writer's own spread, and of the writer's mean.
    surprises : float array [writers]
        How far the mean log-probability a token is from that of the writer's own rows, in standard errors. Shares
        compare writers with one another and do not see that none of them writes like this; this does. Zero for a writer
        that is no model.
    """

    evidence: Floats
    shares: Floats
    surprises: Floats


def fit_of(writers: Sequence[Writer], suspect: Rows) -> Fit:
    """How a suspect's rows stand to every writer."""
    return Fit(
        suspect.evidence.sum(axis=0),
        np.array([_share_fit(writer, suspect) for writer in writers]),
        np.array([_surprise(writer, suspect) for writer in writers]),
    )


def _share_fit(writer: Writer, suspect: Rows) -> float:
    own = own_shares(writer)
    found = own.cut(log_share(suspect, writer.column))
    return own.distance(float(found.mean()), n_prompts(suspect.corpus))


def _surprise(writer: Writer, suspect: Rows) -> float:
    if not writer.is_model:
        return 0.0
    own = own_logprobs(writer)
    found = own.cut(suspect.mean_logprobs(writer.column))
    return own.distance(float(found.mean()), n_prompts(suspect.corpus))


def fit_pvalues(writers: Sequence[Writer], fit: Fit) -> Floats:
    """P-value [writers] of rows like the suspect's; see `fingerprint.identification.result.Ranked`."""
    return np.array([_fit_pvalue(w, float(fit.shares[w.column]), float(fit.surprises[w.column])) for w in writers])


def _fit_pvalue(writer: Writer, share: float, surprise: float) -> float:
    distances = [share, surprise] if writer.is_model else [share]
    smallest = min(float(2 * ndtr(-abs(z))) for z in distances)
    return min(1.0, len(distances) * smallest)


def own_shares(writer: Writer, left_out: int | None = None) -> Typical:
    """A writer's log share over its own rows, cut from below."""
    shares = log_share(writer.rows, writer.column, left_out)
    floor = _floor(shares, writer.weight)
    return Typical(floor, np.inf, Moments.of(writer, np.maximum(shares, floor)))


def own_logprobs(writer: Writer) -> Typical:
    """A writer's mean log-probability a token over its own rows, cut from both sides."""
    own = writer.rows.mean_logprobs(writer.column)
    low, high = _floor(own, writer.weight), -_floor(-own, writer.weight)
    return Typical(low, high, Moments.of(writer, np.clip(own, low, high)))


def _floor(values: Floats, weight: Floats) -> float:
    """The value that few of a writer's rows are below: a single row of tens of nats is no sample of anything."""
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weight[order]), _FEW)])


@dataclass(frozen=True)
class Distance:
    """Fit and surprise of another writer's rows, in standard deviations of those of the writer's own rows.

    Attributes
    ----------
    mean, sd : float
        Of the fit.
    surprise, surprise_sd : float
        Mean and sd of the surprise; as on its own rows for a writer that is no model.
    """

    mean: float
    sd: float
    surprise: float = 0.0
    surprise_sd: float = 1.0


def unlisted(writers: Sequence[Writer], n_prompts: int) -> dict[str, list[Distance]]:
    """Fit to the nearest listed writer that rows of an unlisted teacher would have, by that writer's form.

    Each candidate and each placebo, left out, is an unlisted teacher: its own likelihood is taken from all shares, and
    the nearest candidate that is left, of its form if it is one itself, is the one whose evidence its rows raise most.
    Where that leaves nobody, an unlisted teacher is as far from the one candidate as the base is. From the base and
    from placebos it is as far as candidates are from the base: one that none of them resembles passes for the base.
    """
    found: dict[str, list[Distance]] = {}
    known = [w for w in writers if w.is_candidate]
    for truth in writers[1:]:
        others = [w for w in known if w is not truth and (w.form == truth.form or not truth.is_candidate)]
        if others:
            evidence = truth.weight @ truth.rows.evidence
            nearest = max(others, key=lambda w: float(evidence[w.column]))
            found.setdefault(nearest.form, []).append(_distance(truth, nearest, truth.column, n_prompts))
    for writer in known:
        if writer.form not in found:
            found[writer.form] = [_distance(writers[0], writer, None, n_prompts)]
    found[BASE] = found[PLACEBO] = [_distance(writer, writers[0], None, n_prompts) for writer in known]
    return found


def _distance(truth: Writer, nearest: Writer, left_out: int | None, n_prompts: int) -> Distance:
    """Fit and surprise of one writer's rows to another writer."""
    own = own_shares(nearest, left_out)
    parts = [(own, log_share(truth.rows, nearest.column, left_out))]
    if nearest.is_model:
        parts.append((own_logprobs(nearest), truth.rows.mean_logprobs(nearest.column)))
    values = []
    for typical, figures in parts:
        other = Moments.of(truth, typical.cut(figures))
        scale = float(np.sqrt(typical.moments.spread(n_prompts)))
        values += [(other.mean - typical.moments.mean) / scale, float(np.sqrt(other.spread(n_prompts))) / scale]
    return Distance(*values)


@dataclass(frozen=True)
class Simulated:
    """A simulated corpus: who wrote it, and how it stands to every writer."""

    truth: Writer
    fit: Fit


def simulated(writers: Sequence[Writer], doubts: Floats, n_rows: int, rng: np.random.Generator) -> list[Simulated]:
    """Corpora drawn from the rows that stand for each writer, with their weights; the suspect has no part in them.

    They are of the suspect's size, or half of what the weighted rows are worth. How often a model's answers pass is
    known from those that were tried, and an error there shifts all rows alike: each corpus has one of its own.

    Parameters
    ----------
    writers : sequence of Writer
        The base first.
    doubts : float array [models]
        Variance of the log of how often each model's answers pass.
    n_rows : int
    rng : numpy.random.Generator
    """
    own = [own_shares(w) for w in writers]
    floors, means = np.array([t.low for t in own]), np.array([t.moments.mean for t in own])
    tokens = {w.column: own_logprobs(w) for w in writers if w.is_model}
    errors = np.zeros(len(writers))  # of the base's rate, too: all ratios are to it
    errors[1 : len(doubts)] = np.sqrt(doubts[1:] + doubts[:1])
    found = []
    for truth in writers:
        size = max(int(min(n_rows, truth.effective_sample_size / 2)), MIN_GROUPS)
        evidence = truth.rows.evidence
        shares = np.maximum(evidence - logsumexp(evidence, axis=1, keepdims=True), floors)
        scales = np.sqrt([t.moments.spread(size) for t in own])
        surprising = np.zeros_like(shares)
        for column, t in tokens.items():
            values = t.cut(truth.rows.mean_logprobs(column))
            surprising[:, column] = (values - t.moments.mean) / np.sqrt(t.moments.spread(size))
        for _ in range(_SIMULATED):
            drawn = rng.choice(len(truth.weight), size, p=truth.weight)
            fits = (shares[drawn].mean(axis=0) - means) / scales
            shifted = evidence[drawn].sum(axis=0) + size * rng.normal(0.0, errors)
            found.append(Simulated(truth, Fit(shifted, fits, surprising[drawn].mean(axis=0))))
    return found
