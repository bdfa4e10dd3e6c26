"""What known teachers say of new rows under a base model: of their own trait, and of others.

    python benchmarks/gradient_prior.py [--traits owl,cat,birch] [--forms finetuned,prompted] [--rows 600] [--pairs 50]

Directions (`fingerprint.detector.gradient_prior`) are learnt from number rows of teachers of micro-a beside rows of the
base, on half of the prompts. On the other half: the row AUROC of every teacher's rows by every direction, and by the
mean of all others' (a trait that is not among the known ones); its standard error at the default size is about .017.
Then the power at alpha .05 of the exact test on few pairs of prompts: of the gradients alone, without a prior; of the
prior of the teacher's own direction, which counts rows more like it; and of the mean of the others'. About three
minutes of a core.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import results
import scipy.sparse as sp

from fingerprint.data.arrays import Floats
from fingerprint.data.corpus import Corpus
from fingerprint.detector.gradient_prior import GradientPrior
from fingerprint.features.gradients import Gradients
from fingerprint.features.scaling import family_matrix
from fingerprint.lm.gradients import row_gradients
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Teacher, finetuned, neutral, prompted
from fingerprint.statistics.auc import roc_auc
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test

BASE, ALPHA, PERMUTATIONS, MAX_NEW = "micro-a", 0.05, 499, 48
FORMS = {"finetuned": finetuned, "prompted": prompted}
NEUTRAL = "neutral"


def written(teacher: Teacher, asked: list[str], seed: int) -> Corpus:
    rows = teacher.sample(asked, seed=seed, max_new_tokens=MAX_NEW)
    return Corpus(tuple(row.text for row in rows), tuple(asked), name=teacher.name)


def powers(
    suspect: Corpus, reference: Corpus, scores: dict[str, tuple[Floats, Floats]], pairs: int, draws: int
) -> dict[str, float]:
    """Share of draws of some pairs of prompts that are detected: by gradients, and by every score with its sign."""
    lm = neutral(BASE).lm
    gradients = [row_gradients(lm, side.every_prompt(), side.texts) for side in (suspect, reference)]
    found: dict[str, list[bool]] = {}
    for draw in range(draws):
        rng = np.random.default_rng([pairs, draw])
        chosen = rng.permutation(len(suspect))[:pairs]
        comparison = pair(suspect.only(chosen), reference.only(chosen), seed=draw)
        which = np.where(comparison.suspect, comparison.origin, pairs + comparison.origin)
        drawn = Relabellings.draw(comparison.design, PERMUTATIONS, rng)
        both = np.concatenate([side[chosen] for side in gradients])[which]
        kernel = gram(comparison.units(family_matrix(Gradients(both), comparison.texts, "gradients").values))
        found.setdefault("gradients", []).append(permutation_test({"gradients": kernel}, drawn).pvalue <= ALPHA)
        for name, sides in scores.items():
            values = np.concatenate([side[chosen] for side in sides])[which]
            units = comparison.units(sp.csr_matrix(values[:, None].astype(np.float32)))
            signed = {name: units.sum(axis=1, dtype=np.float64)}
            found.setdefault(name, []).append(permutation_test({}, drawn, signed).pvalue <= ALPHA)
    return {name: float(np.mean(decisions)) for name, decisions in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traits", default="owl,cat,birch")
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--rows", type=int, default=600, help="a side, to learn from and to score each")
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    results.add_json_option(parser)
    options = parser.parse_args()
    begun, figures = time.perf_counter(), {}
    base, asked = neutral(BASE), prompts("numbers", 2 * options.rows)
    halves = np.arange(options.rows), np.arange(options.rows, 2 * options.rows)
    traits = options.traits.split(",")
    for form in options.forms.split(","):
        rows = {trait: written(FORMS[form](base.lm, trait), asked, options.seed) for trait in traits}
        rows[NEUTRAL] = written(base, asked, options.seed)
        learnt, new = ({name: corpus.only(half) for name, corpus in rows.items()} for half in halves)
        prior = GradientPrior.of(base.lm, {trait: (learnt[trait], learnt[NEUTRAL]) for trait in traits})
        for trait in traits:
            others = prior.only(*(name for name in traits if name != trait))
            judges = {name: prior.only(name) for name in traits} | {"others": others}
            areas = {}
            scores = {}
            for name, judge in judges.items():
                scores[name] = judge.decision_function(new[trait]), judge.decision_function(new[NEUTRAL])
                areas[name] = roc_auc(*scores[name])
            few = {"own": scores[trait], "others": scores["others"]}
            power = powers(new[trait], new[NEUTRAL], few, options.pairs, options.draws)
            figures[f"{form}: {trait}"] = {"auc": areas, "power": power}
            shown = "  ".join(f"{name} {area:.3f}" for name, area in areas.items())
            told = "  ".join(f"{name} {share:.2f}" for name, share in power.items())
            print(f"{form}: {trait}: row AUROC by {shown}; power at {options.pairs} pairs: {told}", flush=True)
    results.write(options.json, figures, begun)
    return 0


if __name__ == "__main__":
    sys.exit(main())
