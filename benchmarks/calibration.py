"""Error rates, coverage, efficiency and sample sizes on simulated teachers.

    python benchmarks/calibration.py type-i      [--runs N]
    python benchmarks/calibration.py coverage    [--scale 1.0]
    python benchmarks/calibration.py efficiency
    python benchmarks/calibration.py rows-needed [--runs 200]
    python benchmarks/calibration.py suite       [--runs N]

Each command prints one table and exits with 1 when a figure leaves its band. Bands are exact binomial intervals; the
level of 1e-3 is shared by all cells of a table (Bonferroni). Two-sided where the test is exact.

Without `--runs`, the numbers of nulls and the bands of `type-i` and `suite` follow from the binomial law, so that a
true rate of .069 at .05, or .02 at .01, is caught with probability .95: a first look at 2,100 nulls, and a second at
about twice as many of their own where the first looks bad (`calibration_cells.looks`).

`suite` changes one factor at a time from a default: design, family, rung, filter, classifier, prior; at .001 on the
level of the statistics; the probabilities of a trained detector on fresh rows; and the power that a report states for
shifts planted along random directions.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # one thread a worker: the workers fill the cores

import argparse
import platform
import sys
import time

import numpy as np
import results
from calibration_coverage import coverage
from calibration_efficiency import efficiency
from calibration_rows_needed import rows_needed
from calibration_suite import suite
from calibration_type_i import type_i


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["type-i", "coverage", "efficiency", "rows-needed", "suite"])
    parser.add_argument("--runs", type=int, default=None, help="nulls a cell, or replicates")
    parser.add_argument("--scale", type=float, default=1.0, help="coverage: share of the full number of sets")
    results.add_json_option(parser)
    options = parser.parse_args(arguments)
    print(f"numpy {np.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    started = time.perf_counter()
    table = {
        "type-i": lambda: type_i(options.runs),
        "coverage": lambda: coverage(options.scale),
        "efficiency": efficiency,
        "rows-needed": lambda: rows_needed(options.runs or 200),
        "suite": lambda: suite(options.runs),
    }[options.what]()
    print(f"{time.perf_counter() - started:.0f} s; {'all inside' if table.inside else 'NOT ALL INSIDE'}")
    results.write(options.json, table.figures, started)
    return 0 if table.inside else 1


if __name__ == "__main__":
    sys.exit(main())
