"""Where the rows of a fingerprint come from, as its maker says: facts that merge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Card:
    """Provenance. Each field holds distinct statements in sorted order, so that cards merge in any order.

    Attributes
    ----------
    base_model, sampler, prompt_set, filters, made_by, notes : tuple of str
        What wrote the rows, at which temperature and length, on which prompts, what was filtered out, by whom, and
        anything else.
    """

    base_model: tuple[str, ...] = ()
    sampler: tuple[str, ...] = ()
    prompt_set: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    made_by: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, str | Sequence[str]] | Card | None) -> Card:
        """A card from statements by field.

        Raises
        ------
        ValueError, TypeError
            For an unknown field, or a statement that is no text.
        """
        if isinstance(given, Card):
            return given
        known = [field.name for field in fields(cls)]
        statements: dict[str, tuple[str, ...]] = {}
        for name, value in dict(given or {}).items():
            if name not in known:
                raise ValueError(f"card must have fields among {', '.join(known)}, got {name!r}; put it into notes")
            several = [value] if isinstance(value, str) else list(value)
            wrong = next((item for item in several if not isinstance(item, str)), None)
            if wrong is not None:
                raise TypeError(f"card field {name} must be text, got {wrong!r}; write it as a str")
            statements[name] = tuple(sorted(set(several)))
        return cls(**statements)

    def __add__(self, other: Card) -> Card:
        return Card(
            **{
                field.name: tuple(sorted({*vars(self)[field.name], *vars(other)[field.name]})) for field in fields(self)
            }
        )
