"""Scores by students: what training a model on some of the suspect's rows changes about the rows it has not seen.

If the suspect's teacher is the model, fine-tuned, then a student of the same model moves towards that teacher, and the
log-likelihood ratio of student and model estimates the one of teacher and model: with no choice of features, and beyond
the first order at which gradients stop. It is the phenomenon itself that detects the rows.

One student a fold, trained on a fifth of the suspect's rows. A model of several folds is the product of their students:
moves of the weights that are small add up, and so do the log-likelihood ratios that they cause. No student judges a row
whose prompt it was trained on: scores are cross-fitted like any other, on the same folds.

Not imported by anything that must do without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.data.corpus import Corpus, distinct_rows
from fingerprint.data.row_errors import rows_named
from fingerprint.lm.loading import MICRO_MODELS, Spec, load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.scoring import token_logprobs
from fingerprint.lm.training import LoRA, Recipe, fine_tune
from fingerprint.statistics.auc import N_FOLDS
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.contamination import contaminated
from fingerprint.statistics.crossfit import Plan, folds

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
    """Log-likelihood ratios of students and model [rows, models], in nats, for
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
        that it is fitted on. Rows of these folds have no score by it: zero.

    Raises
    ------
    ValueError
        If a row has no prompt or is too long, or training fails.

    Notes
    -----
    Five students: together as much training as one of all of the suspect's rows, and four passes over all rows to score
    them. A student of every model of the plan, twenty in all, took eleven times the training. The reference's rows are
    trained on by none; best they are the model's own.
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
    ratios = np.zeros((len(fold), N_FOLDS))
    for k in range(N_FOLDS):
        taught = np.flatnonzero((fold == k) & comparison.suspect)
        unseen = np.flatnonzero(fold != k)
        if len(taught) and len(unseen):
            lesson = distinct.only(place[taught])
            name = f"student {k + 1} of {lm.name}"
            student = fine_tune(lm, lesson.every_prompt(), lesson.texts, recipe, name=name, rng=rng)
            judged, back = np.unique(place[unseen], return_inverse=True)
            ratios[unseen, k] = (_logprobs(student, distinct, judged) - base[judged])[back]
        if progress is not None:
            progress((k + 1) / N_FOLDS)
    return _of_plan(ratios, fold, Plan.of(fold, comparison.suspect))


def _of_plan(ratios: Floats, fold: Ints, plan: Plan) -> Floats:
    """Bounded ratios [rows, models] of the models of a plan, from those [rows, folds] of one student a fold."""
    scores = np.zeros(plan.weights.shape)
    for number, weights in enumerate(plan.weights.T):
        unseen = weights == 0
        taught = np.unique(fold[~unseen])
        scores[unseen, number] = contaminated(ratios[np.ix_(unseen, taught)].sum(axis=1))
    return scores


def _logprobs(lm: LanguageModel, corpus: Corpus, rows: Ints) -> Floats:
    """Log-probability of some rows of a corpus in nats."""
    part = corpus.only(rows)
    return np.array([values.sum() for values in token_logprobs(lm, part.every_prompt(), part.texts)])
