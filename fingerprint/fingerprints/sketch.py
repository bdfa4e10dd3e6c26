"""How rows become a fingerprint: what was asked, checked before any row is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fingerprint.data.arrays import Hashes
from fingerprint.data.batches import Batch, Batches, batches
from fingerprint.data.chats import Which, checked_which
from fingerprint.data.columns import Columns
from fingerprint.features import FAMILIES, GENERAL
from fingerprint.fingerprints.card import Card
from fingerprint.fingerprints.cells import check_cells, row_keys

# Many rows of a cell one after another: its sums are in the processor's cache for all of them.
ROWS_AT_ONCE = 2**16


@dataclass(frozen=True)
class Sketch:
    """How rows become a fingerprint; see `Fingerprint.of`."""

    text: str | None
    prompt: str | Literal[False] | None
    turn: Which | None
    features: tuple[str, ...]
    cells: int
    rows_per_prompt: int | None
    card: Card
    bad_rows: Literal["error", "skip"]
    bad_shards: Literal["error", "skip"]

    @classmethod
    def of(
        cls,
        text: str | None,
        prompt: str | Literal[False] | None,
        turn: Which | None,
        features: str | Sequence[str],
        cells: int,
        rows_per_prompt: int | None,
        card: Card,
        bad_rows: Literal["error", "skip"],
        bad_shards: Literal["error", "skip"],
    ) -> Sketch:
        """Check what can be checked before any row is read."""
        named = list(GENERAL) if features == "all" else [features] if isinstance(features, str) else list(features)
        wrong = next((name for name in named if name not in FAMILIES), None)
        if wrong is not None or not named:
            raise ValueError(
                f"features must be 'all' or names among {', '.join(FAMILIES)}, got {wrong!r}; fingerprints hold "
                "built-in families alone, whose definitions are fixed"
            )
        if rows_per_prompt is not None and rows_per_prompt < 1:
            raise ValueError(f"rows_per_prompt must be at least 1, got {rows_per_prompt}; leave it out to keep all")
        ordered = tuple(name for name in FAMILIES if name in named)
        checked_which(turn)
        return cls(text, prompt, turn, ordered, check_cells(cells), rows_per_prompt, card, bad_rows, bad_shards)

    def batches(self, data: object, columns: Columns | None = None) -> Batches:
        """The rows of some data; with the columns of their first rows, of more shards of the same data."""
        column = self.prompt if isinstance(self.prompt, str) else None
        return batches(
            data,
            text=self.text,
            prompt=column,
            turn=self.turn,
            bad_rows=self.bad_rows,
            bad_shards=self.bad_shards,
            columns=columns,
            size=ROWS_AT_ONCE,
        )

    def keys(self, batch: Batch) -> Hashes:
        """Key of each row's prompt; see `fingerprint.fingerprints.cells.row_keys`."""
        return row_keys(batch.texts, self.prompts(batch))

    def prompts(self, batch: Batch) -> Sequence[str | None]:
        """The prompts that count."""
        return [None] * len(batch) if self.prompt is False else batch.prompts
