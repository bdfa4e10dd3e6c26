"""Rows that something was learnt from, recognised later: keyed hashes of texts and prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Bools, Hashes
from fingerprint.data.corpus import Corpus
from fingerprint.data.normal_form import normal_form


@dataclass(frozen=True)
class KnownRows:
    """Rows that may not be judged by what was made from them: keyed hashes; the texts themselves are not kept.

    Attributes
    ----------
    key : bytes
        Of this corpus' own.
    rows, prompts : uint64 arrays
        Sorted hashes under that key.
    """

    key: bytes
    rows: Hashes
    prompts: Hashes

    @classmethod
    def of(cls, corpus: Corpus) -> KnownRows:
        """Hashes of all rows and of their prompts."""
        key = digests.digest(corpus.digest, 16)
        pairs = _normal_rows(corpus)
        known = [("text and prompt", t, p) for t, p in pairs] + [("text", t) for t, _ in pairs]
        known += [("text without prompt", t) for t, p in pairs if p is None]
        prompts = {p for _, p in pairs if p is not None}
        return cls(key, np.unique(_keyed(key, known)), np.unique(_keyed(key, [("prompt", p) for p in prompts])))

    def among(self, corpus: Corpus) -> Bools:
        """Which rows [rows], or the prompts they answer, are among those known.

        A row counts by its text and prompt, or by its text alone where a side has no prompt for it; texts and prompts
        by their normal forms, so that another line end or a blank at the end hides nothing.
        """
        pairs = _normal_rows(corpus)
        both = _keyed(self.key, [("text and prompt", t, p) for t, p in pairs])
        alone = _keyed(self.key, [("text", t) if p is None else ("text without prompt", t) for t, p in pairs])
        prompts = _keyed(self.key, [("prompt", p) if p is not None else ("no prompt",) for _, p in pairs])
        return np.isin(both, self.rows) | np.isin(alone, self.rows) | np.isin(prompts, self.prompts)


def _normal_rows(corpus: Corpus) -> list[tuple[str, str | None]]:
    return [(normal_form(text), key) for text, key in zip(corpus.texts, corpus.prompt_keys, strict=True)]


def _keyed(key: bytes, values: Sequence[tuple[object, ...]]) -> Hashes:
    return digests.numbers((repr(value) for value in values), key)
