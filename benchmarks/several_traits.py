"""What several traits have in common: detectors of it on a trait that was left out, beside detectors of one trait.

    python benchmarks/several_traits.py SET SET SET [--numbers 8] [--test SET ...] [--json FILE]

SET is NAME=TRAIT,NEUTRAL (files; one row a prompt and side), or NAME=FOLDER of published bags, of which the distinct
texts of the train bags are taken. Detectors are fitted on one half of the prompts and judged on the other, of a trait
that they did not see, against neutral rows of prompts that they did not see: of each other trait alone, of all rows of
the other traits pooled, and of what they have in common (`traits=`). Beside them the trait's own detector, and with
`--test` traits of other models, judged by all sets together. `--numbers` cuts rows to so many numbers, as published
bags are. Standard errors delete twentieths of the prompts.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import results
from detector_sets import HELP, Floats, TraitSet, bag_means, groups_of, pooled, read_set

from fingerprint.detector.detector import Detector
from fingerprint.statistics.auc import roc_auc

N_GROUPS = 20
BAG = 16


def alone(one: TraitSet) -> Detector:
    return Detector(holdout=0.0).fit(list(one.texts), one.trait.astype(int), groups=list(one.prompts))


def together(sets: Sequence[TraitSet], common: bool) -> Detector:
    corpus, labels, traits = pooled(sets)
    return Detector(holdout=0.0).fit(corpus, labels, traits=traits if common else None)


def figures(test: TraitSet, scores: Mapping[str, Floats]) -> dict[str, Any]:
    """AUROC of rows and bags of each score, with its standard error, and of the difference from the last of them."""
    group = groups_of(test.prompts, N_GROUPS)

    def areas(keep: np.ndarray) -> Floats:
        sides = (keep & test.trait, keep & ~test.trait)
        return np.array([roc_auc(*(values[side] for side in sides)) for values in scores.values()])

    value = areas(np.ones(len(group), dtype=bool))
    deleted = np.array([areas(group != g) for g in range(N_GROUPS)])

    def error(parts: Floats) -> Floats:
        return np.sqrt((N_GROUPS - 1) * parts.var(axis=0))

    against = error(deleted[:, -1:] - deleted)
    bags = [
        np.mean([roc_auc(*ends) for ends in zip(*(bag_means(v[side], BAG, 20, s) for s, side in sides), strict=True)])
        for v in scores.values()
        for sides in [((0, test.trait), (1, ~test.trait))]
    ]
    return {
        name: {
            "auc": float(value[i]),
            "error": float(error(deleted)[i]),
            f"bags of {BAG}": float(bags[i]),
            "common less this": float(value[-1] - value[i]),
            "error of that": float(against[i]),
        }
        for i, name in enumerate(scores)
    }


def judged(test: TraitSet, train: Sequence[TraitSet], own: TraitSet | None) -> dict[str, Any]:
    """Figures on the test rows of detectors trained on other traits."""
    texts = list(test.texts)
    scores = {f"of {one.name}": alone(one).decision_function(texts) for one in train}
    if own is not None:
        scores["of the trait itself"] = alone(own).decision_function(texts)
    scores["rows pooled"] = together(train, common=False).decision_function(texts)
    scores["in common"] = together(train, common=True).decision_function(texts)
    found = figures(test, scores)
    for name, figure in found.items():
        less = f"in common less this {figure['common less this']:+.4f} +- {figure['error of that']:.4f}"
        bags = f"bags of {BAG} {figure[f'bags of {BAG}']:.3f}"
        print(f"  {name:22s} row {figure['auc']:.4f} +- {figure['error']:.4f}, {bags}; {less}", flush=True)
    return {"rows": len(texts), **found}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="SET", help=HELP)
    parser.add_argument("--test", nargs="*", default=[], metavar="SET", help="further traits, judged by all sets")
    parser.add_argument("--numbers", type=int)
    results.add_json_option(parser)
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    sets = [read_set(word, options.numbers) for word in options.sets]
    found = {}
    for one in sets:
        print(f"{one.name} left out", flush=True)
        others = [other.half(0) for other in sets if other is not one]
        found[one.name] = judged(one.half(1), others, one.half(0))
    for further in (read_set(word, options.numbers) for word in options.test):
        print(f"{further.name}, by all", flush=True)
        found[further.name] = judged(further.half(1), [one.half(0) for one in sets], None)
    results.write(options.json, found, started)
    return 0


if __name__ == "__main__":
    sys.exit(main())
