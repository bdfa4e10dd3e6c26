"""Corpora: texts, the prompt each text answers, the system message that was there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Bools, Ints
from fingerprint.data.normal_form import normal_forms
from fingerprint.data.notes import ReadAs


@dataclass(frozen=True)
class Corpus:
    """Rows of one side, in the order they were read.

    Parameters
    ----------
    texts : tuple of str
        The model-written text of each row.
    prompts : tuple of str or None, optional
        The prompt (user turns, without the system message) each text answers; None where unknown.
    systems : tuple of str or None, optional
        The system message of each row. Kept and shown, never used to pair rows.
    name : str
        What to call the corpus in messages: usually the path it was read from.
    skipped : int
        Bad rows left out because the caller asked for it (`bad_rows="skip"`).
    read_as : ReadAs
        From which columns they were read, and what was said of it; no part of what makes corpora equal.
    """

    texts: tuple[str, ...]
    prompts: tuple[str | None, ...] = field(default=())
    systems: tuple[str | None, ...] = field(default=())
    name: str = "corpus"
    skipped: int = 0
    read_as: ReadAs = field(default=ReadAs(), compare=False, repr=False)

    def __post_init__(self) -> None:
        for column in ("prompts", "systems"):
            values = getattr(self, column)
            if not values:
                object.__setattr__(self, column, (None,) * len(self.texts))
            elif len(values) != len(self.texts):
                raise ValueError(
                    f"{column} must have one entry per text, got {len(values)} for {len(self.texts)} texts in "
                    f"{self.name}; use None where it is unknown"
                )
        for column in ("texts", "prompts", "systems"):
            self._check_encodable(column)

    def _check_encodable(self, column: str) -> None:
        values = getattr(self, column)
        try:
            "".join(value for value in values if value is not None).encode()
        except UnicodeEncodeError:
            for row, value in enumerate(values):
                if value is not None and any("\ud800" <= sign <= "\udfff" for sign in value):
                    raise ValueError(
                        f"{column} must be encodable as UTF-8, got a lone surrogate in row index {row} of {self.name}; "
                        "replace it, for example by text.encode('utf-8', 'replace').decode()"
                    ) from None

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        prompts = len(self.prompts) - self.prompts.count(None)
        return f"Corpus({self.name!r}, {len(self):,} rows, {prompts:,} with a prompt)"

    def only(self, rows: Bools | Ints, name: str | None = None) -> Corpus:
        """Some of the rows, by a mask or by their numbers, under another name if one is given."""
        at = np.arange(len(self))[rows].tolist()
        texts, prompts, systems = (tuple(values[i] for i in at) for values in (self.texts, self.prompts, self.systems))
        return Corpus(texts, prompts, systems, name=self.name if name is None else name, read_as=self.read_as)

    def every_prompt(self, argument: str | None = None) -> list[str]:
        """The prompts, if every row has one: what a model needs. `argument` is the one that called for them."""
        missing = next((row for row, prompt in enumerate(self.prompts) if prompt is None), None)
        if missing is not None:
            when = "" if argument is None else f" when {argument} is given"
            remedy = "" if argument is None else f", or leave {argument} out"
            raise ValueError(
                f"{self.name} must have the prompt that each row answers{when}, got none in row {missing + 1}; "
                f"a model scores and learns completions of prompts: add a column prompt{remedy}"
            )
        return [prompt for prompt in self.prompts if prompt is not None]

    @cached_property
    def prompt_keys(self) -> tuple[str | None, ...]:
        """What tells prompts apart: their normal forms, None for a row without a prompt."""
        return tuple(normal_forms(self.prompts))

    @cached_property
    def digest(self) -> str:
        """Hash of the rows, whatever their order: 32 hex digits."""
        return digest_of_sum(sum_of_rows(self.texts, self.prompts, self.systems))


def sum_of_rows(texts: Sequence[str], prompts: Sequence[str | None], systems: Sequence[str | None]) -> int:
    """Sum of the hashes of some rows: sums of all parts of a corpus add up to that of the whole."""
    return digests.sum_of(zip(texts, prompts, systems, strict=True))


def digest_of_sum(total: int) -> str:
    """The digest of a corpus whose rows have hashes with this sum."""
    return f"{total % (1 << 128):032x}"


def joined(corpora: Sequence[Corpus], name: str) -> Corpus:
    """Rows of several corpora as one, one corpus after another."""
    return Corpus(
        tuple(text for corpus in corpora for text in corpus.texts),
        tuple(prompt for corpus in corpora for prompt in corpus.prompts),
        tuple(system for corpus in corpora for system in corpus.systems),
        name=name,
    )


def distinct_rows(corpora: Sequence[Corpus]) -> tuple[Corpus, list[Ints]]:
    """Every prompt with its text once, and for each corpus where its rows are among these.

    For models to read: what rounding does to a row hangs on the rows it shares a batch with. Read once, in an order
    that says nothing about the corpus a row is from, equal rows get equal scores, and others a rounding that is blind
    to the side. System messages are left out.
    """
    rows = [
        [(prompt is None, prompt or "", text) for prompt, text in zip(corpus.prompts, corpus.texts, strict=True)]
        for corpus in corpora
    ]
    distinct = sorted(set().union(*rows))
    place = {row: number for number, row in enumerate(distinct)}
    prompts = tuple(None if is_none else prompt for is_none, prompt, _ in distinct)
    whole = Corpus(tuple(text for _, _, text in distinct), prompts, name="the corpora")
    return whole, [np.array([place[row] for row in part], dtype=np.int64) for part in rows]
