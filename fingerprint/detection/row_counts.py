"""What is counted of a side's rows while they are gone through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fingerprint.data.batches import Batch
from fingerprint.data.normal_form import normal_form
from fingerprint.features.numbers import number_rows


@dataclass
class RowCounts:
    """What is counted of a side's rows while they are gone through.

    Attributes
    ----------
    numbers, empty : int
        Rows that hold numbers alone, and none but white space.
    without_prompt : int
    prompts : set of str or None
        Normal forms of the prompts, None for a row without: only until there are two.
    """

    rows: int = 0
    numbers: int = 0
    empty: int = 0
    without_prompt: int = 0
    prompts: set[str | None] = field(default_factory=set)

    def of(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches, each counted when it is given."""
        for batch in batches:
            numbers, empty = number_rows(batch.texts)
            self.rows += len(batch)
            self.numbers += int(numbers.sum())
            self.empty += int(empty.sum())
            self.without_prompt += batch.prompts.count(None)
            if len(self.prompts) < 2:
                self.prompts |= {None if prompt is None else normal_form(prompt) for prompt in set(batch.prompts)}
            yield batch

    def add(self, other: RowCounts) -> None:
        """Count other rows too."""
        self.rows += other.rows
        self.numbers += other.numbers
        self.empty += other.empty
        self.without_prompt += other.without_prompt
        if len(self.prompts) < 2:
            self.prompts |= other.prompts
