"""The exact test of choices: of all features, of what length and order leave of them, of length, and of order.

A judge's choice gives each pair the contrast z = c * (features of the first text - features of the second), c being 1
or -1. Under the null the choices of both judges are exchangeable, prompt by prompt: z of the suspect and z of the
reference change places for all pairs of a prompt together. These are the two sides of a paired part of a design
(`fingerprint.statistics.designs`), with contrasts in place of rows. Where they agree, nothing changes.

Taking out what length and order tell is a projection that is fitted to the contrasts without the choices, the same for
every relabelling: the test stays exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Bools, Floats, Floats32, Ints
from fingerprint.preferences.contrasts import Contrasts, differences
from fingerprint.preferences.pairs import JudgedPairs
from fingerprint.statistics.designs import Design
from fingerprint.statistics.permutation import PermutationTest, Relabellings, gram, omnibus_pvalue, permutation_test

LENGTH, POSITION = "length", "position"


@dataclass(frozen=True)
class Sides:
    """Contrasts as rows of two sides: every pair that the suspect judged, then every pair that the reference judged.

    Attributes
    ----------
    pair : int array [rows]
        Which pair each row is of.
    suspect : bool array [rows]
    choice : float array [rows]
        Of the row's judge.
    partner : int array [rows]
        The row of the other judge's choice of the same pair; -1 where it has none.
    design : Design
    pairs : int
        How many there are.
    is_alone : bool
        The reference is the suspect's opposite.
    """

    pair: Ints
    suspect: Bools
    choice: Floats
    partner: Ints
    design: Design
    pairs: int
    is_alone: bool

    @classmethod
    def of(cls, pairs: JudgedPairs) -> Sides:
        """Shared pairs, and where there are others these side by side.

        Raises
        ------
        ValueError
            If there are too few prompts (or pairs without prompts) for a test.
        """
        # Shared pairs come first: of a prompt that has others too, they are the ones that are paired.
        ranked = [np.flatnonzero(seen)[np.argsort(~pairs.shared[seen], kind="stable")] for seen in pairs.seen]
        pair = np.concatenate(ranked)
        suspect = np.repeat([True, False], [len(found) for found in ranked])
        group = np.unique(pairs.group[pair], return_inverse=True)[1].astype(np.int64)
        # A pair without a prompt is a group by itself, and both judges' choices of it belong together.
        can_be_shared = pairs.has_prompt[pair] | pairs.shared[pair]
        salts = ("suspect's pairs", "reference's pairs")
        design = Design.of(group, suspect, can_be_shared, salts, pairs.names)
        choice = np.where(suspect, *(side[pair] for side in pairs.choices))
        place = np.full((2, len(pairs.group)), -1)
        place[np.where(suspect, 0, 1), pair] = np.arange(len(pair))
        partner = np.where(suspect, place[1, pair], place[0, pair])
        return cls(pair, suspect, choice, partner, design, len(pairs.group), pairs.is_alone)

    def units(self, contrast: sp.csr_matrix | Floats, choice: Floats | None = None) -> Floats32:
        """What relabelling permutes [blocks, columns]: half the choices times the contrasts of the pairs.

        Parameters
        ----------
        contrast : sparse or float array [pairs, columns]
        choice : float array [rows], optional
            In place of the observed ones.
        """
        half = (self.choice if choice is None else choice) / 2
        # Half of what tells the judges apart, for either of them: where they agree nothing is left, not even rounding.
        half = np.where(self.partner >= 0, (half - half[self.partner]) / 2, half).astype(np.float32)
        signed = sp.csr_matrix((half, (np.arange(len(half)), self.pair)), shape=(len(half), self.pairs))
        return self.design.units(signed @ sp.csr_matrix(contrast, dtype=np.float32), self.suspect)


@dataclass(frozen=True)
class ChoiceTest:
    """What was tested, with the same relabellings.

    Attributes
    ----------
    sides : Sides
    units : dict of float arrays [blocks, columns]
        By family, without what length and order tell.
    beyond : PermutationTest
        Of these.
    biases : PermutationTest
        Of length, and of position where it is known.
    pvalue_all : float
        Of the families as they are.
    """

    sides: Sides
    units: dict[str, Floats32]
    beyond: PermutationTest
    biases: PermutationTest
    pvalue_all: float


def permuted(
    pairs: JudgedPairs,
    found: Contrasts,
    sides: Sides,
    weights: Mapping[str, float],
    n_permutations: int,
    rng: np.random.Generator,
) -> ChoiceTest:
    """Test the choices: the families without and with what length and order tell, length, and order."""
    relabellings = Relabellings.draw(sides.design, n_permutations, rng)
    told = sides.units(found.told)
    raw = {name: sides.units(values) for name, values in found.features.items()}
    units = {name: differences(u, told, found.loadings[name]) for name, u in raw.items()}
    beyond = permutation_test({name: gram(u) for name, u in units.items()}, relabellings, None, weights)
    biases = {LENGTH: gram(sides.units(found.length))}
    if np.isfinite(pairs.positions).any(axis=1).all():
        biases[POSITION] = gram(_position_units(pairs, sides))
    return ChoiceTest(
        sides,
        units,
        beyond,
        permutation_test(biases, relabellings),
        omnibus_pvalue({name: gram(u) for name, u in raw.items()}, relabellings, None, weights),
    )


def _position_units(pairs: JudgedPairs, sides: Sides) -> Floats32:
    """Choices for the text that was shown first [blocks, 1].

    Where the order is not known, a shared pair counts as one on which both agree. A row without a partner counts as the
    mean of all such rows of either side whose order is known, so that a side of which it is known less often does not
    differ by that.
    """
    position = np.where(sides.suspect, *(side[sides.pair] for side in pairs.positions))
    known, alone = np.isfinite(position), sides.partner < 0
    mean = position[known & alone].mean() if (known & alone).any() else 0.0
    filled = np.where(known, position, np.where(alone, mean, 0.0))
    column = sp.csr_matrix((filled / 2).astype(np.float32)[:, None])
    return sides.design.units(column, sides.suspect)


def pairs_pvalue(
    found: Contrasts, sides: Sides, weights: Mapping[str, float], n_permutations: int, rng: np.random.Generator
) -> float:
    """p-value of whether the pairs of both sides are alike in the mean of their two texts, whatever was chosen.

    Of shared pairs nothing can differ: this is about the others.
    """
    kernels = {}
    for name, matrix in found.matrices.items():
        content = (matrix.values[: sides.pairs] + matrix.values[sides.pairs :]) / 2
        kernels[name] = gram(sides.design.units(content[sides.pair].tocsr(), sides.suspect))
    return omnibus_pvalue(kernels, Relabellings.draw(sides.design, n_permutations, rng), None, weights)
