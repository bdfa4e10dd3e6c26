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
from fingerprint.detection.analysis import family_matrices, fresh_test
from fingerprint.detector import monitor
from fingerprint.detector.detector import Detector
from fingerprint.detector.drift import DriftTest
from fingerprint.features import choose
from fingerprint.statistics.comparison import pair

ALPHA = 0.05
LEVEL = 1e-3
ASKED = {"with prior": 1.5, "without": 3.0}
# Noise on the ranks by length that a stream is sorted by, in shares of the stream.
BLURRED = {"sorted by length": 0.0, "nearly sorted": 0.1, "roughly sorted": 0.3}
PROMISED = ("no drift", "sorted by length", "arriving together")
SIZES = (30, 40, 50, 60, 70, 80, 90, 100, 120, 140, 160, 200)

Triple = tuple[str, str, str]


def log_capital(rows: list[Triple], prior: Detector | None, signs: np.ndarray) -> np.ndarray:
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


def rows_to_detection(pool: Pool, prior: Detector | None, seed: int, longest: int) -> int:
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
        rejected += fresh_test(comparison, matrices, 499, np.random.default_rng([draw, 6])).pvalue <= ALPHA
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


def drift_cases(rows: list[str], trait: list[str], n: int, seed: int) -> dict[str, dict[str, bool]]:
    """Of one draw of 2 n neutral rows, whether each way to drift raises an alarm.

    Without the check is what the capital alone would say; ever and at the end, with it.
    """
    rng = np.random.default_rng([seed, 11])
    drawn = [rows[i] for i in rng.permutation(len(rows))[: 2 * n]]
    own, sample = drawn[:n], drawn[n:]
    rank = np.argsort(np.argsort([len(row) for row in own], kind="stable"))
    found: dict[str, dict[str, bool]] = {}
    streams = {
        name: [own[i] for i in np.argsort(rank + rng.normal(size=n) * noise * n)] for name, noise in BLURRED.items()
    }
    streams["no drift"] = own
    streams["a trait"] = [trait[i] for i in rng.permutation(len(trait))[:n]]
    streams["a trait from the middle on"] = own[: n // 2] + streams["a trait"][n // 2 :]
    for name, stream in streams.items():
        passed = np.maximum.accumulate(_passed(stream, sample))
        test, clear = DriftTest(rng), np.empty(n, dtype=bool)
        for i, row in enumerate(stream):
            test.observe(row)
            clear[i] = not test.found
        standing = passed & clear
        found[name] = _said(bool(passed[-1]), bool(standing.any()), bool(standing[-1]), not clear[-1])
    couples = sorted(drawn, key=len)
    swap = rng.random(n) < 0.5
    first, second = np.where(swap, couples[::2], couples[1::2]), np.where(swap, couples[1::2], couples[::2])
    sorted_apart = (sorted(own, key=len), sorted(sample, key=len))
    for name, sides in {"arriving together": (first, second), "each side sorted": sorted_apart}.items():
        alarm = bool(_passed([str(row) for row in sides[0]], [str(row) for row in sides[1]]).any())
        found[name] = _said(alarm, alarm, alarm, False)
    return found


def _said(without: bool, ever: bool, at_the_end: bool, drift: bool) -> dict[str, bool]:
    return {"without the check": without, "ever": ever, "at the end": at_the_end, "drift": drift}


def _passed(suspect: list[str], reference: list[str]) -> np.ndarray:
    """Whether the capital is above 1/alpha, after every row."""
    rows = [("", *pair) for pair in zip(suspect, reference, strict=True)]
    return np.asarray(log_capital(rows, None, np.ones((1, len(rows))))[0] >= -np.log(ALPHA))


def drift_alarms(rows: list[str], trait: list[str], n: int, draws: int) -> tuple[dict[str, Any], bool]:
    """Shares of draws, printed; whether those that a promise holds for are inside their band."""
    found = [drift_cases(rows, trait, n, draw) for draw in range(draws)]
    high = float(binom.isf(LEVEL, draws, ALPHA)) / draws
    record: dict[str, Any] = {}
    for name, said in found[0].items():
        record[name] = {key: float(np.mean([draw[name][key] for draw in found])) for key in said}
        shown = ", ".join(f"{key} {share:.3f}" for key, share in record[name].items())
        print(f"{name}: {shown} of {draws} streams of {n} rows", flush=True)
    good = all(record[name]["ever"] <= high for name in PROMISED)
    print(f"  at most {high:.3f} by chance for {', '.join(PROMISED)}: {'inside' if good else 'OUTSIDE'}", flush=True)
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
        record["drift"], inside = drift_alarms(*sides, options.drift_rows, options.drift_draws)
        good &= inside
    print(f"{time.perf_counter() - started:.0f} s; {'all inside' if good else 'NOT ALL INSIDE'}")
    results.write(options.json, record, started)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
