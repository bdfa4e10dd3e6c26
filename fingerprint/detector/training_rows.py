"""Rows a detector is trained on: what is held out of the fit, and how rows are recognised later without their texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Bools, Hashes
from fingerprint.data.corpus import Corpus


def with_groups(corpus: Corpus, groups: object) -> Corpus:
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
    rows = zip(corpus.texts, corpus.prompts, strict=True)
    place = digests.numbers(repr((seed, text if prompt is None else prompt)) for text, prompt in rows) / 2.0**64
    has_prompt = np.array([prompt is not None for prompt in corpus.prompts])
    return np.asarray((neutral | has_prompt) & (place < share))


def one_a_prompt(corpus: Corpus) -> Corpus:
    """The first row of every prompt, by a hash of the row; rows without a prompt all stay."""
    rows = zip(corpus.texts, corpus.prompts, strict=True)
    keys = [digests.digest(repr(row)) for row in rows]
    order = sorted(range(len(corpus)), key=keys.__getitem__)
    seen: set[str] = set()
    keep = []
    for i in order:
        prompt = corpus.prompts[i]
        if prompt is None or prompt not in seen:
            keep.append(i)
        if prompt is not None:
            seen.add(prompt)
    return Corpus(tuple(corpus.texts[i] for i in keep), tuple(corpus.prompts[i] for i in keep), name=corpus.name)


def hashes_of(corpus: Corpus) -> tuple[bytes, Hashes, Hashes]:
    """A key of this corpus' own, and the sorted hashes of its rows and prompts under that key."""
    key = digests.digest(corpus.digest, 16)
    pairs = list(zip(corpus.texts, corpus.prompts, strict=True))
    known = [("text and prompt", t, p) for t, p in pairs] + [("text", t) for t in corpus.texts]
    known += [("text without prompt", t) for t, p in pairs if p is None]
    prompts = {p for p in corpus.prompts if p is not None}
    return key, np.unique(_keyed(key, known)), np.unique(_keyed(key, [("prompt", p) for p in prompts]))


def asked_hashes(corpus: Corpus, key: bytes) -> Hashes:
    """Hashes [rows, 2] of which one is known if the row is: by text and prompt, or by text where either has none."""
    pairs = list(zip(corpus.texts, corpus.prompts, strict=True))
    both = _keyed(key, [("text and prompt", t, p) for t, p in pairs])
    alone = _keyed(key, [("text", t) if p is None else ("text without prompt", t) for t, p in pairs])
    return np.column_stack([both, alone])


def prompt_hashes(corpus: Corpus, key: bytes) -> Hashes:
    return _keyed(key, [("prompt", p) if p is not None else ("no prompt",) for p in corpus.prompts])


def _keyed(key: bytes, values: Sequence[tuple[object, ...]]) -> Hashes:
    return digests.numbers((repr(value) for value in values), key)
