"""How much what a base model says should count beside the texts: power on rows of the micro language models.

    python benchmarks/weights_with_model.py --traits cat,birch,dog            # traits that weights are chosen on
    python benchmarks/weights_with_model.py --traits owl,oak --kinds finetuned

Teachers of micro-a and the base itself answer the same prompts; the base reads all rows once. Every draw takes pairs of
prompts; all weights see the same draws and relabellings. Rows are those of the model, columns those of its gradients'
weight and its log-probabilities' weight; text families count as they do without a model.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from itertools import product

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import results

from fingerprint.data.corpus import Corpus
from fingerprint.detection.analysis import family_matrices, omnibus_weights
from fingerprint.detection.model_families import GRADIENTS, LOGPROBS, read_corpora
from fingerprint.features import choose
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Teacher, finetuned, neutral, prompted
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test, pvalue

BASE = "micro-a"
ALPHA = 0.05
PERMUTATIONS = 499
GRID = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0)
KINDS = {"finetuned": finetuned, "prompted": prompted}


def written(teacher: Teacher, asked: list[str], seed: int) -> Corpus:
    answers = teacher.sample(asked, seed=seed, max_new_tokens=48)
    return Corpus(tuple(answer.text for answer in answers), tuple(asked), name=teacher.name)


def powers(
    teacher: Teacher, base: Teacher, reader: str, pairs: int, draws: int, pool: int, seed: int
) -> dict[str, float]:
    """Power by "gradients logprobs" weights, and with the library's own."""
    asked = prompts("numbers", pool, rng=seed)
    corpora = written(teacher, asked, seed), written(base, asked, seed + 1)
    reading = read_corpora(reader, (), corpora)
    found: dict[str, list[bool]] = {}
    for number in range(draws):
        chosen = np.random.default_rng([seed, number]).permutation(pool)[:pairs]
        sides = [corpus.only(chosen) for corpus in corpora]
        read = replace(reading, measures=tuple(measures.rows(chosen) for measures in reading.measures))
        comparison = pair(*sides, seed=number)
        families = {**choose("auto", comparison.texts), **read.families(comparison)}
        matrices = family_matrices(comparison, families)
        kernels = {name: gram(comparison.units(matrix.values)) for name, matrix in matrices.items()}
        drawn = Relabellings.draw(comparison.design, PERMUTATIONS, np.random.default_rng([seed, number, 1]))
        weights = omnibus_weights(comparison, matrices)
        test = permutation_test(kernels, drawn, weights=weights)
        found.setdefault("library", []).append(test.pvalue <= ALPHA)
        texts = np.sum([weights[n] * p for n, p in test.parts.items() if n not in (GRADIENTS, LOGPROBS)], axis=0)
        for gradients, logprobs in product(GRID, GRID):
            total = texts + gradients * test.parts[GRADIENTS] + logprobs * test.parts[LOGPROBS]
            found.setdefault(f"{gradients:g} {logprobs:g}", []).append(pvalue(total) <= ALPHA)
    return {key: float(np.mean(decisions)) for key, decisions in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traits", default="cat,birch,dog")
    parser.add_argument("--kinds", default="finetuned,prompted")
    parser.add_argument("--reader", default=BASE, help="the base model that reads the rows: micro-b is a wrong one")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--pool", type=int, default=1500, help="prompts that draws are taken from")
    parser.add_argument("--seed", type=int, default=0)
    results.add_json_option(parser)
    options = parser.parse_args()
    started, found, base = time.perf_counter(), {}, neutral(BASE)
    for kind, trait in product(options.kinds.split(","), options.traits.split(",")):
        teacher = KINDS[kind](BASE, trait)
        figures = powers(teacher, base, options.reader, options.pairs, options.draws, options.pool, options.seed)
        found[teacher.name] = figures
        print(f"\n{teacher.name}, {options.pairs} pairs, read by {options.reader}")
        print(f"the library's weights: {figures['library']:.2f}")
        print("gradients, log-probabilities " + "".join(f"{weight:8g}" for weight in GRID))
        for gradients in GRID:
            line = "".join(f"{figures[f'{gradients:g} {logprobs:g}']:8.2f}" for logprobs in GRID)
            print(f"{gradients:28g} {line}", flush=True)
    results.write(options.json, found, started)
    return 0


if __name__ == "__main__":
    sys.exit(main())
