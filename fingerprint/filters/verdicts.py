"""What every filter gives: per row keep or drop, with the reasons, a score where it has one, and what it could not do.

A filter reads one row at a time. It sees texts and prompts in an order that says nothing about the corpus they are
from, so the rows it keeps of the suspect and of the reference were chosen by the same rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np

from fingerprint.data.arrays import Bools, Floats

Reasons: TypeAlias = tuple[str, ...]

NO_SCORE = "no score"
SEQUENCE = "all in sequence"  # what tables call all filters one after the other


@runtime_checkable
class Filter(Protocol):
    """Anything with a name that gives verdicts on rows.

    The verdict on a row must follow from its text and prompt alone: that is what makes the test on the survivors exact.
    """

    @property
    def name(self) -> str:
        """What tables call the filter."""

    def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
        """Verdicts on rows.

        Parameters
        ----------
        texts : sequence of str [rows]
        prompts : sequence of str or None [rows], optional
            The prompt each text answers, None where it is unknown; nothing where no prompt is known.

        Returns
        -------
        Verdicts
            One a row, in the order of the texts.
        """


@dataclass(frozen=True)
class Verdicts:
    """A filter's verdicts on rows, in their order.

    Parameters
    ----------
    reasons : tuple of tuples of str [rows]
        Why a row is dropped, or could not be judged; empty for a row that is kept.
    scores : float array [rows], optional
        Higher = more of what the filter looks for; nan for a row that could not be judged.
    unjudged : bool array [rows], optional
        Rows the filter could not decide on (a refusal, a missing score): neither kept nor dropped.
    """

    reasons: tuple[Reasons, ...]
    scores: Floats | None = None
    unjudged: Bools | None = None

    def __post_init__(self) -> None:
        for name, values in (("scores", self.scores), ("unjudged", self.unjudged)):
            if values is not None and len(values) != len(self.reasons):
                raise ValueError(f"{name} must have one entry per row, got {len(values)} for {len(self.reasons)} rows")

    @classmethod
    def of_scores(cls, scores: Floats, drop_from: float | None, measure: str) -> Verdicts:
        """Verdicts of a filter that scores rows and drops them from a score on.

        Parameters
        ----------
        scores : float array [rows]
        drop_from : float or None
            The least score of a row that is dropped; None drops no row.
        measure : str
            What the score measures, as the reason names it.

        Notes
        -----
        A row whose score is nan is undecided: it compares with no threshold.
        """
        unknown = np.isnan(scores)
        least = np.inf if drop_from is None else drop_from
        dropped = np.full(len(scores), False) if drop_from is None else scores >= least
        reason = (f"{measure} at least {least:g}",)
        reasons = tuple(
            (NO_SCORE,) if lost else reason if is_high else ()
            for is_high, lost in zip(dropped.tolist(), unknown.tolist(), strict=True)
        )
        return cls(reasons, scores, unknown if unknown.any() else None)

    def __len__(self) -> int:
        return len(self.reasons)

    @property
    def kept(self) -> Bools:
        """Rows without a reason against them, as far as they could be judged: bool [rows]."""
        clear = np.fromiter((not reasons for reasons in self.reasons), dtype=bool, count=len(self.reasons))
        return np.asarray(clear & ~self.undecided)

    @property
    def undecided(self) -> Bools:
        """Rows that could not be judged: bool [rows]."""
        return np.zeros(len(self.reasons), dtype=bool) if self.unjudged is None else self.unjudged

    @property
    def dropped(self) -> Bools:
        """Rows judged and not kept; each has a reason: bool [rows]."""
        return ~self.kept & ~self.undecided


def check_rows(texts: Sequence[str], prompts: Sequence[str | None]) -> None:
    """Refuse what is no list of texts, or prompts that do not match them.

    Parameters
    ----------
    texts : sequence of str [rows]
    prompts : sequence of str or None [rows or none]

    Raises
    ------
    TypeError
        If `texts` is one string.
    ValueError
        If there are prompts, but not one a text.
    """
    if isinstance(texts, str):
        raise TypeError(f"texts must be a sequence of strings, got the string {texts[:40]!r}; put it in a list")
    if len(prompts) not in (0, len(texts)):
        raise ValueError(
            f"prompts must hold one prompt per text, got {len(prompts)} for {len(texts)} texts; use None where unknown"
        )


def check_filters(filters: object) -> tuple[Filter, ...]:
    """Filters with distinct names, ready to be called.

    Raises
    ------
    TypeError, ValueError
        If something among them is no filter, or two have the same name.
    """
    if isinstance(filters, str) or not isinstance(filters, Sequence):
        raise TypeError(f"filters must be a sequence of filters, got {filters!r}; put it in a list")
    names = Counter[str]()
    for found in filters:
        if isinstance(found, type) or not isinstance(found, Filter) or not isinstance(found.name, str):
            raise TypeError(f"filters must be callables with a name, got {found!r}; see fingerprint.filters")
        names[found.name] += 1
    if repeated := [name for name, times in names.items() if times > 1 or name == SEQUENCE]:
        raise ValueError(f"filters must have distinct names, got {repeated[0]!r} twice; give one another name=")
    return tuple(filters)
