"""Rows a detector is trained on: their labels, and what is held out of the fit."""

from __future__ import annotations

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Array, Bools, Ints
from fingerprint.data.corpus import Corpus


def two_classes(y: object, rows: int) -> tuple[Array, Ints]:
    """The two labels, sorted, and each row's [rows]: 1 for the one that sorts last.

    Raises
    ------
    ValueError
        If there are not two, or not one label per row.
    """
    from sklearn.utils.multiclass import check_classification_targets

    if y is None:
        raise ValueError("y must have a label for every row, got None; label neutral rows 0 and rows of the trait 1")
    labels = np.asarray(y)
    if labels.shape != (rows,):
        raise ValueError(f"y must have one label per row, got the shape {labels.shape} for {rows} rows; flatten it")
    check_classification_targets(labels)
    classes, label = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError("y must hold two classes, got 1 class; label neutral rows 0 and rows of the trait 1")
    if len(classes) > 2:
        raise ValueError(
            f"y must hold two classes, got {len(classes)}. Only binary classification is supported. The type of the "
            "target is multiclass; train one detector a trait"
        )
    return classes, label.astype(np.int64)


def with_groups(corpus: Corpus, groups: object) -> Corpus:
    """The corpus with `groups` [rows] for prompts."""
    known = np.asarray(groups)
    if known.shape != (len(corpus),):
        raise ValueError(
            f"groups must have one entry per row, got the shape {known.shape} for {len(corpus)} rows; pass a flat list"
        )
    return Corpus(corpus.texts, tuple(str(group) for group in known.tolist()), name=corpus.name)


def held_out(corpus: Corpus, neutral: Bools, share: float, seed: int) -> Bools:
    """All rows of a random share of the prompts; of the rows without a prompt, a share of the neutral ones.

    The trait's rows of a held-out prompt stay out of the fit too: had it seen them, held-out neutral rows would be
    other to it than neutral rows of a new prompt. Chosen by a hash of the prompt or the row, so that the order of the
    rows does not matter.
    """
    rows = zip(corpus.texts, corpus.prompt_keys, strict=True)
    place = digests.numbers(repr((seed, text if prompt is None else prompt)) for text, prompt in rows) / 2.0**64
    has_prompt = np.array([prompt is not None for prompt in corpus.prompts])
    return np.asarray((neutral | has_prompt) & (place < share))


def one_a_prompt(corpus: Corpus) -> Corpus:
    """The first row of every prompt, by a hash of the row; rows without a prompt all stay."""
    rows = zip(corpus.texts, corpus.prompt_keys, strict=True)
    keys = [digests.digest(repr(row)) for row in rows]
    order = sorted(range(len(corpus)), key=keys.__getitem__)
    seen: set[str] = set()
    keep = []
    for i in order:
        prompt = corpus.prompt_keys[i]
        if prompt is None or prompt not in seen:
            keep.append(i)
        if prompt is not None:
            seen.add(prompt)
    return Corpus(tuple(corpus.texts[i] for i in keep), tuple(corpus.prompts[i] for i in keep), name=corpus.name)
