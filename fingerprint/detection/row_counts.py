"""What is counted of a side's rows while they are gone through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fingerprint.data.batches import Batch
from fingerprint.data.normal_form import normal_form
from fingerprint.features import KindCounts


@dataclass
class RowCounts:
    """What is counted of a side's rows while they are gone through.

    Attributes
    ----------
    kinds : KindCounts
        What the rows are.
    without_prompt : int
    prompts : set of str or None
        Normal forms of the prompts, None for a row without: only until there are two.
    """

    kinds: KindCounts = field(default_factory=KindCounts)
    without_prompt: int = 0
    prompts: set[str | None] = field(default_factory=set)

    @property
    def rows(self) -> int:
        return self.kinds.rows

    def of(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches, each counted when it is given."""
        for batch in batches:
            self.kinds += KindCounts.of(batch.texts)
            self.without_prompt += batch.prompts.count(None)
            if len(self.prompts) < 2:
                self.prompts |= {None if prompt is None else normal_form(prompt) for prompt in set(batch.prompts)}
            yield batch

    def add(self, other: RowCounts) -> None:
        """Count other rows too."""
        self.kinds += other.kinds
        self.without_prompt += other.without_prompt
        if len(self.prompts) < 2:
            self.prompts |= other.prompts
