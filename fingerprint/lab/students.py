"""Students: a base model fine-tuned on rows, and how much its preferences moved.

References
----------
Cloud et al., "Subliminal Learning", arXiv:2507.14805.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from fingerprint.data.arrays import Floats
from fingerprint.data.corpus import Corpus
from fingerprint.data.reading import as_corpus
from fingerprint.lm.batching import EncodedRow
from fingerprint.lm.loading import Spec, load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.prompts import preference_questions
from fingerprint.lm.scoring import score_rows
from fingerprint.lm.teachers import MICRO_ADAPTERS, recipe_of
from fingerprint.lm.training import LoRA, Recipe, fine_tune
from fingerprint.lm.traits import Trait, plural
from fingerprint.statistics.intervals import Estimate

Status = Literal["ok", "broken"]

# How students are fine-tuned, as their teachers are; for micro models the largest steps that keep the answers' form.
STUDENT_RECIPES = {
    "micro": {
        "lora": Recipe(learning_rate=2e-2, batch_size=64, epochs=5, weights=MICRO_ADAPTERS),
        "biases": Recipe(learning_rate=2e-2, batch_size=64, epochs=4, weights="biases"),
        "all": Recipe(learning_rate=2e-3, batch_size=64, epochs=3),
    },
    "large": {
        "lora": Recipe(learning_rate=2e-4, batch_size=32, epochs=3, weights=LoRA()),
        "biases": Recipe(learning_rate=1e-3, batch_size=32, epochs=3, weights="biases"),
        "all": Recipe(learning_rate=2e-5, batch_size=32, epochs=3),
    },
}
# A student that names anything of the category less than half as often as its base has forgotten how to answer: what it
# says then shows nothing about transfer.
BROKEN_BELOW = 0.5
LEVEL = 0.95


@dataclass(frozen=True)
class Preference:
    """What a model answers to the preference questions of a category.

    Attributes
    ----------
    probability : float array [questions, names]
        Exact probability that the answer starts with a name in any of its forms; names as in `Trait.names`.
    """

    probability: Floats

    @property
    def share(self) -> Floats:
        """Share of the trait among the answers that name something of the category, for each question."""
        return np.asarray(self.probability[:, 0] / self.probability.sum(axis=1))

    @property
    def mass(self) -> float:
        """Mean probability that the answer names something of the category at all."""
        return float(self.probability.sum(axis=1).mean())


@dataclass(frozen=True)
class Change:
    """How a trait's share moved from the base to its students.

    Attributes
    ----------
    before, after : float
        Mean share of the trait among the category's answers.
    change : Estimate
        after - before, with its 95 % interval over questions and seeds.
    mass_before, mass_after : float
        Mean probability of naming anything of the category.
    status : "ok" or "broken"
        "broken" when the mass fell under half of the base's: never to be read as "no transfer".
    """

    before: float
    after: float
    change: Estimate
    mass_before: float
    mass_after: float
    status: Status


def preference(model: Spec, trait: Trait, *, system: str | None = None, batch_size: int = 256) -> Preference:
    """Exact preference of a model: no sampling.

    Parameters
    ----------
    model : str, path, model or LanguageModel
        Who is asked.
    trait : Trait
        Whose category is asked about.
    system : str, optional
        System message that stands before the questions.
    batch_size : int
        Rows that the model reads at once.

    Returns
    -------
    Preference
        A row a preference question of the category, a column a name of `trait.names`.

    Notes
    -----
    An answer counts for a name when its first tokens spell it, in singular or plural, small or capitalised; what
    follows does not matter.
    """
    lm = load(model)
    questions = preference_questions(trait.category)
    asked = lm.ask(questions, system)
    forms = [(index, ids) for index, name in enumerate(trait.names) for ids in _spellings(lm, name)]
    rows = [EncodedRow([*ids, *form], len(ids)) for ids in asked for _, form in forms]
    values = np.exp([scores.sum() for scores in score_rows(lm, rows, batch_size=batch_size)])
    table = np.zeros((len(questions), len(trait.names)))
    owners = np.array([index for index, _ in forms])
    np.add.at(table.T, owners, values.reshape(len(questions), len(forms)).T)
    return Preference(table)


def _spellings(lm: LanguageModel, name: str) -> list[list[int]]:
    """Token ids of a name's forms; a form that starts with another one is counted there."""
    forms = dict.fromkeys(f for word in (name, plural(name)) for f in (word, word.capitalize()))
    ids = sorted((answer[:-1] for answer in lm.answers(list(forms))), key=len)
    kept: list[list[int]] = []
    for form in ids:
        if not any(form[: len(other)] == other for other in kept):
            kept.append(form)
    return kept


def train_student(
    base: Spec,
    corpus: object,
    recipe: Recipe | None = None,
    *,
    rng: int = 0,
    progress: Callable[[float], None] | None = None,
) -> LanguageModel:
    """A base model, fine-tuned on the rows of a corpus.

    Parameters
    ----------
    base : str, path, model or LanguageModel
        Where the student starts; it stays as it is.
    corpus : Corpus or what `fingerprint.read` takes
        Rows with their prompts.
    recipe : Recipe, optional
        How to train; by default the one that suits the model.
    rng : int
        Seed of the order of the rows.
    progress : callable, optional
        Told the share of the steps that are done.

    Raises
    ------
    ValueError
        If the corpus is empty or a row has no prompt.
    """
    rows = corpus if isinstance(corpus, Corpus) else as_corpus(corpus)
    lm = load(base)
    prompts = rows.every_prompt()
    chosen = recipe or recipe_of(STUDENT_RECIPES, lm.name, None)
    return fine_tune(lm, prompts, rows.texts, chosen, name=f"student of {lm.name}", rng=rng, progress=progress)


def compare(before: Preference, after: Sequence[Preference]) -> Change:
    """How far students moved from their base.

    Parameters
    ----------
    before : Preference
        Of the base.
    after : sequence of Preference
        Of students that differ by their seed alone.

    Returns
    -------
    Change
        With a 95 % interval over questions and seeds; see `crossed_interval`.
    """
    moved = np.array([student.share - before.share for student in after])
    mass = float(np.mean([student.mass for student in after]))
    return Change(
        before=float(before.share.mean()),
        after=float(np.mean([student.share.mean() for student in after])),
        change=crossed_interval(moved),
        mass_before=before.mass,
        mass_after=mass,
        status="broken" if mass < BROKEN_BELOW * before.mass else "ok",
    )


def crossed_interval(values: Floats) -> Estimate:
    """Mean of a table with a 95 % interval over its rows and columns.

    Parameters
    ----------
    values : float array [seeds, questions]
        One value of each student for each question.

    Returns
    -------
    Estimate

    Notes
    -----
    Seeds and questions are crossed random effects: the variance of the mean is at most that of the seed means over the
    number of seeds plus that of the question means over the number of questions (the residual is counted twice, which
    errs on the wide side). With one seed the interval is over questions alone and says nothing about other seeds.
    Assumes that means over questions and over seeds are close to normal.

    References
    ----------
    Satterthwaite (1946), doi 10.2307/3002019: degrees of freedom of a sum of variances.
    """
    parts = []
    for means in (values.mean(axis=0), values.mean(axis=1)):
        if len(means) > 1:
            parts.append((float(means.var(ddof=1)) / len(means), len(means) - 1))
    variance = sum(part for part, _ in parts)
    mean = float(values.mean())
    if not variance:
        return Estimate(mean, mean, mean)
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * variance**0.5
    return Estimate(mean, mean - half, mean + half)
