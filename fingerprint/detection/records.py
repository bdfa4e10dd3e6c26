"""Records of a design and of a test, as reports hold them."""

from __future__ import annotations

import numpy as np

from fingerprint.data.arrays import Bools
from fingerprint.report.results import Design, DesignPart, Null
from fingerprint.statistics import designs
from fingerprint.statistics.parts import Part
from fingerprint.statistics.permutation import PermutationTest


def design_record(
    design: designs.Design, suspect: Bools, rows: tuple[int, int], prompts: tuple[int, int, int]
) -> Design:
    """What was compared with what.

    Parameters
    ----------
    design : Design
    suspect : bool array [rows]
        Side of each row of the design.
    rows : pair of int
        Rows of the suspect and of the reference.
    prompts : three ints
        Known prompts of the suspect, of the reference and of both.
    """
    known = [number or None for number in prompts[:2]]
    sides = (suspect, ~suspect)
    used = [int((design.used & side).sum()) for side in sides]
    return Design(
        kind=design.kind,
        rows_suspect=rows[0],
        rows_reference=rows[1],
        prompts_suspect=known[0] if design.has_prompts else None,
        prompts_reference=known[1] if design.has_prompts else None,
        prompts_shared=prompts[2] if design.has_prompts else None,
        pairs=design.n_pairs,
        blocks=design.n_blocks,
        unused_suspect=rows[0] - used[0],
        unused_reference=rows[1] - used[1],
        parts=tuple(_part(design, part, sides, share) for part, share in zip(design.parts, design.shares, strict=True)),
    )


def _part(design: designs.Design, part: Part, sides: tuple[Bools, Bools], share: float) -> DesignPart:
    suspect, reference = (part.used & side for side in sides)
    return DesignPart(
        kind=part.kind,
        rows_suspect=int(suspect.sum()),
        rows_reference=int(reference.sum()),
        prompts_suspect=len(np.unique(design.group[suspect])),
        prompts_reference=len(np.unique(design.group[reference])),
        blocks=part.n_blocks,
        share=share,
    )


def null_record(test: PermutationTest) -> Null:
    """Observed omnibus and a histogram of its permutation null."""
    if not test.parts:
        return Null(None, (), ())
    counts, edges = np.histogram(test.statistics[1:], bins=60)
    return Null(float(test.statistics[0]), tuple(map(float, edges)), tuple(map(int, counts)))
