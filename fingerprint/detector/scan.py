"""`scan`: a trained detector's verdict on a corpus, once the corpus has been found to be one the detector knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp
from scipy.special import ndtr, ndtri

from fingerprint.data.arrays import Bools, Floats, Ints
from fingerprint.data.chats import Which
from fingerprint.data.columns import Sided
from fingerprint.data.corpus import Corpus
from fingerprint.data.progress import Listener, Progress, Step
from fingerprint.data.sides import REFERENCE, SUSPECT, SidesRead
from fingerprint.detection.analysis import bag_intervals
from fingerprint.detection.prior import without_trained
from fingerprint.detection.provenance import trained_on
from fingerprint.detector.detector import Detector
from fingerprint.detector.domain import SHIFT_LEVEL
from fingerprint.detector.scan_result import Scan, TopRow
from fingerprint.detector.training_rows import one_a_prompt
from fingerprint.report.provenance import provenance, record_of
from fingerprint.report.title import title_of
from fingerprint.statistics.auc import Arms
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.crossfit import Scores
from fingerprint.statistics.designs import Design
from fingerprint.statistics.effect_size import d_prime
from fingerprint.statistics.parts import SeparatePart
from fingerprint.statistics.permutation import Relabellings, permutation_test
from fingerprint.statistics.streams import ScanStream, generator

# A corpus is refused when fewer of its rows than this look like rows that the detector was trained on: what is scored
# then is mostly something else. Rows that leak the trait openly (an eighth of raw owl rows talk about owls) still pass.
LEAST_INSIDE = 0.5
# Blocks of rows, of both sides together, that are relabelled when there are no neutral rows at hand.
MAX_BLOCKS = 2000
TOP_ROWS = 10

READING, SCORING, COMPARING = "reading rows", "scoring rows", "comparing with neutral rows"
# Seconds of a core for 2,000 rows of numbers and as many neutral ones.
STEPS = (Step(READING, 0.3), Step(SCORING, 0.5), Step(COMPARING, 1.5))


def scan(
    corpus: object,
    detector: Detector,
    *,
    neutral: object = None,
    text: Sided = None,
    prompt: Sided = None,
    turn: Which | None = None,
    alpha: float = 0.05,
    n_permutations: int = 9999,
    trained_rows: Literal["error", "drop"] = "error",
    bad_rows: Literal["error", "skip"] = "error",
    rng: int = 0,
    progress: bool | Listener = False,
    title: str | None = None,
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
    text, prompt : str or pair of str, optional
        Column names, where they are not among the usual ones; a pair is the corpus's and the neutral rows'.
    turn : "last", "first", "all" or int, optional
        Which of the assistant's turns is the text of a chat; see `fingerprint.read`.
    alpha : float
        Level of the test, in (0, 1).
    trained_rows : "error" or "drop"
        What to do with rows that the detector was trained on, or that answer its prompts.
    progress : bool or callable (step, fraction done)
        True prints steps and the time left on standard error.
    title : str, optional
        What to call the scan on the screen and in JSON; by default the names of the files.

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
    how, named = SidesRead(text, prompt, turn, bad_rows), title_of(title, corpus, neutral)
    tell = Progress(progress, READING)
    tell.plan(STEPS)
    given = how.corpus(corpus, SUSPECT, "corpus")
    judged, left = without_trained(given, [detector], trained_rows)
    inside = _check_domain(judged, detector)
    tell(SCORING)
    scores = detector.decision_function(judged)
    tell(COMPARING)
    asked = {"alpha": alpha, "n_permutations": n_permutations, "trained_rows": trained_rows, "bad_rows": bad_rows}
    inputs = {"corpus": record_of(given, given.read_as)}
    if neutral is None:
        shift = _Shift(detector.domain_.is_far(judged.texts), None)
        compared = None if shift.found else _against_held_out(judged, scores, detector, rng)
    else:
        others = how.corpus(neutral, REFERENCE, "neutral")
        inputs["neutral"] = record_of(others, others.read_as)
        at_hand, _ = without_trained(others, [detector], trained_rows)
        shift = _neutral_shift(at_hand, detector, rng)
        compared = _against_neutral(judged, at_hand, detector, rng)
    found = None if compared is None or shift.found else _test(compared, detector, alpha, n_permutations, rng)
    return Scan(
        title=named,
        verdict=_verdict(found, shift, alpha, neutral is not None),
        detected=found is not None and found.detected,
        pvalue=None if found is None else found.pvalue,
        alpha=alpha,
        corpus_shift=shift.found,
        shift_pvalue=shift.pvalue,
        inside=inside,
        rows=len(judged),
        neutral_rows=0 if compared is None else compared.n_neutral,
        left_out=len(given) - len(judged),
        score=float(scores.mean()),
        evidence=float((scores - detector.prior_log_odds_).sum()),
        power=None if found is None else found.power,
        bags=() if compared is None else bag_intervals(compared.scores, generator(rng, ScanStream.BAGS)),
        top=_top(judged, scores, left),
        limits=tuple(detector.card_["limits"]),
        settings=provenance(rng, inputs, asked) | {"detector": trained_on(detector.card_)},
    )


# ---------------------------------------------------------------------------------- are these rows the detector knows?


def _check_domain(corpus: Corpus, detector: Detector) -> float:
    """Share of the rows that are like the training rows; too few are an error."""
    inside = float(detector.domain_.inside(corpus.texts).mean())
    if inside < LEAST_INSIDE:
        raise ValueError(
            f"{corpus.name} must hold rows like those the detector was trained on "
            f"({', '.join(detector.domain_.kinds)}), got {inside:.1%} such rows; train a detector on rows of this kind"
        )
    return inside


@dataclass(frozen=True)
class _Shift:
    """Whether rows are from another source than the training rows, and the p-value that says so where there is one."""

    found: bool
    pvalue: float | None


def _neutral_shift(neutral: Corpus, detector: Detector, seed: int) -> _Shift:
    """Do the neutral rows at hand, one a prompt, differ from those trained on?"""
    pvalue = detector.domain_.neutral_pvalue(one_a_prompt(neutral).texts, generator(seed, ScanStream.CORPUS_SHIFT))
    return _Shift(pvalue <= SHIFT_LEVEL, pvalue)


# ------------------------------------------------------------------------------------------------ what is compared how


@dataclass(frozen=True)
class _Compared:
    """Scores of the corpus and of neutral rows, laid out for the test.

    Attributes
    ----------
    design : Design
    units : float array [blocks]
        What relabelling permutes, of the scores.
    used : pair of int
        Rows of the corpus and neutral rows that enter the p-value.
    scores : Scores
        Of all rows. The detector is fixed: nothing was fitted on them.
    """

    design: Design
    units: Floats
    used: tuple[int, int]
    scores: Scores

    @classmethod
    def of(cls, design: Design, suspect: Bools, values: Floats, scores: Scores) -> _Compared:
        """Lay out the scores `values` [rows] of the design's rows."""
        units = design.units(sp.csr_matrix(values[:, None].astype(np.float32)), suspect)[:, 0]
        used = (int((design.used & suspect).sum()), int((design.used & ~suspect).sum()))
        return cls(design, units.astype(np.float64), used, scores)

    @property
    def n_neutral(self) -> int:
        return int((~self.scores.arms.suspect).sum())


def _against_neutral(judged: Corpus, neutral: Corpus, detector: Detector, seed: int) -> _Compared:
    """The corpus against neutral rows at hand, as `detect` compares two corpora."""
    comparison = pair(judged, neutral, seed=seed)
    values = detector.decision_function(list(comparison.texts))
    scores = Scores.fixed(comparison.arms(np.zeros(len(values), dtype=np.int64)), values)
    return _Compared.of(comparison.design, comparison.suspect, values, scores)


def _against_held_out(judged: Corpus, scores: Floats, detector: Detector, seed: int) -> _Compared:
    """The corpus, one row a prompt, against the held-out neutral rows.

    In random order, as the held-out rows are: blocks of rows that are alike would vary more than theirs.
    """
    held_out = detector.neutral_scores_
    if not len(held_out):
        raise ValueError(
            "neutral must be given for a detector without held-out neutral rows, got none; pass neutral rows, or train "
            "with holdout=0.2"
        )
    single = detector.decision_function(one_a_prompt(judged))
    values = np.concatenate([generator(seed, ScanStream.ROW_ORDER).permutation(single), held_out])
    part = SeparatePart.of_ordered_rows(len(single), len(held_out), MAX_BLOCKS)
    design = Design((part,), np.arange(len(values)), has_prompts=False)
    rows = np.arange(len(scores) + len(held_out))
    arms = Arms(rows < len(scores), rows, np.zeros(len(rows), dtype=np.int64))
    everything = Scores.fixed(arms, np.concatenate([scores, held_out]))
    return _Compared.of(design, np.arange(len(values)) < len(single), values, everything)


# -------------------------------------------------------------------------------------------------------- the test


@dataclass(frozen=True)
class _Found:
    """The test, and the power it had."""

    pvalue: float
    detected: bool
    power: float | None


def _test(compared: _Compared, detector: Detector, alpha: float, n_permutations: int, seed: int) -> _Found:
    """One-sided: do rows of the corpus score higher?"""
    relabellings = Relabellings.draw(compared.design, n_permutations, generator(seed, ScanStream.PERMUTATIONS))
    pvalue = permutation_test({}, relabellings, {"detector": compared.units}).pvalue
    return _Found(pvalue, pvalue <= alpha, _power(compared.used, detector.card_["auc"]["value"], alpha))


def _power(used: tuple[int, int], auc: float | None, alpha: float) -> float | None:
    """Power against rows of the trait trained on, from the detector's own row AUROC and the numbers of rows."""
    if auc is None:
        return None
    error = np.sqrt(sum(1 / max(rows, 1) for rows in used))
    return float(ndtr(d_prime(min(max(auc, 1e-6), 1 - 1e-6)) / error - ndtri(1 - alpha)))


# ---------------------------------------------------------------------------------------------------------- in words


def _verdict(found: _Found | None, shift: _Shift, alpha: float, has_neutral: bool) -> str:
    if found is None:
        return _shift_verdict(shift)
    figures = f"p = {found.pvalue:.2g} at alpha {alpha:g}"
    source = "" if has_neutral else " This holds if the corpus comes from the source of the detector's neutral rows."
    if found.detected:
        return (
            f"detected: the rows look more like the detector's trait than neutral rows do ({figures}). Rival "
            "explanations: another trait, temperature, length limit, filter, or that a system prompt was there."
            f"{source}"
        )
    power = found.power
    words = "power unknown" if power is None else f"power {power:.2f} against rows of the trait it was trained on"
    return f"not detected; {words} ({figures}).{source}"


def _shift_verdict(shift: _Shift) -> str:
    if shift.pvalue is None:
        return (
            "corpus shift, no p-value: the rows are farther from the detector's trait and neutral rows than those are "
            "from one another. Scores rank rows only; pass neutral rows of the same source, or train on it."
        )
    return (
        "corpus shift, no p-value: the neutral rows differ from those the detector was trained on (p = "
        f"{shift.pvalue:.2g}). Scores rank rows only; train a detector on this source, or compare the two corpora "
        "with detect."
    )


def _top(corpus: Corpus, scores: Floats, numbers: Ints) -> tuple[TopRow, ...]:
    """The highest scores, under the rows' numbers [rows] among all rows given."""
    order = np.argsort(-scores, kind="stable")[:TOP_ROWS].tolist()
    return tuple(TopRow(int(numbers[i]), float(scores[i]), corpus.texts[i], corpus.prompts[i]) for i in order)
