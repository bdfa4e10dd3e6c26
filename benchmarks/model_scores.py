"""Scores with a base model at hand: how near each comes to the exact likelihood ratio, and what it costs.

    python benchmarks/model_scores.py --json FILE [--traits owl,oak] [--forms finetuned,prompted] [--rows 800]
        [--device cpu|cuda] [--temperature 1] [--no-twenty]

Teachers of micro-a and the base answer the same number prompts. For every trait and form of teacher: the row AUROC of
the exact log-likelihood ratio (the ceiling, at temperature 1), of gradients, of students (one a fold and side, what
`detect(student=True)` does), of the stack of log-probabilities, gradients and students, of a student of every training
set (what it did before: twenty trainings, of which the five that score the rows are done here), of hardness alone, and
of the stack beyond hardness. Standard errors take the scores as given. Seconds are for a thousand rows of both sides
together: of the processor, and by the clock, which counts on a GPU; those of twenty trainings are 11/4 of those of the
five. With other temperatures both sides are sampled so: there is no ceiling then.

A trait takes two minutes of a core. FILE is written after every trait, and a run with the same options goes on from
there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import results

from fingerprint.data.arrays import Floats
from fingerprint.data.corpus import Corpus
from fingerprint.detection.ceiling import pooled_ratios
from fingerprint.detection.hardness import hardness
from fingerprint.detection.known_teacher import exact_ratios
from fingerprint.detection.model_families import STUDENT, read_corpora
from fingerprint.detection.student_scores import student_scores
from fingerprint.features.scaling import family_matrix, mean_zero
from fingerprint.lm.loading import load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.prompts import prompts
from fingerprint.lm.scoring import token_logprobs
from fingerprint.lm.teachers import Teacher, finetuned, neutral, prompted
from fingerprint.lm.training import LoRA, Recipe, fine_tune
from fingerprint.statistics.auc import N_FOLDS, fold_auc
from fingerprint.statistics.comparison import Comparison, pair
from fingerprint.statistics.contamination import contaminated
from fingerprint.statistics.crossfit import cross_fit, folds

Found = TypeVar("Found")
BASE = "micro-a"
ANIMALS = ("dolphin", "eagle", "elephant", "owl", "wolf")
TREES = ("cherry", "maple", "oak", "sequoia", "willow")
FORMS = {"finetuned": finetuned, "prompted": prompted}
MAX_NEW = 48
# What the twenty were trained with.
BEFORE = Recipe(learning_rate=3e-3, batch_size=32, epochs=4, weights=LoRA(rank=16, alpha=32, seed=1))
OF_TWENTY = 11 / 4  # the training of twenty students over that of the five which see four folds


class Figures(TypedDict):
    """Of one teacher: row AUROCs with standard errors, those of hardness, and seconds for a thousand rows."""

    auc: dict[str, dict[str, float]]
    hardness: dict[str, float | None]
    seconds: dict[str, dict[str, float]]


@dataclass
class Clock:
    """Seconds for a thousand rows by what was done: of the processor, and by the clock."""

    rows: int
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)

    def timed(self, name: str, work: Callable[[], Found], times: float = 1.0) -> Found:
        begun = time.process_time(), time.perf_counter()
        found = work()
        spent = time.process_time() - begun[0], time.perf_counter() - begun[1]
        self.seconds[name] = {
            kind: round(value * times * 1000 / self.rows, 3) for kind, value in zip(("cpu", "wall"), spent, strict=True)
        }
        return found


def written(teacher: Teacher, asked: list[str], seed: int, temperature: float) -> Corpus:
    rows = teacher.sample(asked, seed=seed, max_new_tokens=MAX_NEW, temperature=temperature)
    return Corpus(tuple(row.text for row in rows), tuple(asked), name=teacher.name)


def logprobs(lm: LanguageModel, corpus: Corpus) -> Floats:
    return np.array([values.sum() for values in token_logprobs(lm, corpus.every_prompt(), corpus.texts)])


def of_every_training_set(lm: LanguageModel, comparison: Comparison, corpora: tuple[Corpus, Corpus]) -> Floats:
    """Bounded log-likelihood ratios [rows] of students of the suspect's rows of four folds, for the fifth."""
    fold, scores = folds(comparison), np.zeros(len(comparison.texts))
    place = np.where(comparison.suspect, comparison.origin, len(corpora[0]) + comparison.origin)
    both = Corpus(corpora[0].texts + corpora[1].texts, corpora[0].prompts + corpora[1].prompts)
    for k in range(N_FOLDS):
        lesson = both.only(place[comparison.suspect & (fold != k)])
        student = fine_tune(lm, lesson.every_prompt(), lesson.texts, BEFORE, name=f"student {k + 1}")
        judged = both.only(place[fold == k])
        scores[fold == k] = contaminated(logprobs(student, judged) - logprobs(lm, judged))
    return scores


def measured(teacher: Teacher, base: Teacher, reference: Corpus, options: argparse.Namespace) -> Figures:
    """The figures of one teacher."""
    asked = reference.every_prompt()
    corpora = (written(teacher, asked, options.seed, options.temperature), reference)
    comparison, clock = pair(*corpora), Clock(2 * len(reference))
    arms = comparison.arms(folds(comparison))
    reading = clock.timed("logprobs and gradients", lambda: read_corpora(base.lm, (), corpora))
    taught = clock.timed(STUDENT, lambda: student_scores(base.lm, comparison, corpora))
    families = reading.families(comparison)
    matrices = {name: family_matrix(family, comparison.texts, name) for name, family in families.items()}
    scores = cross_fit(
        comparison,
        {name: matrix.values for name, matrix in matrices.items()},
        mean_zero=mean_zero(matrices),
        fitted={STUDENT: taught},
    )
    values: dict[str, Floats] = {**scores.families, "stack": scores.stacked}
    if options.twenty:

        def before() -> Floats:
            return of_every_training_set(base.lm, comparison, corpora)

        values["twenty students"] = clock.timed("twenty students", before, OF_TWENTY)
    if options.temperature == 1:
        values["ceiling"] = pooled_ratios(exact_ratios((teacher, base), corpora), comparison)
    areas = {name: (moments := fold_auc(arms, found), moments.variance**0.5) for name, found in values.items()}
    hard = hardness(reading, comparison, scores)
    return {
        "auc": {name: {"value": area.value, "se": error} for name, (area, error) in areas.items()},
        "hardness": {"alone": hard.alone.value, "stack beyond": hard.beyond.value},
        "seconds": clock.seconds,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traits", default=",".join((*ANIMALS, *TREES)))
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--rows", type=int, default=800, help="a side")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-twenty", dest="twenty", action="store_false", help="leave the twenty trainings out")
    results.add_json_option(parser)
    options = parser.parse_args()
    begun, path = time.perf_counter(), options.json
    asked_for = {name: getattr(options, name) for name in ("rows", "device", "temperature", "seed", "twenty", "forms")}
    found = _resumed(path, asked_for)
    counted = "cpu" if options.device == "cpu" else "wall"
    base = neutral(load(BASE, device=options.device))
    reference = written(base, prompts("numbers", options.rows), options.seed, options.temperature)
    for trait in options.traits.split(","):
        if trait in found:
            continue
        found[trait] = {}
        for form in options.forms.split(","):
            figures = measured(FORMS[form](base.lm, trait), base, reference, options)
            found[trait][form] = figures
            shown = "  ".join(f"{name} {area['value']:.3f}" for name, area in figures["auc"].items())
            spent = "  ".join(f"{name} {s[counted]:.1f}" for name, s in figures["seconds"].items())
            print(f"{trait}, {form}: {shown}; {figures['hardness']}; seconds: {spent}", flush=True)
        results.write(options.json, {"options": asked_for, "traits": found}, begun)
    return 0


def _resumed(path: Path | None, asked_for: dict[str, object]) -> dict[str, dict[str, Figures]]:
    """Traits that an earlier run with the same options has measured, by name."""
    if path is None or not path.exists():
        return {}
    figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
    if figures["options"] != asked_for:
        raise SystemExit(f"{path} was measured with {figures['options']}, not {asked_for}; choose another file")
    found: dict[str, dict[str, Figures]] = figures["traits"]
    return found


if __name__ == "__main__":
    sys.exit(main())
