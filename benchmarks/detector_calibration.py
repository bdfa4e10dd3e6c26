"""Probabilities of trained detectors on prompts they never saw: are they as often right as they say?

    python benchmarks/detector_calibration.py SET [SET ...] [--several] [--pairs 60 150 ...] [--draws 8] [--json FILE]

SET is NAME=TRAIT,NEUTRAL (files; one row a prompt and side). Every draw trains on pairs of one random half of the
prompts and judges 800 pairs of the other; beside the sets, simulated teachers with a sparse tilt (d_prime 1) and with
none. With `--several` every set is judged by a detector of what the others have in common, trained on so many pairs of
each, of the prompts in one half by their hash; simulated teachers are five dense tilts there.

The surplus is the share of trait rows in the upper half of the probabilities less what they promise: below 0 they are
too sure. The mean is that of all probabilities less the share of trait rows, .5. Their z have twice the binomial
variance, for the calibration's own error. The gain is what the log-odds are worth, in thousandths of a nat a row over
knowing nothing, beside the best line that could be drawn through them afterwards. Exit code 1 if the z of the surplus
of all sets together is outside the 99.9 % band on the confident side.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import results
from detector_sets import HELP, Floats, TraitSet, pooled, read_set
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from fingerprint.data.corpus import Corpus
from fingerprint.detector.detector import Detector
from fingerprint.lab.simulated import simulated_pair

JUDGED = 800
TOO_SURE = -3.09


def simulated(tilt: str, pairs: int, seed: int) -> tuple[Corpus, np.ndarray]:
    drawn = simulated_pair(pairs, tilt=tilt, rng=seed, **({"d_prime": 1.0} if tilt == "sparse" else {}))
    texts = drawn.suspect.texts + drawn.reference.texts
    return Corpus(texts, drawn.suspect.prompts + drawn.reference.prompts), np.repeat([1, 0], pairs)


def drawn_halves(one: TraitSet, pairs: int, draw: int) -> list[tuple[Corpus, np.ndarray]]:
    """Pairs to train on, and pairs of other prompts to judge."""
    n = len(one.texts) // 2
    order = np.random.default_rng([draw, pairs]).permutation(n)
    found = []
    for part in (order[: min(pairs, n // 2)], order[n // 2 : n // 2 + JUDGED]):
        rows = one.only(np.concatenate([part, part + n]))
        found.append((Corpus(rows.texts, rows.prompts), rows.trait.astype(int)))
    return found


def several(sets: list[TraitSet], left_out: TraitSet, pairs: int, draw: int) -> Floats:
    """Figures on a set of a detector of what the others have in common, trained on so many pairs of each."""
    rng = np.random.default_rng([draw, pairs])

    def some(one: TraitSet, half: int, most: int) -> TraitSet:
        mine = one.half(half)
        n = len(mine.texts) // 2
        part = rng.permutation(n)[:most]
        return mine.only(np.concatenate([part, part + n]))

    corpus, labels, traits = pooled([some(one, 0, pairs) for one in sets if one is not left_out])
    detector = Detector(holdout=0.0).fit(corpus, labels, traits=traits)
    rows = some(left_out, 1, JUDGED)
    odds = detector.decision_function(list(rows.texts)) - detector.prior_log_odds_  # as many neutral rows as others
    return figures(odds, rows.trait.astype(int))


def simulated_sets(pairs: int, seed: int) -> list[TraitSet]:
    """Five traits on the prompts of their own, in both halves of which there are enough."""
    found, n = [], 2 * max(pairs, JUDGED) + 200
    for trait in range(5):
        drawn = simulated_pair(n, tilt="dense", d_prime=0.8, trait_seed=trait, rng=seed + trait)
        texts = drawn.suspect.texts + drawn.reference.texts
        prompts = tuple(map(str, drawn.suspect.prompts + drawn.reference.prompts))
        found.append(TraitSet(f"simulated {trait}", f"neutral {trait}", texts, prompts, np.repeat([True, False], n)))
    return found


def judged(train: tuple[Corpus, np.ndarray], test: tuple[Corpus, np.ndarray]) -> Floats:
    return figures(Detector(holdout=0.0).fit(*train).decision_function(test[0]), test[1])


def figures(log_odds: Floats, label: np.ndarray) -> Floats:
    """Trait rows in the upper half less those promised, their variance, rows there, gain, best gain; of all rows, the
    probabilities less the trait rows, their variance, and rows [8]."""
    p = expit(log_odds)
    upper = p >= np.median(p)
    z = ((log_odds - log_odds.mean()) / log_odds.std())[:, None]
    best = LogisticRegression(C=1e9).fit(z, label).decision_function(z)

    def gain(odds: Floats) -> float:
        return float(1000 * (np.log(2) - np.logaddexp(0.0, np.where(label == 1, -odds, odds)).mean()))

    surplus, variance = label[upper].sum() - p[upper].sum(), (p * (1 - p))[upper].sum()
    whole = [p.sum() - label.sum(), (p * (1 - p)).sum(), len(p)]
    return np.array([surplus, variance, upper.sum(), gain(log_odds), gain(best), *whole])


def summed(found: list[Floats]) -> dict[str, float]:
    rows = np.array(found)
    surplus, variance, upper = rows[:, :3].sum(axis=0)
    mean, of_mean, whole = rows[:, 5:].sum(axis=0)
    return {
        "surplus": float(surplus / upper),
        "z": float(surplus / np.sqrt(2 * variance)),
        "gain": float(rows[:, 3].mean()),
        "best gain": float(rows[:, 4].mean()),
        "mean": float(mean / whole),
        "z of the mean": float(mean / np.sqrt(2 * of_mean)),
    }


def of_one(sets: list[TraitSet], pairs: int, draw: int) -> Iterator[tuple[str, Floats]]:
    """Figures of every set's own detector, and of simulated teachers'."""
    for one in sets:
        yield one.name, judged(*drawn_halves(one, pairs, draw))
    for name, tilt in (("simulated", "sparse"), ("no trait", "none")):
        both = [simulated(tilt, n, 40_000 * pairs + 2 * draw + i) for i, n in enumerate((pairs, JUDGED))]
        yield name, judged(both[0], both[1])


def of_others(sets: list[TraitSet], pairs: int, draw: int) -> Iterator[tuple[str, Floats]]:
    """Figures on every set of a detector of the other sets; simulated teachers among themselves."""
    if len(sets) > 2:
        for one in sets:
            yield one.name, several(sets, one, pairs, draw)
    drawn = simulated_sets(pairs, 50_000 * pairs + 10 * draw)
    yield "simulated", several(drawn, drawn[draw % len(drawn)], pairs, draw)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=HELP)
    parser.add_argument("--pairs", nargs="+", type=int, default=[60, 150, 400, 1000])
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--several", action="store_true", help="detectors of what the other sets have in common")
    results.add_json_option(parser)
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    sets = [read_set(word) for word in options.sets]
    record: dict[str, Any] = {}
    good = True
    for pairs in options.pairs:
        found: dict[str, list[Floats]] = {}
        for draw in range(options.draws):
            for name, row in (of_others if options.several else of_one)(sets, pairs, draw):
                found.setdefault(name, []).append(row)
        of_sets = {name: summed(rows) for name, rows in found.items()}
        together = summed([row for rows in found.values() for row in rows])
        good &= together["z"] > TOO_SURE
        record[str(pairs)] = {"together": together, **of_sets}
        for name, figure in record[str(pairs)].items():
            shown = ", ".join(f"{key} {value:+.3f}" for key, value in figure.items())
            print(f"{pairs:5d} pairs, {name:12s} {shown}", flush=True)
    print(f"{time.perf_counter() - started:.0f} s; {'none too sure' if good else 'TOO SURE'}")
    results.write(options.json, record, started)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
