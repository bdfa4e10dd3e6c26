"""Seconds: of the exact test, of features, and of whole commands.

    python benchmarks/speed.py test
    python benchmarks/speed.py features [FILE ...]
    python benchmarks/speed.py whole [--rows A,B]
    python benchmarks/speed.py peers [--rows A,B]

`test`: 9,999 permutations of all families on 10,000 + 10,000 rows. Timed: block sums, inner products, relabellings,
statistics and p-values; extracting the features is timed beside it. Exit code 1 when the test takes 2 s or more.
`features`: rows and megabytes a second of every family, by compiled code and by the reference, beside scikit-learn's
vectorizers on the same n-grams; growth with the rows; seconds to get compiled code ready. One thread.
`whole`: `detect` with everything in its report, `sketch` and `compare`, on Parquet files of several sizes, each in a
process of its own with all cores: seconds, peak memory, and the exponent with which seconds grow.
`peers`: the exact test beside hyppo's MMD and energy distance on the same features, at sizes that these bear (extra
`bench`).
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import results
import speed_features
import speed_peers
import speed_whole

from fingerprint.features import choose
from fingerprint.features.scaling import family_matrix
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test

ROWS = 10_000
PERMUTATIONS = 9_999
LIMIT = 2.0


def main() -> int:
    everything = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = everything.add_subparsers(dest="command", required=True)
    commands.add_parser("test", help="the exact test")
    speed_features.add_options(commands.add_parser("features", help="every family, beside scikit-learn"))
    speed_whole.add_options(commands.add_parser("whole", help="detect, sketch and compare on files"))
    speed_peers.add_options(commands.add_parser("peers", help="the exact test, beside hyppo"))
    for parser in commands.choices.values():
        results.add_json_option(parser)
    options = everything.parse_args()
    begun = time.perf_counter()
    if options.command == "features":
        results.write(options.json, speed_features.measure(options), begun)
        return 0
    if options.command == "whole":
        results.write(options.json, speed_whole.measure(options), begun)
        return 0
    if options.command == "peers":
        results.write(options.json, speed_peers.measure(options), begun)
        return 0
    figures = exact_test()
    results.write(options.json, figures, begun)
    slowest = max(min(figure["test_seconds"]) for figure in figures)
    print(f"limit {LIMIT:g} s: {'kept' if slowest < LIMIT else 'MISSED'}")
    return 0 if slowest < LIMIT else 1


def exact_test() -> list[dict[str, object]]:
    figures = []
    print(f"numpy {np.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores; {ROWS:,} rows a side")
    for design in ("shared", "disjoint", "independent"):
        drawn = simulated_pair(ROWS, design=design, tilt="dense", rng=1)
        comparison = pair(drawn.suspect, drawn.reference)
        started = time.perf_counter()
        matrices = {n: family_matrix(f, comparison.texts, n) for n, f in choose("auto", comparison.texts).items()}
        features = time.perf_counter() - started
        times = []
        for repeat in range(3):
            started = time.perf_counter()
            kernels = {name: gram(comparison.units(matrix.values)) for name, matrix in matrices.items()}
            drawing = Relabellings.draw(comparison.design, PERMUTATIONS, np.random.default_rng(repeat))
            tested = permutation_test(kernels, drawing)
            found = (tested.pvalue, tested.adjusted())
            times.append(time.perf_counter() - started)
        figures.append({
            "design": design, "rows_a_side": ROWS, "permutations": PERMUTATIONS, "families": len(matrices),
            "test_seconds": times, "feature_seconds": features, "pvalue": found[0],
        })  # fmt: skip
        print(
            f"  {design:11s} {len(matrices)} families, {drawing.design.n_blocks} blocks: test {min(times):.2f} s ("
            f"best of 3, worst {max(times):.2f}), features {features:.2f} s, p = {found[0]:.4f}"
        )
    return figures


if __name__ == "__main__":
    sys.exit(main())
