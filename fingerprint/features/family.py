"""What a feature family is: columns from texts, blind to the corpus a text is from, and how to scale and name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeAlias

import scipy.sparse as sp

from fingerprint.data.arrays import Array, Floats, Floats32, Ints

# For families that state no ridge: shrinks columns rarer than about one row in fifteen, which at a few hundred rows
# carry more noise than signal.
DEFAULT_RIDGE = 0.06

FeatureMatrix: TypeAlias = "sp.csr_matrix | Floats | Floats32"


@dataclass(frozen=True)
class FittedState:
    """What a fitted family needs to transform further rows: JSON values, and arrays by name."""

    values: Mapping[str, object] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """What a reader is told of a column.

    Attributes
    ----------
    name : str
        Unique in its family.
    subject : str
        What is counted or measured: a piece of text as it was written, or the name of a measurement. Columns of one
        subject say one thing in several ways.
    is_text : bool
        Whether the subject is a piece of text.
    measure : str
        What the column's mean over rows is. A column of 0 and 1 needs none: it is the share of rows.
    """

    name: str
    subject: str
    is_text: bool = False
    measure: str = "mean value"


class Family(Protocol):
    """A feature family.

    A class that names this one as its base inherits the defaults; it has to bring `fit`, `transform` and `unfitted`.

    Attributes
    ----------
    definition : str or None
        Name and version of what the family makes of a text, raised with every change: a text has the same features in
        every corpus, up to scales and groupings that follow from sums over the pooled rows. None for a family that is
        fitted to the rows at hand, whose columns mean nothing in another comparison.
    ridge : float, or float array [columns]
        Added to each column's pooled variance before scaling, in squared units of the column. Known once the family is
        fitted.
    column_weights : float array [columns] or None
        One factor a column, after scaling; None for 1. Known once the family is fitted.
    is_mean_zero : bool
        Whether columns have mean zero over rows that the family's model wrote: see
        `fingerprint.statistics.ridge.ridge_coefficients`.
    is_prior : bool
        Whether it brings in what is known from other rows: no feature to be shown, and no part of planted signals.
    is_signed : bool
        Whether it is one score whose direction was fixed beforehand, high for the suspect.
    n_readable : int or None
        Columns from this one on have names that tell a reader nothing, and are not shown; None where all are readable.
    """

    definition: str | None = None
    ridge: float | Floats = DEFAULT_RIDGE
    column_weights: Floats | Floats32 | None = None
    is_mean_zero: bool = False
    is_prior: bool = False
    is_signed: bool = False
    n_readable: int | None = None

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        """Learn columns from the pooled rows, which come in an order that says nothing about their corpus."""
        ...

    def transform(self, texts: Sequence[str]) -> FeatureMatrix:
        """A matrix [rows, columns]: row i from text i alone."""
        ...

    def fit_transform(self, texts: Sequence[str], y: object = None) -> FeatureMatrix:
        """`fit`, and `transform` of the same rows."""
        return self.fit(texts, y).transform(texts)

    def weight_on(self, kind: str) -> float:
        """What the family counts in the omnibus on rows of a kind ("numbers", "prose" or "both")."""
        return 1.0

    def unfitted(self) -> Self:
        """Another one like this, that has seen no rows."""
        ...

    def column_names(self, columns: Ints) -> list[str]:
        """What to call some of the columns."""
        return [f"column {column}" for column in columns]

    def describe(self, columns: Ints) -> list[Column]:
        """What to tell of some of the columns."""
        return [Column(name, name) for name in self.column_names(columns)]

    def state(self) -> FittedState:
        """What `restore_state` needs; only built-in families are stored."""
        return FittedState()

    def restore_state(self, state: FittedState) -> None:
        """Become what was fitted when the state was taken."""
        return None
