"""Power and false positives of the exact test on real corpora, beside the tests one would otherwise reach for.

    python benchmarks/power.py FOLDER --suspect eagle.jsonl --reference neutral.jsonl

Every draw takes pairs of rows that answer the same prompt, at random and without replacement, and goes the library's
own way from the texts on: pairing, families, block sums, permutation test. Nothing is fitted on rows outside the draw.
The peers see the same draws and the same relabellings: both sides of a pair change places, pair by pair. On null draws
the sides of each pair are exchanged at random before anything else happens.

Exit code 1 if a false-positive rate leaves its exact band, if the omnibus is below a peer by more than 1.64 standard
errors of the paired difference, or if `--all-rows` misses what is asked of it.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import peers
import results
from power_all_rows import all_rows
from power_draws import OWN_PERMUTATIONS, Outcome, Pool, Task, features_of, inputs_of, run
from power_tables import print_comparison, print_false_positives, print_power, print_seconds

import fingerprint
from fingerprint.statistics.designs import MAX_BLOCKS, MIN_GROUPS


def _environment(jobs: int) -> dict[str, str]:
    names = ("subliminal-fingerprint", "numpy", "scipy", "scikit-learn", "hyppo")
    return {
        "python": platform.python_version(),
        **results.versions(names),
        "machine": f"{platform.system()} {platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "processes": f"{jobs}, one thread each",
    }


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the two corpora are")
    parser.add_argument("--suspect", default="eagle.jsonl")
    parser.add_argument("--reference", default="neutral.jsonl")
    parser.add_argument("--draws", type=int, default=100, help="draws for power (0: none)")
    parser.add_argument("--pairs", type=_sizes, default=(50, 100, 200), help="pairs a draw, for example 50,100,200")
    parser.add_argument("--permutations", type=int, default=199, help="in the comparison with the peers")
    parser.add_argument("--null-draws", type=int, default=400, help="draws for false positives (0: none)")
    parser.add_argument("--null-pairs", type=_sizes, default=(200,))
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--all-rows", action="store_true", help="also run fingerprint detect on the whole files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    results.add_json_option(parser)
    options = parser.parse_args(given)
    if not 19 <= options.permutations <= OWN_PERMUTATIONS:
        parser.error(f"--permutations must be from 19 to {OWN_PERMUTATIONS}, got {options.permutations}; 199 is usual")
    if options.draws == 1:
        parser.error("--draws must be 0 or at least 2, got 1; a standard error needs two")
    return options


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(sorted({int(size) for size in text.split(",")}))
    if not MIN_GROUPS <= sizes[0] <= sizes[-1] <= MAX_BLOCKS:
        raise argparse.ArgumentTypeError(
            f"numbers of pairs must be from {MIN_GROUPS} (fewer allow no interval) to {MAX_BLOCKS} (more share "
            f"blocks), got {text}"
        )
    return sizes


def main(given: list[str] | None = None) -> int:
    """Run what was asked for, print the tables, return the exit code."""
    options = _arguments(given)
    start = time.perf_counter()
    paths = [options.folder / name for name in (options.suspect, options.reference)]
    pool = Pool.of(*(fingerprint.read(path) for path in paths))
    most = max([0, *(options.pairs if options.draws else ()), *(options.null_pairs if options.null_draws else ())])
    if len(pool.prompts) < most:
        raise SystemExit(f"the corpora must share {most} prompts or more, got {len(pool.prompts)}; ask for fewer pairs")
    environment = _environment(options.jobs)
    print(f"{options.suspect} against {options.reference}: {len(pool.prompts)} shared prompts, seed {options.seed}")
    print("; ".join(f"{name} {value}" for name, value in environment.items()))
    print("A relabelling swaps the two sides of pairs at random, the same swaps for all methods. The smaller numbers")
    print("of pairs are the first of each draw.")
    record: dict[str, Any] = {}
    shared = (options.seed, options.permutations, options.peers)
    tasks = [Task(False, draw, options.pairs, *shared) for draw in range(options.draws)]
    tasks += [Task(True, draw, options.null_pairs, *shared) for draw in range(options.null_draws)]
    found = run(pool, tasks, options.jobs) if tasks else []
    good = _reported(found, options, record)
    if options.peers and options.draws:
        record["hyppo"] = print_hyppo(pool, options)
    if options.all_rows:
        record["all_rows"] = all_rows(*paths)
        good &= bool(record["all_rows"]["met"])
    seconds, verdict = time.perf_counter() - start, "every bound holds" if good else "a bound is broken"
    print(f"\n{seconds:.0f} s wall clock in all; {verdict}")
    results.write(options.json, record, start)
    return 0 if good else 1


def _reported(found: list[Outcome], options: argparse.Namespace, record: dict[str, Any]) -> bool:
    """Print the tables that there are draws for, note them in the record; whether every bound holds."""
    good = True
    drawn, null = ([outcome for outcome in found if outcome.null is kind] for kind in (False, True))
    if drawn:
        record["power"] = [asdict(rate) for rate in print_power(drawn)]
    if null:
        measured, band, inside = print_false_positives(null)
        record["false_positives"] = {"band": asdict(band), "rates": [asdict(rate) for rate in measured]}
        good &= inside
    if drawn and options.peers:
        power, compared = print_comparison(drawn, options.permutations)
        record["compared"] = [asdict(rate) for rate in power]
        record["differences"] = [asdict(difference) | {"below": difference.below} for difference in compared]
        good &= not any(difference.below for difference in compared)
    if found:
        record["processor_seconds"] = print_seconds(found)
        record["outcomes"] = [asdict(outcome) for outcome in found]
    return good


def print_hyppo(pool: Pool, options: argparse.Namespace, draws: int = 3) -> float | None:
    """MMD and energy statistics against hyppo's on a few draws; None where hyppo is not installed."""
    if results.versions(("hyppo",))["hyppo"] == "not installed":
        print("\nhyppo is not installed: MMD and energy were not checked against it (pip install hyppo)")
        return None
    worst = 0.0
    for draw in range(draws):
        task = Task(False, draw, options.pairs, options.seed, options.permutations, True)
        comparison, matrices = features_of(list(islice(pool.pairs(task.rng(0)), task.sizes[0])))
        for values in inputs_of(comparison, matrices).values():
            worst = max(worst, peers.hyppo_difference(values.standardised, task.sizes[0]))
    print(f"\nMMD and energy statistics differ from hyppo's by at most {worst:.0e} of their size on {draws} draws")
    return worst


if __name__ == "__main__":
    sys.exit(main())
