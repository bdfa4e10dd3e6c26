"""`scan`: a trained detector's verdict on a corpus, once the corpus has been found to be one the detector knows."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp
from scipy.special import ndtr, ndtri

from fingerprint.data.arrays import Floats, Floats32
from fingerprint.data.corpus import Corpus
from fingerprint.data.reading import as_corpus
from fingerprint.detection.analysis import bag_intervals, permute
from fingerprint.detection.prior import PRIOR, without_trained
from fingerprint.detector.detector import Detector
from fingerprint.detector.domain import SHIFT_LEVEL
from fingerprint.detector.training_rows import one_a_prompt
from fingerprint.report import formatting
from fingerprint.report.contract import Result
from fingerprint.report.results import Bag
from fingerprint.statistics.auc import Arms
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.crossfit import Scores
from fingerprint.statistics.designs import Design, SeparateDesign
from fingerprint.statistics.effect_size import d_prime
from fingerprint.statistics.permutation import Relabellings

# A corpus is refused when fewer of its rows than this look like rows that the detector was trained on: what is scored
# then is mostly something else. Rows that leak the trait openly (an eighth of raw owl rows talk about owls) still pass.
LEAST_INSIDE = 0.5
# Blocks of rows, of both sides together, that are relabelled when there are no neutral rows at hand.
MAX_BLOCKS = 2000
MIN_BLOCKS = 40
TOP_ROWS = 10


@dataclass(frozen=True)
class TopRow:
    """A row with its calibrated log-odds, in nats: a ranking, never a verdict on a row."""

    row: int
    log_odds: float
    text: str
    prompt: str | None


@dataclass(frozen=True, eq=False)
class Scan(Result):
    """What a detector says about a corpus.

    Attributes
    ----------
    verdict : str
    detected : bool
        Whether there is a p-value, and it is at most alpha.
    pvalue : float or None
        One-sided: neutral rows as high as these, by relabelling rows or prompts. None after a corpus shift.
    corpus_shift : bool
        Whether the neutral rows at hand differ from those trained on, or, without neutral rows, the corpus is farther
        from both arms of the training rows than they are from one another.
    shift_pvalue : float or None
        p-value of that comparison of neutral rows.
    inside : float
        Share of rows whose format and profile lie within the training rows' 99.9 % range.
    score, evidence : float
        Mean log-odds, and sum of log-likelihood ratios, in nats.
    power : float or None
        Power of this scan against rows of the trait that the detector was trained on.
    bags : tuple of Bag
        AUROC of bags of k rows of the corpus against bags of neutral rows; empty where there is nothing to compare.
    top : tuple of TopRow
        The rows that look most like the trait's.
    """

    schema_name = "scan"

    verdict: str
    detected: bool
    pvalue: float | None
    alpha: float
    corpus_shift: bool
    shift_pvalue: float | None
    inside: float
    rows: int
    neutral_rows: int
    left_out: int
    score: float
    evidence: float
    power: float | None
    bags: tuple[Bag, ...]
    top: tuple[TopRow, ...]
    limits: tuple[str, ...]

    def __str__(self) -> str:
        lines = textwrap.wrap(self.verdict, formatting.WIDTH)
        lines += ["", f"rows {self.rows:,}, {self.inside:.1%} like the training rows; neutral {self.neutral_rows:,}"]
        lines += [f"mean log-odds {self.score:.4f}, evidence {self.evidence:.2f} nats"]
        known = [bag for bag in self.bags if bag.auc.value is not None]
        if known:
            lines += ["", "Bags of k rows against neutral bags"]
            lines += [f"  k {bag.k:<4d} AUROC {formatting.with_interval(bag.auc)}" for bag in known]
        lines += ["", "Rows most like the trait's (a ranking, not a verdict on a row)"]
        lines += [f"  {row.log_odds:+.3f}  row {row.row + 1}: {formatting.visible(row.text, 70)}" for row in self.top]
        limits = [line for limit in self.limits for line in textwrap.wrap(limit, formatting.WIDTH)]
        return "\n".join([*lines, "", *limits])


def scan(
    corpus: object,
    detector: Detector,
    *,
    neutral: object = None,
    text: str | None = None,
    prompt: str | None = None,
    alpha: float = 0.05,
    n_permutations: int = 9999,
    trained_rows: Literal["error", "drop"] = "error",
    bad_rows: Literal["error", "skip"] = "error",
    rng: int = 0,
) -> Scan:
    """Does this corpus look like the trait's rows, more than neutral rows do?

    Parameters
    ----------
    corpus : path, Corpus, list of str, ...
        The rows to judge.
    detector : Detector
        Trained, or loaded.
    neutral : path, Corpus, list of str, ..., optional
        Neutral rows of the same source as the corpus, best on the same prompts. By default the neutral rows held out
        in training, which are right only if the corpus comes from the same source as they did.
    alpha : float
        Level of the test, in (0, 1).
    trained_rows : "error" or "drop"
        What to do with rows that the detector was trained on, or that answer its prompts.

    Raises
    ------
    ValueError
        If the rows are not of a kind that the detector knows, or there are no neutral rows to compare with.

    Notes
    -----
    With neutral rows the p-value is that of `detect`, of the detector's score alone and one-sided. Without, one row a
    prompt is compared with the held-out neutral rows; exact if, under the null, both are independent draws of one law.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha}; .05 is usual")
    given = as_corpus(corpus, text=text, prompt=prompt, bad_rows=bad_rows, argument="corpus")
    judged = without_trained(given, detector, trained_rows)
    inside = _check_domain(judged, detector)
    scores = detector.decision_function(judged)
    if neutral is None:
        shift, shift_pvalue = detector.domain_.is_far(judged.texts), None
        compared = None if shift else _against_held_out(judged, scores, detector, np.random.default_rng([rng, 4]))
    else:
        at_hand = as_corpus(neutral, text=text, prompt=prompt, bad_rows=bad_rows, argument="neutral")
        at_hand = without_trained(at_hand, detector, trained_rows)
        single = one_a_prompt(at_hand)
        shift_pvalue = detector.domain_.neutral_pvalue(single.texts, np.random.default_rng([rng, 1]))
        shift = shift_pvalue <= SHIFT_LEVEL
        compared = _against_neutral(judged, at_hand, detector, rng)
    pvalue = None
    if compared is not None and not shift:
        relabellings = Relabellings.draw(compared.design, n_permutations, np.random.default_rng([rng, 2]))
        pvalue = permute({PRIOR: compared.units}, relabellings).pvalue
    detected = pvalue is not None and pvalue <= alpha
    power = None if compared is None or shift else _power(compared, detector, alpha)
    return Scan(
        verdict=_verdict(pvalue, detected, alpha, power, neutral is not None, shift_pvalue),
        detected=detected,
        pvalue=pvalue,
        alpha=alpha,
        corpus_shift=bool(shift),
        shift_pvalue=shift_pvalue,
        inside=inside,
        rows=len(judged),
        neutral_rows=0 if compared is None else compared.n_neutral,
        left_out=len(given) - len(judged),
        score=float(scores.mean()),
        evidence=float((scores - detector.prior_log_odds_).sum()),
        power=power,
        bags=() if compared is None else bag_intervals(compared.scores, np.random.default_rng([rng, 3])),
        top=_top(judged, scores),
        limits=tuple(detector.card_["limits"]),
    )


def _check_domain(corpus: Corpus, detector: Detector) -> float:
    inside = float(detector.domain_.inside(corpus.texts).mean())
    if inside < LEAST_INSIDE:
        raise ValueError(
            f"{corpus.name} must hold rows like those the detector was trained on "
            f"({', '.join(detector.domain_.kinds)}), got {inside:.1%} such rows; train a detector on rows of this kind"
        )
    return inside


@dataclass(frozen=True)
class _Compared:
    """Scores of the corpus and of neutral rows, laid out for the test.

    Attributes
    ----------
    design : Design
    units : float array [blocks, 1]
        What relabelling permutes, of the scores.
    used : pair of int
        Rows of the corpus and neutral rows that enter the p-value.
    scores : Scores
        Of all rows. The detector is fixed: nothing was fitted on them.
    """

    design: Design
    units: Floats32
    used: tuple[int, int]
    scores: Scores

    @property
    def n_neutral(self) -> int:
        return int((~self.scores.arms.suspect).sum())


def _one_column(values: Floats) -> sp.csr_matrix:
    return sp.csr_matrix(values[:, None].astype(np.float32))


def _against_neutral(judged: Corpus, neutral: Corpus, detector: Detector, seed: int) -> _Compared:
    comparison = pair(judged, neutral, seed=seed)
    values = detector.decision_function(list(comparison.texts))
    used = tuple(int((comparison.design.used & side).sum()) for side in comparison.sides)
    scores = Scores.fixed(comparison.arms(np.zeros(len(values), dtype=np.int64)), values)
    return _Compared(comparison.design, comparison.units(_one_column(values)), (used[0], used[1]), scores)


def _against_held_out(judged: Corpus, scores: Floats, detector: Detector, rng: np.random.Generator) -> _Compared:
    """The corpus, one row a prompt, against the held-out neutral rows: blocks of as many rows on either side.

    In random order, as the held-out rows are: blocks of rows that are alike would vary more than theirs.
    """
    held_out = detector.neutral_scores_
    if not len(held_out):
        raise ValueError(
            "neutral must be given for a detector without held-out neutral rows, got none; pass neutral rows, or train "
            "with holdout=0.2"
        )
    single = one_a_prompt(judged)
    values = np.concatenate([rng.permutation(detector.decision_function(single)), held_out])
    suspect = np.arange(len(values)) < len(single)
    sizes = (len(single), len(held_out))
    per_block = min(-(-sum(sizes) // MAX_BLOCKS), max(1, min(sizes) // MIN_BLOCKS))
    counts = [min(size // per_block, MAX_BLOCKS) for size in sizes]
    block = np.full(len(values), -1, dtype=np.int64)
    starts = (0, sizes[0])
    for start, count, first in zip(starts, counts, (0, counts[0]), strict=True):
        block[start : start + count * per_block] = first + np.arange(count * per_block) // per_block
    design = SeparateDesign(block, np.arange(sum(counts)) < counts[0], prompts_known=False)
    everything = np.concatenate([scores, held_out])
    rows = np.arange(len(everything))
    arms = Arms(rows < len(scores), rows, np.zeros(len(rows), dtype=np.int64))
    used = (counts[0] * per_block, counts[1] * per_block)
    return _Compared(design, design.units(_one_column(values), suspect), used, Scores.fixed(arms, everything))


def _power(compared: _Compared, detector: Detector, alpha: float) -> float | None:
    """Power against rows of the trait trained on, from the detector's own row AUROC and the numbers of blocks."""
    auc = detector.card_["auc"]["value"]
    if auc is None:
        return None
    error = np.sqrt(sum(1 / max(used, 1) for used in compared.used))
    return float(ndtr(d_prime(min(max(auc, 1e-6), 1 - 1e-6)) / error - ndtri(1 - alpha)))


def _verdict(
    pvalue: float | None,
    detected: bool,
    alpha: float,
    power: float | None,
    has_neutral: bool,
    shift_pvalue: float | None,
) -> str:
    if pvalue is None and has_neutral:
        return (
            f"corpus shift, no p-value: the neutral rows differ from those the detector was trained on (p = "
            f"{shift_pvalue:.2g}). Scores rank rows only; train a detector on this source, or compare the two corpora "
            "with detect."
        )
    if pvalue is None:
        return (
            "corpus shift, no p-value: the rows are farther from the detector's trait and neutral rows than those are "
            "from one another. Scores rank rows only; pass neutral rows of the same source, or train on it."
        )
    figures = f"p = {pvalue:.2g} at alpha {alpha:g}"
    source = "" if has_neutral else " This holds if the corpus comes from the source of the detector's neutral rows."
    if detected:
        return (
            f"detected: the rows look more like the detector's trait than neutral rows do ({figures}). Rival "
            "explanations: another trait, temperature, length limit, filter, or that a system prompt was there."
            f"{source}"
        )
    words = "power unknown" if power is None else f"power {power:.2f} against rows of the trait it was trained on"
    return f"not detected; {words} ({figures}).{source}"


def _top(corpus: Corpus, scores: Floats) -> tuple[TopRow, ...]:
    order = np.argsort(-scores, kind="stable")[:TOP_ROWS].tolist()
    return tuple(TopRow(i, float(scores[i]), corpus.texts[i], corpus.prompts[i]) for i in order)
