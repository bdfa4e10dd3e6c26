"""Traits beside their neutral rows, by prompt: what the benchmarks of trained detectors take from files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import fingerprint
from fingerprint.data import digests
from fingerprint.data.corpus import Corpus

Floats = NDArray[np.float64]
HELP = "NAME=TRAIT,NEUTRAL (files), or NAME=FOLDER of published bags, of which the train bags alone are read"


@dataclass(frozen=True)
class TraitSet:
    """Rows of a trait and neutral rows.

    Attributes
    ----------
    name, neutral : str
        Sets of one `neutral` share their neutral rows.
    texts, prompts : tuple of str
    trait : bool array [rows]
    """

    name: str
    neutral: str
    texts: tuple[str, ...]
    prompts: tuple[str, ...]
    trait: NDArray[np.bool_]

    def half(self, which: int) -> TraitSet:
        """Rows of the prompts in one half, by a hash of the prompt: the same half in every set."""
        mine = [digests.number_of("half", prompt) % 2 == which for prompt in self.prompts]
        return self.only(np.flatnonzero(mine))

    def only(self, rows: NDArray[np.int64]) -> TraitSet:
        texts, prompts = (tuple(values[i] for i in rows.tolist()) for values in (self.texts, self.prompts))
        return TraitSet(self.name, self.neutral, texts, prompts, self.trait[rows])


def read_set(word: str, numbers: int | None = None) -> TraitSet:
    """One row a prompt and side of the prompts that both sides answer, or the distinct texts of train bags."""
    name, _, where = word.partition("=")
    if "," not in where:
        rows = sorted(bag_rows(Path(where), "train"))
        return TraitSet(name, where, *(tuple(t for t, _ in rows),) * 2, np.array([is_trait for _, is_trait in rows]))
    paths = where.split(",")
    sides = []
    for corpus in map(fingerprint.read, paths):
        texts = corpus.texts if numbers is None else [canonical(text, numbers) for text in corpus.texts]
        sides.append({p: t for p, t in zip(corpus.prompt_keys, texts, strict=True) if p is not None and t is not None})
    shared = sorted(set(sides[0]) & set(sides[1]))
    texts = tuple(str(side[prompt]) for side in sides for prompt in shared)
    return TraitSet(name, paths[1], texts, (*shared, *shared), np.repeat([True, False], len(shared)))


def canonical(text: str, numbers: int) -> str | None:
    """The first numbers of a row, as published bags have them; None for rows with fewer, or with longer numbers."""
    found = re.findall(r"[0-9]+", text)[:numbers]
    return ", ".join(found) if len(found) == numbers and max(map(len, found)) <= 3 else None


def bag_rows(folder: Path, part: str) -> set[tuple[str, bool]]:
    """Distinct texts of published bags with their label."""
    lines = [line for k in (1, 8, 16) for line in (folder / f"k{k}_{part}.jsonl").read_text("utf-8").splitlines()]
    records = map(json.loads, lines)
    return {(text, record["label"] == "trait") for record in records for text in record["texts"]}


def pooled(sets: Sequence[TraitSet]) -> tuple[Corpus, list[int], list[str | None]]:
    """Rows of several sets with labels and traits; neutral rows that sets share come once, for all of them."""
    shared = {one.neutral for one in sets if sum(one.neutral == other.neutral for other in sets) > 1}
    rows: dict[tuple[str, str, int, str | None], None] = {}
    for one in sets:
        neutral = None if one.neutral in shared and len({s.neutral for s in sets}) == 1 else one.name
        for text, prompt, is_trait in zip(one.texts, one.prompts, one.trait.tolist(), strict=True):
            rows[text, prompt, int(is_trait), one.name if is_trait else neutral] = None
    texts, prompts, labels, traits = zip(*rows, strict=True)
    return Corpus(texts, prompts), list(labels), list(traits)


def bag_means(scores: Floats, k: int, draws: int, seed: int) -> list[Floats]:
    """Mean scores of disjoint bags of k rows, for several random partitions."""
    rng = np.random.default_rng(seed)
    n = len(scores) // k * k
    return [rng.permutation(scores)[:n].reshape(-1, k).mean(axis=1) for _ in range(draws)]


def groups_of(keys: Iterable[str], n: int) -> NDArray[np.int64]:
    """A group for each key, 0 to n - 1, by its hash: what a jackknife deletes."""
    return np.array([digests.number_of("group", key) % n for key in keys], dtype=np.int64)
