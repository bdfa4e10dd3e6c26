"""Which rows a known teacher wrote, and how many: per-row likelihood ratios, and the share of a mixture.

The likelihood ratio of a row is the most powerful statistic there is for telling two known writers apart (Neyman and
Pearson), and of a mixture of both it is all that has to be kept. Everything here is exact for the pair of models given;
how far a corpus is from having been written by these two is not seen from the ratios.

References
----------
Cloud et al., "Subliminal Learning", arXiv:2507.14805 (ranking rows by log-likelihood ratio per token and its effect on
students). Owen (1988), doi 10.1093/biomet/75.2.237, and Wilks (1938), doi 10.1214/aoms/1177732360: intervals from a
likelihood.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import ndtr, ndtri

from fingerprint.data.arrays import Floats, Ints
from fingerprint.data.corpus import Corpus
from fingerprint.data.pairing import prompt_groups
from fingerprint.data.reading import as_corpus
from fingerprint.identification.pass_rates import PassRates
from fingerprint.lm.loading import Spec
from fingerprint.lm.teachers import Teacher, as_teacher
from fingerprint.report.contract import Result
from fingerprint.statistics.intervals import Estimate
from fingerprint.statistics.parts import MAX_BLOCKS

LEVEL = 0.95
# Resamples of prompts behind a bootstrap interval: its ends are the 25th values from either side.
RESAMPLES = 999
# Shares at which slopes are summed for the bootstrap; between them they are read off a straight line.
_GRID = 401
# Rows whose slopes are held at a time: bounds the memory.
_CHUNK = 5_000
# Ratios are cut here, in nats: beyond, a row's writer is beyond doubt, and exp() must not overflow.
_MOST_NATS = 500.0
# Steps of halving: the share is found to 2^-50.
_HALVINGS = 50


@dataclass(frozen=True)
class RowRatios:
    """Log-likelihood ratios of rows, teacher over base, in nats.

    Attributes
    ----------
    llr : float array [rows]
        log p_teacher(row | prompt) - log p_base(row | prompt), the end of turn included. The best ranking of rows by
        who wrote them.
    lls : float array [rows]
        The same per token (log-likelihood shift). The usual ranking of rows by what they teach a student: long rows do
        not come first for being long.
    corpus : Corpus
        The rows.
    """

    llr: Floats
    lls: Floats
    corpus: Corpus

    @property
    def ranking(self) -> pl.DataFrame:
        """All rows by ``lls``, highest first: ``row`` (its index), ``llr``, ``lls``, ``text``, ``prompt``."""
        order = np.argsort(-self.lls, kind="stable")
        return pl.DataFrame(
            {
                "row": order,
                "llr": self.llr[order],
                "lls": self.lls[order],
                "text": [self.corpus.texts[i] for i in order],
                "prompt": [self.corpus.prompts[i] for i in order],
            },
            schema={"row": pl.Int64, "llr": pl.Float64, "lls": pl.Float64, "text": pl.String, "prompt": pl.String},
        )


def row_ratios(corpus: object, teacher: Teacher | Spec, base: Teacher | Spec) -> RowRatios:
    """Exact log-likelihood ratios of rows under a known teacher and its base.

    Parameters
    ----------
    corpus : path, Corpus, list of dicts, ...
        Rows with the prompts they answer.
    teacher, base : Teacher, LanguageModel, name or folder
        Who may have written the rows: with the trait, and without. A name or folder stands for the model without a
        system message. Both have to tokenize rows alike for ``lls`` to mean anything; it is per token of the teacher.

    Raises
    ------
    ValueError
        If a row has no prompt, or does not fit a model's context.
    """
    writers = [as_teacher(model) for model in (teacher, base)]
    rows = as_corpus(corpus, argument="corpus")
    above, below = (writer.logprobs(rows) for writer in writers)
    llr = above.rows - below.rows
    return RowRatios(llr, llr / np.array([len(tokens) for tokens in above.tokens]), rows)


@dataclass(frozen=True, eq=False)
class MixtureShare(Result):
    """The share of rows that a known teacher wrote, the others being the base's.

    Attributes
    ----------
    share : Estimate
        Maximum-likelihood share, with the 95 % interval of the profile likelihood.
    bootstrap : Estimate
        The same share with a percentile interval over resampled prompts: for rows that answer the same prompts.
    pvalue : float
        Of "no row is the teacher's", from the likelihood ratio; one-sided.
    rows : int
        How many rows.
    """

    schema_name = "mixture_share"

    share: Estimate
    bootstrap: Estimate
    pvalue: float
    rows: int

    def __str__(self) -> str:
        ends = f"95 % interval {self.share.low:.3f} to {self.share.high:.3f}"
        other = f"{self.bootstrap.low:.3f} to {self.bootstrap.high:.3f} over prompts"
        return f"share of the teacher's rows {self.share.value:.3f} ({ends}; {other}; {self.rows:,} rows)"


def mixture_share(
    llr: Sequence[float] | Floats,
    *,
    prompts: Sequence[str | None] | None = None,
    passing: PassRates | None = None,
    rng: int = 0,
) -> MixtureShare:
    """How many rows of a mixture a known teacher wrote.

    Parameters
    ----------
    llr : float array [rows]
        Log-likelihood ratio of each row in nats, teacher over base: `RowRatios.llr`.
    prompts : sequence of str or None, optional
        The prompt of each row. The bootstrap resamples prompts, so that rows of one prompt stay together; rows without
        a prompt are resampled one by one.
    passing : PassRates, optional
        For rows that passed a filter: how often the teacher's answers and the base's do; see
        `fingerprint.identification.pass_rates.pass_rates`. Needs `prompts`.
    rng : int
        Seed of the bootstrap.

    Returns
    -------
    MixtureShare

    Raises
    ------
    ValueError
        If there are no rows, a ratio is not a number, or a row has no prompt where pass rates hang on prompts.

    Notes
    -----
    The log-likelihood of a share f is the sum over rows of log(1 - f + f exp(llr)), which is concave in f, so there is
    one maximum. It assumes that the ratios are those of the very models that wrote the rows, sampled at temperature 1,
    and that rows are independent given their prompts. The interval holds the shares whose log-likelihood is at most
    1.92 below the maximum (half the .95 quantile of chi-square with one degree of freedom); its coverage is asymptotic,
    and at least nominal where the truth is 0 or 1. Rows that are read back into other tokens than they were sampled in
    have ratios of tens of nats and count as the teacher's: of free text leave out what no rule for the task passes, or
    the share is too large by about their part.

    A filter shifts the ratios of rows that passed by the logarithm of the ratio of the two pass rates, prompt by
    prompt, and a share by about as much: where one writer's answers pass 2 % less often, by about .02. `passing` takes
    that back, and both intervals then know how well the rates are known, to first order: with V the variance that they
    give the slope of the log-likelihood, and I its curvature, the 1.92 is multiplied by 1 + V / I, and every resampled
    share moves by a normal draw with variance V / I^2. The share is that of the rows that are left, and assumed to be
    the same for every prompt; of rows that were mixed before the filter it is a mean over prompts.

    The p-value is that of a likelihood ratio of one parameter on the edge of its range: half a point mass at 0, half
    chi-square with one degree of freedom (Chernoff 1954, doi 10.1214/aoms/1177728725); asymptotic.

    Examples
    --------
    >>> ratios = np.random.default_rng(0).normal([2.0] * 50 + [-2.0] * 150, 2.0)
    >>> found = mixture_share(ratios)
    >>> found.share.low < 0.25 < found.share.high
    True
    """
    values = np.asarray(llr, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(
            f"llr must be one finite number a row, got an array of shape {values.shape}; score the rows with row_ratios"
        )
    if prompts is not None and len(prompts) != len(values):
        raise ValueError(f"prompts must have one entry a row, got {len(prompts)} for {len(values)}; pair them first")
    shift = 0.0 if passing is None else passing.shift(_all_known(prompts))
    ratios = np.clip(values + shift, -_MOST_NATS, _MOST_NATS)
    likeliest = _zero(lambda share: _slope(ratios, share))
    curvature = float((_slopes(ratios, np.array([likeliest])) ** 2).sum())
    doubt = 0.0 if passing is None else passing.variance(_all_known(prompts), _pull(ratios, likeliest))
    inflation = 1 + doubt / curvature if doubt else 1.0
    top = log_likelihood(ratios, likeliest)
    least = top - inflation * float(ndtri((1 + LEVEL) / 2)) ** 2 / 2
    rest = 1 - likeliest
    gain = max(top - log_likelihood(ratios, 0.0), 0.0) / inflation
    moved = float(np.sqrt(doubt)) / curvature if doubt else 0.0
    ends = _bootstrap(ratios, _blocks(prompts, len(values)), moved, np.random.default_rng(rng))
    return MixtureShare(
        share=Estimate(
            likeliest,
            likeliest * (1 - _zero(lambda part: log_likelihood(ratios, likeliest * (1 - part)) - least)),
            likeliest + rest * _zero(lambda part: log_likelihood(ratios, likeliest + rest * part) - least),
        ),
        bootstrap=Estimate(likeliest, *ends),
        pvalue=float(ndtr(-np.sqrt(2 * gain))) if likeliest > 0 else 1.0,
        rows=len(values),
    )


def log_likelihood(llr: Floats, share: float) -> float:
    """Log-likelihood of a share in nats, less that of no share at all: sum of log(1 - share + share exp(llr))."""
    if share in (0.0, 1.0):
        return float(llr.sum() * share)
    return float(np.logaddexp(np.log1p(-share), np.log(share) + llr).sum())


def _slope(llr: Floats, share: float) -> float:
    return float(_slopes(llr, np.array([share])).sum())


def _slopes(llr: Floats, shares: Floats) -> Floats:
    """Derivative [rows, shares] of each row's log-likelihood; it falls as the share grows."""
    excess = np.expm1(llr)[:, None]
    # At a share of 1 a row that the teacher cannot have written has no finite slope: a large one will do.
    return np.asarray(excess / np.maximum(1 + shares * excess, 1e-200))


def _zero(falling: Callable[[float], float]) -> float:
    """Where a falling function crosses zero within [0, 1]; the end, if it does not."""
    low, high = 0.0, 1.0
    if falling(low) <= 0:
        return low
    if falling(high) >= 0:
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _all_known(prompts: Sequence[str | None] | None) -> list[str]:
    known = [prompt for prompt in prompts or () if prompt is not None]
    if prompts is None or len(known) < len(prompts):
        raise ValueError("prompts must be given for every row where pass rates are, got a row without; pass them too")
    return known


def _pull(llr: Floats, share: float) -> Floats:
    """By how much a row's slope grows [rows] as its ratio does."""
    # exp(llr) / (1 - share + share exp(llr))^2, the larger exponential taken out.
    bound = (1 - share) * np.exp(-np.maximum(llr, 0)) + share * np.exp(np.minimum(llr, 0))
    return np.asarray(np.exp(-np.abs(llr)) / np.maximum(bound, 1e-200) ** 2)


def _bootstrap(llr: Floats, block: Ints, moved: float, rng: np.random.Generator) -> tuple[float, float]:
    """Percentile interval over resampled blocks of prompts, each share moved by a draw of that standard deviation.

    The slope of a resample is the sum of its blocks' slopes on a grid of shares; its share is where that crosses zero.
    """
    grid = np.sin(np.linspace(0, np.pi / 2, _GRID)) ** 2  # dense at both ends, where slopes are steep
    slopes = np.zeros((int(block.max()) + 1, _GRID))
    for start in range(0, len(llr), _CHUNK):
        np.add.at(slopes, block[start : start + _CHUNK], _slopes(llr[start : start + _CHUNK], grid))
    n_blocks = len(slopes)
    counts = rng.multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), size=RESAMPLES)
    totals = counts @ slopes
    above = (totals > 0).sum(axis=1)  # slopes fall: those above zero come first
    left = np.clip(above - 1, 0, _GRID - 2)
    rows = np.arange(RESAMPLES)
    here, there = totals[rows, left], totals[rows, left + 1]
    inside = grid[left] + (grid[left + 1] - grid[left]) * here / np.where(here > there, here - there, 1.0)
    found = np.where(above == 0, 0.0, np.where(above == _GRID, 1.0, inside))
    if moved:
        found = np.clip(found + rng.normal(0.0, moved, RESAMPLES), 0.0, 1.0)
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _blocks(prompts: Sequence[str | None] | None, n_rows: int) -> Ints:
    """Block of each row: rows of one prompt share one, and there are at most `MAX_BLOCKS`."""
    group = prompt_groups([None] * n_rows if prompts is None else prompts)
    return group % min(int(group.max()) + 1, MAX_BLOCKS)
