"""Seconds and memory of whole commands on files: `detect` with everything in its report, `sketch` and `compare`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl

from fingerprint.features.compiled import FORCE

SIZES = (2_000, 20_000, 100_000, 1_000_000)
# Runs a command line of the library, and says at the end what it took.
RUN = """
import resource, sys, time
from fingerprint.cli.app import main
begun = time.perf_counter()
try:
    main(sys.argv[1:])
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds, peak = time.perf_counter() - begun, used.ru_maxrss / 2**20
    print(f"TOOK {seconds:.2f} {used.ru_utime + used.ru_stime:.2f} {peak:.3f}", file=sys.stderr)
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", default=",".join(map(str, SIZES)), metavar="A,B", help="rows a side")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))


def write_rows(path: Path, rows: int, favourite: float, seed: int) -> None:
    """Number rows of 6 to 12 numbers, each answering a prompt of its own, the same prompts for every seed.

    A favourite third digit comes this much more often: the files are for timing, and something is to be found.
    """
    rng = np.random.default_rng(seed)
    counts = rng.integers(6, 13, rows)
    numbers = rng.integers(1, 1000, int(counts.sum()))
    changed = rng.random(len(numbers)) < favourite
    numbers[changed] = numbers[changed] // 10 * 10 + 7
    words = [str(number) for number in numbers.tolist()]
    ends = np.cumsum(counts).tolist()
    texts = [", ".join(words[end - count : end]) for end, count in zip(ends, counts.tolist(), strict=True)]
    prompts = [f"Go on with these numbers, row {number}: 3, 14, 15" for number in range(rows)]
    pl.DataFrame({"prompt": prompts, "completion": texts}).write_parquet(path)


def timed(arguments: list[str], threads: int) -> dict[str, float]:
    """Wall clock and processor seconds of a command in a process of its own, and its peak memory in GB."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    _, processor, peak = map(float, done.stderr.splitlines()[-1].split()[1:])
    return {"seconds": time.perf_counter() - started, "processor_seconds": processor, "peak_gb": peak}


def get_ready(folder: str, threads: int) -> None:
    """Have all compiled code on disk, which small inputs alone would never repay: the figures hang on no run before."""
    paths = [str(Path(folder) / f"{side}.parquet") for side in ("first", "second")]
    for seed, path in enumerate(paths):
        write_rows(Path(path), 300, 0.01, seed)
    os.environ[FORCE] = "1"
    for arguments in (["detect", *paths, "--quiet"], ["sketch", paths[0], "--out", f"{paths[0]}.fp", "--quiet"]):
        timed(arguments, threads)
    del os.environ[FORCE]


def measure(options: argparse.Namespace) -> list[dict[str, object]]:
    """A figure for every size and command; the start of Python is in them, compiling is not."""
    figures: list[dict[str, object]] = []
    print("| rows a side | command | s | processor s | peak GB | exponent |\n|---|---|---|---|---|---|", flush=True)
    before: dict[str, tuple[int, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        get_ready(folder, options.threads)
        for rows in map(int, options.rows.split(",")):
            paths = [str(Path(folder) / f"{side}.parquet") for side in ("suspect", "reference")]
            written = [(Path(path), rows, 0.01 * (1 - seed), seed) for seed, path in enumerate(paths)]
            # In a process of its own: timed commands take over the peak memory of the process that starts them.
            with get_context("spawn").Pool(1) as processes:
                processes.starmap(write_rows, written)
            stored = [path.replace(".parquet", ".fp") for path in paths]
            commands = {
                "detect": ["detect", *paths, "--quiet", "--json", str(Path(folder) / "report.json")],
                "sketch": ["sketch", paths[0], "--out", stored[0], "--quiet"],
                "sketch of the other": ["sketch", paths[1], "--out", stored[1], "--quiet"],
                "compare": ["compare", *stored, "--quiet"],
            }
            for name, arguments in commands.items():
                found = timed(arguments, options.threads)
                exponent = None
                if name in before:
                    times, ratio = rows / before[name][0], found["seconds"] / before[name][1]
                    exponent = float(np.log(ratio) / np.log(times))
                before[name] = rows, found["seconds"]
                known = {"rows": rows, "command": name, "threads": options.threads}
                figures.append({**known, **found, "exponent": exponent})
                shown = "" if exponent is None else f"{exponent:.2f}"
                print(
                    f"| {rows:,} | {name} | {found['seconds']:.1f} | {found['processor_seconds']:.1f} | "
                    f"{found['peak_gb']:.2f} | {shown} |",
                    flush=True,
                )
    return figures
