"""How much each family should count in the omnibus: power at other weights, on the same draws of prompt pairs.

    python benchmarks/weights.py choose FOLDER:SUSPECT:REFERENCE ...   # the half that weights are chosen on
    python benchmarks/weights.py report FOLDER:SUSPECT:REFERENCE ...   # the other half, looked at once

Prompts are cut in halves by their digest. Every draw takes pairs of rows that answer the same prompt; all weights see
the same draws and the same relabellings, so that differences between them have small errors. `choose` varies the weight
of one family at a time, all others counting 1; `report` sets the weights of the library beside equal ones.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from itertools import islice
from multiprocessing import Pool as Processes
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import results
from power_draws import Pool, features_of

import fingerprint
from fingerprint.data import digests
from fingerprint.detection.analysis import omnibus_weights
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test, pvalue

ALPHA = 0.05
PERMUTATIONS = 499
GRID = (1.0, 2.0, 3.0, 4.0, 6.0)
OWN = "library"

# Number of pairs, family, its weight -> whether the omnibus rejects.
Rejections = dict[tuple[int, str, float], bool]


def half_of(pool: Pool, is_choosing: bool) -> Pool:
    """The prompts of one half; which one a prompt is in hangs on its text alone."""
    keep = [i for i, prompt in enumerate(pool.prompts) if (digests.number(prompt) % 2 == 0) == is_choosing]
    return Pool(*(tuple(column[i] for i in keep) for column in (pool.prompts, pool.suspect, pool.reference)))


def draw(task: tuple[Pool, int, tuple[int, ...], int]) -> Rejections:
    """What every weight of every family decides on one draw."""
    pool, number, sizes, seed = task
    pairs = list(islice(pool.pairs(np.random.default_rng([seed, number])), max(sizes)))
    found: Rejections = {}
    for size in sizes:
        comparison, matrices = features_of(pairs[:size])
        kernels = {name: gram(comparison.units(matrix.values)) for name, matrix in matrices.items()}
        drawn = Relabellings.draw(comparison.design, PERMUTATIONS, np.random.default_rng([seed, number, size]))
        test = permutation_test(kernels, drawn, weights=omnibus_weights(comparison, matrices))
        found[size, OWN, 1.0] = test.pvalue <= ALPHA
        for name in test.parts:
            for weight in GRID:
                weighted = [(weight if other == name else 1.0) * part for other, part in test.parts.items()]
                found[size, name, weight] = pvalue(np.sum(weighted, axis=0)) <= ALPHA
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("half", choices=("choose", "report"))
    parser.add_argument("corpora", nargs="+", metavar="FOLDER:SUSPECT:REFERENCE")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--pairs", default="100,200")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    results.add_json_option(parser)
    options = parser.parse_args()
    sizes = tuple(int(size) for size in options.pairs.split(","))
    started = time.perf_counter()
    found: dict[str, list[Rejections]] = {}
    with Processes(options.jobs) as processes:
        for place in options.corpora:
            folder, suspect, reference = place.rsplit(":", 2)
            sides = [fingerprint.read(Path(folder) / f"{name}.jsonl") for name in (suspect, reference)]
            pool = half_of(Pool.of(*sides), options.half == "choose")
            tasks = [(pool, number, sizes, options.seed) for number in range(options.draws)]
            found[suspect] = list(processes.imap(draw, tasks))
            if options.half == "choose":
                print_grid(f"{suspect} against {reference}, {len(pool.prompts):,} prompts", found[suspect], sizes)
    report = before_and_after(found, sizes)
    if options.half == "report":
        print_report(report)
    grids = {
        name: {" ".join(map(str, key)): power(draws, key) for key in keys(draws)} for name, draws in found.items()
    }
    figures = {"half": options.half, "draws": options.draws, "grid": grids, "library": report}
    results.write(options.json, figures, started)
    return 0


def keys(draws: list[Rejections]) -> list[tuple[int, str, float]]:
    """What all draws have: a family may be there in some only."""
    return [key for key in draws[0] if all(key in one for one in draws)]


def power(draws: list[Rejections], key: tuple[int, str, float]) -> float:
    return float(np.mean([one[key] for one in draws]))


def before_and_after(found: dict[str, list[Rejections]], sizes: tuple[int, ...]) -> list[dict[str, object]]:
    """Power with equal weights and with the library's, and the paired difference with its standard error."""
    rows: list[dict[str, object]] = []
    for size in sizes:
        changes = []
        for name, draws in found.items():
            equal = next(key for key in keys(draws) if key[0] == size and key[2] == 1.0 and key[1] != OWN)
            change = np.array([float(one[size, OWN, 1.0]) - float(one[equal]) for one in draws])
            changes.append(change)
            error = float(change.std(ddof=1) / np.sqrt(len(change)))
            both = {"equal": power(draws, equal), "library": power(draws, (size, OWN, 1.0))}
            rows.append({"pairs": size, "corpus": name, **both, "difference": float(change.mean()), "error": error})
        means = [float(change.mean()) for change in changes]
        error = float(np.sqrt(sum(change.var(ddof=1) / len(change) for change in changes)) / len(changes))
        both = {key: float(np.mean([row[key] for row in rows[-len(found) :]])) for key in ("equal", "library")}
        rows.append({"pairs": size, "corpus": "mean", **both, "difference": float(np.mean(means)), "error": error})
    return rows


def print_grid(title: str, draws: list[Rejections], sizes: tuple[int, ...]) -> None:
    """A line for each number of pairs and family: power at each weight of that family, all others counting 1."""
    print(f"\n{title}\n{'':16s}" + "".join(f"{weight:>8g}" for weight in GRID))
    names = [name for name in dict.fromkeys(name for _, name, _ in keys(draws)) if name != OWN]
    for size in sizes:
        for name in names:
            line = "".join(f"{power(draws, (size, name, weight)):8.2f}" for weight in GRID)
            print(f"{size:5d} {name:10s}{line}", flush=True)


def print_report(rows: list[dict[str, object]]) -> None:
    print("| pairs | corpus | equal weights | the library's | difference |\n|---|---|---|---|---|")
    for row in rows:
        difference = f"{row['difference']:+.3f} +- {row['error']:.3f}"
        print(f"| {row['pairs']} | {row['corpus']} | {row['equal']:.2f} | {row['library']:.2f} | {difference} |")


if __name__ == "__main__":
    sys.exit(main())
