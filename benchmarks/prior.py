"""What a trained detector is worth as a prior of the exact test: power on prompts it never saw, and what it may cost.

    python benchmarks/prior.py FOLDER [--suspect eagle.jsonl] [--reference neutral.jsonl] [--draws 200] [--json FILE]

The detector is trained on a random half of the shared prompts. Every draw takes pairs of the other half and goes the
library's own way from the texts on: without a prior, with that detector, and with one trained on the same rows with
their labels shuffled, which knows nothing. Null draws exchange the sides of each pair at random first. Exit code 1 if a
false-positive rate leaves its exact band, or a power misses what is asked of it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import results
from power_draws import Pool
from scipy.stats import binom

import fingerprint
from fingerprint.data.corpus import Corpus
from fingerprint.detection.analysis import family_matrices, omnibus_weights, permute
from fingerprint.detection.prior import PRIOR
from fingerprint.detector.detector import Detector
from fingerprint.features import choose
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.intervals import exact_interval
from fingerprint.statistics.permutation import PermutationTest, Relabellings, pvalue

ALPHA = 0.05
PERMUTATIONS = 999
JOINT_LEVEL = 1e-3
ASKED = {50: 0.45, 100: 0.75}  # power with the prior
MAY_COST = 0.05  # power that a useless prior may cost at the largest size
KINDS = ("no prior", "prior", "useless prior")

Rates = dict[str, dict[int, list[bool]]]


def halves(pool: Pool, seed: int) -> tuple[Pool, Pool]:
    """The prompts in two random halves."""
    order = np.random.default_rng([seed, 0]).permutation(len(pool.prompts))
    parts = (order[: len(order) // 2], order[len(order) // 2 :])
    return tuple(  # type: ignore[return-value]
        Pool(*(tuple(column[i] for i in part) for column in (pool.prompts, pool.suspect, pool.reference)))
        for part in parts
    )


def trained(pool: Pool, shuffle: np.random.Generator | None = None) -> Detector:
    """A detector of all rows of these prompts; with shuffled labels it knows nothing."""
    rows = [(text, p, 1) for p, texts in zip(pool.prompts, pool.suspect, strict=True) for text in texts]
    rows += [(text, p, 0) for p, texts in zip(pool.prompts, pool.reference, strict=True) for text in texts]
    labels = np.array([label for _, _, label in rows])
    if shuffle is not None:
        labels = shuffle.permutation(labels)
    return Detector().fit(Corpus(tuple(t for t, _, _ in rows), tuple(p for _, p, _ in rows)), labels)


def rejections(pool: Pool, priors: dict[str, Detector], sizes: list[int], seed: int, draws: int, null: bool) -> Rates:
    """For every kind of prior and number of pairs, which draws were rejected."""
    found: Rates = {kind: {n: [] for n in sizes} for kind in KINDS}
    for draw in range(draws):
        rng = np.random.default_rng([seed, 1 + null, draw])
        drawn = list(islice(pool.pairs(rng), max(sizes)))
        if null:
            drawn = [
                (p, s, r) if keep else (p, r, s)
                for (p, s, r), keep in zip(drawn, rng.random(len(drawn)) < 0.5, strict=True)
            ]
        for n in sizes:
            for kind, rejected in _rejected(drawn[:n], priors, seed + draw).items():
                found[kind][n].append(rejected)
    return found


def _rejected(drawn: list[tuple[str, str, str]], priors: dict[str, Detector], seed: int) -> dict[str, bool]:
    prompts, suspect, reference = zip(*drawn, strict=True)
    comparison = pair(Corpus(suspect, prompts, name="suspect"), Corpus(reference, prompts, name="reference"))
    matrices = family_matrices(comparison, choose("auto", comparison.texts))
    units = {name: comparison.units(matrix.values) for name, matrix in matrices.items()}
    relabellings = Relabellings.draw(comparison.design, PERMUTATIONS, np.random.default_rng([seed, 3]))
    without = permute(units, relabellings, omnibus_weights(comparison, matrices))
    out = {"no prior": without.pvalue <= ALPHA}
    for kind, prior in priors.items():
        score = prior.decision_function(comparison.texts)
        signed = np.zeros(comparison.design.n_blocks)
        np.add.at(signed, comparison.design.block, np.where(comparison.suspect, score, -score))
        alone: PermutationTest = permute({PRIOR: signed[:, None].astype(np.float32)}, relabellings, {})
        out[kind] = pvalue(without.statistics + alone.statistics) <= ALPHA
    return out


def shown(title: str, found: Rates, sizes: list[int]) -> dict[str, Any]:
    """Print a table of rejection rates with exact intervals."""
    print(f"\n{title}\n{'':16s}" + "".join(f"{f'{n} pairs':>24s}" for n in sizes))
    record: dict[str, Any] = {}
    for kind, by_size in found.items():
        cells = []
        for n in sizes:
            k, trials = sum(by_size[n]), len(by_size[n])
            low, high = exact_interval(k, trials)
            cells.append(f"{k / trials:.3f} [{low:.2f}, {high:.2f}]")
            record.setdefault(kind, {})[str(n)] = {"value": k / trials, "low": low, "high": high}
        print(f"{kind:16s}" + "".join(f"{cell:>24s}" for cell in cells), flush=True)
    return record


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--suspect", default="eagle.jsonl")
    parser.add_argument("--reference", default="neutral.jsonl")
    parser.add_argument("--pairs", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--null-draws", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    results.add_json_option(parser)
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    pool = Pool.of(*(fingerprint.read(options.folder / name) for name in (options.suspect, options.reference)))
    first, second = halves(pool, options.seed)
    priors = {"prior": trained(first), "useless prior": trained(first, np.random.default_rng([options.seed, 9]))}
    print(f"{len(first.prompts)} prompts to train on, {len(second.prompts)} to test on; alpha {ALPHA}")
    sizes = sorted(options.pairs)
    power = rejections(second, priors, sizes, options.seed, options.draws, null=False)
    record = {"power": shown(f"Power, {options.draws} draws", power, sizes)}
    good = True
    for n, asked in ASKED.items():
        if n in sizes and options.draws:
            reached = float(np.mean(power["prior"][n]))
            good &= reached >= asked
            note = "reached" if reached >= asked else "MISSED"
            print(f"  {n} pairs with the prior: {reached:.3f}, asked {asked} {note}")
    if options.draws:
        cost = float(np.mean(power["no prior"][sizes[-1]]) - np.mean(power["useless prior"][sizes[-1]]))
        good &= cost <= MAY_COST
        print(f"  a useless prior costs {cost:.3f} at {sizes[-1]} pairs, allowed {MAY_COST}")
    if options.null_draws:
        null_sizes = [sizes[len(sizes) // 2]]
        null = rejections(second, priors, null_sizes, options.seed, options.null_draws, null=True)
        record["false_positives"] = shown(f"False positives, {options.null_draws} draws", null, null_sizes)
        tail = JOINT_LEVEL / (2 * len(KINDS))
        low, high = (float(f(tail, options.null_draws, ALPHA)) / options.null_draws for f in (binom.ppf, binom.isf))
        inside = all(low <= np.mean(by_size[n]) <= high for by_size in null.values() for n in null_sizes)
        good &= inside
        print(f"  band {low:.3f} to {high:.3f}: {'inside' if inside else 'OUTSIDE'}")
    print(f"{time.perf_counter() - started:.0f} s; {'all reached' if good else 'NOT ALL REACHED'}")
    results.write(options.json, record, started)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
