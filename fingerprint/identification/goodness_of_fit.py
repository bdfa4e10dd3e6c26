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
from scipy.special import logsumexp
from scipy.stats import norm

from fingerprint.data.arrays import Floats
from fingerprint.data.pairing import n_prompts
from fingerprint.identification.candidates import BASE
from fingerprint.identification.scoring import Rows

PLACEBO = "placebo"
# Share of a writer's own rows whose log shares are cut off from below when fits are compared.
_FEW = 0.01
# Variance of log shares below this is rounding.
_LEAST_SPREAD = 1e-12


@dataclass(frozen=True)
class Writer:
    """Somebody who may have written the suspect.

    Attributes
    ----------
    name, form : str
    column : int
        In `Rows.evidence`.
    is_model : bool
        Whether its ratios are likelihoods; otherwise they are those of a detector.
    rows, weight : Rows, float array [rows]
        Rows that stand for what it writes; weights add up to 1.
    """

    name: str
    form: str
    column: int
    is_model: bool
    rows: Rows
    weight: Floats

    @property
    def is_candidate(self) -> bool:
        return self.form not in (BASE, PLACEBO)

    @cached_property
    def worth(self) -> float:
        """How many rows of its own the weighted ones are worth."""
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


def log_share(rows: Rows, column: int, left_out: int | None = None) -> Floats:
    """Log of a writer's share [rows] in the likelihood of all writers together, each as likely; at most 0."""
    evidence = rows.evidence
    if left_out is not None:
        evidence = np.delete(evidence, left_out, axis=1)
        column -= column > left_out
    return np.asarray(evidence[:, column] - logsumexp(evidence, axis=1))


def fit(writer: Writer, suspect: Rows) -> float:
    """How far the mean log share of a writer is from what its own rows give, in standard errors; low is a bad fit.

    The error is that of the suspect's mean, prompt by prompt, had the writer's own spread, and of the writer's mean.
    """
    floor, own = own_shares(writer)
    found = float(np.maximum(log_share(suspect, writer.column), floor).mean())
    return (found - own.mean) / float(np.sqrt(own.spread(n_prompts(suspect.corpus))))


def surprise(writer: Writer, suspect: Rows) -> float:
    """How far the suspect's mean log-probability a token is from that of the writer's own rows, in standard errors.

    Shares compare writers with one another and do not see that none of them writes like this; this does. Zero for a
    writer that is no model.
    """
    if not writer.is_model:
        return 0.0
    low, high, expected = own_logprobs(writer)
    found = float(np.clip(suspect.mean_logprobs(writer.column), low, high).mean())
    return (found - expected.mean) / float(np.sqrt(expected.spread(n_prompts(suspect.corpus))))


def fit_pvalue(writer: Writer, fit: float, surprise: float) -> float:
    """See `fingerprint.identification.result.Ranked`."""
    distances = [fit, surprise] if writer.is_model else [fit]
    smallest = min(float(2 * norm.sf(abs(z))) for z in distances)
    return min(1.0, len(distances) * smallest)


def own_shares(writer: Writer, left_out: int | None = None) -> tuple[float, Moments]:
    """Floor and moments of a writer's log share over its own rows."""
    shares = log_share(writer.rows, writer.column, left_out)
    floor = _floor(shares, writer.weight)
    return floor, Moments.of(writer, np.maximum(shares, floor))


def own_logprobs(writer: Writer) -> tuple[float, float, Moments]:
    """Ends and moments of a writer's mean log-probability a token over its own rows.

    Rows beyond what few of these reach count as if they were there.
    """
    own = writer.rows.mean_logprobs(writer.column)
    low, high = _floor(own, writer.weight), -_floor(-own, writer.weight)
    return low, high, Moments.of(writer, np.clip(own, low, high))


def _floor(values: Floats, weight: Floats) -> float:
    """The value that few of a writer's rows are below: a single row of tens of nats is no sample of anything."""
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weight[order]), _FEW)])


@dataclass(frozen=True)
class Distance:
    """Means and sds of fit and surprise of other rows, in standard deviations of those of the candidate's own rows."""

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
    floor, own = own_shares(nearest, left_out)
    other = Moments.of(truth, np.maximum(log_share(truth.rows, nearest.column, left_out), floor))
    parts = [(own, other)]
    if nearest.is_model:
        low, high, expected = own_logprobs(nearest)
        found = Moments.of(truth, np.clip(truth.rows.mean_logprobs(nearest.column), low, high))
        parts.append((expected, found))
    scales = [float(np.sqrt(a.spread(n_prompts))) for a, _ in parts]
    values = [
        value
        for (a, b), scale in zip(parts, scales, strict=True)
        for value in ((b.mean - a.mean) / scale, float(np.sqrt(b.spread(n_prompts))) / scale)
    ]
    return Distance(*values)
