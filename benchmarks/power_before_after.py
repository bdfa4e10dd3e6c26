"""Power of one checkout on draws of prompt pairs, and its paired difference from that of another.

    python benchmarks/power_before_after.py FOLDER:SUSPECT:REFERENCE ... --json before.json   # in one checkout
    python benchmarks/power_before_after.py FOLDER:SUSPECT:REFERENCE ... --json after.json --before before.json

The same seeds give the same draws in both, so that differences have small errors. Families are tested by themselves and
all together, as `detect` weighs them.
"""

from __future__ import annotations

import argparse
import json
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
from fingerprint.detection.analysis import omnibus_weights
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test, pvalue

ALPHA = 0.05
PERMUTATIONS = 499
ALL = "all"


def rejections(task: tuple[Pool, int, tuple[int, ...], int]) -> dict[str, bool]:
    """Whether each family, and all together, reject on one draw at each number of pairs."""
    pool, number, sizes, seed = task
    pairs = list(islice(pool.pairs(np.random.default_rng([seed, number])), max(sizes)))
    found = {}
    for size in sizes:
        comparison, matrices = features_of(pairs[:size])
        kernels = {name: gram(comparison.units(matrix.values)) for name, matrix in matrices.items()}
        drawn = Relabellings.draw(comparison.design, PERMUTATIONS, np.random.default_rng([seed, number, size]))
        test = permutation_test(kernels, drawn, weights=omnibus_weights(comparison, matrices))
        found[f"{size} {ALL}"] = test.pvalue <= ALPHA
        found |= {f"{size} {name}": pvalue(part) <= ALPHA for name, part in test.parts.items()}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", metavar="FOLDER:SUSPECT:REFERENCE")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--pairs", default="100,200")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--before", type=Path, help="what --json wrote in the other checkout")
    results.add_json_option(parser)
    options = parser.parse_args()
    sizes = tuple(int(size) for size in options.pairs.split(","))
    started = time.perf_counter()
    found: dict[str, dict[str, list[bool]]] = {}
    with Processes(options.jobs) as processes:
        for place in options.corpora:
            folder, suspect, reference = place.rsplit(":", 2)
            pool = Pool.of(*(fingerprint.read(Path(folder) / f"{name}.jsonl") for name in (suspect, reference)))
            draws = processes.map(rejections, [(pool, n, sizes, options.seed) for n in range(options.draws)], 1)
            names = [name for name in draws[0] if all(name in draw for draw in draws)]
            found[suspect] = {name: [bool(draw[name]) for draw in draws] for name in names}
    before = json.loads(options.before.read_text())["figures"]["rejections"] if options.before else None
    table = rows_of(found, before or found)
    print_rows(table, is_paired=before is not None)
    results.write(options.json, {"table": table, "rejections": found}, started)
    return 0


def rows_of(
    after: dict[str, dict[str, list[bool]]], before: dict[str, dict[str, list[bool]]]
) -> list[dict[str, object]]:
    """Power before and after of every test on every corpus and in the mean, with the paired error."""
    rows: list[dict[str, object]] = []
    names = dict.fromkeys(name for tests in after.values() for name in tests)
    for name in names:
        of_name = []
        for corpus, tests in after.items():
            if name in tests and name in before.get(corpus, {}):
                of_name.append(_row(corpus, name, np.array([before[corpus][name], tests[name]], dtype=float)))
        rows += of_name
        count = len(of_name)
        mean = {key: float(np.mean([row[key] for row in of_name])) for key in ("before", "after", "difference")}
        error = float(np.sqrt(np.sum([np.square(row["error"]) for row in of_name])) / count)
        rows.append({"corpus": f"mean of {count}", "test": name, **mean, "error": error})
    return rows


def _row(corpus: str, name: str, both: np.ndarray) -> dict[str, object]:
    change = both[1] - both[0]
    error = float(change.std(ddof=1) / np.sqrt(len(change)))
    means = {"before": float(both[0].mean()), "after": float(both[1].mean()), "difference": float(change.mean())}
    return {"corpus": corpus, "test": name, **means, "error": error}


def print_rows(rows: list[dict[str, object]], *, is_paired: bool) -> None:
    print("| pairs, test | corpus | before | after | difference |\n|---|---|---|---|---|" if is_paired else "power")
    for row in rows:
        if is_paired:
            change = f"{row['difference']:+.3f} ± {row['error']:.3f}"
            print(f"| {row['test']} | {row['corpus']} | {row['before']:.2f} | {row['after']:.2f} | {change} |")
        else:
            print(f"  {row['test']:16s} {row['corpus']:12s} {row['after']:.2f}")


if __name__ == "__main__":
    sys.exit(main())
