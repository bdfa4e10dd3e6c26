"""False positives of `detect` on rows that are not held, its limits lowered so that few rows a side are streamed.

    python benchmarks/streamed_nulls.py --minutes 60 [--designs shared,separate,partly,uneven] [--runs N] [--rows N]
        [--seed N] [--json PATH]

Each null is a fresh pair of simulated corpora of one law: 2,000 rows a side that answer the same prompts (shared),
other prompts (separate), or half and half (partly); or a tenth of the rows against all, on other prompts (uneven).
The minutes are shared between the designs; `--runs` is the most nulls of a design. The p-value is of all rows, from
sums of counts.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("FINGERPRINT_COMPILED", "1")  # many comparisons repay what few do not

import numpy as np
import results

from fingerprint import detect
from fingerprint.data.corpus import Corpus, joined
from fingerprint.detection import all_rows, streamed
from fingerprint.detection import detect as main_path
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.intervals import exact_interval

ALPHAS = (0.05, 0.01)
UNEVEN = 10  # rows of one side for each of the other
PERMUTATIONS = 199  # enough for a p-value of .005
# A twentieth of the rows held, 60 at least: what is not of all rows takes little time, and enters no p-value of theirs.
SAMPLED, FEWEST_SAMPLED = 20, 60


def null(design: str, rows: int, seed: int) -> tuple[Corpus, Corpus]:
    """Two corpora of one law."""
    if design == "shared":
        pair = simulated_pair(rows, d_prime=0.0, rng=seed)
        return pair.suspect, pair.reference
    if design == "partly":
        # Streams of their own: from one stream both halves would hold much the same numbers, and rows that are not
        # independent are no null (.081 of 1,780 at .05).
        shared = simulated_pair(rows // 2, d_prime=0.0, rng=np.random.default_rng([seed, 0]), design="shared")
        others = simulated_pair(rows // 2, d_prime=0.0, rng=np.random.default_rng([seed, 1]), design="disjoint")
        halves = [shared, others]
        return joined([half.suspect for half in halves], "a"), joined([half.reference for half in halves], "b")
    pair = simulated_pair(rows, d_prime=0.0, rng=seed, design="disjoint")
    few = range(rows // UNEVEN if design == "uneven" else rows)
    suspect = Corpus(tuple(pair.suspect.texts[i] for i in few), tuple(pair.suspect.prompts[i] for i in few), name="a")
    return suspect, pair.reference


def measured(design: str, rows: int, runs: int, seconds: float, seed: int) -> dict[str, object]:
    """P-values of as many nulls of a design as there is time for, ten at least."""
    pvalues, started = [], time.perf_counter()
    while len(pvalues) < runs and (len(pvalues) < 10 or time.perf_counter() - started < seconds):
        own = seed + len(pvalues)
        report = detect(*null(design, rows, own), ladder=False, n_permutations=PERMUTATIONS, rng=own)
        if report.sample is None or not report.sample.covers_all:
            raise RuntimeError(f"p-values must be of rows that are not held, got {report.sample!r}")
        pvalues.append(report.pvalue)
    figures: dict[str, object] = {"design": design, "rows": rows, "nulls": len(pvalues)}
    told = []
    for alpha in ALPHAS:
        rejected = sum(p <= alpha for p in pvalues)
        low, high = exact_interval(rejected, len(pvalues))
        figures[f"rejected at {alpha:g}"] = [rejected / len(pvalues), low, high]
        told.append(f"{rejected / len(pvalues):.3f} ({low:.3f} to {high:.3f})")
    print(f"| {design} | {len(pvalues):,} | {' | '.join(told)} |", flush=True)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--designs", default="shared,separate,partly,uneven")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=2000, help="of a side")
    parser.add_argument("--seed", type=int, default=0)
    results.add_json_option(parser)
    options = parser.parse_args()
    started, designs = time.perf_counter(), options.designs.split(",")
    streamed.HELD_ROWS = options.rows // 2
    streamed.SAMPLE_ROWS = max(FEWEST_SAMPLED, options.rows // SAMPLED)
    # The others add to a report, and touch no p-value.
    main_path.SECTIONS = (all_rows.SECTION,)
    seconds = 60 * options.minutes / len(designs)
    print("| design | nulls | rejected at .05 | at .01 |\n|---|---|---|---|")
    figures = [measured(design, options.rows, options.runs, seconds, options.seed) for design in designs]
    results.write(options.json, figures, started)
    return 0


if __name__ == "__main__":
    sys.exit(main())
