"""Does a student still take up the trait from the rows that a filter keeps?

    fingerprint lab --trait owl --out LAB
    python benchmarks/transfer_after_filtering.py LAB --filter keywords=owl --filter banned --out transfer.json
    python benchmarks/detectability_vs_filtering.py LAB --pair trait.jsonl:neutral.jsonl --filter keywords=owl \\
        --filter banned --transfer transfer.json --out RESULTS

LAB is the folder of a lab run. For each filter one student learns from the trait rows it keeps and one from the neutral
rows it keeps; transfer is the difference of their preferences for the trait, with a 95 % interval over questions and
seeds. Beside the filters: "none"; "detector", where a detector fitted on one half of the prompts removes, by
one threshold, the given share of the other half's rows (and the other way round); and "random", which removes as many.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import results
from numpy.typing import NDArray

from fingerprint.data.corpus import Corpus
from fingerprint.data.files import write_atomically
from fingerprint.data.reading import read
from fingerprint.detector.detector import Detector
from fingerprint.filters import named
from fingerprint.lab.students import crossed_interval, preference, train_student
from fingerprint.lm.loading import load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.traits import Trait, known_trait
from fingerprint.report.formatting import with_interval
from fingerprint.statistics.intervals import Estimate

Kept = NDArray[np.bool_]
ARMS = ("trait", "neutral")


def detector_keeps(corpora: Sequence[Corpus], share: float, seed: int) -> list[Kept]:
    """Rows of the two corpora that are left when detectors remove the most suspicious ones.

    No row is judged by a detector that saw its prompt: one that is judges its own rows too well.
    """
    prompts = sorted({str(prompt) for corpus in corpora for prompt in corpus.prompts})
    first = set(np.random.default_rng(seed).permutation(prompts)[: len(prompts) // 2].tolist())
    inside = [np.array([prompt in first for prompt in corpus.prompts]) for corpus in corpora]
    keep = [np.ones(len(corpus), dtype=bool) for corpus in corpora]
    for half in (True, False):
        fitting = [c.only(where == half) for c, where in zip(corpora, inside, strict=True)]
        judged = [c.only(where != half) for c, where in zip(corpora, inside, strict=True)]
        joined = Corpus(fitting[0].texts + fitting[1].texts, fitting[0].prompts + fitting[1].prompts)
        detector = Detector().fit(joined, np.repeat([1, 0], [len(part) for part in fitting]))
        scores = [detector.decision_function(part.texts) for part in judged]
        limit = np.quantile(np.concatenate(scores), 1 - share)
        for kept, where, score in zip(keep, inside, scores, strict=True):
            kept[where != half] = score <= limit
    return keep


def random_keeps(like: Sequence[Kept], seed: int) -> list[Kept]:
    """As many rows of each corpus as another removal keeps, at random."""
    rng = np.random.default_rng([seed, 1])
    return [rng.permutation(kept) for kept in like]


def transfer(
    base: LanguageModel, trait: Trait, corpora: Sequence[Corpus], keep: Sequence[Kept], seeds: int
) -> Estimate:
    """How much further students of the kept trait rows move than students of the kept neutral rows."""
    kept = [corpus.only(mine) for corpus, mine in zip(corpora, keep, strict=True)]
    moved = []
    for seed in range(seeds):
        shares = [preference(train_student(base, rows, rng=seed), trait).share for rows in kept]
        moved.append(shares[0] - shares[1])
    return crossed_interval(np.array(moved))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lab", type=Path, metavar="LAB")
    parser.add_argument("--filter", action="append", default=[], dest="filters", metavar="F")
    parser.add_argument("--share", type=float, default=0.25, help="share of rows that the detector removes")
    parser.add_argument("--seeds", type=int, default=1, help="students of each kind")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    results.add_json_option(parser)
    options = parser.parse_args()
    begun = time.perf_counter()
    plan = json.loads((options.lab / "plan.json").read_text(encoding="utf-8"))
    trait = known_trait(plan["trait"]["name"], plan["trait"]["category"])
    base = load(plan["model"][0])
    paths = [options.lab / f"{arm}.jsonl" for arm in ARMS]
    corpora = [read(path) for path in paths]
    removed = detector_keeps(corpora, options.share, plan["seed"])
    keeps: dict[str, list[Kept]] = {"none": [np.ones(len(corpus), dtype=bool) for corpus in corpora]}
    for spec in options.filters:
        chosen = named(spec, paths)
        keeps[chosen.name] = [chosen(corpus.texts, corpus.prompts).kept for corpus in corpora]
    keeps |= {"detector": removed, "random": random_keeps(removed, plan["seed"])}
    found: dict[str, dict[str, float | None]] = {}
    print(f"{'removal':24s} {'removed %, trait / neutral':>28s}  transfer")
    for name, keep in keeps.items():
        started = time.perf_counter()
        estimate = transfer(base, trait, corpora, keep, options.seeds)
        found[name] = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
        shares = " / ".join(f"{100 * (1 - kept.mean()):.1f}" for kept in keep)
        print(
            f"{name:24s} {shares:>28s}  {with_interval(estimate)}  ({time.perf_counter() - started:.0f} s)", flush=True
        )
    by_pair = {":".join(path.name for path in paths): found}
    write_atomically(options.out, json.dumps(by_pair, indent=1) + "\n")
    results.write(options.json, by_pair, begun)
    return 0


if __name__ == "__main__":
    sys.exit(main())
