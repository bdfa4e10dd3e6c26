"""Prior knowledge: what was learnt from other rows joins the test, as families of few columns.

A trained detector's score joins with a direction; a panel's members span a few directions, and their mean is one more
with a sign. All are fixed functions of a row, or of the pooled rows: the test stays exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self, runtime_checkable

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Bools, Floats, Ints
from fingerprint.data.corpus import Corpus
from fingerprint.features import FAMILIES, Family
from fingerprint.features.counted import CountedFamily
from fingerprint.features.family import Column
from fingerprint.features.scaling import FamilyMatrix, family_matrix, scaled
from fingerprint.panels.directions import DIRECTED, SIGNED, SPAN, Directions
from fingerprint.panels.likeness import TokenRates
from fingerprint.panels.panel import Panel

# What the families are called. Further detectors are "prior 2" and so on.
PRIOR, PANEL, PANEL_DIRECTION = "prior", "panel", "panel direction"


@runtime_checkable
class Prior(Protocol):
    """What must be told of prior knowledge: a score of rows, and which rows it was learnt from.

    Attributes
    ----------
    card_ : dict
        What it was trained on.
    """

    @property
    def card_(self) -> dict[str, object]: ...

    def decision_function(self, X: object) -> Floats:
        """Log-odds [rows] of the trait, in nats."""
        ...

    def trained_on(self, data: object) -> Bools:
        """Which rows [rows], or the prompts they answer, it was learnt from."""
        ...


def checked_prior(prior: object) -> Prior:
    """The prior, if it is one.

    Raises
    ------
    TypeError
        If it is neither a trained detector nor a panel.
    """
    if not isinstance(prior, Prior):
        raise TypeError(
            f"prior must be a trained fingerprint.Detector or a fingerprint.Panel, got {prior!r:.80}; read one with "
            "Detector.load or Panel.load"
        )
    return prior


@dataclass(frozen=True)
class Priors:
    """All prior knowledge of a comparison.

    Attributes
    ----------
    detectors : mapping of name to Prior
        By the name of their family.
    panel : Panel or None
        Of all panels' members.
    """

    detectors: Mapping[str, Prior]
    panel: Panel | None = None

    @classmethod
    def of(cls, given: object) -> Priors:
        """One prior, a sequence of them, or None.

        Raises
        ------
        TypeError
            If one is neither a trained detector nor a panel.
        """
        if given is None:
            return cls({})
        listed = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
        checked = [checked_prior(each) for each in listed]
        panels = [each for each in checked if isinstance(each, Panel)]
        detectors = [each for each in checked if not isinstance(each, Panel)]
        names = [PRIOR, *(f"{PRIOR} {number}" for number in range(2, len(detectors) + 1))]
        panel = None
        for each in panels:
            panel = each if panel is None else panel + each
        return cls(dict(zip(names, detectors, strict=False)), panel)

    def __iter__(self) -> Iterator[Prior]:
        yield from self.detectors.values()
        if self.panel is not None:
            yield self.panel

    def __bool__(self) -> bool:
        return bool(self.detectors) or self.panel is not None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the families that it adds."""
        return (*self.detectors, *(() if self.panel is None else (PANEL, PANEL_DIRECTION)))

    def matrices(
        self, texts: list[str], group: Ints, kind: str, others: Mapping[str, FamilyMatrix]
    ) -> dict[str, FamilyMatrix]:
        """The families that it adds to others.

        Parameters
        ----------
        texts : list of str
            Pooled rows.
        group : int array [rows]
            The prompt each row answers.
        kind : str
            What they are; see `fingerprint.features.choice.data_kind`.
        others : mapping of name to FamilyMatrix
            What the texts themselves give; a panel counts in proportion to what those that vary count together.

        Raises
        ------
        ValueError
            If others have one of the names.
        """
        taken = next((name for name in self.names if name in others), None)
        if taken is not None:
            raise ValueError(f"features must not be named {taken!r} beside a prior, got {list(others)}; rename it")
        found = {name: family_matrix(PriorScore(prior), texts, name) for name, prior in self.detectors.items()}
        if self.panel is not None:
            weight = sum(matrix.family.weight_on(kind) for matrix in others.values() if matrix.n_columns)
            found |= panel_matrices(self.panel, texts, group, kind, others, weight)
        return found


def without_trained(corpus: Corpus, priors: Iterable[Prior], trained_rows: str) -> tuple[Corpus, Ints]:
    """The corpus without rows that a prior knows, and the index of each row that is left, rising.

    A prior's score of rows that it was learnt from is no fixed function of the row.

    Raises
    ------
    ValueError
        If there are some and `trained_rows` is "error", or if no others are left.
    """
    left = np.arange(len(corpus))
    for prior in priors:
        known = trained_rows_of(corpus, prior, trained_rows)
        if known.any():
            corpus, left = replace(corpus.only(~known), skipped=corpus.skipped), left[~known]
    return corpus, left


def trained_rows_of(corpus: Corpus, prior: Prior, trained_rows: str = "error") -> Bools:
    """Rows [rows] that the prior was learnt from, which may be left out.

    Raises
    ------
    ValueError
        As `without_trained` does.
    """
    known = prior.trained_on(corpus)
    if not known.any():
        return known
    what = "panel was made from" if isinstance(prior, Panel) else "detector was trained on"
    if trained_rows == "error":
        raise ValueError(
            f"{corpus.name} must hold no rows or prompts that the {what}, got {int(known.sum())}; drop them "
            "(trained_rows='drop', --drop-trained-rows), or make it from others"
        )
    if known.all():
        raise ValueError(f"{corpus.name} must hold rows other than those that the {what}, got none; sample others")
    return known


class PriorScore(Family):
    """A detector as a feature family of one column: its log-odds, in nats."""

    ridge = 0.0
    is_prior = True
    is_signed = True

    def __init__(self, prior: Prior) -> None:
        self.prior = prior

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        return self

    def transform(self, texts: Sequence[str]) -> Floats:
        return self.prior.decision_function(list(texts))[:, None]

    def unfitted(self) -> Self:
        return type(self)(self.prior)


class PanelFamily(Family):
    """Directions of a panel as a feature family: mixtures of columns of other families, fitted to the same rows.

    Attributes
    ----------
    directions : Directions
    columns : mapping of name to FamilyMatrix
        Of the families that directions are taken in.
    weight : float
        What it counts in the omnibus.
    """

    ridge = 0.0
    is_prior = True

    def __init__(
        self, directions: Directions, columns: Mapping[str, FamilyMatrix], weight: float, is_signed: bool
    ) -> None:
        self.directions, self.columns, self.weight, self.is_signed = directions, columns, weight, is_signed

    def weight_on(self, kind: str) -> float:
        return self.weight

    @property
    def factors(self) -> Mapping[str, Floats]:
        """What each column counts in each direction [columns, directions]."""
        return self.directions.signed if self.is_signed else self.directions.span

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        return self

    def transform(self, texts: Sequence[str]) -> Floats:
        rows = list(texts)
        return self.mixed(
            {name: scaled(c.family.transform(rows), c.columns, c.scale) for name, c in self.columns.items()}
        )

    def mixed(self, values: Mapping[str, sp.csr_matrix]) -> Floats:
        """Rows along the directions [rows, directions], from their scaled columns in the other families."""
        parts = [np.asarray(values[name] @ factor, dtype=np.float64) for name, factor in self.factors.items()]
        return np.asarray(sum(parts))

    def unfitted(self) -> Self:
        return type(self)(self.directions, self.columns, self.weight, self.is_signed)

    def describe(self, columns: Ints) -> list[Column]:
        names = ["the mean shift"] if self.is_signed else [member.name for member in self.directions.members]
        return [Column(f"along {names[column]}", f"along {names[column]}") for column in columns]


def panel_matrices(
    panel: Panel, texts: list[str], group: Ints, kind: str, others: Mapping[str, FamilyMatrix], weight: float
) -> dict[str, FamilyMatrix]:
    """The span of a panel's shifts and their mean, as families beside others that count `weight` together."""
    known = {name: _columns_of(name, texts, others) for name in DIRECTED[kind]}
    directions = Directions.of(panel.members, kind, known, TokenRates.of_rows(texts, group))
    counts = weight * directions.worth
    values = {name: matrix.values for name, matrix in known.items()}
    found = {}
    for name, share, is_signed in ((PANEL, SPAN, False), (PANEL_DIRECTION, SIGNED, True)):
        family = PanelFamily(directions, known, share * counts, is_signed)
        along = sp.csr_matrix(family.mixed(values).astype(np.float32))
        found[name] = FamilyMatrix(family, along, np.arange(along.shape[1]), np.ones(along.shape[1]))
    return found


def _is_same(family: Family, built_in: CountedFamily) -> bool:
    """Whether a family is the built-in one, with its usual arguments."""
    return isinstance(family, CountedFamily) and type(family) is type(built_in) and (
        family.get_params() == built_in.get_params()
    )


def _columns_of(name: str, texts: list[str], others: Mapping[str, FamilyMatrix]) -> FamilyMatrix:
    """A family's matrix: as the comparison has it, or made for the panel alone where it looks at other features."""
    found, built_in = others.get(name), FAMILIES[name]()
    if found is not None and _is_same(found.family, built_in):
        return found
    return family_matrix(built_in, texts, name)
