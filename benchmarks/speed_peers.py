"""What `speed.py peers` times: kernel two-sample tests of hyppo beside the block test, on the same features."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np

from fingerprint.features import FAMILIES
from fingerprint.features.scaling import family_matrix
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", default="100,200,400,800", metavar="A,B", help="rows a side; hyppo's grow squared")
    parser.add_argument("--permutations", type=int, default=99)


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds, the better of two after a first, untimed one that compiles."""
    times = []
    for _ in range(3):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times[1:])


def measure(options: argparse.Namespace) -> list[dict[str, object]]:
    """Tests of independent rows by the columns of family `numbers`; features are timed for none."""
    from hyppo.ksample import MMD, Energy

    figures: list[dict[str, object]] = []
    permutations = options.permutations
    print(f"{permutations} permutations, one thread\n| rows a side | test | processor s |\n|---|---|---|")
    for rows in map(int, options.rows.split(",")):
        drawn = simulated_pair(rows, design="independent", tilt="dense", rng=1)
        comparison = pair(drawn.suspect, drawn.reference)
        values = family_matrix(FAMILIES["numbers"](), comparison.texts, "numbers").values
        dense = values.toarray().astype(np.float64)
        sides = [dense[side] for side in comparison.sides]

        def block_test() -> None:
            drawing = Relabellings.draw(comparison.design, permutations, np.random.default_rng(0))  # noqa: B023
            permutation_test({"numbers": gram(comparison.units(values))}, drawing)  # noqa: B023

        tests: dict[str, Callable[[], object]] = {"fingerprint": block_test}
        for peer in (MMD, Energy):
            tests[f"hyppo {peer.__name__}"] = lambda peer=peer: peer().test(  # type: ignore[misc]
                *sides,  # noqa: B023
                reps=permutations,
                workers=1,
                auto=False,
            )
        for name, work in tests.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # that so few permutations are few
                spent = seconds(work)
            figures.append({"test": name, "rows_a_side": rows, "permutations": permutations, "seconds": spent})
            print(f"| {rows:,} | {name} | {spent:.3f} |", flush=True)
    return figures
