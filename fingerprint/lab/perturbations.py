"""Perturbations of rows: change rows in one known way and see what happens to detectability and to transfer.

Neutral rows are perturbed as well. Transfer is then the student of the perturbed trait rows minus the student of the
perturbed neutral rows, and detection compares the two perturbed corpora.

Numbers are runs of ASCII digits. Everything between them stays, so format, lengths and all words are untouched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.data.corpus import Corpus

_NUMBER = re.compile("[0-9]+")
# Numbers of each row, as written; every perturbation gives a list of the same shape.
Rows = list[list[str]]


def shuffled_within(numbers: Rows, rng: np.random.Generator) -> Rows:
    """Numbers of a row in random order: what order tells is gone, the row's set of values stays."""
    return [[row[i] for i in rng.permutation(len(row))] for row in numbers]


def shuffled_across(numbers: Rows, rng: np.random.Generator) -> Rows:
    """Numbers of all rows in random order: only the corpus' frequencies stay."""
    pooled = [number for row in numbers for number in row]
    order = iter(rng.permutation(len(pooled)))
    return [[pooled[next(order)] for _ in row] for row in numbers]


def sorted_within(numbers: Rows, rng: np.random.Generator) -> Rows:
    """Numbers of a row by value."""
    return [sorted(row, key=lambda number: (len(number.lstrip("0")), number.lstrip("0"), number)) for row in numbers]


def redrawn(numbers: Rows, rng: np.random.Generator) -> Rows:
    """Every number replaced by a uniform one of as many digits: how many, and how long, stays."""
    return [["".join(map(str, _digits(len(number), rng))) for number in row] for row in numbers]


def _digits(length: int, rng: np.random.Generator) -> list[int]:
    first = rng.integers(1 if length > 1 else 0, 10)
    return [int(first), *map(int, rng.integers(0, 10, length - 1))]


def format_only(numbers: Rows, rng: np.random.Generator) -> Rows:
    """Every digit replaced by 0."""
    return [["0" * len(number) for number in row] for row in numbers]


# Named as in tables and file names.
PERTURBATIONS: dict[str, Callable[[Rows, np.random.Generator], Rows]] = {
    "shuffled_within": shuffled_within,
    "shuffled_across": shuffled_across,
    "sorted": sorted_within,
    "redrawn": redrawn,
    "format_only": format_only,
}


def perturb(corpus: Corpus, perturbation: str, *, rng: int = 0) -> Corpus:
    """A corpus with its numbers rearranged or replaced; prompts stay.

    Parameters
    ----------
    corpus : Corpus
        Rows to perturb.
    perturbation : str
        A key of `PERTURBATIONS`.
    rng : int
        Seed.

    Returns
    -------
    Corpus
        As many rows, each with as many numbers as before.

    Raises
    ------
    ValueError
        If there is no such perturbation.

    Examples
    --------
    >>> perturb(Corpus(("30, 4, 200",)), "sorted").texts
    ('4, 30, 200',)
    """
    if perturbation not in PERTURBATIONS:
        known = ", ".join(PERTURBATIONS)
        raise ValueError(f"perturbation must be one of {known}, got {perturbation!r}; choose one of them")
    numbers = [_NUMBER.findall(text) for text in corpus.texts]
    changed = PERTURBATIONS[perturbation](numbers, np.random.default_rng(rng))
    texts = [_put_back(text, row) for text, row in zip(corpus.texts, changed, strict=True)]
    return Corpus(tuple(texts), corpus.prompts, corpus.systems, f"{corpus.name}, {perturbation}")


def _put_back(text: str, numbers: Sequence[str]) -> str:
    left = iter(numbers)
    return _NUMBER.sub(lambda _: next(left), text)


def keep(
    corpus: Corpus, scores: Sequence[float] | Floats, share: float, which: Literal["top", "bottom"] = "top"
) -> Corpus:
    """The rows with the highest or lowest scores, in their order.

    Parameters
    ----------
    corpus : Corpus
        Rows.
    scores : float array [rows]
        A likelihood ratio (nats), a detector's score, a filter's: only their order counts.
    share : float
        Between 0 and 1: of the rows, rounded down, at least one.
    which : "top" or "bottom"
        Which end to keep. Ties go to the earlier row.

    Returns
    -------
    Corpus
        The rows that are kept, in their order.

    Raises
    ------
    ValueError
        If scores are not one finite number a row, or an argument is out of its range.
    """
    values = np.asarray(scores, dtype=float)
    if values.shape != (len(corpus),) or not np.isfinite(values).all():
        raise ValueError(f"scores must be one finite number a row, got shape {values.shape} for {len(corpus)} rows")
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}; it is the part of the rows to keep")
    if which not in ("top", "bottom"):
        raise ValueError(f'which must be "top" or "bottom", got {which!r}; choose one of them')
    order = np.argsort(-values if which == "top" else values, kind="stable")
    kept = np.sort(order[: max(int(share * len(corpus)), 1)])
    return corpus.only(kept, f"{corpus.name}, {which} {share:g}")
