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
        prompts = corpus.prompt_keys if use_prompts else (None,) * len(corpus)
        key, group, _, _ = RowKeys(owner).next(prompts, corpus.texts)
        keys.append(key)
        group_keys.append(group)
        has_prompt.append(np.array([prompt is not None for prompt in prompts], dtype=bool))
    return np.concatenate(keys), np.concatenate(group_keys), np.concatenate(has_prompt)


class RowKeys:
    """Keys of the rows of one corpus, some rows after others: what decides their order, and which belong together.

    Parameters
    ----------
    owner : str
        What tells this corpus from the other.
    below : int
        Rows are left out whose `first_keys` are not below this.
    """

    def __init__(self, owner: str, below: int = 1 << 64) -> None:
        self.owner, self.below = owner, below
        self.seen: dict[int, int] = {}  # rows so far, by the key of the first of them

    def next(self, prompts: Sequence[str | None], texts: Sequence[str]) -> tuple[Hashes, Hashes, Hashes, Ints]:
        """Key of each row that is kept, key of its group, its `first_keys`, and its index [kept].

        A row's key hangs on (prompt, text, occurrence); its group is its prompt, or itself where it has none.

        Parameters
        ----------
        prompts : sequence of str or None
            Normal forms.
        texts : sequence of str
        """
        key, first, known, kept = self.of_first(prompts, texts)
        occurrence = self._occurrences(key)
        found, group = self.of_later(prompts, texts, kept, occurrence)
        key = np.where(occurrence > 0, found, key)
        return key, np.where(known, first, group), first, kept

    def of_first(
        self, prompts: Sequence[str | None], texts: Sequence[str]
    ) -> tuple[Hashes, Hashes, Bools, Ints]:
        """Of each row that is kept: key, were none like it before; `first_keys`; has it a prompt; index [kept]."""
        known = np.array([prompt is not None for prompt in prompts], dtype=bool)
        first = self.first_keys(prompts, texts, known)
        kept = np.arange(len(texts)) if self.below == 1 << 64 else np.flatnonzero(first < np.uint64(self.below))
        first, known = first[kept], known[kept]
        key = first.copy()
        key[known] = self.row_keys(prompts, texts, kept[known])
        return key, first, known, kept

    def of_later(
        self, prompts: Sequence[str | None], texts: Sequence[str], rows: Ints, occurrence: Ints
    ) -> tuple[Hashes, Hashes]:
        """Keys of rows with so many like them before, 0 where there are none; groups of those without a prompt."""
        key, group = np.zeros((2, len(rows)), dtype=np.uint64)
        for at in np.flatnonzero(occurrence).tolist():
            row = int(rows[at])
            key[at] = digests.number_of(prompts[row], texts[row], int(occurrence[at]))
        alone = np.array([prompts[row] is None for row in rows.tolist()], dtype=bool)
        group[alone] = self.alone_keys(texts, rows[alone], occurrence[alone])
        return key, group

    def first_keys(self, prompts: Sequence[str | None], texts: Sequence[str], known: Bools) -> Hashes:
        """Hash [rows] of each row's prompt, or where it has none of its text."""
        pairs = zip(prompts, texts, strict=True)
        return digests.numbers_of((None, text, 0) if prompt is None else (prompt,) for prompt, text in pairs)

    def row_keys(self, prompts: Sequence[str | None], texts: Sequence[str], rows: Ints) -> Hashes:
        """Hash [rows] of prompt and text of some rows, as those of a first occurrence."""
        return digests.numbers_of((prompts[row], texts[row], 0) for row in rows.tolist())

    def alone_keys(self, texts: Sequence[str], rows: Ints, occurrence: Ints) -> Hashes:
        """Hash [rows] of rows without a prompt, of this corpus alone."""
        pairs = zip(rows.tolist(), occurrence.tolist(), strict=True)
        return digests.numbers_of((texts[row], times, self.owner) for row, times in pairs)

    def _occurrences(self, key: Hashes) -> Ints:
        """How often each row was there before [rows]."""
        seen = self.seen
        found = np.zeros(len(key), dtype=np.int64)
        for row, value in enumerate(key.tolist()):
            before = seen.get(value, 0)
            seen[value] = before + 1
            if before:
                found[row] = before
        return found


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
