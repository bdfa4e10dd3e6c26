"""What a student still learns once the rows that say most for the trait are gone.

References
----------
Cloud et al., "Subliminal Learning", arXiv:2507.14805.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.data.corpus import Corpus
from fingerprint.data.reading import as_corpus
from fingerprint.lab.perturbations import keep
from fingerprint.lab.students import Change, compare, preference, train_student
from fingerprint.lm.loading import Spec, load
from fingerprint.lm.training import Recipe
from fingerprint.lm.traits import Trait

Removed = Literal["none", "top", "random", "bottom"]
REMOVALS: tuple[Removed, ...] = ("none", "top", "random", "bottom")


@dataclass(frozen=True)
class Removal:
    """Students of the rows that one removal leaves.

    Attributes
    ----------
    removed : "none", "top", "random" or "bottom"
        Which rows are gone. "random" is what "top" has to be compared with: as many rows, chosen blindly.
    rows : int
        Rows the students learned from.
    change : Change
        Their preference for the trait, before and after.
    """

    removed: Removed
    rows: int
    change: Change


def without(
    corpus: Corpus, scores: Sequence[float] | Floats, share: float, removed: Removed, *, rng: int = 0
) -> Corpus:
    """The corpus without a share of its rows: those with the highest or lowest scores, or random ones.

    Parameters
    ----------
    corpus : Corpus
        Rows.
    scores : float array [rows]
        What "top" and "bottom" rank by.
    share : float
        Part of the rows to remove, in (0, 1).
    removed : "none", "top", "random" or "bottom"
        Which rows go.
    rng : int
        Seed of "random".

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    if removed not in REMOVALS:
        raise ValueError(f"removed must be one of {', '.join(REMOVALS)}, got {removed!r}; choose one of them")
    if not 0 < share < 1:
        raise ValueError(f"share must be above 0 and below 1, got {share}; it is the part of the rows to remove")
    if removed == "none":
        return corpus
    order = np.random.default_rng(rng).permutation(len(corpus)) if removed == "random" else scores
    return keep(corpus, np.asarray(order, dtype=float), 1 - share, "top" if removed == "bottom" else "bottom")


def remove_rows(
    base: Spec,
    corpus: object,
    scores: Sequence[float] | Floats,
    trait: Trait,
    *,
    share: float = 0.2,
    removals: Sequence[Removed] = REMOVALS,
    seeds: int = 1,
    recipe: Recipe | None = None,
    rng: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> list[Removal]:
    """Train students on a corpus with and without a share of its rows.

    Parameters
    ----------
    base : str, path, model or LanguageModel
        Where every student starts.
    corpus : Corpus or what `fingerprint.read` takes
        Rows with their prompts.
    scores : float array [rows]
        What rows are ranked by: `RowRatios.lls` of `fingerprint.identification.mixture`, or a detector's score.
    trait : Trait
        Whose preference is measured.
    share : float
        Part of the rows to remove, in (0, 1).
    removals : sequence of "none", "top", "random", "bottom"
        Which to try, in this order.
    seeds : int
        Students of each removal; they differ in the order of their rows alone.
    recipe : Recipe, optional
        How students are trained; by default the one that suits the model.
    rng : int
        Seed of the first student and of the random rows.
    progress : callable, optional
        Told what is being done and the share of the work that is done.

    Returns
    -------
    list of Removal
        In the order of `removals`.

    Notes
    -----
    Students of fewer rows take fewer steps: compare "top" with "random", never with "none". Scores have to be made
    without the students' help; rows ranked by a detector that was fitted on them are ranked by their noise as well.
    """
    rows = as_corpus(corpus)
    lm = load(base)
    chosen = [(removed, without(rows, scores, share, removed, rng=rng)) for removed in removals]
    before = preference(lm, trait)
    found = []
    for done, (removed, left) in enumerate(chosen):
        after = []
        for seed in range(seeds):
            if progress is not None:
                progress(f"students without {removed} rows", (done + seed / seeds) / len(chosen))
            after.append(preference(train_student(lm, left, recipe, rng=rng + seed), trait))
        found.append(Removal(removed, len(left), compare(before, after)))
    return found
