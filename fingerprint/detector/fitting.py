"""What a detector is fitted to: rows of one trait or of several, against neutral rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint.data.arrays import Array, Bools, Ints
from fingerprint.data.corpus import Corpus
from fingerprint.detector.calibrated_stack import CalibratedStack
from fingerprint.detector.card import TrainedTrait
from fingerprint.detector.several_traits import LeftOut, comparisons, fit_common, pooled_scores
from fingerprint.report.encoding import encode_record
from fingerprint.statistics.classifier import Classifier
from fingerprint.statistics.comparison import Comparison, pair
from fingerprint.statistics.crossfit import Scores
from fingerprint.statistics.intervals import auc_interval


@dataclass(frozen=True)
class FittedTraits:
    """A fitted stack and what is told of it.

    Attributes
    ----------
    stack : CalibratedStack
    scores : Scores
        Out-of-fold scores of the training rows; of several traits, by models that did not see the row's trait either.
    prior_log_odds : float
        Of the trait among the training rows, in nats; of several traits, where the rows of each weigh the same.
    texts, is_trait, one_a_prompt : list of str and bool arrays [rows]
        The rows, and which of them are one a prompt and side.
    design : str
    left_out : tuple of LeftOut
        Empty for one trait.
    """

    stack: CalibratedStack
    scores: Scores
    prior_log_odds: float
    texts: list[str]
    is_trait: Bools
    one_a_prompt: Bools
    design: str
    left_out: tuple[LeftOut, ...]

    def described(self, label: Ints, traits: Array) -> list[TrainedTrait]:
        """Each trait's rows and AUROC for a card, from labels and traits of all rows, held out or not."""
        scores = {out.name: out.scores for out in self.left_out}
        return [
            {
                "name": name,
                "rows": int(((label == 1) & (traits == name)).sum()),
                "neutral_rows": int(((label == 0) & ((traits == name) | (traits == ""))).sum()),
                "auc": encode_record(auc_interval(scores.get(name, self.scores))),
            }
            for name in sorted(set(traits[label == 1].tolist()))
        ]


def fit_traits(
    corpus: Corpus,
    label: Ints,
    traits: Array,
    held: Bools,
    features: object,
    classifiers: Sequence[Classifier | None],
    fast: bool,
    seed: int,
) -> FittedTraits:
    """Fit one trait's stack, or what several traits have in common.

    Parameters
    ----------
    label : int array [rows]
        1 for rows of a trait, 0 for neutral ones.
    traits : array of str [rows]
        The trait of each row; "" for neutral rows that all traits are compared with.
    held : bool array [rows]
        Rows that nothing is fitted on.
    """
    used = corpus.only(~held)
    label, traits = label[~held], traits[~held]
    if len(set(traits[label == 1].tolist())) < 2:
        sides = [used.only(label == k, name) for k, name in ((1, "trait"), (0, "neutral"))]
        comparison = pair(sides[0], sides[1], seed=seed)
        stack, scores = CalibratedStack.fitted(comparison, features, classifiers, fast)
        one = _one_a_group_and_side(comparison.group, comparison.suspect)
        shares = _log_odds_of_shares(comparison)
        kind = comparison.design.kind
        return FittedTraits(stack, scores, shares, comparison.texts, comparison.suspect, one, kind, ())
    of_traits = comparisons(used, label, traits, seed)
    stack, left_out, shares = fit_common(used, of_traits, features, classifiers, fast)
    scores = pooled_scores(of_traits, left_out)
    kinds = sorted({trait.comparison.design.kind for trait in of_traits})
    return FittedTraits(
        stack=stack,
        scores=scores,
        prior_log_odds=shares,
        texts=list(used.texts),
        is_trait=label == 1,
        one_a_prompt=_one_a_prompt_and_side(used, label),
        design=" and ".join(kinds),
        left_out=tuple(left_out),
    )


def _log_odds_of_shares(comparison: Comparison) -> float:
    """Log-odds of the trait among the rows, in nats."""
    n_trait = int(comparison.suspect.sum())
    return float(np.log(n_trait / (len(comparison.suspect) - n_trait)))


def _one_a_group_and_side(group: Ints, is_trait: Bools) -> Bools:
    """Marks one row of every group and side [rows]."""
    first = np.zeros(len(group), dtype=bool)
    first[np.unique(group * 2 + is_trait, return_index=True)[1]] = True
    return first


def _one_a_prompt_and_side(corpus: Corpus, label: Ints) -> Bools:
    """The same by prompts; a row without one is a group of its own."""
    keys = [f"row {row}" if key is None else f"prompt {key}" for row, key in enumerate(corpus.prompt_keys)]
    return _one_a_group_and_side(np.unique(keys, return_inverse=True)[1].astype(np.int64), label == 1)
