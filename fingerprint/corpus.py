"""Corpora: texts, the prompt each text answers, and the system message that was there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Corpus:
    """Rows of one arm, in the order they were read.

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
    """

    texts: tuple[str, ...]
    prompts: tuple[str | None, ...] = field(default=())
    systems: tuple[str | None, ...] = field(default=())
    name: str = "corpus"
    skipped: int = 0

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

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def digest(self) -> str:
        """Hash of the rows, whatever their order: 32 hex digits."""
        total = 0
        for row in zip(self.texts, self.prompts, self.systems, strict=True):
            total += int.from_bytes(hashlib.blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=16).digest())
        return f"{total % (1 << 128):032x}"
