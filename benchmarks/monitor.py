"""The always-valid monitor: false alarms on null streams, and rows to detection against the fixed test's.

    python benchmarks/monitor.py FOLDER [--suspect eagle.jsonl] [--reference neutral.jsonl] [--json FILE]

Null streams: pairs of real rows that answer one prompt, their sides exchanged at random, looked at after every row. The
monitor learns the same from a pair whichever side is the suspect's, up to the sign, so every base stream gives many
null streams at the cost of a few matrix products. Rows to detection: streams of suspect rows on prompts that the
prior's detector never saw, against the number of pairs at which the exact test, without a prior, has power .5 on those
prompts, found by bisection on the same draws. Drift: neutral rows by length, without prompts, against a sample of
neutral rows, as they are and with ranks blurred by noise; neighbours by length that arrive together, the suspect's at
random; two halves that were each sorted for themselves, for which no pairing promises anything; and, to be found, rows
of the trait, all along or from the middle on. Exit code 1 if a figure leaves its band.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import results
from power_draws import Pool
from prior import halves, trained
from scipy.special import logsumexp
from scipy.stats import binom

import fingerprint
from fingerprint.data.corpus import Corpus
from fingerprint.detection.analysis import family_matrices, fresh_pvalue
from fingerprint.detection.prior import Prior
from fingerprint.detector import monitor
from fingerprint.detector.drift import DriftTest
from fingerprint.features import choose
from fingerprint.statistics.comparison import pair

ALPHA = 0.05
LEVEL = 1e-3
ASKED = {"with prior": 1.5, "without": 3.0}
# Noise on the ranks by length that a stream is sorted by, in shares of the stream.
BLURRED = {"sorted by length": 0.0, "nearly sorted": 0.1, "roughly sorted": 0.3}
BY_ARRIVAL = ("arriving together", "each side sorted")
DRIFT_CASES = (*BLURRED, *BY_ARRIVAL, "no drift", "a trait", "a trait from the middle on")
PROMISED = ("no drift", "sorted by length", "arriving together")
SAID = ("without the check", "ever", "at the end", "drift")
SIZES = (30, 40, 50, 60, 70, 80, 90, 100, 120, 140, 160, 200)

Triple = tuple[str, str, str]


def log_capital(rows: list[Triple], prior: Prior | None, signs: np.ndarray) -> np.ndarray:
    """Log capital [streams, rows] after every row, of streams whose pairs are turned round where the sign is -1.

    What `Monitor.observe` computes row by row: features are taken many rows at a time.
    """
    known = None
    if prior is not None:
        scores = [prior.decision_function([row[side] for row in rows]) for side in (1, 2)]
        known = scores[0] - scores[1]
    shares = monitor.expert_shares(prior is not None)
    capital = np.zeros((len(signs), len(shares)))
    path = np.empty(signs.shape)
    learned = monitor.Learner().steps([(suspect, reference) for _, suspect, reference in rows])
    for t, products in enumerate(learned):
        score = signs[:, t] * monitor.standardised(products, signs[:, :t])
        capital += monitor.log_factors(score, t, None if known is None else signs[:, t] * known[t], 0.0)
        path[:, t] = logsumexp(capital, axis=1, b=shares)
    return path


def rows_to_detection(pool: Pool, prior: Prior | None, seed: int, longest: int) -> int:
    """Rows until the alarm; one more than `longest` where there is none."""
    drawn = list(islice(pool.pairs(np.random.default_rng([seed, 5])), longest))
    alarm = log_capital(drawn, prior, np.ones((1, longest)))[0] >= -np.log(ALPHA)
    return int(np.argmax(alarm)) + 1 if alarm.any() else longest + 1


def fixed_power(pool: Pool, n: int, draws: int) -> float:
    """Power of the exact test at n pairs."""
    rejected = 0
    for draw in range(draws):
        drawn = list(islice(pool.pairs(np.random.default_rng([draw, 5])), n))
        prompts, suspect, reference = zip(*drawn, strict=True)
        comparison = pair(Corpus(suspect, prompts), Corpus(reference, prompts, name="reference"))
        matrices = family_matrices(comparison, choose("auto", comparison.texts))
        rejected += fresh_pvalue(comparison, matrices, 499, np.random.default_rng([draw, 6])) <= ALPHA
    return rejected / draws


def rows_for_half_power(pool: Pool, draws: int) -> int:
    """Smallest of `SIZES` at which the exact test has power .5, by bisection."""
    low, high = 0, len(SIZES) - 1
    while low < high:
        middle = (low + high) // 2
        power = fixed_power(pool, SIZES[middle], draws)
        print(f"  exact test, {SIZES[middle]} pairs: power {power:.3f}", flush=True)
        low, high = (low, middle) if power >= 0.5 else (middle + 1, high)
    return SIZES[low]


def drift_streams(rows: list[str], trait: list[str], n: int, seed: int) -> dict[str, tuple[list[str], list[str]]]:
    """Every stream of `DRIFT_CASES` from one draw of 2 n neutral rows, and the reference rows it is paired with."""
    rng = np.random.default_rng([seed, 11])
    drawn = [rows[i] for i in rng.permutation(len(rows))[: 2 * n]]
    own, sample = drawn[:n], drawn[n:]
    traits = [trait[i] for i in rng.permutation(len(trait))[:n]]
    rank = np.argsort(np.argsort([len(row) for row in own], kind="stable"))
    blurred = {name: rank + rng.normal(size=n) * noise * n for name, noise in BLURRED.items()}
    couples = sorted(drawn, key=len)
    together = [(b, a) if rng.random() < 0.5 else (a, b) for a, b in zip(couples[::2], couples[1::2], strict=True)]
    return {
        **{name: ([own[i] for i in np.argsort(key)], sample) for name, key in blurred.items()},
        "arriving together": ([a for a, _ in together], [b for _, b in together]),
        "each side sorted": (sorted(own, key=len), sorted(sample, key=len)),
        "no drift": (own, sample),
        "a trait": (traits, sample),
        "a trait from the middle on": (own[: n // 2] + traits[n // 2 :], sample),
    }


def alarms(suspect: list[str], reference: list[str], by_arrival: bool, seed: int) -> tuple[bool, bool, bool, bool]:
    """Alarm by the capital alone; ever and at the end, where drift takes it back; and whether there was drift."""
    rows = [("", *pair) for pair in zip(suspect, reference, strict=True)]
    capital = log_capital(rows, None, np.ones((1, len(rows))))[0]
    passed = np.maximum.accumulate(capital) >= -np.log(ALPHA)
    drift, clear = DriftTest(np.random.default_rng([seed, 12])), np.ones(len(rows), dtype=bool)
    for i, row in enumerate(suspect):
        if not by_arrival:
            drift.observe(row)
        clear[i] = not drift.found
    standing = passed & clear
    return bool(passed[-1]), bool(standing.any()), bool(standing[-1]), not clear[-1]


def drift_alarms(rows: list[str], trait: list[str], options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """Shares of draws, printed; whether those that a promise holds for are inside their band."""
    n, draws, record, good = options.drift_rows, options.drift_draws, {}, True
    high = float(binom.isf(LEVEL, draws, ALPHA)) / draws
    for name in options.drift_cases:
        streams = [drift_streams(rows, trait, n, draw)[name] for draw in range(draws)]
        found = [alarms(*sides, name in BY_ARRIVAL, draw) for draw, sides in enumerate(streams)]
        shares = dict(zip(SAID, np.mean(found, axis=0).tolist(), strict=True))
        record[name] = shares
        shown = ", ".join(f"{key} {share:.3f}" for key, share in shares.items())
        print(f"{name}: alarms {shown} of {draws} streams of {n} rows", flush=True)
        if name in PROMISED:
            good &= shares["ever"] <= high
            print(f"  at most {high:.3f} by chance: {'inside' if shares['ever'] <= high else 'OUTSIDE'}", flush=True)
    return record, good


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--suspect", default="eagle.jsonl")
    parser.add_argument("--reference", default="neutral.jsonl")
    parser.add_argument("--streams", type=int, default=2000, help="null streams, with and without a prior each")
    parser.add_argument("--null-rows", type=int, default=200)
    parser.add_argument("--draws", type=int, default=100, help="streams of suspect rows")
    parser.add_argument("--drift-draws", type=int, default=100, help="draws of neutral rows that drift")
    parser.add_argument("--drift-rows", type=int, default=100)
    parser.add_argument("--drift-cases", nargs="+", choices=DRIFT_CASES, default=DRIFT_CASES, metavar="CASE")
    parser.add_argument("--longest", type=int, default=400)
    results.add_json_option(parser)
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    pool = Pool.of(*(fingerprint.read(options.folder / name) for name in (options.suspect, options.reference)))
    first, second = halves(pool, 0)
    prior = trained(first) if options.streams or options.draws else None
    record: dict[str, Any] = {}
    good = True
    priors = {"with prior": prior, "without": None}

    bases = 20
    high = float(binom.isf(LEVEL / 2, options.streams, ALPHA)) / max(1, options.streams)
    for name, known in priors.items() if options.streams else ():
        found = []
        for base in range(bases):
            rng = np.random.default_rng([base, 7])
            rows = list(islice(second.pairs(rng), options.null_rows))
            signs = rng.choice([-1.0, 1.0], size=(options.streams // bases, options.null_rows))
            found.append(log_capital(rows, known, signs).max(axis=1) >= -np.log(ALPHA))
        rate = float(np.concatenate(found).mean())
        good &= rate <= high
        record[f"false alarms {name}"] = rate
        print(
            f"false alarms {name}: {rate:.4f} of {options.streams} null streams of {options.null_rows} rows, looked at "
            f"after every row; at most {high:.4f} by chance ({time.perf_counter() - started:.0f} s)",
            flush=True,
        )

    if options.draws:
        fixed = rows_for_half_power(second, 2 * options.draws)
        record["fixed test, power .5"] = fixed
        for name, known in priors.items():
            needed = [rows_to_detection(second, known, seed, options.longest) for seed in range(options.draws)]
            median = float(np.median(needed))
            inside = median <= ASKED[name] * fixed
            good &= inside
            record[f"median rows {name}"] = median
            note = f"asked {ASKED[name]} {'reached' if inside else 'MISSED'}"
            print(
                f"rows to detection {name}: median {median:.0f} of {options.draws} streams, {median / fixed:.2f} times "
                f"the {fixed} pairs of the exact test; {note}",
                flush=True,
            )
    if options.drift_draws:
        sides = [list(fingerprint.read(options.folder / name).texts) for name in (options.reference, options.suspect)]
        record["drift"], inside = drift_alarms(*sides, options)
        good &= inside
    print(f"{time.perf_counter() - started:.0f} s; {'all inside' if good else 'NOT ALL INSIDE'}")
    results.write(options.json, record, started)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
