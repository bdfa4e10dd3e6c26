"""Scores by students: what training a model on some of the rows changes about the rows it has not seen.

If the suspect's teacher is the model, fine-tuned, then a student of the same model moves towards that teacher, and the
log-likelihood ratio of student and model estimates the one of teacher and model: with no choice of features, and beyond
the first order at which gradients stop. It is the phenomenon itself that detects the rows.

One student a fold and side, trained on a fifth of that side's rows. A model of several folds is the product of their
students: moves of the weights that are small add up, and so do the log-likelihood ratios that they cause. From the
suspect's ratios those of the reference's students are taken away, as far as these have learnt anything: what both sides
share (another temperature, a filter) cancels, and from a reference that the model wrote itself comes no noise. No
student judges a row whose prompt it was trained on: scores are cross-fitted like any other, on the same folds.

Not imported by anything that must do without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from fingerprint.data.arrays import Bools, Floats, Ints
from fingerprint.data.corpus import Corpus, distinct_rows
from fingerprint.data.row_errors import rows_named
from fingerprint.lm.loading import MICRO_MODELS, Spec, load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.scoring import token_logprobs
from fingerprint.lm.training import LoRA, Recipe, fine_tune
from fingerprint.statistics.auc import N_FOLDS
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.contamination import contaminated
from fingerprint.statistics.crossfit import Plan, agreement, folds

# Chosen on fine-tuned owl and cat, prompted owl and birch teachers of micro-a at 1,000 rows a side, a fifth of them a
# student: mean efficiency .62, as with four passes at 3e-3 (.62), which take twice the time; two passes at that rate
# .61, all weights .61. Adapters of their own, with another start than those that lab teachers are trained with (seed
# 0): nobody who detects knows a teacher's. For larger models usual step sizes; nothing was chosen on one.
MICRO_RECIPE = Recipe(learning_rate=5e-3, batch_size=32, epochs=2, weights=LoRA(rank=16, alpha=32, seed=1))
LARGE_RECIPE = Recipe(learning_rate=2e-4, batch_size=16, epochs=2, weights=LoRA(rank=16, alpha=32, seed=1))


def student_scores(
    model: Spec,
    comparison: Comparison,
    corpora: Sequence[Corpus],
    *,
    rng: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Floats:
    """Log-likelihood ratios of the suspect's students and the reference's [rows, models], in nats, for
    `fingerprint.statistics.crossfit.cross_fit`.

    They are bounded (`fingerprint.statistics.contamination.contaminated`): a few rows with ratios of tens of nats would
    make the others' look like nothing beside the other members of the stack.

    Parameters
    ----------
    model : name, folder, or loaded model
        Best the base that the suspect's teacher was made from.
    comparison : Comparison
        Of the first two corpora.
    corpora : sequence of Corpus
        Suspect and reference, every row with its prompt.
    rng : int
        Seed of the order in which students see their rows.
    progress : callable, optional
        Told the share of the students that are done.

    Returns
    -------
    float array [rows, models]
        One column a model of `fingerprint.statistics.crossfit.Plan`: the sum of the ratios of the students of the folds
        that it is fitted on, the suspect's less `kept_share` of the reference's. Rows of these folds have no score by
        it: zero.

    Raises
    ------
    ValueError
        If a row has no prompt or is too long, or training fails.

    Notes
    -----
    Ten students: together as much training as two of all of their side's rows, and eight passes over all rows to score
    them. A student of every model of the plan, twenty of the suspect alone, took eleven times that student's training.
    """
    lm = load(model)
    recipe = MICRO_RECIPE if lm.name in MICRO_MODELS else LARGE_RECIPE
    for corpus in corpora[:2]:
        corpus.every_prompt("student")
    distinct, rows = distinct_rows(corpora[:2])
    place = np.array(
        [rows[not suspect][row] for suspect, row in zip(comparison.suspect, comparison.origin, strict=True)]
    )
    fold = folds(comparison)
    with rows_named(corpora[:2], rows):
        base = _logprobs(lm, distinct, np.arange(len(distinct)))
    ratios = np.zeros((2, len(fold), N_FOLDS))
    for number, (side, k) in enumerate(product(range(2), range(N_FOLDS)), 1):
        taught = np.flatnonzero((fold == k) & comparison.sides[side])
        unseen = np.flatnonzero(fold != k)
        if len(taught) and len(unseen):
            lesson = distinct.only(place[taught])
            name = f"student {number} of {lm.name}"
            student = fine_tune(lm, lesson.every_prompt(), lesson.texts, recipe, name=name, rng=rng)
            judged, back = np.unique(place[unseen], return_inverse=True)
            ratios[side, unseen, k] = (_logprobs(student, distinct, judged) - base[judged])[back]
        if progress is not None:
            progress(number / ratios.shape[0] / N_FOLDS)
    plan = Plan.of(fold, comparison.suspect)
    return _of_plan(ratios[0] - kept_share(ratios, plan, comparison.suspect) * ratios[1], plan)


def kept_share(ratios: Floats, plan: Plan, suspect: Bools) -> float:
    """How much of the reference's ratios to take away: its students' agreement over the suspect's, at most 1.

    Students of separate folds agree about rows of a third one as far as they have learnt the same. If the reference is
    the model's own there is nothing to learn, and its students' ratios are noise. The figure compares students within a
    side: it sees nothing of how far the sides are apart, so that scores it enters are as cross-fitted as before.

    Parameters
    ----------
    ratios : float array [2, rows, folds]
        Of the suspect's and the reference's students.
    """
    learnt, known = (agreement(_of_plan(side, plan), plan, suspect) for side in ratios)
    return known / max(learnt, known) if known > 0 else 0.0


def _of_plan(ratios: Floats, plan: Plan) -> Floats:
    """Bounded ratios [rows, models] of the models of a plan, from those [rows, folds] of one student a fold."""
    scores = np.zeros(plan.weights.shape)
    for number, weights in enumerate(plan.weights.T):
        unseen = weights == 0
        taught = np.unique(plan.fold[~unseen])
        scores[unseen, number] = contaminated(ratios[np.ix_(unseen, taught)].sum(axis=1))
    return scores


def _logprobs(lm: LanguageModel, corpus: Corpus, rows: Ints) -> Floats:
    """Log-probability of some rows of a corpus in nats."""
    part = corpus.only(rows)
    return np.array([values.sum() for values in token_logprobs(lm, part.every_prompt(), part.texts)])
