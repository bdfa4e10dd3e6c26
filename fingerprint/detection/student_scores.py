"""Scores by students: what training a model on some of the suspect's rows changes about the rows it has not seen.

If the suspect's teacher is the model, fine-tuned, then a student of the same model moves towards that teacher, and the
log-likelihood ratio of student and model estimates the one of teacher and model: with no choice of features, and beyond
the first order at which gradients stop. It is the phenomenon itself that detects the rows.

No student judges a row whose prompt it was trained on: scores are cross-fitted like any other, on the same folds.

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
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.contamination import contaminated
from fingerprint.statistics.crossfit import Plan, folds

# Chosen on owl, cat and birch teachers of micro-a at 400 to 6,400 rows. Adapters of their own, with another start than
# those that lab teachers are trained with (seed 0): nobody who detects knows a teacher's. For larger models usual step
# sizes; nothing was chosen on one.
MICRO_RECIPE = Recipe(learning_rate=3e-3, batch_size=32, epochs=4, weights=LoRA(rank=16, alpha=32, seed=1))
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
        One column a model of `fingerprint.statistics.crossfit.Plan`, trained on the suspect's rows among those that it
        gives weight to. Rows of folds that a model was trained on have no score by it: zero.

    Raises
    ------
    ValueError
        If a row has no prompt or is too long, or training fails.

    Notes
    -----
    Twenty students: as much training as 44 passes over the suspect's rows with the recipe for micro models. The
    reference's rows are trained on by none; best they are the model's own.
    """
    lm = load(model)
    recipe = MICRO_RECIPE if lm.name in MICRO_MODELS else LARGE_RECIPE
    for corpus in corpora[:2]:
        corpus.every_prompt("student")
    distinct, rows = distinct_rows(corpora[:2])
    place = np.array(
        [rows[not suspect][row] for suspect, row in zip(comparison.suspect, comparison.origin, strict=True)]
    )
    plan = Plan.of(folds(comparison), comparison.suspect)
    with rows_named(corpora[:2], rows):
        base = _logprobs(lm, distinct, np.arange(len(distinct)))
    scores = np.zeros(plan.weights.shape)
    for number, weights in enumerate(plan.weights.T):
        taught = np.flatnonzero((weights > 0) & comparison.suspect)
        name = f"student {number + 1} of {lm.name}"
        rows_taught = distinct.only(place[taught])
        student = fine_tune(lm, rows_taught.every_prompt(), rows_taught.texts, recipe, name=name, rng=rng)
        unseen = weights == 0
        ratios = np.zeros(len(distinct))
        judged = np.unique(place[unseen])
        ratios[judged] = _logprobs(student, distinct, judged) - base[judged]
        scores[unseen, number] = contaminated(ratios[place[unseen]])
        if progress is not None:
            progress((number + 1) / len(plan.weights.T))
    return scores


def _logprobs(lm: LanguageModel, corpus: Corpus, rows: Ints) -> Floats:
    """Log-probability of some rows of a corpus in nats."""
    part = corpus.only(rows)
    return np.array([values.sum() for values in token_logprobs(lm, part.every_prompt(), part.texts)])
