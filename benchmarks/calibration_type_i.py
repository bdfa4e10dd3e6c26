"""False-positive rates on simulated nulls, and the inflation when prompts are withheld."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from calibration_cells import JOINT_LEVEL, Table, error_rates, parallel, print_error_rates

from fingerprint.data.corpus import Corpus
from fingerprint.detection.analysis import family_matrices, omnibus_weights, permute
from fingerprint.features import choose
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.permutation import PermutationTest, Relabellings


@dataclass(frozen=True)
class Cell:
    """One way of making a null. `withhold` drops the prompts before testing."""

    name: str
    n_prompts: int
    options: dict[str, Any] = field(default_factory=dict)
    withhold: bool = False
    extra_share: float | None = None  # suspect prompts keeping their second row; reference prompts keep only the first


NULLS = (
    Cell("shared, 200 prompts", 200),
    Cell("shared, prose, 100 prompts", 100, {"kind": "prose"}),
    Cell("disjoint, 200 prompts", 200, {"design": "disjoint"}),
    Cell("independent, 200 rows", 200, {"design": "independent"}),
    Cell("independent, 2,000 and 200 rows", 2000, {"design": "independent", "n_reference": 200}),
    Cell("disjoint, 2,000 and 200 prompts", 2000, {"design": "disjoint", "n_reference": 200}),
    Cell("shared, 4 rows a prompt, prompt effects", 80, {"rows_per_prompt": 4, "prompt_effect": 1.0}),
    Cell("shared, 3 and 1 rows a prompt, effects", 120, {"rows_per_prompt": (3, 1), "prompt_effect": 1.0}),
    Cell(
        "disjoint, 4 rows a prompt, prompt effects",
        60,
        {"design": "disjoint", "rows_per_prompt": 4, "prompt_effect": 1.0},
    ),
    Cell(
        "disjoint, 4 and 1 rows a prompt, effects",
        60,
        {"design": "disjoint", "rows_per_prompt": (4, 1), "prompt_effect": 1.0},
    ),
    Cell(
        "disjoint, 1 or 2 rows against 1 row",
        600,
        {"design": "disjoint", "n_reference": 60, "rows_per_prompt": 2},
        extra_share=0.24,
    ),
    Cell("shared, duplicates", 200, {"stock_share": 0.6}),
    Cell("independent, duplicates", 200, {"design": "independent", "stock_share": 0.6}),
)
# Not a null the library claims to handle: the same rows as "disjoint, 4 rows a prompt" with their prompts withheld.
WITHHELD = Cell(
    "disjoint, effects, prompts withheld",
    60,
    {"design": "disjoint", "rows_per_prompt": 4, "prompt_effect": 1.0},
    withhold=True,
)
WITHHELD_RUNS = 200


def pvalue_of(suspect: Corpus, reference: Corpus, seed: int, n_permutations: int = 199) -> float:
    """The p-value that `detect` reports, without the rest of the report."""
    return omnibus_of(suspect, reference, seed, n_permutations).pvalue


def omnibus_of(suspect: Corpus, reference: Corpus, seed: int, n_permutations: int = 199) -> PermutationTest:
    """The test that `detect` runs."""
    comparison = pair(suspect, reference, seed=seed)
    matrices = family_matrices(comparison, choose("auto", comparison.texts))
    units = {name: comparison.units(matrix.values) for name, matrix in matrices.items()}
    relabellings = Relabellings.draw(comparison.design, n_permutations, np.random.default_rng([seed, 1]))
    return permute(units, relabellings, omnibus_weights(comparison, matrices))


def null_pvalue(job: tuple[Cell, int]) -> float:
    cell, seed = job
    drawn = simulated_pair(cell.n_prompts, tilt="none", rng=seed, **cell.options)
    corpora = (drawn.suspect, drawn.reference)
    if cell.extra_share is not None:
        corpora = (_fewer(drawn.suspect, cell.extra_share, seed), _fewer(drawn.reference, 0.0, seed))
    if cell.withhold:
        corpora = (Corpus(drawn.suspect.texts, name="suspect"), Corpus(drawn.reference.texts, name="reference"))
    return pvalue_of(*corpora, seed=seed)


def _fewer(corpus: Corpus, share: float, seed: int) -> Corpus:
    """Keep the first row of every prompt, and a further one with this probability."""
    extra = np.random.default_rng([seed, 7]).random(len(corpus)) < share
    seen: set[str | None] = set()
    keep = []
    for i, prompt in enumerate(corpus.prompts):
        if prompt not in seen or extra[i]:
            keep.append(i)
        seen.add(prompt)
    return Corpus(tuple(corpus.texts[i] for i in keep), tuple(corpus.prompts[i] for i in keep), name=corpus.name)


def type_i(runs: int | None = None) -> Table:
    """False-positive rates at .05 and .01; the withheld prompts' have to leave theirs."""
    cells = 2 * len(NULLS)
    print(f"False-positive rates, 199 permutations; two-sided bands, joint level {JOINT_LEVEL:g} over {cells} cells")
    figures: list[dict[str, Any]] = []
    for cell in NULLS:
        figures.append({"null": cell.name, **error_rates(partial(_pvalues, cell), cells, runs=runs)})
        print_error_rates(cell.name, figures[-1])
    # This one has to leave the band: it shows what is at stake.
    withheld = error_rates(partial(_pvalues, WITHHELD), cells, runs=WITHHELD_RUNS)
    inflated = withheld["at 0.05"]["rate"] > withheld["at 0.05"]["high"]
    print_error_rates(WITHHELD.name, withheld | {"inside": True})
    print("  inflated, as it must be" if inflated else "  NOT INFLATED: the simulation shows nothing")
    return Table.of([*figures, {"null": WITHHELD.name, **withheld, "inside": inflated}])


def _pvalues(cell: Cell, seeds: range) -> np.ndarray:
    return np.array(parallel(null_pvalue, [(cell, seed) for seed in seeds]))
