"""What several traits have in common against neutral: what speaks of conditioning, not of one trait.

A stack is fitted for each trait against its neutral rows, on the same columns, and the mean of the stacks' scores, each
of unit spread on its own rows, is the detector's: a loud trait counts no more than a quiet one, and what speaks for one
trait alone is divided by their number. It is judged and calibrated by leaving a trait out: rows of each trait are
scored by the stacks of the others, fitted without the row's prompt, as a detector of these would score them. That rows
of a trait may lie higher or lower as a whole, or further apart, is seen by the calibration, and makes it less sure.
Probabilities are right of a further trait whose rows differ from those of the training traits as these do from one
another: not of rows from another source than all of them.

Of other ways to find the common part, measured on two models with a trait left out, keeping the columns whose signs
agree lost up to .005 AUROC a row, and weights of families chosen with a trait left out up to .02. Pooling all rows is
as good on average (`benchmarks/several_traits.py`), where every trait has as many rows as its neutral ones; where
shares differ it takes the source of a row for its trait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Array, Floats, Ints
from fingerprint.data.corpus import Corpus
from fingerprint.detector.calibrated_stack import CalibratedStack, UsedColumns, varying_columns
from fingerprint.detector.calibration import calibrated
from fingerprint.features import choose
from fingerprint.statistics.auc import N_FOLDS, Arms, inflation
from fingerprint.statistics.classifier import Classifier
from fingerprint.statistics.comparison import Comparison, pair
from fingerprint.statistics.crossfit import Scores
from fingerprint.statistics.stack import CONSTANT
from fingerprint.statistics.trained import Stack, fit_stack


@dataclass(frozen=True)
class TraitRows:
    """Rows of one trait and of the neutral rows that it is compared with.

    Attributes
    ----------
    name : str
    rows : int array [rows of the comparison]
        Their numbers in the training corpus.
    comparison : Comparison
    """

    name: str
    rows: Ints
    comparison: Comparison


@dataclass(frozen=True)
class LeftOut:
    """Scores of a trait's rows by the stacks of the other traits."""

    name: str
    scores: Scores


def traits_of_rows(traits: object, label: Ints) -> Array:
    """The trait of each row [rows], as str; "" for neutral rows that all traits are compared with.

    Raises
    ------
    ValueError
        If there is not one entry per row, a row of a trait has none, or a trait has no row of its own.
    """
    given = np.asarray(traits, dtype=object)
    if given.shape != label.shape:
        raise ValueError(
            f"traits must have one entry per row, got the shape {given.shape} for {len(label)} rows; pass a flat list, "
            "with None for neutral rows"
        )
    names = np.array(["" if trait is None else str(trait) for trait in given.tolist()], dtype=object)
    if missing := int((names[label == 1] == "").sum()):
        raise ValueError(f"traits must name the trait of every row of a trait, got {missing} without; name them")
    if unknown := sorted(set(names[label == 0]) - set(names[label == 1]) - {""}):
        raise ValueError(
            f"traits must name neutral rows by a trait that has rows, got {unknown[0]!r} for neutral rows alone; pass "
            "None for neutral rows of all traits"
        )
    return names


def comparisons(corpus: Corpus, label: Ints, traits: Array, seed: int) -> list[TraitRows]:
    """Each trait beside its neutral rows, sorted by name."""
    found = []
    for name in sorted(set(traits[label == 1].tolist())):
        sides = [
            np.flatnonzero((label == 1) & (traits == name)),
            np.flatnonzero((label == 0) & ((traits == name) | (traits == ""))),
        ]
        comparison = pair(corpus.only(sides[0], name), corpus.only(sides[1], f"neutral rows beside {name}"), seed=seed)
        rows = np.where(comparison.suspect, *(_at(side, comparison.origin) for side in sides))
        found.append(TraitRows(name, rows, comparison))
    return found


def fit_common(
    corpus: Corpus, traits: Sequence[TraitRows], features: object, classifiers: Sequence[Classifier | None], fast: bool
) -> tuple[CalibratedStack, list[LeftOut], float]:
    """The detector of what the traits have in common, its scores with a trait left out, and its prior log-odds.

    Parameters
    ----------
    corpus : Corpus
        All rows that are trained on.
    traits : sequence of TraitRows
        At least two.

    Notes
    -----
    Slope and intercept are those of all traits' left-out scores together, and the prior log-odds those of the trait's
    share of them, where the rows of every trait weigh the same in all: a trait with more rows counts no more.
    """
    order = sorted(range(len(corpus)), key=lambda row: (corpus.texts[row], corpus.prompts[row] or ""))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    texts = [corpus.texts[row] for row in order]
    found = varying_columns(choose(features, texts), texts)
    fold, group = _folds(corpus, traits)
    parts = [{name: matrix.values[place[trait.rows]] for name, matrix in found.items()} for trait in traits]
    stacks = [
        fit_stack(trait.comparison, values, classifiers, fast, fold[trait.rows])
        for trait, values in zip(traits, parts, strict=True)
    ]
    raw = []  # as detectors of the other traits score: on one scale with the mean of all, so that levels stay
    for number, (trait, values) in enumerate(zip(traits, parts, strict=True)):
        others = [stack for place, stack in enumerate(stacks) if place != number]
        raw.append(np.mean([stack.without_own_fold(values, fold[trait.rows]) for stack in others], axis=0))
    weights = _weights(traits)
    scale = 1.0 / max(_spread(np.concatenate(raw), np.concatenate(weights)), CONSTANT)
    left_out = []
    for trait, scores in zip(traits, raw, strict=True):
        arms = Arms(trait.comparison.suspect, group[trait.rows], fold[trait.rows])
        left_out.append(LeftOut(trait.name, Scores.of_unknown_agreement(arms, scale * scores)))
    slope, intercept, shares = _calibrated(left_out, np.concatenate(weights))
    columns = {name: UsedColumns(m.family, m.columns, m.scale) for name, m in found.items()}
    return _mean(stacks, scale, columns, slope, intercept), left_out, shares


def _weights(traits: Sequence[TraitRows]) -> list[Floats]:
    """What each row of each trait counts in the calibration [traits], of float arrays [rows of the trait].

    The same in all for every trait, and all together as much as there are distinct rows: a neutral row that several
    traits are compared with is no new evidence.
    """
    distinct = len(np.unique(np.concatenate([trait.rows for trait in traits])))
    return [np.full(len(trait.rows), distinct / (len(traits) * len(trait.rows))) for trait in traits]


def _spread(values: Floats, weights: Floats) -> float:
    """Weighted standard deviation."""
    return float(np.sqrt(np.average((values - np.average(values, weights=weights)) ** 2, weights=weights)))


def _calibrated(left_out: Sequence[LeftOut], weights: Floats) -> tuple[float, float, float]:
    """Slope and intercept of the log-odds by the left-out scores, and the log-odds of the trait among these."""
    scores = np.concatenate([out.scores.stacked for out in left_out])
    is_trait = np.concatenate([out.scores.arms.suspect for out in left_out])
    widest = max(inflation(out.scores.agreement) for out in left_out)
    share = float(np.average(is_trait, weights=weights))
    return *calibrated(scores, is_trait, widest, weights), float(np.log(share / (1 - share)))


def pooled_scores(traits: Sequence[TraitRows], left_out: Sequence[LeftOut]) -> Scores:
    """Scores of all rows with their trait left out, as the traits' detectors give them: traits are not brought to one
    level. Each neutral row once, with one of the traits it is beside.
    """
    rows = np.concatenate([trait.rows for trait in traits])
    of_trait = np.repeat(np.arange(len(traits)), [len(trait.rows) for trait in traits])
    group = np.concatenate([out.scores.arms.group for out in left_out])
    turn = (group + of_trait) % len(traits)  # which of its traits: another one from prompt to prompt
    order = np.lexsort((turn, rows))
    once = order[np.unique(rows[order], return_index=True)[1]]
    arms = [out.scores.arms for out in left_out]
    is_trait, fold = (np.concatenate(column)[once] for column in zip(*((a.suspect, a.fold) for a in arms), strict=True))
    values = np.concatenate([out.scores.stacked for out in left_out])[once]
    return Scores.of_unknown_agreement(Arms(is_trait, np.unique(group[once], return_inverse=True)[1], fold), values)


def _at(side: Ints, origin: Ints) -> Ints:
    """Numbers of a side's rows by their indices in it; any for indices of the other side."""
    return np.asarray(side[np.minimum(origin, len(side) - 1)])


def _folds(corpus: Corpus, traits: Sequence[TraitRows]) -> tuple[Ints, Ints]:
    """Fold and group of every row of the corpus: a prompt's rows are in one fold and group, whatever their trait.

    Groups go to the folds in turn, those that occur on the same sides of the same traits one after another, so that
    every fold has its share of each.
    """
    keys = [
        ("text", text) if prompt is None else ("prompt", prompt)
        for text, prompt in zip(corpus.texts, corpus.prompt_keys, strict=True)
    ]
    names = sorted(set(keys))
    number = {key: place for place, key in enumerate(names)}
    group = np.array([number[key] for key in keys], dtype=np.int64)
    where = np.zeros((len(names), 2 * len(traits)), dtype=np.int64)
    for place, trait in enumerate(traits):
        np.add.at(where, (group[trait.rows], 2 * place + trait.comparison.suspect), 1)
    hashes = digests.numbers(repr(key) for key in names)
    order = np.lexsort((hashes, *(where > 0).T))
    of_group = np.empty(len(names), dtype=np.int64)
    of_group[order] = np.arange(len(names)) % N_FOLDS
    return of_group[group], group


def _mean(
    stacks: Sequence[Stack], scale: float, columns: dict[str, UsedColumns], slope: float, intercept: float
) -> CalibratedStack:
    """One stack whose score is the mean of the stacks' times the scale; linear members of a family become one."""
    names = list(stacks[0].by_fold)
    linear, share = len(names), scale / len(stacks)
    coefficients, centre = {}, []
    for place, name in enumerate(names):
        coefficients[name] = share * np.sum([s.weights[place] * s.coefficients[name] for s in stacks], axis=0)
        centre.append(share * float(np.sum([s.weights[place] * s.centre[place] for s in stacks])))
    return CalibratedStack(
        columns,
        coefficients,
        tuple(fitted for stack in stacks for fitted in stack.classifiers),
        np.concatenate([centre, *(stack.centre[linear:] for stack in stacks)]),
        np.concatenate([np.ones(linear), *(share * stack.weights[linear:] for stack in stacks)]),
        slope,
        intercept,
    )
