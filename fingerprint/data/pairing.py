"""Which rows answer the same prompt: two corpora as one list of rows, in an order that says nothing about the side.

Prompts are told apart by their normal form (`fingerprint.data.normal_form`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Bools, Hashes, Ints
from fingerprint.data.corpus import Corpus
from fingerprint.data.normal_form import normal_form


@dataclass(frozen=True)
class PooledRows:
    """Rows of two corpora, ordered by a hash of (prompt, text, occurrence): the order in the files never matters.

    Attributes
    ----------
    texts : list of str
    suspect : bool array [rows]
        Which rows are from the suspect corpus.
    origin : int array [rows]
        Index of each row in its own corpus.
    group : int array [rows]
        The prompt each row answers, numbered in hash order; a row without a prompt is a group of its own.
    has_prompt : bool array [rows]
    prompts : pair of sets of str
        Normal forms of the prompts of the suspect and of the reference; empty where they are ignored.
    is_single_prompt : bool
        All rows answer one prompt: given it, they are independent, and it is ignored.
    """

    texts: list[str]
    suspect: Bools
    origin: Ints
    group: Ints
    has_prompt: Bools
    prompts: tuple[set[str], set[str]]
    is_single_prompt: bool


def pooled_rows(suspect: Corpus, reference: Corpus, use_prompts: bool) -> PooledRows:
    """The rows of both corpora, and which of them answer the same prompt."""
    is_single = len(set(suspect.prompt_keys) | set(reference.prompt_keys)) == 1
    use_prompts = use_prompts and not is_single
    key, group_key, has_prompt = _row_keys(suspect, reference, use_prompts)
    order = np.argsort(key, kind="stable")
    arms = np.repeat([True, False], [len(suspect), len(reference)])[order]
    origin = np.concatenate([np.arange(len(suspect)), np.arange(len(reference))])[order]
    return PooledRows(
        texts=[(suspect.texts if s else reference.texts)[i] for s, i in zip(arms, origin, strict=True)],
        suspect=arms,
        origin=origin,
        group=np.unique(group_key[order], return_inverse=True)[1].astype(np.int64),
        has_prompt=has_prompt[order],
        prompts=(_known(suspect, use_prompts), _known(reference, use_prompts)),
        is_single_prompt=is_single,
    )


def _row_keys(suspect: Corpus, reference: Corpus, use_prompts: bool) -> tuple[Hashes, Hashes, Bools]:
    """Key of each row, key of its prompt, and whether it has one; the suspect's rows first."""
    # A row without a prompt is a group of its own corpus, named by its digest: the same whichever side is the suspect.
    is_same = suspect.digest == reference.digest
    owners = ("first", "second") if is_same else (suspect.digest, reference.digest)
    keys, group_keys, has_prompt = [], [], []
    for corpus, owner in zip((suspect, reference), owners, strict=True):
        of_rows = RowKeys(owner)
        for text, known_prompt in zip(corpus.texts, corpus.prompt_keys, strict=True):
            prompt = known_prompt if use_prompts else None
            key, group = of_rows.next(prompt, text, first_key(prompt, text))
            keys.append(key)
            group_keys.append(group)
            has_prompt.append(prompt is not None)
    return np.array(keys, dtype=np.uint64), np.array(group_keys, dtype=np.uint64), np.array(has_prompt, dtype=bool)


class RowKeys:
    """Keys of the rows of one corpus, one row after the other: what decides their order, and which belong together.

    Parameters
    ----------
    owner : str
        What tells this corpus from the other.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.seen: dict[int, int] = {}  # rows so far, by the key of the first of them

    def next(self, prompt: str | None, text: str, first: int) -> tuple[int, int]:
        """Key of the row by (prompt, text, occurrence), and key of its group: its prompt, or itself if it has none.

        `first` is `first_key` of the row.
        """
        key = first if prompt is None else digests.number_of(prompt, text, 0)
        occurrence = self.seen.get(key, 0)
        self.seen[key] = occurrence + 1
        if occurrence:
            key = digests.number_of(prompt, text, occurrence)
        return key, digests.number_of(text, occurrence, self.owner) if prompt is None else first


def first_key(prompt: str | None, text: str) -> int:
    """What is alike in rows of one prompt, or without a prompt in rows of one text: a hash of that alone."""
    return digests.number_of(None, text, 0) if prompt is None else digests.number_of(prompt)


def _known(corpus: Corpus, use_prompts: bool) -> set[str]:
    return {prompt for prompt in corpus.prompt_keys if prompt is not None} if use_prompts else set()


def rank_within(label: Ints) -> Ints:
    """0, 1, 2, ... for the first, second, third, ... row of each label [rows], in the order of the rows."""
    order = np.argsort(label, kind="stable")
    ordered = label[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.empty(len(label), dtype=np.int64)
    rank[order] = np.arange(len(label)) - np.repeat(first, np.diff(np.r_[first, len(label)]))
    return rank


def prompt_groups(prompts: Sequence[str | None]) -> Ints:
    """Group of each row [rows], numbered as they come: rows of one prompt share one, a row without has its own."""
    numbers: dict[object, int] = {}
    keys = (row if prompt is None else normal_form(prompt) for row, prompt in enumerate(prompts))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def n_prompts(corpus: Corpus) -> int:
    """Prompts of a corpus; a row without one counts by itself."""
    return int(prompt_groups(corpus.prompts).max(initial=-1)) + 1
